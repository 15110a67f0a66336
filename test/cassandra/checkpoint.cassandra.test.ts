// Checkpoints of a real cluster: one between a delete and the return of a replica that missed it, then hints and a
// repair with what was deleted; and one after the cluster itself has let go of its deletions.
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { types } from 'cassandra-driver';
import type { CheckpointResult } from '../../src/api/codr-api.ts';
import type { CassandraCluster } from '../../src/node/demo/cassandra-server.ts';
import {
  connectCql,
  connectThrough,
  sharedCassandra,
  type TestClient,
} from '../harness/cassandra.ts';
import { seen } from './oracle.ts';
import { pointsBeside } from './points.ts';
import { CassandraWorld, call, type ProtectedCluster } from './world.ts';

const cluster = sharedCassandra({ nodes: 3, hints: true, readyMsMax: 400_000 });
const assertPoint = pointsBeside(cluster);
const { all, one, quorum } = types.consistencies;
const service = 'org.apache.cassandra.db:type=StorageService';
const proxy = 'org.apache.cassandra.db:type=StorageProxy';
const hints = 'org.apache.cassandra.hints:type=HintsService';

let world: CassandraWorld;
before(async () => {
  world = await CassandraWorld.open();
});
after(async () => {
  await world[Symbol.asyncDispose]();
});

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 120_000;
  while (!(await isSo())) {
    assert.ok(Date.now() < deadline, what);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** For two seconds: what others still say of a node that has just gone makes it live once more. */
async function seesOnly(source: CassandraCluster, ...nodes: readonly number[]): Promise<void> {
  let times = 0;
  await until(`only ${nodes} are seen to live`, async () => {
    const live = (await source.jmx(nodes[0] ?? 1).read(service, 'LiveNodes')) as string[];
    times = live.length === nodes.length ? times + 1 : 0;
    return times >= 10;
  });
}

async function write(
  { client }: TestClient,
  query: string,
  keys: readonly [from: number, to: number],
  consistency: number,
): Promise<void> {
  for (let k = keys[0]; k < keys[1]; k++) {
    await client.execute(query, [k], { prepare: true, consistency });
  }
}

async function checkpoint({ name }: ProtectedCluster): Promise<CheckpointResult> {
  await using node = await world.node();
  return await node.checkpoint({ source: name, to: 'latest' }, call());
}

/** A full repair of a keyspace, begun at one node. */
async function repair(source: CassandraCluster, node: number, keyspace: string): Promise<void> {
  const options = { parallelism: 'parallel', primaryRange: 'false', incremental: 'false' };
  const jmx = source.jmx(node);
  const operation = 'repairAsync(java.lang.String,java.util.Map)';
  const id = await jmx.exec(service, operation, keyspace, options);
  await until('the repair ends', async () => {
    const get = 'getParentRepairStatus(int)';
    const status = (await jmx.exec(service, get, id)) as string[] | null;
    assert.notEqual(status?.[0], 'FAILED', String(status));
    return status?.[0] === 'COMPLETED';
  });
}

/** Hints that a node has not handed over yet lie in files, one or more for each node that they are for. */
async function hintFiles(source: CassandraCluster, node: number): Promise<number> {
  const names = await readdir(join(source.nodeFolder(node), 'hints'));
  return names.filter((name) => name.endsWith('.hints')).length;
}

/** On all three nodes; nothing but a test ever compacts it. */
async function makeTable({ cql }: TestClient, keyspace: string): Promise<void> {
  await cql(
    `CREATE KEYSPACE ${keyspace} WITH replication = ` +
      "{'class': 'SimpleStrategy', 'replication_factor': 3}",
  );
  await cql(
    `CREATE TABLE ${keyspace}.t (k int PRIMARY KEY, v int) WITH compaction = ` +
      "{'class': 'SizeTieredCompactionStrategy', 'enabled': 'false'}",
  );
}

const recordsOf = ({ datasets }: CheckpointResult): unknown[] =>
  datasets.map(({ namespace, records, recordsBefore }) => [namespace, records, recordsBefore]);

test('deletes stay deleted when a checkpoint comes between them and the return of what they delete', async () => {
  const source = await cluster();
  const [insert, remove] = [
    'INSERT INTO late.t (k, v) VALUES (?, 1)',
    'DELETE FROM late.t WHERE k = ?',
  ];
  {
    await using client = await connectCql(source);
    await makeTable(client, 'late');
    await write(client, insert, [0, 20], all);
  }
  const late = await world.protect('late', source);
  assert.equal((await late.backup()).grade, 'complete');

  // Rows 50 to 54 are on node 3 alone, which keeps hints of them for the others, and hands them over later.
  await source.jmx(3).exec(hints, 'pauseDispatch');
  for (const node of [1, 2]) await source.jmx(node).exec(service, 'stopGossiping');
  await seesOnly(source, 3);
  {
    await using third = await connectThrough(source, 3);
    await write(third, insert, [50, 55], one);
  }
  // A node writes them down every ten seconds.
  await until('hints of both are kept', async () => (await hintFiles(source, 3)) >= 2);
  for (const node of [1, 2]) await source.jmx(node).exec(service, 'startGossiping');
  await source.waitRing();
  await source.stopNode(3);
  await seesOnly(source, 1, 2);
  // Nobody keeps a hint of the deletes for node 3.
  for (const node of [1, 2]) await source.jmx(node).write(proxy, 'HintedHandoffEnabled', false);
  {
    await using first = await connectThrough(source, 1);
    await write(first, remove, [0, 5], quorum);
    await write(first, remove, [50, 55], quorum);
  }
  const without = await late.backup();
  assert.equal(without.grade, 'quorum-safe');
  // 15 rows live; what was deleted is gone, and all ten deletions are there.
  assert.deepEqual(recordsOf(await checkpoint(late)), [['late.t', 25, 30]]);

  await source.startNode(3);
  await source.waitCql(3);
  await source.waitRing();
  await until('node 3 hands its hints over', async () => (await hintFiles(source, 3)) === 0);
  const hinted = await late.backup();
  assert.equal(hinted.grade, 'complete');
  assert.ok(hinted.records >= 5, 'the hints are in the cut');
  await repair(source, 3, 'late');
  const repaired = await late.backup();
  assert.ok(repaired.records >= 5, 'what the repair brought is in the cut');
  assert.deepEqual(recordsOf(await checkpoint(late)).length, 1);

  await using client = await connectCql(source);
  const wanted = await seen(client, 'late');
  assert.equal(wanted.get('t')?.length, 15);
  for (const { point } of [without, hinted, repaired]) {
    await assertPoint(client, late, point.id, wanted);
  }
  await using node = await world.node();
  const asked = { source: 'late', namespace: 'late.t', at: 'latest', history: false };
  assert.equal((await node.getRecord({ ...asked, key: 'k = 3' })).value, undefined);
  // No point ever showed it.
  await assert.rejects(node.getRecord({ ...asked, key: 'k = 52' }), { code: 'record-unknown' });
});

test('a deletion goes once the cluster itself has let go of it on every replica', async () => {
  const source = await cluster();
  await using client = await connectCql(source);
  await makeTable(client, 'gone');
  const [insert, remove] = [
    'INSERT INTO gone.t (k, v) VALUES (?, 1)',
    'DELETE FROM gone.t WHERE k = ?',
  ];
  await write(client, insert, [0, 20], all);
  const gone = await world.protect('gone', source);
  await gone.backup();
  await write(client, remove, [0, 5], all);
  await gone.backup();
  assert.deepEqual(recordsOf(await checkpoint(gone)), [['gone.t', 20, 25]]);

  // Not even by gc_grace_seconds, as long as a replica holds it.
  await client.cql('ALTER TABLE gone.t WITH gc_grace_seconds = 0');
  await write(client, insert, [60, 61], all);
  await gone.backup();
  assert.deepEqual(recordsOf(await checkpoint(gone)), [['gone.t', 21, 21]]);
  for (const node of source.nodes) await source.jmx(node).compact('gone', 't');
  await write(client, insert, [61, 62], all);
  const { point } = await gone.backup();
  assert.deepEqual(recordsOf(await checkpoint(gone)), [['gone.t', 17, 22]]);

  const wanted = await seen(client, 'gone');
  assert.equal(wanted.get('t')?.length, 17);
  await assertPoint(client, gone, point.id, wanted);
  await using node = await world.node();
  const parts = { include: [], exclude: [], readData: true };
  const whole = await node.verify({ source: 'gone', at: 'latest', ...parts }, call());
  assert.deepEqual(
    whole.datasets.map(({ verdict, records }) => [verdict, records]),
    [['whole', 17]],
  );
  assert.equal((await node.points({ source: 'gone' })).points.length, 4);
  const { problems } = await node.check({ readDataPercent: 100, repair: false }, call());
  assert.deepEqual(problems, []);
});
