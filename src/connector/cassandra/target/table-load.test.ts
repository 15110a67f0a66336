// Streams of records become SSTables on every replica: equal ones, cut at the ends of partitions only, and as the
// compaction strategy wants them.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { FileAccess } from '../../../base/file-access.ts';
import { MemorySpill } from '../../../base/spill.ts';
import { wholeRange } from '../../../model/key-range.ts';
import { batchOf } from '../../../model/record-block.ts';
import { murmur3Partitioner, type Partitioner, randomPartitioner } from '../key/partitioner.ts';
import { partitionKeyOf } from '../key/record-key.ts';
import type { NodeControl } from '../session/control.ts';
import { localFiles } from '../session/local-files.ts';
import { listSstables, openSstable as openFiles } from '../session/node-files.ts';
import type { RingNode } from '../session/replica-placement.ts';
import { openSstable } from '../sstable/open-sstable.ts';
import { readStatistics } from '../sstable/statistics.ts';
import { int, scalar, TestRecords, testSchema, text } from '../sstable/write-records.fixture.ts';
import { EncodePool } from './encode-pool.ts';
import { type FileLayout, layoutOf } from './file-layout.ts';
import { partOf, ReplicaSets } from './replica-sets.ts';
import { leftover, removeStaging, StagedTable } from './staging.ts';
import { TableLoad, type TableLoadOptions } from './table-load.ts';
import type { TargetNode } from './target-nodes.ts';

const { signal } = new AbortController();
const schema = testSchema({
  clustering: [{ name: 'c', type: scalar('int') }],
  regulars: [{ name: 'v', type: scalar('text') }],
});
const tableName = { operation: 'op', keyspace: 'ks', table: 't' };
const partitions = 40;
const rows = 5;

function records(expiry?: number): TestRecords {
  const made = new TestRecords(schema);
  for (let p = 0; p < partitions; p++) {
    for (let c = 0; c < rows; c++) {
      const ends = expiry !== undefined && { ttl: 9, expiry };
      const value = text(`${p} ${c}`.repeat(4000));
      const v = { micros: 1_700_000_000_000_000, value, ...ends };
      made.row(int(p), [int(c)], { micros: v.micros, cells: { v } });
    }
  }
  return made;
}

async function task(
  t: TestContext,
  factor: number,
  more: Partial<TableLoadOptions> = {},
  partitioner: Partitioner = murmur3Partitioner,
  access: FileAccess = localFiles,
) {
  const folder = await mkdtemp(join(tmpdir(), 'codr-table-load-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const ring = [0, 1, 2].map((i): RingNode => {
    const { lowest, highest } = partitioner;
    const step = (highest - lowest) / 25n;
    const tokens = Array.from({ length: 8 }, (_, at) =>
      String(lowest + step * BigInt(at * 3 + i + 1)),
    );
    const address = `n${i}`;
    return { hostId: `h${i}`, address, nativeAddress: address, datacenter: 'd', rack: 'r', tokens };
  });
  const nodes = new Map<string, TargetNode>();
  for (const { hostId, address } of ring) {
    const data = await mkdtemp(join(folder, `${address}-`));
    const control = { address } as NodeControl;
    const place = { files: access, dataDirectories: [data] };
    nodes.set(hostId, { hostId, address, nativeAddress: address, control, ...place });
  }
  const replication = { class: 'SimpleStrategy', replication_factor: String(factor) };
  const staged = new StagedTable(tableName, 'own');
  const sets = new ReplicaSets(ring, replication, partitioner);
  const sorting = { spill: new MemorySpill(), memoryBytesMax: 64 * 1024 };
  return { schema, keyspace: 'ks', sets, nodes, staged, sorting, layout: layoutOf({}), ...more };
}

async function* streamOf(made: TestRecords) {
  for (const block of made.blocks()) yield batchOf(block);
}

/** One stream, all of it. */
async function loadAll(options: TableLoadOptions, made: TestRecords) {
  const load = new TableLoad(options);
  const { records: count } = await load.load(streamOf(made), signal);
  return { ...(await load.finish()), count };
}

const rolling = (fileBytes: number): { layout: FileLayout } => ({
  layout: { kind: 'plain', fileBytes },
});

