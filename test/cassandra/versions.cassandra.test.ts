// Whole captures and restores of other servers: 4.1.10, with 32, tables of COMPACT STORAGE; and three nodes of 5.0 that
// write the format `da` (BTI) with ids of time, whose cut 4.1.10 takes as well.
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertCompactedAgain } from '../../src/connector/cassandra/sstable/write-server.fixture.ts';
import type { CassandraCluster } from '../../src/node/demo/cassandra-server.ts';
import {
  connectCql,
  sharedCassandra,
  startCassandra,
  type TestClient,
} from '../harness/cassandra.ts';
import { oneReplica, rowsOf, sayAll } from './catalogue.ts';
import { assertEachAlone, assertSameRows, type SeenRows, seen } from './oracle.ts';
import { CassandraWorld } from './world.ts';

const older = sharedCassandra({
  version: '4.1.10',
  nodes: 1,
  dcs: ['dc1'],
  yaml: ['enable_drop_compact_storage: true'],
});

/** Of every kind that both versions have. */
const statements = [
  'CREATE TYPE address (street text, zip int)',
  'CREATE TABLE rows (k int, c int, v text, s text static, m map<text, int>, l list<int>, a address, ' +
    'f frozen<address>, PRIMARY KEY (k, c)) WITH CLUSTERING ORDER BY (c DESC)',
  'CREATE TABLE counts (k int PRIMARY KEY, n counter)',
  ...Array.from(
    { length: 60 },
    (_, i) =>
      `INSERT INTO rows (k, c, v, s, m, l, a, f) VALUES (${i % 7}, ${i}, 'v${i}', 's', {'a': ${i}}, ` +
      `[1, ${i}], {street: 'x', zip: ${i}}, {street: 'y', zip: 1}) USING TTL ${100_000 + i}`,
  ),
  'DELETE FROM rows WHERE k = 3 AND c > 20 AND c < 40',
  'DELETE FROM rows WHERE k = 4',
  "UPDATE rows SET m['b'] = 2, l = l + [9] WHERE k = 5 AND c = 5",
  ...[1, 2, 3].map((k) => `UPDATE counts SET n = n + ${k} WHERE k = ${k}`),
];

async function made(cluster: CassandraCluster, keyspace: string, replication: string) {
  await using admin = await connectCql(cluster);
  await admin.cql(`CREATE KEYSPACE ${keyspace} WITH replication = ${replication}`);
  return await connectCql(cluster, { keyspace });
}

function only(rows: SeenRows, ...tables: string[]): SeenRows {
  const found = new Map([...rows].filter(([table]) => tables.includes(table)));
  assert.equal(found.size, tables.length);
  return found;
}

test('4.1.10 is captured and given back, with counters, deletions and times to live', async () => {
  const one = await older();
  await using client = await made(one, 'shop', oneReplica);
  await sayAll(client, statements);
  await using world = await CassandraWorld.open();
  const shop = await world.protect('shop', one);
  assert.equal((await shop.backup()).grade, 'complete');
  await client.cql("UPDATE rows SET v = 'later' WHERE k = 5 AND c = 5");
  await shop.backup();
  const { datasets } = await shop.restoreTo(one, { renames: ['shop.*=shop_back.*'] });
  assert.deepEqual(
    datasets.map(({ proven }) => proven),
    [true, true],
  );
  assertSameRows(await seen(client, 'shop_back'), await seen(client, 'shop'));
  await client.cql('UPDATE shop_back.counts SET n = n + 10 WHERE k = 3');
  assert.deepEqual(await rowsOf(client, 'SELECT n FROM shop_back.counts WHERE k = 3'), ['13']);
});

test('what 4.1.10 compacts of a file of the writer has its bytes and its statistics', async () => {
  await using client = await made(await older(), 'writer', oneReplica);
  await assertCompactedAgain(await older(), 'writer', { cql: client.cql, beyond2038: true });
});

