// Tables of a newer Cassandra come back on an older one, without the options that it refuses.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectCql, startCassandra } from '../../../../test/harness/cassandra.ts';
import { Captured, optionsOf, restoreAll } from './target-world.fixture.ts';

const base = 1_700_000_000_000_000;

test('a table of 5.0 comes back on 4.1, and a node of 4.1 takes the files', async () => {
  await using newer = await startCassandra({ version: '5.0.9' });
  await using older = await startCassandra({ version: '4.1.10' });
  await using from = await connectCql(newer);
  const statements = [
    "CREATE KEYSPACE s WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 1}",
    'CREATE TYPE s.pair (a int, b text)',
    'CREATE TABLE s.t (k int, c int, v frozen<pair>, gone int, PRIMARY KEY (k, c)) WITH allow_auto_snapshot = false',
    'CREATE INDEX t_c ON s.t (c)',
  ];
  for (const statement of statements) await from.cql(statement);
  for (let k = 0; k < 50; k++) {
    const values = `(${k}, 1, {a: ${k}, b: 'x'}, 1)`;
    await from.cql(`INSERT INTO s.t (k, c, v, gone) VALUES ${values} USING TIMESTAMP ${base + k}`);
  }
  await from.cql('ALTER TABLE s.t DROP gone');
  await using captured = await Captured.of(newer, 's');
  const { records } = await restoreAll(older, captured, optionsOf('s', 'd'), 'd');
  assert.equal(records, 50);
  await using to = await connectCql(older);
  const query = (keyspace: string) => `SELECT JSON k, c, v, writetime(v) FROM ${keyspace}.t`;
  const rows = async (client: typeof from, keyspace: string) =>
    (await client.cql(query(keyspace))).rows.map((row) => String(row['[json]'])).sort();
  assert.deepEqual(await rows(to, 'd'), await rows(from, 's'));
  assert.equal((await to.cql('SELECT k FROM d.t WHERE c = 1')).rowLength, 50);
});