/** Keys by host and file, in hex. */
async function written({ staged, sets }: TableLoadOptions): Promise<Map<string, string[][]>> {
  const found = new Map<string, string[][]>();
  for (const { node, folder } of await staged.folders()) {
    const table = { keyspace: 'ks', table: 't', tableId: '', files: localFiles, folder };
    const { complete, partial } = await listSstables(node.hostId, table, '.');
    assert.deepEqual(partial, []);
    const files: string[][] = [];
    for (const listed of complete) {
      await using opened = openFiles(listed, () => localFiles);
      const keys: string[] = [];
      for await (const block of (await openSstable(opened, sets.partitioner)).records(
        wholeRange,
        signal,
      )) {
        for (const { key } of batchOf(block)) keys.push(Buffer.from(key).toString('hex'));
      }
      files.push(keys);
    }
    found.set(node.hostId, files);
  }
  return found;
}

test('each record is on as many nodes as it has replicas, and partitions are never cut', async (t) => {
  const fileCounts: number[] = [];
  for (const rollBytes of [1, 1024 * 1024 * 1024]) {
    const load = await task(t, 2, rolling(rollBytes));
    const { count } = await loadAll(load, records());
    const found = await written(load);
    const counts = new Map<string, number>();
    for (const files of found.values()) {
      for (const key of files.flat()) counts.set(key, (counts.get(key) ?? 0) + 1);
      // Rows of one partition share all but the last byte of their clustering.
      for (const keys of files) {
        const whole = Map.groupBy(keys, (key) => key.slice(0, 16));
        for (const some of whole.values()) assert.equal(some.length, rows);
      }
    }
    fileCounts.push([...found.values()].flat().length);
    assert.equal(count, partitions * rows);
    assert.equal(counts.size, count);
    assert.deepEqual(new Set(counts.values()), new Set([2]));
  }
  const [small = 0, large = 0] = fileCounts;
  // Three sets of two nodes.
  assert.ok(large <= 6 && small > large, `${small} and ${large} files`);
});

test('files for RandomPartitioner are in its order, and hold what their node owns by its tokens', async (t) => {
  const load = await task(t, 2, rolling(1), randomPartitioner);
  // Far more than the memory of the sort.
  const { count } = await loadAll(load, records());
  assert.equal(count, partitions * rows);
  const counts = new Map<string, number>();
  for (const [hostId, files] of await written(load)) {
    assert.ok(files.length > 1);
    for (const keys of files) {
      const raw = keys.map((key) => partitionKeyOf(Buffer.from(key, 'hex')) ?? Buffer.alloc(0));
      const places = raw.map((key) => Buffer.from(randomPartitioner.placeOfKey(key)));
      assert.deepEqual(places, places.toSorted(Buffer.compare));
      for (const place of places) assert.ok(load.sets.setAt(place).hostIds.includes(hostId));
      for (const whole of Map.groupBy(keys, (key) => key.slice(0, 16)).values()) {
        assert.equal(whole.length, rows);
      }
    }
    for (const key of files.flat()) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  assert.equal(counts.size, count);
  assert.deepEqual(new Set(counts.values()), new Set([2]));
});

test('replicas of one set get the same bytes', async (t) => {
  const load = await task(t, 3);
  await loadAll(load, records());
  const folders = (await load.staged.folders()).map(({ folder }) => folder);
  assert.equal(folders.length, 3);
  const [first = '', ...others] = folders;
  const names = (await readdir(first)).sort();
  assert.ok(names.includes('nb-1-big-TOC.txt'));
  for (const other of others) {
    assert.deepEqual((await readdir(other)).sort(), names);
    for (const name of names) {
      assert.ok((await readFile(join(other, name))).equals(await readFile(join(first, name))));
    }
  }
});

test('a load that fails leaves no SSTable, and staging goes as a whole', async (t) => {
  const options = await task(t, 3);
  const load = new TableLoad(options);
  const failing = async function* () {
    yield* streamOf(records());
    throw new Error('the source broke');
  };
  await assert.rejects(load.load(failing(), signal), /the source broke/);
  await load.discard();
  for (const { folder } of await options.staged.folders()) {
    assert.deepEqual(await leftover(localFiles, folder), []);
  }
  await removeStaging('op', options.nodes.values());
  for (const { dataDirectories } of options.nodes.values()) {
    assert.deepEqual(await readdir(dataDirectories[0] as string), []);
  }
});

for (const isHere of [true, false]) {
  const whose = isHere ? 'this machine' : 'other machines';
  test(`threads write the same files of ${whose}, and leave none of a load that fails`, (t) =>
    threadsWrite(t, { ...localFiles, isHere }));
}

async function threadsWrite(t: TestContext, access: FileAccess): Promise<void> {
  await using pool = new EncodePool(2);
  const own = await task(t, 2);
  const { files: made, ...wanted } = await loadAll(own, records());
  const other = await task(t, 2, { encoding: pool }, murmur3Partitioner, access);
  const { files: others, ...found } = await loadAll(other, records());
  assert.deepEqual(found, wanted);
  const plain = (some: typeof made) => some.map(({ hostIds, bytes }) => ({ hostIds, bytes }));
  assert.deepEqual(plain(others), plain(made));
  const files = await filesOf(own);
  assert.ok(files.size > 0);
  assert.deepEqual(await filesOf(other), files);

  const broken = await task(t, 2, { encoding: pool }, murmur3Partitioner, access);
  const failing = (async function* () {
    for await (const batch of streamOf(records())) yield batch;
    throw new Error('the fold fails');
  })();
  const load = new TableLoad(broken);
  await assert.rejects(load.load(failing, signal), /the fold fails/);
  await load.discard();
  for (const { folder } of await broken.staged.folders())
    assert.deepEqual(await readdir(folder), []);

  const full = await task(t, 2, { encoding: pool }, murmur3Partitioner, access);
  await full.staged.open([...full.nodes.values()]);
  for (const { folder } of await full.staged.folders()) {
    await mkdir(join(folder, 'nb-2-big-Data.db'));
  }
  const second = new TableLoad(full);
  const refused = second.load(streamOf(records()), signal).then(() => second.finish());
  await assert.rejects(refused, {
    code: 'target-unfit',
    message: /nb-2-big-Data\.db cannot be written/,
  });
}

/** Of each host, by name. */
async function filesOf({ staged }: TableLoadOptions): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  for (const { node, folder } of await staged.folders()) {
    for (const name of await readdir(folder)) {
      found.set(`${node.hostId} ${name}`, await readFile(join(folder, name)));
    }
  }
  return found;
}

