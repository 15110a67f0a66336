// 43: other data centres and another strategy. What a restore gives is what ALL said of the source, and each replica
// says it.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { CassandraCluster } from '../../src/node/demo/cassandra-server.ts';
import { connectCql, sharedCassandra, type TestClient } from '../harness/cassandra.ts';
import { assertEachReplica, assertSameRows, type SeenRows, seen } from './oracle.ts';
import { CassandraWorld, type ProtectedCluster } from './world.ts';

const settings = { yaml: ['dynamic_snitch: false'] };
const network = (factors: string) => `{'class': 'NetworkTopologyStrategy', ${factors}}`;
const simple = "{'class': 'SimpleStrategy', 'replication_factor': 1}";

/** One node in each of two data centres. */
const centres = ['dc1', 'dc2'];
const twoCentres = sharedCassandra({ nodes: 2, dcs: centres, ...settings });
let world: Promise<CassandraWorld> | undefined;
let captured: Promise<ProtectedCluster> | undefined;
after(async () => await (await world)?.[Symbol.asyncDispose]());

async function fill({ client, cql }: TestClient, keyspace: string): Promise<void> {
  await cql(`CREATE TABLE ${keyspace}.t (k int, c int, v text, s text static, PRIMARY KEY (k, c))`);
  for (let i = 0; i < 600; i++) {
    const query = `INSERT INTO ${keyspace}.t (k, c, v, s) VALUES (?, ?, ?, ?)`;
    await client.execute(query, [i % 150, i, `${keyspace} ${i}`, 's'], { prepare: true });
  }
  await cql(`DELETE FROM ${keyspace}.t WHERE k = 7`);
}

/** Three keyspaces, one cut. */
async function capture(): Promise<ProtectedCluster> {
  const cluster = await twoCentres();
  world ??= CassandraWorld.open();
  await using client = await connectCql(cluster);
  await client.cql(`CREATE KEYSPACE pair WITH replication = ${network("'dc1': 1, 'dc2': 1")}`);
  await client.cql(`CREATE KEYSPACE single WITH replication = ${network("'dc1': 1")}`);
  await client.cql(`CREATE KEYSPACE plain WITH replication = ${simple}`);
  for (const keyspace of ['pair', 'single', 'plain']) await fill(client, keyspace);
  const rings = await (await world).protect('rings', cluster, {
    include: ['pair.*', 'single.*', 'plain.*'],
  });
  assert.equal((await rings.backup()).grade, 'complete');
  return rings;
}

async function rowsOf(cluster: CassandraCluster, keyspace: string): Promise<SeenRows> {
  await using client = await connectCql(cluster);
  return await seen(client, keyspace);
}

async function replicationOf(cluster: CassandraCluster, keyspace: string) {
  await using client = await connectCql(cluster);
  const query = 'SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?';
  const { rows } = await client.cql(query, [keyspace]);
  const { class: _, ...factors } = (rows[0]?.replication ?? {}) as Record<string, string>;
  return factors;
}

/** Restores all tables of a keyspace, proven. */
async function give(
  rings: ProtectedCluster,
  target: CassandraCluster,
  from: string,
  to: string,
  datacenters: readonly string[] = [],
): Promise<void> {
  const scope = { include: [`${from}.*`], renames: from === to ? [] : [`${from}.*=${to}.*`] };
  const { datasets } = await rings.restoreTo(target, { ...scope, datacenters });
  assert.deepEqual(
    datasets.map((dataset) => [dataset.to, dataset.proven]),
    [[`${to}.t`, true]],
  );
}

test('43: two data centres become one, one becomes two, SimpleStrategy becomes NetworkTopologyStrategy', async () => {
  captured ??= capture();
  const [cluster, rings] = [await twoCentres(), await captured];
  await give(rings, cluster, 'pair', 'merged', ['dc1=dc2', 'dc2=dc2']);
  assert.deepEqual(await replicationOf(cluster, 'merged'), { dc2: '1' });
  assertSameRows(await rowsOf(cluster, 'merged'), await rowsOf(cluster, 'pair'));

  await give(rings, cluster, 'single', 'doubled', ['dc1=dc1', 'dc1=dc2']);
  assert.deepEqual(await replicationOf(cluster, 'doubled'), { dc1: '1', dc2: '1' });
  await assertEachReplica(cluster, 'doubled', await rowsOf(cluster, 'single'), centres);

  await using client = await connectCql(cluster);
  await client.cql(`CREATE KEYSPACE spread WITH replication = ${network("'dc1': 1, 'dc2': 1")}`);
  await give(rings, cluster, 'plain', 'spread');
  await assertEachReplica(cluster, 'spread', await rowsOf(cluster, 'plain'), centres);
});

test('43: a data centre that the target lacks is named before anything is written', async () => {
  captured ??= capture();
  const [cluster, rings] = [await twoCentres(), await captured];
  const scope = { include: ['pair.*'], renames: ['pair.*=nowhere.*'] };
  await assert.rejects(rings.restoreTo(cluster, { ...scope, datacenters: ['dc1=east'] }), {
    code: 'target-unfit',
    message: /the target has no data centre east, .* it has dc1, dc2/,
  });
  await assert.rejects(rings.restoreTo(cluster, { ...scope, datacenters: ['east=dc1'] }), {
    code: 'usage',
  });
  assert.deepEqual(await replicationOf(cluster, 'nowhere'), {});
});
