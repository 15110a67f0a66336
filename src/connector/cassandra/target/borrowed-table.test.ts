// Ranges of a table that other processes load: what they say they made is checked and imported once, and what they
// began and never told of is not.
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { SeededRandom } from '../../../base/random.ts';
import { MemorySpill } from '../../../base/spill.ts';
import { wholeRange } from '../../../model/key-range.ts';
import { batchOf, type RecordBlock } from '../../../model/record-block.ts';
import type { TargetItem } from '../../restore-target.ts';
import { murmur3Partitioner } from '../key/partitioner.ts';
import type { NodeControl } from '../session/control.ts';
import { localFiles } from '../session/local-files.ts';
import { listSstables, openSstable as openFiles } from '../session/node-files.ts';
import type { RingNode } from '../session/replica-placement.ts';
import { type Ring, ringDigest } from '../session/ring.ts';
import { openSstable } from '../sstable/open-sstable.ts';
import { readStatistics } from '../sstable/statistics.ts';
import { int, scalar, TestRecords, testSchema, text } from '../sstable/write-records.fixture.ts';
import { BorrowedTable } from './borrowed-table.ts';
import { type FileLayout, layoutOf } from './file-layout.ts';
import { FrozenReader } from './frozen-reader.ts';
import { checkedFiles, type LentTable, type TableReceipt } from './lent-table.ts';
import { ReplicaSets } from './replica-sets.ts';
import { StagedTable, stagingPrefix } from './staging.ts';
import { TableLoad } from './table-load.ts';
import type { TargetNode } from './target-nodes.ts';

const { signal } = new AbortController();
const schema = testSchema({ regulars: [{ name: 'v', type: scalar('text') }] });
const body = Buffer.from(JSON.stringify({ schema, keyspace: {}, ddl: {} }));
const item = { entry: { body }, namespace: 'ks.t' } as unknown as TargetItem;
const name = { operation: 'op', keyspace: 'ks', table: 't' };
const replication = { class: 'SimpleStrategy', replication_factor: '2' };
const sorting = { spill: new MemorySpill(), memoryBytesMax: 1 << 20 };
const partitions = 60;
/** One partition in three expires after what a file can hold. */
const late = 2 ** 32 - 10;

function blocks(): RecordBlock[] {
  const made = new TestRecords(schema);
  for (let p = 0; p < partitions; p++) {
    const life = p % 3 === 0 ? { ttl: 1000, expiry: late } : {};
    const v = { micros: 1_700_000_000_000_000, value: text(`${p}`.repeat(3000)), ...life };
    made.row(int(p), [], { micros: v.micros, cells: { v } });
  }
  return [...made.blocks(6)];
}

async function* streamOf(some: readonly RecordBlock[], fault?: Error) {
  for (const block of some) yield batchOf(block);
  if (fault) throw fault;
}