test('streams that follow one another share files', async (t) => {
  const options = await task(t, 3);
  const blocks = [...records().blocks(partitions)];
  const load = new TableLoad(options);
  for (const block of blocks) {
    const one = async function* () {
      yield batchOf(block);
    };
    await load.load(one(), signal);
  }
  await load.finish();
  const found = await written(options);
  assert.ok(blocks.length > 3);
  for (const files of found.values()) {
    assert.equal(files.length, 1);
    assert.equal(files[0]?.length, partitions * rows);
  }
});

test('what is counted of blocks that lie in larger memory are their records alone', async (t) => {
  const load = new TableLoad(await task(t, 2));
  const [block] = records().blocks();
  assert.ok(block);
  const parts = [partOf(block, 3, 60), partOf(block, 60, 110)].map(batchOf);
  const stream = async function* () {
    yield* parts;
  };
  const found = await load.load(stream(), signal);
  await load.finish();
  const all = parts.flatMap((part) => [...part]);
  const bytes = all.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
  assert.deepEqual([found.records, found.bytes], [107, bytes]);
});

test('more sets than files may be open wait in scratch space, and miss nothing', async (t) => {
  const options = await task(t, 2, { openMax: 1 });
  const { count } = await loadAll(options, records());
  const found = await written(options);
  assert.equal([...found.values()].flat(2).length, 2 * count);
  assert.ok([...found.values()].every((files) => files.length === 2));
});

test('files of levels do not overlap on any node, and say the level that holds them', async (t) => {
  const layout = { kind: 'levels', fileBytes: 20_000, fanout: 2 } as const;
  const options = await task(t, 2, { layout });
  const load = new TableLoad(options);
  // Each record is encoded for both of its nodes, and counted once.
  await load.load(streamOf(records(0x8000_0000)), signal);
  const { hasLevels, files: made, capped } = await load.finish();
  assert.deepEqual([hasLevels, capped], [true, partitions * rows]);
  await load.setLevels(made);
  for (const { node, folder } of await options.staged.folders()) {
    const table = { keyspace: 'ks', table: 't', tableId: '', files: localFiles, folder };
    const { complete } = await listSstables(node.hostId, table, '.');
    const levels = new Set<number>();
    let bytes = 0;
    for (const listed of complete) {
      await using opened = openFiles(listed, () => localFiles);
      levels.add((await readStatistics(opened)).stats.level);
      bytes += listed.dataBytes;
    }
    const [level = 0] = levels;
    assert.equal(levels.size, 1);
    assert.ok(bytes <= 20_000 * 2 ** level && bytes > 20_000 * 2 ** (level - 1), `${level}`);
  }
  for (const files of (await written(options)).values()) {
    assert.ok(files.length > 1);
    const spans = files.map((keys) => [keys[0] ?? '', keys.at(-1) ?? ''] as const).sort();
    spans.slice(1).forEach(([first], i) => {
      assert.ok(first > (spans[i]?.[1] ?? ''));
    });
  }
});
