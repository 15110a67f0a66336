import assert from 'node:assert/strict';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { CodrError, isCodrError } from '../../../base/error.ts';
import type { FileAccess } from '../../../base/file-access.ts';
import { type KeyRange, wholeRange } from '../../../model/key-range.ts';
import { partitionPrefixBytesMax, writePartitionPrefix } from '../key/record-key.ts';
import { int, TestRecords, text } from '../sstable/write-records.fixture.ts';
import { localFiles } from './local-files.ts';
import { MergePool } from './merge-pool.ts';
import type { ListedSstable } from './node-files.ts';
import { planParts } from './part-plan.ts';
import { bytesOf, hosts, listedFile, readerOf, rowSchema } from './table-files.fixture.ts';

const signal = new AbortController().signal;

let folder: string;
let pool: MergePool;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'codr-test-'));
  pool = new MergePool(2);
});

after(async () => {
  await pool[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** A file of each host: all have most rows, and of some rows another version or none. */
async function makeFiles(name: string): Promise<ListedSstable[]> {
  const files: ListedSstable[] = [];
  for (const [h, hostId] of hosts.entries()) {
    const records = new TestRecords(rowSchema);
    for (let p = 0; p < 400; p++) {
      if (p % 7 === h) records.partitionDeletion(int(p), { micros: 900 + h, seconds: 1 });
      for (let c = 0; c < 10; c++) {
        if ((p + c) % 5 === h) continue;
        const micros = 1000 + ((p * c) % 3) * h;
        const value = text(`${p} ${c} ${micros} `.repeat(30));
        records.row(int(p), [int(c)], { micros, cells: { v: { micros, value } } });
      }
    }
    files.push(await listedFile({ folder: join(folder, name, hostId), hostId }, records));
  }
  return files;
}

test('parts that threads merge, one behind another, are what one thread makes of the whole', async () => {
  const files = await makeFiles('equal');
  const whole = await bytesOf(readerOf(files).reader, [wholeRange]);
  const { reader, damaged } = readerOf(files, { pool });
  const ranges = await reader.ranges(500_000, signal);
  assert.ok(ranges.length >= 4, `${ranges.length} parts`);
  assert.deepEqual(await bytesOf(reader, ranges), whole);
  assert.deepEqual(damaged, []);
  assert.ok(whole.length > 1_000_000);
});

test('files that a peer alone sees are read by threads through this one, and closed', async () => {
  const files = await makeFiles('elsewhere');
  const whole = await bytesOf(readerOf(files).reader, [wholeRange]);
  const [paths, left] = [new Set<string>(), new Set<string>()];
  const away: FileAccess = {
    ...localFiles,
    isHere: false,
    open: async (path) => {
      const file = await localFiles.open(path);
      const close = async (): Promise<void> => {
        left.delete(path);
        await file.close();
      };
      paths.add(path);
      left.add(path);
      return { ...file, close };
    },
  };
  const filesOf = (peer: string | undefined) => (peer === undefined ? localFiles : away);
  const seen = files.map((file, i) => (i === 0 ? file : { ...file, peer: 'n2' }));
  const { reader } = readerOf(seen, { pool, filesOf });
  const ranges = await reader.ranges(500_000, signal);
  paths.clear();
  assert.deepEqual(await bytesOf(reader, ranges), whole);
  const data = [...paths].filter((path) => path.endsWith('Data.db'));
  assert.equal(data.length, files.length - 1, 'the thread reads its own files itself');
  assert.deepEqual([...left], []);
  const gone: FileAccess = {
    ...away,
    open: async () => Promise.reject(new CodrError('source-unreachable', 'peer n2 is gone')),
  };
  const lost = readerOf(seen, { pool, filesOf: (peer) => (peer ? gone : localFiles) });
  const reading = bytesOf(lost.reader, await lost.reader.ranges(500_000, signal));
  await assert.rejects(reading, (error) => isCodrError(error, 'file-damaged'));
  assert.match(lost.damaged[0]?.message ?? '', /peer n2 is gone/);
});

test('of each part is told how much of it each peer sees, and all parts together are all files', async () => {
  const [one, two, three] = (await makeFiles('seen')) as [
    ListedSstable,
    ListedSstable,
    ListedSstable,
  ];
  const seen = [{ ...one, peer: 'a' }, { ...two, peer: 'b' }, three];
  const { reader } = readerOf(seen, { pool });
  const whole = new Map([['a', one.dataBytes]]).set('b', two.dataBytes);
  assert.deepEqual(reader.near(wholeRange), whole);
  const ranges = await reader.ranges(500_000, signal);
  const sums = new Map<string, number>();
  for (const range of ranges) {
    const near = reader.near(range);
    const [a = 0, b = 0] = [near.get('a'), near.get('b')];
    // Hosts have about the same rows.
    assert.ok(a > 0 && Math.abs(a - b) < a / 4, `${a} and ${b}`);
    for (const [peer, bytes] of near) sums.set(peer, (sums.get(peer) ?? 0) + bytes);
  }
  const both = readerOf(
    [
      { ...one, peer: 'a' },
      { ...two, peer: 'a' },
    ],
    { pool },
  );
  assert.deepEqual([...sums.keys()], ['a', 'b']);
  const all = (sums.get('a') ?? 0) + (sums.get('b') ?? 0);
  const together = (await both.reader.ranges(1e9, signal)).map((range) => both.reader.near(range));
  assert.equal(
    all,
    together.reduce((sum, near) => sum + (near.get('a') ?? 0), 0),
  );
});

test('without an index there is one part, which a thread reads all the same', async () => {
  const files = (await makeFiles('unindexed')).map((file) => ({
    ...file,
    components: file.components.filter((name) => name !== 'Index.db'),
  }));
  const { reader } = readerOf(files, { pool });
  const ranges = await reader.ranges(500_000, signal);
  assert.deepEqual(ranges, [wholeRange]);
  const whole = await bytesOf(readerOf(files).reader, [wholeRange]);
  assert.deepEqual(await bytesOf(reader, ranges), whole);
});

test('files whose chunks have no checksums are one part, and one with another digest is left out', async () => {
  const files = (await makeFiles('unsummed')).map((file) => ({
    ...file,
    components: file.components.filter((name) => name !== 'CRC.db'),
  }));
  const [first, ...others] = files;
  assert.ok(first);
  const data = join(first.folder, 'nb-1-big-Data.db');
  const bytes = await readFile(data);
  // A letter of a value becomes another one: nothing but the digest can tell.
  const at = bytes.lastIndexOf('1');
  bytes[at] = (bytes[at] as number) + 1;
  await writeFile(data, bytes);
  const { reader, damaged } = readerOf(files, { pool });
  const ranges = await reader.ranges(500_000, signal);
  assert.deepEqual(ranges, [wholeRange]);
  await assert.rejects(bytesOf(reader, ranges), { code: 'file-damaged' });
  assert.deepEqual(
    damaged.map(({ file }) => file),
    [first],
  );
  assert.match(damaged[0]?.message ?? '', /Digest\.crc32 says/);
  const whole = await bytesOf(readerOf(others).reader, [wholeRange]);
  assert.deepEqual(await bytesOf(reader, await reader.ranges(500_000, signal)), whole);
});

test('a file that is damaged is told once by whichever part meets it, and left out when read again', async () => {
  const files = await makeFiles('damaged');
  const [first, second] = files as [ListedSstable, ListedSstable];
  await using data = await open(join(first.folder, 'nb-1-big-Data.db'), 'r+');
  await data.write(Buffer.alloc(100, 1), 0, 100, Math.floor(first.dataBytes / 2));
  const { reader, damaged } = readerOf(files, { pool });
  const ranges = await reader.ranges(500_000, signal);
  const outcomes = await Promise.allSettled(ranges.map((range) => bytesOf(reader, [range])));
  const failed = outcomes.filter(({ status }) => status === 'rejected');
  assert.ok(failed.length > 0 && failed.length < ranges.length);
  const { reason } = failed[0] as PromiseRejectedResult;
  assert.ok(isCodrError(reason, 'file-damaged'));
  assert.equal(reason.object, 'nb-1-big Data.db');
  assert.deepEqual(
    damaged.map(({ file }) => file),
    [first],
  );
  const left = await bytesOf(reader, await reader.ranges(500_000, signal));
  const others = readerOf([second, files[2] as ListedSstable]).reader;
  assert.deepEqual(left, await bytesOf(others, [wholeRange]));
});

test('the content of a table is the same for the same files, and another without a damaged one', async () => {
  const files = await makeFiles('content');
  const { reader } = readerOf(files);
  const content = reader.content();
  assert.equal(readerOf(files.toReversed(), { pool }).reader.content(), content);
  const [first, second] = files as [ListedSstable, ListedSstable];
  const others = [
    { ...first, dataBytes: first.dataBytes + 1 },
    { ...first, modifiedMs: 2 },
  ];
  for (const other of [...others, { ...first, hostId: second.hostId }]) {
    assert.notEqual(readerOf([other, ...files.slice(1)]).reader.content(), content);
  }
  await using data = await open(join(first.folder, 'nb-1-big-Data.db'), 'r+');
  await data.write(Buffer.alloc(100, 1), 0, 100, Math.floor(first.dataBytes / 2));
  await assert.rejects(bytesOf(reader, [wholeRange]), { code: 'file-damaged' });
  assert.equal(reader.content(), readerOf(files.slice(1)).reader.content());
});

/** Of the files' partitions the one in the middle, as Index.db and Summary.db have keys. */
function middleKey(): Buffer {
  const keys = Array.from({ length: 400 }, (_, p) => Buffer.from(int(p)));
  const prefixOf = (key: Buffer): Buffer => {
    const into = Buffer.alloc(partitionPrefixBytesMax);
    return into.subarray(0, writePartitionPrefix(key, 0, key.length, into, 0));
  };
  const sorted = keys.sort((a, b) => Buffer.compare(prefixOf(a), prefixOf(b)));
  return sorted[200] as Buffer;
}

test('an index that begins with a key that the data does not begin with costs the parts, and no row', async () => {
  const files = await makeFiles('misindexed');
  const whole = await bytesOf(readerOf(files).reader, [wholeRange]);
  const path = join(files[0]?.folder ?? '', 'nb-1-big-Index.db');
  const index = await readFile(path);
  middleKey().copy(index, 2);
  await writeFile(path, index);
  // With so much memory nobody asks where files begin.
  const { reader, damaged } = readerOf(files, { pool, memoryBytesMax: 64 << 20 });
  const read = await bytesOf(reader, await reader.ranges(500_000, signal));
  assert.ok(read.equals(whole), `${read.length} of ${whole.length} bytes`);
  assert.deepEqual(damaged, []);
});

test('a file that goes on after the last key that is said of it is told, not left out of parts', async () => {
  const files = await makeFiles('missummed');
  const [first, ...others] = files as [ListedSstable, ListedSstable, ListedSstable];
  const head = Buffer.alloc(24);
  const size = Buffer.alloc(4);
  size.writeInt32BE(4);
  const summary = Buffer.concat([head, size, middleKey(), size, middleKey()]);
  await writeFile(join(first.folder, 'nb-1-big-Summary.db'), summary);
  const seen = [{ ...first, components: [...first.components, 'Summary.db'] }, ...others];
  const { reader, damaged } = readerOf(seen, { pool });
  const ranges = await reader.ranges(500_000, signal);
  await assert.rejects(bytesOf(reader, ranges), { code: 'file-damaged' });
  assert.match(damaged[0]?.message ?? '', /goes on after the last key/);
});

test('of many places where reading may begin few are held, and the parts are the same records', async () => {
  const files = await makeFiles('thinned');
  const size = { partBytes: 500_000, count: 8, partBytesMin: 1024 };
  const entriesMax = 6;
  const all = await planParts(files, size, () => localFiles, signal);
  const few = await planParts(files, { ...size, entriesMax }, () => localFiles, signal);
  assert.ok(few.ranges.length < all.ranges.length && few.ranges.length > 1);
  for (const range of few.ranges.slice(1)) {
    for (const file of files) {
      const start = few.placeOf(file, range)?.start;
      assert.ok(start && Buffer.compare(start.prefix, range.from ?? start.prefix) <= 0);
    }
  }
});

test('a part that is left or given up frees its thread', async () => {
  const { reader } = readerOf(await makeFiles('left'), { pool });
  const ranges = await reader.ranges(500_000, signal);
  for (let i = 0; i < 5; i++) {
    for await (const batch of reader.records(ranges[0] as KeyRange, signal)) {
      assert.ok(batch.length > 0);
      break;
    }
    const stop = new AbortController();
    const reason = new Error('given up');
    const reading = bytesOf(reader, ranges, stop.signal);
    setImmediate(() => stop.abort(reason));
    await assert.rejects(reading, reason);
  }
  assert.ok((await bytesOf(reader, ranges)).length > 1_000_000);
});

test('a failure that is of no file rejects its own job, and the next job works', async () => {
  await using one = new MergePool(1);
  const listed = undefined as unknown as ListedSstable;
  const job = {
    files: [{ listed, owned: [] }],
    range: wholeRange,
    clusteringCount: 1,
    bufferBytes: 1024,
  };
  const failing = async (): Promise<void> => {
    for await (const block of one.merged(job, () => localFiles, signal))
      assert.equal(block.count, 0);
  };
  await assert.rejects(failing, /TypeError/);
  for await (const block of one.merged({ ...job, files: [] }, () => localFiles, signal))
    assert.equal(block.count, 0);
});
