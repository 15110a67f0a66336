// 42, 43, 44: nodes that come and go without a cleanup, other data centres and strategies, other numbers of tokens and
// another partitioner. What a restore gives is what ALL said of the source, and each replica says it.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { types } from 'cassandra-driver';
import type { CassandraCluster } from '../../src/node/demo/cassandra-server.ts';
import {
  connectCql,
  connectThrough,
  sharedCassandra,
  startCassandra,
  type TestClient,
} from '../harness/cassandra.ts';
import { assertEachReplica, assertSameRows, type SeenRows, seen } from './oracle.ts';
import { CassandraWorld, type ProtectedCluster } from './world.ts';

const settings = { yaml: ['dynamic_snitch: false'] };
const random = 'partitioner: org.apache.cassandra.dht.RandomPartitioner';
const network = (factors: string) => `{'class': 'NetworkTopologyStrategy', ${factors}}`;
const simple = "{'class': 'SimpleStrategy', 'replication_factor': 1}";

/** One node in each of two data centres. */
const centres = ['dc1', 'dc2'];
const twoCentres = sharedCassandra({ nodes: 2, dcs: centres, ...settings });
/** One node, which others join. */
const growing = sharedCassandra({ nodes: 1, bootstrap: true, hints: false, ...settings });
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

