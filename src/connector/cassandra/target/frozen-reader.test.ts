// What is read back of a restored table is the same in threads and without, and threads are free again however a
// stream ends.
import assert from 'node:assert/strict';
import { copyFile, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { toHex } from '../../../base/bytes.ts';
import { MemorySpill } from '../../../base/spill.ts';
import { wholeRange } from '../../../model/key-range.ts';
import type { RecordStream } from '../../../model/record.ts';
import { murmur3Partitioner } from '../key/partitioner.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import { localFiles } from '../session/local-files.ts';
import type { ListedSstable } from '../session/node-files.ts';
import { hosts, listedFile, rowSchema } from '../session/table-files.fixture.ts';
import { int, TestRecords, text } from '../sstable/write-records.fixture.ts';
import { FrozenReader } from './frozen-reader.ts';
import type { FrozenTable } from './read-back.ts';

const never = new AbortController().signal;
const moment = { nowMs: 1_700_000_000_000 };
const spill = new MemorySpill();
const partitions = 40;
const members = hosts.map((hostId, i) => {
  const at = { hostId, address: `at ${hostId}`, nativeAddress: hostId, tokens: [String(i)] };
  return { ...at, datacenter: 'dc1', rack: 'r1' };
});
const nodes = members.map((one) => ({ ...one, files: localFiles, dataDirectories: [] }));
const table = {
  ...{ schema: rowSchema, tableId: rowSchema.id, tag: 'tag', nodes },
  ring: { nodes: members, partitioner: murmur3Partitioner.className },
  replication: { class: 'SimpleStrategy', replication_factor: '3' },
  sorting: { memoryBytesMax: 8 << 20, spill },
} as unknown as FrozenTable;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'codr-frozen-'));
});

after(async () => {
  await rm(folder, { recursive: true });
});

type Files = Map<string, readonly ListedSstable[]>;

interface Held {
  /** Lacks one row. */
  readonly hostId?: string;
  /** Else each host has another number of files. */
  readonly fileCount?: number;
  readonly schema?: TableSchema;
}

/** Every host has all rows. */
async function filesOf(name: string, held: Held = {}): Promise<Files> {
  const { schema = rowSchema } = held;
  const [column = ''] = schema.regulars.map((one) => one.name);
  const found: Files = new Map();
  for (const [h, hostId] of hosts.entries()) {
    const count = held.fileCount ?? h + 1;
    const made = Array.from({ length: count }, () => new TestRecords(schema));
    for (let p = 0; p < partitions; p++) {
      for (let c = 0; c < 10; c++) {
        if (held.hostId === hostId && p === 17 && c === 3) continue;
        const value = text(`${p} ${c} `.repeat(400));
        made[(p + c) % made.length]?.row(int(p), [int(c)], {
          ...{ micros: 1000, cells: { [column]: { micros: 1000, value } } },
        });
      }
    }
    const files: ListedSstable[] = [];
    for (const [i, records] of made.entries()) {
      const place = { folder: join(folder, name, hostId), hostId, number: i + 1 };
      files.push(await listedFile(place, records, schema));
    }
    found.set(hostId, files);
  }
  return found;
}

const readIn = (reader: FrozenReader, files: Files, signal = never): RecordStream =>
  reader.read(table, { files, moment, range: wholeRange }, signal);

async function linesOf(stream: RecordStream): Promise<string[]> {
  const lines: string[] = [];
  for await (const batch of stream) {
    lines.push(...batch.map(({ key, value }) => `${toHex(key)} ${toHex(value)}`));
  }
  return lines;
}

test('threads give what this one gives, ranges side by side, and not one record less', async () => {
  const files = await filesOf('equal');
  await using here = new FrozenReader(undefined);
  await using threads = new FrozenReader(2);
  const wanted = await linesOf(readIn(here, files));
  assert.equal(wanted.length, partitions * 10);
  const all = await Promise.all([1, 2, 3].map(() => linesOf(readIn(threads, files))));
  for (const lines of all) assert.deepEqual(lines, wanted);
});

