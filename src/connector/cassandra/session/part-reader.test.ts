import assert from 'node:assert/strict';
import { mkdtemp, open, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { MemorySpill } from '../../../base/spill.ts';
import { wholeRange } from '../../../model/key-range.ts';
import { blockOf } from '../../../model/record-block.ts';
import { int, TestRecords, text } from '../sstable/write-records.fixture.ts';
import { localFiles } from './local-files.ts';
import type { ListedSstable } from './node-files.ts';
import { CassandraPartReader } from './part-reader.ts';
import { bytesOf, hosts, listedFile, readerOf, rowSchema } from './table-files.fixture.ts';

const signal = new AbortController().signal;
const partBytes = 300_000;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'codr-test-'));
});

after(async () => {
  await rm(folder, { recursive: true });
});

/** A file of each host, all with most rows. */
async function makeFiles(
  name: string,
  { seed = 0, partitions = 30 } = {},
): Promise<ListedSstable[]> {
  const files: ListedSstable[] = [];
  for (const [h, hostId] of hosts.entries()) {
    const records = new TestRecords(rowSchema);
    for (let p = 0; p < partitions; p++) {
      for (let c = 0; c < 10; c++) {
        if ((p + c) % 5 === h) continue;
        const value = text(`${seed} ${p} ${c} `.repeat(30));
        records.row(int(p), [int(c)], { micros: 1000, cells: { v: { micros: 1000, value } } });
      }
    }
    files.push(await listedFile({ folder: join(folder, name, hostId), hostId }, records));
  }
  return files;
}

/** Another process, which was told what to read; threads as given. */
async function readElsewhere(described: unknown, workers = 0): Promise<Buffer> {
  const sorting = { spill: new MemorySpill(), memoryBytesMax: 1 << 20 };
  await using reader = new CassandraPartReader({ filesOf: () => localFiles, sorting }, { workers });
  const blocks: Uint8Array[] = [];
  const heard: unknown = JSON.parse(JSON.stringify(described));
  for await (const batch of reader.records(heard, signal)) blocks.push(blockOf(batch).bytes);
  return Buffer.concat(blocks);
}

test('parts that others read by their descriptions are what the cut reads, with threads and without', async () => {
  const files = await makeFiles('equal', { partitions: 300 });
  const { reader } = readerOf(files);
  const whole = await bytesOf(reader, [wholeRange]);
  assert.deepEqual(await reader.ranges(partBytes, signal), [wholeRange], 'alone and threadless');
  const ranges = await reader.ranges(partBytes, signal, 3);
  assert.ok(ranges.length >= 3, `${ranges.length} parts`);
  for (const workers of [0, 2]) {
    const parts: Buffer[] = [];
    for (const range of ranges) parts.push(await readElsewhere(reader.described(range), workers));
    assert.ok(parts.every(({ length }) => length > 0 && length < 0.7 * whole.length));
    assert.ok(Buffer.concat(parts).equals(whole), 'put one behind another');
  }
  assert.ok((await bytesOf(reader, ranges)).equals(whole), 'parts without threads');
});

test('a table of one part is described as a whole', async () => {
  const { reader } = readerOf(await makeFiles('whole'));
  const described = reader.described(wholeRange);
  assert.ok((await readElsewhere(described)).equals(await bytesOf(reader, [wholeRange])));
});

test('a file that is another one at the same path is refused, and so is one that is not there', async () => {
  const files = await makeFiles('mine');
  const described = readerOf(files).reader.described(wholeRange);
  const [first] = files as [ListedSstable];
  const other = join(folder, 'theirs');
  await makeFiles('theirs', { seed: 1 });
  await rm(first.folder, { recursive: true });
  await assert.rejects(readElsewhere(described), { code: 'peer-lost', message: /nb-1-big/ });
  await rename(join(other, first.hostId), first.folder);
  await assert.rejects(readElsewhere(described), {
    code: 'peer-lost',
    message: /nb-1-big:\d+:\d+ is nb-1-big:\d+:\d+ from here/,
  });
});

test('a file that is damaged is told with the folder that it is in', async () => {
  const files = await makeFiles('damaged');
  const described = readerOf(files).reader.described(wholeRange);
  const [, second] = files as [ListedSstable, ListedSstable];
  await using data = await open(join(second.folder, 'nb-1-big-Data.db'), 'r+');
  await data.write(Buffer.alloc(100, 1), 0, 100, Math.floor(second.dataBytes / 2));
  for (const workers of [0, 1]) {
    await assert.rejects(readElsewhere(described, workers), {
      code: 'file-damaged',
      object: second.folder,
    });
  }
});

test('the text of another version is refused', async () => {
  const described = readerOf(await makeFiles('version')).reader.described(wholeRange) as object;
  await assert.rejects(readElsewhere({ ...described, version: 99 }), { code: 'peer-lost' });
});

test('files that nothing tells from others of their size are read by the cut alone', async () => {
  const files = (await makeFiles('digests')).map((file) => ({ ...file, digest: '' }));
  assert.equal(readerOf(files).reader.described(wholeRange), undefined);
});