/** Three nodes, the process that restores with an empty load, and others that borrow. */
async function world(t: TestContext, layout: FileLayout = layoutOf({})) {
  const folder = await mkdtemp(join(tmpdir(), 'codr-borrowed-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const { lowest, highest } = murmur3Partitioner;
  const nodes = new Map<string, TargetNode>();
  const members: RingNode[] = [];
  for (const i of [0, 1, 2]) {
    const [hostId, address] = [`h${i}`, `n${i}`];
    const tokens = [String(lowest + ((highest - lowest) / 4n) * BigInt(i + 1))];
    const place = { files: localFiles, dataDirectories: [await mkdtemp(join(folder, 'node-'))] };
    members.push({ hostId, address, nativeAddress: address, datacenter: 'd', rack: 'r', tokens });
    const control = { address } as NodeControl;
    nodes.set(hostId, { hostId, address, nativeAddress: address, control, ...place });
  }
  const ring: Ring = {
    ...{ clusterName: 'c', partitioner: murmur3Partitioner.className, nodes: members },
    ...{ schemaVersions: [], version: '5.0', up: [] },
  };
  const sets = new ReplicaSets(members, replication);
  const staged = new StagedTable(name, 'own');
  const load = new TableLoad({ schema, keyspace: 'ks', layout, nodes, staged, sets, sorting });
  const bases = await staged.bases(nodes.values());
  const lent: LentTable = JSON.parse(
    JSON.stringify({ ring: ringDigest(ring), replication, word: 'op', load: { layout, bases } }),
  );
  const borrow = (seed: number, ourRing = ring, ourNodes = nodes): BorrowedTable => {
    const random = new SeededRandom(seed);
    return new BorrowedTable(item, lent, {
      ring: ourRing,
      nodes: ourNodes,
      sorting,
      encoding: undefined,
      reader: new FrozenReader(undefined),
      random,
    });
  };
  const adopt = async (receipt: unknown): Promise<void> => {
    const given = JSON.parse(JSON.stringify(receipt)) as TableReceipt;
    assert.equal(given.kind, 'files');
    load.adopt(await checkedFiles(given.loaded, bases, nodes));
  };
  return { nodes, ring, staged, load, bases, borrow, adopt };
}

/** Keys of all files that a node would import, and the levels that they say. */
async function waiting(folders: readonly string[], hostId: string) {
  const keys: string[] = [];
  const levels = new Set<number>();
  for (const folder of folders) {
    const table = { keyspace: 'ks', table: 't', tableId: '', files: localFiles, folder };
    const { complete, partial } = await listSstables(hostId, table, '.');
    assert.deepEqual(partial, []);
    for (const listed of complete) {
      await using opened = openFiles(listed, () => localFiles);
      levels.add((await readStatistics(opened)).stats.level);
      const sstable = await openSstable(opened, murmur3Partitioner);
      for await (const block of sstable.records(wholeRange, signal)) {
        for (const { key } of batchOf(block)) keys.push(Buffer.from(key).toString('hex'));
      }
    }
  }
  return { keys, levels };
}

const attempts = async (bases: Readonly<Record<string, string>>): Promise<string[]> =>
  (await Promise.all(Object.values(bases).map((base) => readdir(base)))).flat();

test('ranges of several processes are imported once each, though one was lost in the middle', async (t) => {
  const { nodes, staged, load, bases, borrow, adopt } = await world(t);
  const all = blocks();
  const [first, second, third] = [all.slice(0, 3), all.slice(3, 7), all.slice(7)];
  const { receipt } = await borrow(1).load(item, streamOf(first), signal);
  await adopt(receipt);
  // It answered, and nobody heard it: another one loads the same.
  await borrow(2).load(item, streamOf(second), signal);
  const again = await borrow(3).load(item, streamOf(second), signal);
  await adopt(again.receipt);
  await load.load(streamOf(third), signal);
  const finished = await load.finish();
  assert.equal(finished.records, partitions);
  assert.equal(finished.capped, Math.ceil(partitions / 3));
  const groups = await staged.groups(finished.files, nodes, 1 << 30);
  const copies = new Map<string, number>();
  for (const [hostId, own] of Object.entries(groups)) {
    const { keys } = await waiting(
      own.map(({ folder }) => folder),
      hostId,
    );
    for (const key of keys) copies.set(key, (copies.get(key) ?? 0) + 1);
  }
  assert.equal(copies.size, partitions);
  assert.deepEqual(new Set(copies.values()), new Set([2]));
  // What nobody named is gone before anything is imported.
  assert.deepEqual(new Set(await attempts(bases)), new Set(['1']));
});

test('a range that fails leaves nothing, and one whose folder is gone is done elsewhere', async (t) => {
  const { nodes, bases, borrow } = await world(t);
  const broken = streamOf(blocks().slice(0, 4), new Error('the fold fails'));
  await assert.rejects(borrow(1).load(item, broken, signal), /the fold fails/);
  assert.deepEqual(await attempts(bases), []);
  // As a process finds it that wakes up after the restore has ended.
  for (const base of Object.values(bases)) await rm(base, { recursive: true });
  await assert.rejects(borrow(2).load(item, streamOf(blocks()), signal), { code: 'peer-lost' });
  for (const { dataDirectories } of nodes.values()) {
    const left = join(dataDirectories[0] as string, `${stagingPrefix}op`, 'ks');
    assert.deepEqual(await readdir(left), []);
  }
});

test('files that are not as their maker says, or lie elsewhere, are not adopted', async (t) => {
  const { load, borrow, adopt } = await world(t);
  const { receipt } = await borrow(1).load(item, streamOf(blocks()), signal);
  const { loaded } = receipt as TableReceipt & { readonly kind: 'files' };
  const [file] = loaded.files;
  assert.ok(file);
  const elsewhere = file.place.folders.map((one) => ({
    ...one,
    folder: `${one.folder}/../../x/y`,
  }));
  for (const odd of [
    { ...file, digest: '1' },
    { ...file, bytes: file.bytes + 1 },
    { ...file, place: { ...file.place, folders: elsewhere } },
    { ...file, place: { ...file.place, name: '../nb-1-big' } },
  ]) {
    const told = { kind: 'files', loaded: { ...loaded, files: [odd] } };
    await assert.rejects(adopt(told), { code: 'peer-lost' });
  }
  const { folder } = file.place.folders[1] ?? { folder: '' };
  await truncate(join(folder, `${file.place.name}-Data.db`), 10);
  await assert.rejects(adopt(receipt), { code: 'peer-lost' });
  assert.equal((await load.finish()).records, 0);
});

test('a process that knows another ring loads nothing', async (t) => {
  const { ring, borrow } = await world(t);
  assert.throws(() => borrow(1, { ...ring, nodes: ring.nodes.slice(1) }), { code: 'peer-lost' });
});

test('a process whose files the server could not move loads nothing and leaves nothing', async (t) => {
  const { nodes, ring, bases, borrow } = await world(t);
  const files: typeof localFiles = {
    ...localFiles,
    // As what another user makes.
    stat: async (path) => {
      const facts = await localFiles.stat(path);
      return { ...facts, userId: facts.userId + (path.includes('/by-') ? 1 : 0) };
    },
  };
  const others = new Map([...nodes].map(([hostId, node]) => [hostId, { ...node, files }]));
  const loading = borrow(1, ring, others).load(item, streamOf(blocks()), signal);
  await assert.rejects(loading, { code: 'peer-lost' });
  assert.deepEqual(await attempts(bases), []);
});

test('files of levels say the one level that holds them, whoever made them', async (t) => {
  const layout = { kind: 'levels', fileBytes: 2_000, fanout: 2 } as const;
  const { nodes, staged, load, borrow, adopt } = await world(t, layout);
  const all = blocks();
  await adopt((await borrow(1).load(item, streamOf(all.slice(4)), signal)).receipt);
  await load.load(streamOf(all.slice(0, 4)), signal);
  const finished = await load.finish();
  await load.setLevels(finished.files);
  const groups = await staged.groups(finished.files, nodes, 1 << 30);
  for (const [hostId, own] of Object.entries(groups)) {
    const folders = own.map(({ folder }) => folder);
    const { keys, levels } = await waiting(folders, hostId);
    assert.equal(levels.size, 1);
    assert.ok(!levels.has(0));
    assert.equal(new Set(keys).size, keys.length);
  }
});