test('what a replica lacks is told with its node, by threads too, which go on after it', async () => {
  const [files, whole] = [await filesOf('lacking', { hostId: 'b' }), await filesOf('whole')];
  for (const count of [undefined, 1]) {
    await using reader = new FrozenReader(count);
    await assert.rejects(linesOf(readIn(reader, files)), {
      code: 'proof-failed',
      facts: { node: 'at b' },
    });
    assert.equal((await linesOf(readIn(reader, whole))).length, partitions * 10);
  }
});

test('files that all replicas have are decoded once, and each replica’s bytes are looked at', async () => {
  const files = await filesOf('twins', { fileCount: 2 });
  const opened = new Map<string, number>();
  const counted = {
    ...localFiles,
    open: async (path: string) => {
      const file = await localFiles.open(path);
      const read: typeof file.read = (position, length, into) => {
        if (path.endsWith('-Data.db')) opened.set(path, (opened.get(path) ?? 0) + length);
        return file.read(position, length, into);
      };
      return { ...file, read };
    },
  };
  const watched = { ...table, nodes: nodes.map((node) => ({ ...node, files: counted })) };
  await using here = new FrozenReader(undefined);
  const given = here.read(
    watched as unknown as FrozenTable,
    { files, moment, range: wholeRange },
    never,
  );
  const other = await filesOf('others');
  assert.deepEqual(await linesOf(given), await linesOf(readIn(here, other)));
  assert.equal(opened.size, hosts.length * 2);
  for (const { folder: at, name, dataBytes } of [...files.values()].flat()) {
    assert.equal(opened.get(join(at, `${name}-Data.db`)), dataBytes);
  }
});

test('of files that should be the same one has another byte, or another header: it is named', async () => {
  const place = (files: Files, host: string): string => {
    const [one] = files.get(host) as [ListedSstable];
    return join(one.folder, one.name);
  };
  for (const host of ['a', 'c']) {
    const files = await filesOf(`twin ${host}`, { fileCount: 1 });
    await using data = await open(`${place(files, host)}-Data.db`, 'r+');
    await data.write(Buffer.from([1]), 0, 1, 5000);
    for (const count of [undefined, 1]) {
      await using reader = new FrozenReader(count);
      // Whichever of both it is in.
      const told = {
        code: 'file-damaged',
        message: new RegExp(`at ${host}, ${place(files, host)}`),
      };
      await assert.rejects(linesOf(readIn(reader, files)), told);
    }
  }
  // Of another column's name the data is the same, and the records are not.
  const files = await filesOf('twin header', { fileCount: 1 });
  const [column] = rowSchema.regulars as [(typeof rowSchema.regulars)[0]];
  const schema = { ...rowSchema, regulars: [{ ...column, name: 'w' }] };
  const named = await filesOf('named', { fileCount: 1, schema });
  await copyFile(`${place(named, 'b')}-Statistics.db`, `${place(files, 'b')}-Statistics.db`);
  await using reader = new FrozenReader(1);
  await assert.rejects(linesOf(readIn(reader, files)), {
    message: /^at b, .*its header is not that of at a, /,
  });
});

test('a file that is damaged is told alike by threads and without', async () => {
  const files = await filesOf('damaged');
  const [one] = files.get('c') as [ListedSstable];
  await using data = await open(join(one.folder, `${one.name}-Data.db`), 'r+');
  await data.write(Buffer.alloc(100, 1), 0, 100, Math.floor(one.dataBytes / 2));
  for (const count of [undefined, 1]) {
    await using reader = new FrozenReader(count);
    const told = { code: 'file-damaged', message: new RegExp(`^at c, ${one.folder}/${one.name} `) };
    await assert.rejects(linesOf(readIn(reader, files)), told);
  }
});

test('a thread is free again when its stream is left, given up, or was given up before', async () => {
  const files = await filesOf('left');
  await using reader = new FrozenReader(1);
  for await (const batch of readIn(reader, files)) {
    assert.ok(batch.length > 0);
    break;
  }
  const stop = new AbortController();
  const given = readIn(reader, files, stop.signal);
  const reading = (async () => {
    for await (const _ of given) stop.abort(new Error('somebody has stopped it'));
  })();
  await assert.rejects(reading, /somebody has stopped it/);
  await assert.rejects(linesOf(readIn(reader, files, stop.signal)), /somebody has stopped it/);
  assert.equal((await linesOf(readIn(reader, files))).length, partitions * 10);
});
