// 23, 24, 25: what Cassandra derives from a table is not captured but made anew, and conditional writes go on
// after a restore from the rows alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectCql, sharedNode, type TestClient } from '../harness/cassandra.ts';
import { assertSameRows, seen } from './oracle.ts';
import { CassandraWorld, type ProtectedCluster } from './world.ts';

const cluster = sharedNode();

const replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}";

/** Keys and a number of what a query finds, in order. */
async function found(client: TestClient, query: string): Promise<string[]> {
  const { rows } = await client.cql(query);
  return rows.map((row) => JSON.stringify(row.values())).sort();
}

/** Beside itself, with what of it is under the new name. */
async function restoreBeside(source: ProtectedCluster, to: string): Promise<readonly string[]> {
  const renames = [`${source.name}.*=${to}.*`];
  const restored = await source.restoreTo(await cluster(), { renames });
  assert.ok(restored.datasets.every(({ proven }) => proven));
  return restored.datasets.map((dataset) => dataset.to).sort();
}

test('23: a view is not captured and is built anew, equal to what a fresh one says', async () => {
  const source = await cluster();
  await using client = await connectCql(source);
  await client.cql(`CREATE KEYSPACE viewed WITH replication = ${replication}`);
  await client.cql('CREATE TABLE viewed.t (k int, c int, v text, w int, PRIMARY KEY (k, c))');
  await client.cql(
    'CREATE MATERIALIZED VIEW viewed.by_v AS SELECT * FROM viewed.t ' +
      'WHERE v IS NOT NULL AND k IS NOT NULL AND c IS NOT NULL PRIMARY KEY (v, k, c)',
  );
  await client.cql(
    'CREATE MATERIALIZED VIEW viewed.some AS SELECT k, c, w FROM viewed.t ' +
      'WHERE c > 10 AND k IS NOT NULL PRIMARY KEY (c, k)',
  );
  for (let i = 0; i < 60; i++) {
    await client.cql(
      `INSERT INTO viewed.t (k, c, v, w) VALUES (${i % 7}, ${i}, 'v${i % 5}', ${i})`,
    );
  }
  await client.cql("UPDATE viewed.t SET v = 'moved' WHERE k = 1 AND c = 1");
  await client.cql('DELETE FROM viewed.t WHERE k = 2');
  await client.cql('DELETE v FROM viewed.t WHERE k = 3 AND c = 3');
  await using world = await CassandraWorld.open();
  const viewed = await world.protect('viewed', source);
  const { datasets } = await viewed.backup();
  assert.equal(datasets, 1);

  const queries = (keyspace: string) => [
    `SELECT v, k, c, w, writetime(w) FROM ${keyspace}.by_v`,
    `SELECT c, k, w FROM ${keyspace}.some`,
  ];
  const wanted = await Promise.all(queries('viewed').map((query) => found(client, query)));
  assert.equal(wanted[0]?.length, 50);
  const rows = await seen(client, 'viewed');
  assert.deepEqual(await restoreBeside(viewed, 'viewed2'), ['viewed2.t']);
  assertSameRows(await seen(client, 'viewed2'), rows);
  const again = await Promise.all(queries('viewed2').map((query) => found(client, query)));
  assert.deepEqual(again, wanted);
  // It lives on as a view: a write to the table moves its row there.
  await client.cql("UPDATE viewed2.t SET v = 'new' WHERE k = 1 AND c = 1");
  assert.equal((await found(client, "SELECT k FROM viewed2.by_v WHERE v = 'moved'")).length, 0);
  assert.equal((await found(client, "SELECT k FROM viewed2.by_v WHERE v = 'new'")).length, 1);
});

