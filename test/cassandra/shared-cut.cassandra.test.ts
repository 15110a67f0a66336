// Three peers and one node of Cassandra: the parts of a cut are read by several of them, one of which is killed, and
// what they stored comes back row by row.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { types } from 'cassandra-driver';
import { call, type PeerProcess, Peers, until } from '../cluster/peers.ts';
import { connectCql, sharedNode, type TestClient } from '../harness/cassandra.ts';
import { oneReplica } from './catalogue.ts';
import { CassandraWorld } from './world.ts';

const cluster = sharedNode();
const rowBytes = 16 * 1024;
/** 36 MiB: parts have 4 MiB at least. */
const rows = 2304;
const perPartition = 8;

test('parts of a cut are read by several peers, one of which is killed, and every row comes back', async (t) => {
  const one = await cluster();
  await using client = await connectCql(one);
  await client.cql(`CREATE KEYSPACE parted WITH replication = ${oneReplica}`);
  await client.cql('CREATE TABLE parted.t (k int, c int, v blob, PRIMARY KEY (k, c))');
  await fill(client);
  await using world = await CassandraWorld.open();
  const config = await world.configFile('source-parted', one);
  await using peers = await Peers.start({ count: 3, limits: { sourceMiBPerSecond: 8 } });
  const [first, second, third] = peers.all as [PeerProcess, PeerProcess, PeerProcess];
  await using api = first.api();
  await api.addSource({ source: 'parted', config, include: ['parted.*'], exclude: [] }, call);
  const taken = (peer: PeerProcess): number => peer.lines('"kind":"cut-part"').length;
  const running = api.backup({ source: 'parted', follow: false, rpoSeconds: 60 }, call);
  running.catch(() => {});
  await until(() => taken(third) > 0, { within: 60_000, what: 'the third peer reads a part' });
  await third.kill();
  const made = await running;
  t.diagnostic(`parts for others: ${taken(second)} and ${taken(third)}`);
  assert.ok(taken(second) > 0, 'the second peer has read nothing');
  assert.ok(first.lines('its work goes elsewhere').length > 0, 'no part was on its way');
  assert.deepEqual([made.grade, made.records, made.warnings], ['complete', rows, []]);
  const to = await world.configFile('target-parted', one);
  const names = { include: [], exclude: [], renames: ['parted.*=parted_back.*'], drop: false };
  const how = { at: 'latest', ttl: 'keep', verify: true } as const;
  const { datasets } = await api.restore({ source: 'parted', to, ...names, ...how }, call);
  assert.deepEqual(
    datasets.map((item) => [item.to, item.proven]),
    [['parted_back.t', true]],
  );
  assert.deepEqual(await digest(client, 'parted_back.t'), await digest(client, 'parted.t'));
});

async function fill({ client }: TestClient): Promise<void> {
  const query = 'INSERT INTO parted.t (k, c, v) VALUES (?, ?, ?)';
  const options = { prepare: true, consistency: types.consistencies.one };
  for (let from = 0; from < rows; from += 64) {
    const some = Array.from({ length: 64 }, (_, i) => from + i);
    const write = (i: number) =>
      client.execute(
        query,
        [Math.floor(i / perPartition), i % perPartition, randomBytes(rowBytes)],
        options,
      );
    await Promise.all(some.map(write));
  }
}

/** Of all rows, in the order of the ring, with the times at which they were written. */
async function digest({ client }: TestClient, table: string): Promise<unknown> {
  const query = `SELECT k, c, v, writetime(v) FROM ${table}`;
  const pages = await client.execute(query, [], { fetchSize: 200, autoPage: false });
  const hash = createHash('sha256');
  let count = 0;
  for await (const { k, c, v, 'writetime(v)': micros } of pages as AsyncIterable<types.Row>) {
    hash.update(`${k} ${c} ${micros} `).update(v);
    count++;
  }
  assert.equal(count, rows);
  return hash.digest('hex');
}