async function partitionerOf(cluster: CassandraCluster): Promise<string> {
  await using client = await connectCql(cluster);
  const { rows } = await client.cql('SELECT partitioner FROM system.local');
  return String(rows[0]?.partitioner);
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

test('44: 16 tokens a node become one, then 256 of RandomPartitioner, and come back', async () => {
  captured ??= capture();
  const [cluster, rings] = [await twoCentres(), await captured];
  const wanted = await rowsOf(cluster, 'plain');
  const places = await world;
  assert.ok(places);
  let again: ProtectedCluster;
  {
    await using one = await startCassandra({ nodes: 2, numTokens: 1, ...settings });
    await give(rings, one, 'plain', 'plain');
    assertSameRows(await rowsOf(one, 'plain'), wanted);
    again = await places.protect('one-token', one, { include: ['plain.*'] });
    await again.backup();
  }
  let scattered: ProtectedCluster;
  {
    const yaml = [...settings.yaml, random];
    await using other = await startCassandra({ nodes: 2, numTokens: 256, yaml });
    assert.match(await partitionerOf(other), /RandomPartitioner$/);
    await give(again, other, 'plain', 'plain');
    assertSameRows(await rowsOf(other, 'plain'), wanted);
    const by = { to: `cassandra://${other.contactPoints[0]}`, renames: ['plain.*=by_cql.*'] };
    await again.restore({ ...by, include: ['plain.*'] });
    assertSameRows(await rowsOf(other, 'by_cql'), wanted);
    scattered = await places.protect('scattered', other, { include: ['plain.*'] });
    await scattered.backup();
  }
  await give(scattered, cluster, 'plain', 'returned');
  assertSameRows(await rowsOf(cluster, 'returned'), wanted);
});

/** The source's file, which names the nodes that are there. */
const nodesOf = (cluster: CassandraCluster, numbers: readonly number[]) => ({
  nodes: Object.fromEntries(
    numbers.map((i) => [
      cluster.address(i),
      { dataDirectories: [cluster.dataFolder(i)], control: { jolokia: cluster.httpUrl(i) } },
    ]),
  ),
});

test('42: what a node holds of ranges that it lost is in no cut, and in the next one once it owns them again', async () => {
  world ??= CassandraWorld.open();
  const places = await world;
  const cluster = await growing();
  await using client = await connectCql(cluster);
  await client.cql(`CREATE KEYSPACE moved WITH replication = ${simple}`);
  await fill(client, 'moved');
  await client.cql('ALTER TABLE moved.t WITH gc_grace_seconds = 0');
  await cluster.jmx(1).flush('moved');
  await cluster.startNode(2);
  await cluster.waitCql(2);
  await cluster.waitRing();
  // Deleted by the new owner, and forgotten there; node 1 keeps its old copies, since nobody cleans up.
  for (let k = 0; k < 100; k++) await client.cql(`DELETE FROM moved.t WHERE k = ${k}`);
  for (const node of [1, 2]) {
    await cluster.jmx(node).flush('moved');
    await cluster.jmx(node).compact('moved');
  }
  // As long as deletions are kept from here on, no table begins anew when a node leaves.
  await client.cql('ALTER TABLE moved.t WITH gc_grace_seconds = 864000');
  const both = await places.protect('moved', cluster, {
    include: ['moved.*', 'kept.*'],
    settings: nodesOf(cluster, [1, 2]),
  });
  assert.equal((await both.backup()).grade, 'complete');
  const wanted = await rowsOf(cluster, 'moved');
  assert.equal(wanted.get('t')?.length, 200);
  const to = await places.configFile('moved-target', cluster, nodesOf(cluster, [1, 2]));
  const { datasets } = await both.restore({ to, renames: ['moved.*=kept.*'] });
  assert.deepEqual(
    datasets.map(({ proven }) => proven),
    [true],
  );
  assertSameRows(await rowsOf(cluster, 'kept'), wanted);

  const service = 'org.apache.cassandra.db:type=StorageService';
  await cluster.jmx(2).exec(service, 'decommission(boolean)', true);
  await cluster.stopNode(2);
  // What node 1 owns again it had never cleaned: the server itself gives old rows back, and so does the next cut, though
  // their files were captured before.
  const left = await both.backup();
  assert.equal(left.grade, 'complete');
  assert.ok(left.warnings.some((note) => /\.1: it may own more of moved/.test(note)));
  const now = await rowsOf(cluster, 'moved');
  assert.ok((now.get('t')?.length ?? 0) > 200);
  for (const keyspace of ['moved', 'kept']) {
    const seen = await rowsOf(cluster, keyspace);
    const renames = [`${keyspace}.*=${keyspace}_again.*`];
    await both.restoreTo(cluster, { include: [`${keyspace}.*`], renames });
    assertSameRows(await rowsOf(cluster, `${keyspace}_again`), seen);
  }
  assertSameRows(await rowsOf(cluster, 'kept_again'), wanted);
});

/** Rows at ONE, through a node that answers. */
async function fillThrough(
  cluster: CassandraCluster,
  node: number,
  keys: readonly [from: number, to: number],
): Promise<void> {
  await using client = await connectThrough(cluster, node);
  for (let k = keys[0]; k < keys[1]; k++) {
    const row = [k, `through ${node}`];
    const options = { prepare: true, consistency: types.consistencies.one };
    await client.client.execute('INSERT INTO duo.t (k, v) VALUES (?, ?)', row, options);
  }
}

/** Keys, values and times as the cluster says them at a consistency: ONE asks the node itself and repairs nothing. */
async function duoRows({ client }: TestClient, keyspace: string, consistency: number) {
  const query = `SELECT k, v, writetime(v) AS at FROM ${keyspace}.t`;
  const { rows } = await client.execute(query, [], { consistency });
  return rows.map(({ k, v, at }) => `${k} ${v} ${at}`).sort();
}

test('a node that bootstraps and one that replaces a dead one are captured whole, and what only the dead one had comes back', async () => {
  world ??= CassandraWorld.open();
  const places = await world;
  const cluster = await growing();
  const { all, one } = types.consistencies;
  const bring = async (...start: Parameters<CassandraCluster['startNode']>): Promise<void> => {
    await cluster.startNode(...start);
    await cluster.waitCql(start[0]);
    await cluster.waitRing();
  };
  await using client = await connectCql(cluster);
  const two = "{'class': 'SimpleStrategy', 'replication_factor': 2}";
  await client.cql(`CREATE KEYSPACE duo WITH replication = ${two}`);
  await client.cql('CREATE TABLE duo.t (k int PRIMARY KEY, v text)');
  await fillThrough(cluster, 1, [0, 100]);
  const duo = await places.protect('duo', cluster, { settings: nodesOf(cluster, [1, 3, 4]) });
  assert.equal((await duo.backup()).records, 100);

  await bring(3);
  await cluster.stopNode(1);
  await fillThrough(cluster, 3, [100, 150]);
  let wanted: string[];
  {
    await using third = await connectThrough(cluster, 3);
    wanted = await duoRows(third, 'duo', one);
    assert.equal(wanted.length, 150);
  }
  await bring(1);
  const grown = await duo.backup();
  assert.equal(grown.grade, 'complete');
  assert.ok(grown.warnings.some((note) => /\.3: it was not captured before/.test(note)));

  await cluster.stopNode(3, 'SIGKILL');
  await bring(4, [], [`-Dcassandra.replace_address_first_boot=${cluster.address(3)}`]);
  await fillThrough(cluster, 4, [150, 200]);
  const replaced = await duo.backup();
  assert.equal(replaced.grade, 'complete');
  assert.ok(replaced.warnings.some((note) => /\.4: it was not captured before/.test(note)));

  // The cluster itself has lost what was on node 3 alone; its point before that has it.
  await using again = await connectCql(cluster);
  assert.equal((await duoRows(again, 'duo', all)).length, 150);
  const to = await places.configFile('duo-target', cluster, nodesOf(cluster, [1, 4]));
  for (const [at, name] of [
    [grown.point.id, 'duo_grown'],
    [replaced.point.id, 'duo_replaced'],
  ] as const) {
    const { datasets } = await duo.restore({ to, at, renames: [`duo.*=${name}.*`] });
    assert.deepEqual(
      datasets.map(({ proven }) => proven),
      [true],
    );
  }
  assert.deepEqual(await duoRows(again, 'duo_grown', all), wanted);
  // Whatever was acknowledged: nothing of it was ever deleted.
  const everything = new Set([...wanted, ...(await duoRows(again, 'duo', all))]);
  assert.equal(everything.size, 200);
  assert.deepEqual(await duoRows(again, 'duo_replaced', all), [...everything].sort());
});