test('24: indexes of all three kinds are not captured and find the same rows after a restore', async () => {
  const source = await cluster();
  await using client = await connectCql(source);
  await client.cql(`CREATE KEYSPACE indexed WITH replication = ${replication}`);
  await client.cql(
    'CREATE TABLE indexed.t (k int PRIMARY KEY, a text, b text, c int, tags set<text>)',
  );
  await client.cql('CREATE TABLE indexed.plain (k int PRIMARY KEY, a text, b text, c int)');
  await client.cql('CREATE INDEX by_a ON indexed.t (a)');
  await client.cql('CREATE INDEX by_tag ON indexed.t (values(tags))');
  await client.cql(
    "CREATE CUSTOM INDEX by_b ON indexed.t (b) USING 'org.apache.cassandra.index.sasi.SASIIndex' " +
      "WITH OPTIONS = {'mode': 'CONTAINS'}",
  );
  await client.cql("CREATE CUSTOM INDEX by_c ON indexed.t (c) USING 'StorageAttachedIndex'");
  for (let i = 0; i < 90; i++) {
    const values = `${i}, 'a${i % 9}', 'some ${i} text', ${i * 10}`;
    await client.cql(`INSERT INTO indexed.t (k, a, b, c, tags) VALUES (${values}, {'t${i % 4}'})`);
    await client.cql(`INSERT INTO indexed.plain (k, a, b, c) VALUES (${values})`);
  }
  await client.cql("UPDATE indexed.t SET a = 'other' WHERE k = 9");
  await client.cql('DELETE FROM indexed.t WHERE k = 18');
  await using world = await CassandraWorld.open();
  const indexed = await world.protect('indexed', source);
  const { datasets, records } = await indexed.backup();
  assert.equal(datasets, 2);
  // A row each, the deletion, and the element's own deletion with each set: no entry of an index.
  assert.ok(records < 90 * 3, `${records} records`);

  const queries = (keyspace: string) => [
    `SELECT k FROM ${keyspace}.t WHERE a = 'a0'`,
    `SELECT k FROM ${keyspace}.t WHERE tags CONTAINS 't2'`,
    `SELECT k FROM ${keyspace}.t WHERE b LIKE '%7 te%'`,
    `SELECT k FROM ${keyspace}.t WHERE c > 300 AND c < 700`,
  ];
  const wanted = await Promise.all(queries('indexed').map((query) => found(client, query)));
  assert.deepEqual(
    wanted.map(({ length }) => length),
    [8, 21, 9, 39],
  );
  const rows = await seen(client, 'indexed');
  assert.deepEqual(await restoreBeside(indexed, 'indexed2'), ['indexed2.plain', 'indexed2.t']);
  assertSameRows(await seen(client, 'indexed2'), rows);
  const again = await Promise.all(queries('indexed2').map((query) => found(client, query)));
  assert.deepEqual(again, wanted);
});

test('25: rows of conditional writes come back, and conditions hold on them, without the old ballots', async () => {
  const source = await cluster();
  await using client = await connectCql(source);
  await client.cql(`CREATE KEYSPACE lwt WITH replication = ${replication}`);
  await client.cql('CREATE TABLE lwt.t (k int PRIMARY KEY, v int)');
  const applied = async (statement: string): Promise<boolean> =>
    (await client.cql(statement)).wasApplied();
  for (let k = 0; k < 20; k++) {
    assert.ok(await applied(`INSERT INTO lwt.t (k, v) VALUES (${k}, 0) IF NOT EXISTS`));
  }
  assert.ok(await applied('UPDATE lwt.t SET v = 5 WHERE k = 1 IF v = 0'));
  assert.ok(await applied('DELETE FROM lwt.t WHERE k = 2 IF EXISTS'));
  assert.ok(!(await applied('UPDATE lwt.t SET v = 6 WHERE k = 3 IF v = 9')));
  await using world = await CassandraWorld.open();
  const lwt = await world.protect('lwt', source);
  await lwt.backup();
  const rows = await seen(client, 'lwt');
  assert.deepEqual(await restoreBeside(lwt, 'lwt2'), ['lwt2.t']);
  assertSameRows(await seen(client, 'lwt2'), rows);

  const table = await client.cql(
    "SELECT id FROM system_schema.tables WHERE keyspace_name = 'lwt2' AND table_name = 't'",
  );
  const id = String(table.rows[0]?.id);
  const { rows: ballots } = await client.cql('SELECT cf_id FROM system.paxos');
  assert.ok(ballots.length > 0);
  assert.deepEqual(
    ballots.filter((row) => String(row.cf_id) === id),
    [],
  );
  assert.ok(!(await applied('INSERT INTO lwt2.t (k, v) VALUES (1, 1) IF NOT EXISTS')));
  assert.ok(await applied('UPDATE lwt2.t SET v = 7 WHERE k = 1 IF v = 5'));
  assert.ok(await applied('INSERT INTO lwt2.t (k, v) VALUES (2, 2) IF NOT EXISTS'));
  const after = await found(client, 'SELECT k, v FROM lwt2.t WHERE k IN (1, 2)');
  assert.deepEqual(after, ['[1,7]', '[2,2]']);
});
