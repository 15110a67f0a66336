import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { sharedCassandra } from '../../../../test/harness/cassandra.ts';
import { isCodrError } from '../../../base/error.ts';
import { deadlines } from './control.ts';
import { CutWorld, filesOf } from './cut-world.fixture.ts';
import { worstGrade } from './grade.ts';
import { localFiles } from './local-files.ts';
import { openSstable, splitName } from './node-files.ts';
import { stopLinks } from './release-cut.ts';
import { type ReplicaRange, replicasOf } from './replica-placement.ts';
import { readRing } from './ring.ts';

const shared = sharedCassandra({ nodes: 3, hints: false });

/** Links of SSTables and snapshots that lie about below a node's data folder. */
async function leftovers(world: CutWorld, node: number): Promise<string[]> {
  const all = await readdir(world.path(node), { recursive: true });
  return all.filter(
    (path) =>
      (/\/backups\//.test(path) && splitName(path.split('/').at(-1) ?? '')) ||
      /\/snapshots\/codr-[^/]*$/.test(path),
  );
}

const gradeIn = (cut: Awaited<ReturnType<CutWorld['cut']>>, keyspace: string) =>
  worstGrade(cut.grades.get(keyspace) ?? []);

test('the first cut reads all that is live, the second what was written since, an idle one nothing', async () => {
  await using world = await CutWorld.open(await shared(), 'first');
  await world.write(1, 2);
  const first = await world.cut();
  assert.equal(filesOf(first).length, 3);
  assert.equal(gradeIn(first, 'first'), 'complete');
  assert.ok(first.beginMs <= first.endMs);
  await world.write(3);
  const second = await world.cut();
  assert.equal(filesOf(second).length, 3);
  assert.deepEqual(
    filesOf(first).filter((file) => filesOf(second).includes(file)),
    [],
  );
  assert.deepEqual(filesOf(await world.cut()), []);
  assert.deepEqual(await leftovers(world, 1), []);
});

test('files stay readable until the release, and an uncommitted cut is given again', async () => {
  await using world = await CutWorld.open(await shared(), 'again');
  await world.write(1);
  const lost = await world.take();
  await lost.release(false);
  const cut = await world.take();
  assert.deepEqual(filesOf(cut), filesOf(lost));
  const [listed] = [...cut.tables.values()].flatMap(({ sstables }) => sstables);
  assert.ok(listed);
  await using sstable = openSstable(listed, () => localFiles);
  const data = await sstable.open('Data.db');
  assert.equal(data.size, listed.dataBytes);
  assert.equal((await data.read(0, 16)).length, 16);
  await cut.release(true);
  assert.equal((await data.read(0, 16)).length, 16);
});

test('what compaction made of captured files is not read again', async () => {
  const cluster = await shared();
  await using world = await CutWorld.open(cluster, 'compacted');
  await world.write(1);
  await world.cut();
  await world.write(2);
  await world.cut();
  await world.write(3);
  for (const node of cluster.nodes) {
    await cluster.jmx(node).flush('compacted', 't');
    await cluster.jmx(node).compact('compacted', 't');
  }
  const cut = await world.cut();
  // The flush of row 3 by its link, and not the file that now holds all three.
  assert.equal(filesOf(cut).length, 3);
  assert.equal(cut.coveredCount, 3);
});

test('rows flushed while links were off are read from the snapshot, compacted or not', async () => {
  const cluster = await shared();
  await using world = await CutWorld.open(cluster, 'switched');
  await world.write(1);
  await world.cut();
  const { control, address } = world.node(1);
  await control.setIncrementalBackups(false, { signal: world.signal });
  await world.write(2);
  await cluster.jmx(1).flush('switched', 't');
  await cluster.jmx(1).compact('switched', 't');
  await control.setIncrementalBackups(true, { signal: world.signal });
  const cut = await world.cut();
  const own = cut.nodes.find((node) => node.address === address)?.hostId ?? 'none';
  assert.equal(filesOf(cut).filter((file) => file.startsWith(own)).length, 1);
  assert.equal(cut.coveredCount, 0);
});

test('a truncate opens an epoch once, and what lay before it is not read', async () => {
  const cluster = await shared();
  await using world = await CutWorld.open(cluster, 'emptied');
  await world.write(1);
  await world.cut();
  await world.write(2);
  for (const node of cluster.nodes) await cluster.jmx(node).flush('emptied', 't');
  await world.run('TRUNCATE emptied.t');
  await world.write(3);
  const cut = await world.cut();
  const [table] = cut.tables.values();
  assert.equal(table?.truncatedSince, true);
  assert.equal(filesOf(cut).length, 3);
  const next = await world.cut();
  assert.deepEqual(
    [...next.tables.values()].map((one) => one.truncatedSince),
    [false],
  );
  assert.deepEqual(filesOf(next), []);
});

test('a table that is altered goes on, one that is dropped and made again with its id begins anew', async () => {
  await using world = await CutWorld.open(await shared(), 'remade');
  const tableOf = ({ tables }: Awaited<ReturnType<CutWorld['cut']>>) => [...tables.values()][0];
  await world.write(1);
  const id = tableOf(await world.cut())?.schema.id;
  await world.run('ALTER TABLE remade.t RENAME k TO key');
  await world.run('ALTER TABLE remade.t RENAME key TO k');
  await world.write(2);
  const altered = await world.cut();
  assert.deepEqual([tableOf(altered)?.isAnew, filesOf(altered).length], [false, 3]);
  await world.run('DROP TABLE remade.t');
  await world.run(`CREATE TABLE remade.t (k int PRIMARY KEY, v text) WITH id = ${id}`);
  await world.write(3);
  const remade = await world.cut();
  assert.deepEqual([tableOf(remade)?.isAnew, filesOf(remade).length], [true, 3]);
  assert.match(remade.notes.join(), /remade\.t was read as a whole: it was dropped/);
  assert.equal(tableOf(await world.cut())?.isAnew, false);
});

test('links of views, indexes and other keyspaces are removed, and stopLinks removes the rest', async () => {
  const cluster = await shared();
  await using world = await CutWorld.open(cluster, 'owned');
  await world.run('CREATE INDEX by_v ON owned.t (v)');
  await world.run(
    'CREATE MATERIALIZED VIEW owned.mv AS SELECT k, v FROM owned.t ' +
      'WHERE k IS NOT NULL AND v IS NOT NULL PRIMARY KEY (v, k)',
  );
  await world.cut();
  await world.write(1);
  const cut = await world.cut();
  assert.deepEqual(
    [...cut.tables.values()].map(({ schema }) => schema.table),
    ['t'],
  );
  assert.deepEqual(
    cut.schema.find(({ name }) => name === 'owned')?.views.map(({ name }) => name),
    ['mv'],
  );
  assert.deepEqual(await leftovers(world, 2), []);
  await world.write(2);
  await cluster.jmx(2).flush('owned');
  assert.notDeepEqual(await leftovers(world, 2), []);
  const nodes = cluster.nodes.map((node) => world.node(node));
  assert.deepEqual(await stopLinks(nodes, 'owned', world.signal), []);
  assert.deepEqual(await leftovers(world, 2), []);
  assert.equal(await nodes[0]?.control.incrementalBackups({ signal: world.signal }), false);
});

test('links that were on before the first cut are refused unless they are ours', async () => {
  const cluster = await shared();
  await using world = await CutWorld.open(cluster, 'foreign');
  await world.node(3).control.setIncrementalBackups(true, { signal: world.signal });
  await assert.rejects(
    world.take({ ownsBackups: false }),
    (error) => isCodrError(error, 'source-unfit') && error.object === cluster.address(3),
  );
});

test('placement is what the server says, for one strategy and the other', async () => {
  const cluster = await shared();
  await using world = await CutWorld.open(cluster, 'placed');
  await world.run(
    `CREATE KEYSPACE placed_two WITH replication = {'class': 'NetworkTopologyStrategy', '${cluster.dataCentre}': 2}`,
  );
  const { control } = world.node(1);
  const ring = await readRing(world.cql, [control], world.signal);
  assert.equal(ring.up.length, 3);
  for (const [keyspace, replication] of [
    ['placed_two', { class: 'NetworkTopologyStrategy', [cluster.dataCentre]: '2' }],
    ['system_traces', { class: 'SimpleStrategy', replication_factor: '2' }],
  ] as const) {
    const lines = (await cluster
      .jmx(1)
      .exec(
        'org.apache.cassandra.db:type=StorageService',
        'describeRingWithPortJMX',
        keyspace,
      )) as string[];
    assert.ok(lines.length > 10);
    const ranges = replicasOf(ring.nodes, replication);
    for (const line of lines) assert.deepEqual(ours(ranges, line), theirs(line), line);
  }

  function ours(ranges: readonly ReplicaRange[], line: string): string[] {
    const token = BigInt(/end_token:(-?\d+)/.exec(line)?.[1] ?? '');
    const range = ranges.find(({ from, to }) => from < token && token <= to);
    return (range?.replicas ?? [])
      .map((id) => ring.nodes.find(({ hostId }) => hostId === id)?.address ?? '')
      .sort();
  }
  function theirs(line: string): string[] {
    const list = /\bendpoints:\[([^\]]*)\]/.exec(line)?.[1] ?? '';
    return list
      .split(', ')
      .map((one) => one.replace(/:\d+$/, ''))
      .sort();
  }
});

test('a node that is down is a missing replica, named, and is whole again in a later cut', async () => {
  const cluster = await shared();
  await using world = await CutWorld.open(cluster, 'absent');
  await world.write(1);
  await world.cut();
  await cluster.stopNode(3, 'SIGKILL');
  await world.write(2);
  const without = await world.cut();
  assert.equal(gradeIn(without, 'absent'), 'quorum-safe');
  const missing = without.nodes.filter(({ captured }) => !captured);
  assert.deepEqual(
    missing.map(({ address }) => address),
    [cluster.address(3)],
  );
  assert.match(missing[0]?.reason ?? '', /cannot|does not/);
  // Its yaml says that links are off, and nothing of the run before is proven any more.
  await cluster.startNode(3);
  await cluster.waitCql(3);
  await cluster.waitRing();
  const back = await world.cut({ flushMs: deadlines.flush });
  assert.deepEqual(
    back.nodes.map(({ reason }) => reason),
    [undefined, undefined, undefined],
  );
  assert.equal(gradeIn(back, 'absent'), 'complete');
});
