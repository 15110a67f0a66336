// A stream of records becomes SSTables on every replica: equal ones, cut at the ends of partitions only.
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { wholeRange } from '../../../model/key-range.ts';
import { batchOf } from '../record/record-block.ts';
import type { NodeControl } from '../session/control.ts';
import { listSstables, openSstable as openFiles } from '../session/node-files.ts';
import type { RingNode } from '../session/replica-placement.ts';
import { openSstable } from '../sstable/open-sstable.ts';
import { int, scalar, TestRecords, testSchema, text } from '../sstable/write-records.fixture.ts';
import { type LoadTask, loadRange } from './range-load.ts';
import { ReplicaSets } from './replica-sets.ts';
import { leftover, removeStaging, StagedTable } from './staging.ts';
import type { TargetNode } from './target-nodes.ts';

const { signal } = new AbortController();
const schema = testSchema({
  clustering: [{ name: 'c', type: scalar('int') }],
  regulars: [{ name: 'v', type: scalar('text') }],
});
const partitions = 40;
const rows = 5;

function records(): TestRecords {
  const made = new TestRecords(schema);
  for (let p = 0; p < partitions; p++) {
    for (let c = 0; c < rows; c++) {
      const v = { micros: 1_700_000_000_000_000, value: text(`${p} ${c}`.repeat(4000)) };
      made.row(int(p), [int(c)], { micros: v.micros, cells: { v } });
    }
  }
  return made;
}

async function task(t: TestContext, factor: number, more: Partial<LoadTask> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'codr-range-load-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const ring = [0, 1, 2].map((i): RingNode => {
    const tokens = Array.from({ length: 8 }, (_, at) =>
      String(BigInt(at * 3 + i - 12) * 7n ** 21n),
    );
    const address = `n${i}`;
    return { hostId: `h${i}`, address, nativeAddress: address, datacenter: 'd', rack: 'r', tokens };
  });
  const nodes = new Map<string, TargetNode>();
  for (const { hostId, address } of ring) {
    const data = await mkdtemp(join(folder, `${address}-`));
    const control = { address } as NodeControl;
    const dataDirectories = [data];
    nodes.set(hostId, { hostId, address, nativeAddress: address, control, dataDirectories });
  }
  const replication = { class: 'SimpleStrategy', replication_factor: String(factor) };
  const staged = new StagedTable('op', 'ks', 't');
  const sets = new ReplicaSets(ring, replication);
  return { schema, keyspace: 'ks', sets, nodes, staged, signal, ...more };
}

async function* streamOf(made: TestRecords) {
  for (const block of made.blocks()) yield batchOf(block);
}

/** Keys and values by host and file, in hex. */
async function written({ staged }: LoadTask): Promise<Map<string, string[][]>> {
  const found = new Map<string, string[][]>();
  for (const { node, folder } of await staged.folders()) {
    const table = { keyspace: 'ks', table: 't', tableId: '', folder };
    const { complete, partial } = await listSstables(node.hostId, table, '.');
    assert.deepEqual(partial, []);
    const files: string[][] = [];
    for (const listed of complete) {
      await using opened = openFiles(listed);
      const keys: string[] = [];
      for await (const block of (await openSstable(opened)).records(wholeRange, signal)) {
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
    const load = await task(t, 2, { rollBytes });
    const { records: count } = await loadRange(load, streamOf(records()));
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

test('replicas of one set get the same bytes', async (t) => {
  const load = await task(t, 3);
  await loadRange(load, streamOf(records()));
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
  const load = await task(t, 3);
  const failing = async function* () {
    yield* streamOf(records());
    throw new Error('the source broke');
  };
  await assert.rejects(loadRange(load, failing()), /the source broke/);
  for (const { folder } of await load.staged.folders()) {
    assert.deepEqual(await leftover(folder), []);
  }
  await removeStaging('op', load.nodes.values());
  for (const { dataDirectories } of load.nodes.values()) {
    assert.deepEqual(await readdir(dataDirectories[0] as string), []);
  }
});