test('32 tables of COMPACT STORAGE are captured; they come back by files once it is dropped, and are left out by name before', async () => {
  const one = await older();
  await using client = await made(one, 'compact', oneReplica);
  await sayAll(client, [
    'CREATE TABLE sparse (k int PRIMARY KEY, a text, b int) WITH COMPACT STORAGE',
    'CREATE TABLE dense (k int, c text, d int, v text, PRIMARY KEY (k, c, d)) WITH COMPACT STORAGE',
    'CREATE TABLE keys_only (k int, c int, PRIMARY KEY (k, c)) WITH COMPACT STORAGE',
    'CREATE TABLE plain (k int PRIMARY KEY, v text)',
    "INSERT INTO sparse (k, a, b) VALUES (1, 'a', 1)",
    'INSERT INTO sparse (k, b) VALUES (2, 2)',
    'DELETE a FROM sparse WHERE k = 1',
    "INSERT INTO dense (k, c, d, v) VALUES (1, 'x', 1, 'v') USING TTL 90000",
    "INSERT INTO dense (k, c, v) VALUES (1, 'null clustering', 'w')",
    "DELETE FROM dense WHERE k = 1 AND c = 'gone'",
    'INSERT INTO keys_only (k, c) VALUES (1, 2)',
    "INSERT INTO plain (k, v) VALUES (1, 'plain')",
  ]);
  await using world = await CassandraWorld.open();
  const compact = await world.protect('compact', one);
  assert.equal((await compact.backup()).grade, 'complete');
  const first = await compact.restoreTo(one, { renames: ['compact.*=compact_a.*'] });
  assert.deepEqual(
    first.skipped
      .map(({ namespace, reason }) => [namespace, /COMPACT STORAGE/.test(reason)])
      .sort(),
    ['dense', 'keys_only', 'sparse'].map((name) => [`compact_a.${name}`, true]),
  );
  const names = ['dense', 'keys_only', 'sparse'];
  await sayAll(client, [
    ...names.map((name) => `ALTER TABLE ${name} DROP COMPACT STORAGE`),
    "INSERT INTO sparse (k, column1, a) VALUES (1, 'hidden before', 'static')",
  ]);
  await compact.backup();
  const { datasets } = await compact.restoreTo(one, { renames: ['compact.*=compact_b.*'] });
  assert.equal(datasets.length, 4);
  assert.ok(datasets.every(({ proven }) => proven));
  assertSameRows(
    await seen(client, 'compact_b'),
    only(await seen(client, 'compact'), ...names, 'plain'),
  );
});

test('three nodes of 5.0 that write `da` are stored once, and come back there and on one node of 4.1.10', async () => {
  const dcs = ['dc1', 'dc1', 'dc1'];
  await using newer = await startCassandra({
    ...{ version: '5.0.9', nodes: 3, dcs, compatibility: 'NONE', format: 'bti', uuidIds: true },
    yaml: ['dynamic_snitch: false'],
  });
  await using client = await made(newer, 'shop', "{'class': 'NetworkTopologyStrategy', 'dc1': 3}");
  await sayAll(client, statements);
  await using world = await CassandraWorld.open();
  const shop = await world.protect('shop', newer);
  const { grade, records } = await shop.backup();
  assert.equal(grade, 'complete');
  assert.ok((await formatsOf(newer, 'shop')).has('da'), 'the nodes write da');
  const wanted = await seen(client, 'shop');
  const rows = [...wanted.values()].flat().length;
  assert.ok(records < rows * 2, `${records} records for ${rows} rows on three nodes`);
  await shop.restoreTo(newer, { renames: ['shop.*=shop_back.*'] });
  await assertEachAlone(newer, 'shop_back', wanted);

  const one = await older();
  const { datasets } = await shop.restoreTo(one, { renames: ['shop.*=from_newer.*'] });
  assert.ok(datasets.every(({ proven }) => proven));
  await using there: TestClient = await connectCql(one);
  const query = 'SELECT JSON k, c, v, writetime(v), m, l, a FROM';
  const [ours, theirs] = [
    await rowsOf(there, `${query} from_newer.rows`),
    await rowsOf(client, `${query} shop.rows`),
  ];
  assert.deepEqual(ours.sort(), theirs.sort());
});

/** The versions in the names of a keyspace's files. */
async function formatsOf(cluster: CassandraCluster, keyspace: string): Promise<Set<string>> {
  const files = await readdir(join(cluster.dataFolder(1), keyspace), { recursive: true });
  return new Set(files.flatMap((name) => /\/([a-z]{2})-[^/]*-Data\.db$/.exec(name)?.[1] ?? []));
}
