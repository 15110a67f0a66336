// Three peers give a table back by files: each writes SSTables for the ranges that it folds, one of them has them
// imported, all read back. Any of them may die meanwhile.
import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { forEachLimit } from '../../src/base/async.ts';
import { SeededRandom } from '../../src/base/random.ts';
import type { CassandraCluster } from '../../src/node/demo/cassandra-server.ts';
import { call, type PeerProcess, Peers, until } from '../cluster/peers.ts';
import { connectCql, sharedCassandra, type TestClient } from '../harness/cassandra.ts';

const cluster = sharedCassandra({ nodes: 1 });
const partitions = 320;
const rows = 8;
const rowBytes = 16 * 1024;
let peers: Peers | undefined;
after(async () => {
  await peers?.[Symbol.asyncDispose]();
});

/** A table of 40 MiB that does not compress. */
async function fill({ client, cql }: TestClient, keyspace: string): Promise<void> {
  const replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}";
  await cql(`CREATE KEYSPACE ${keyspace} WITH replication = ${replication}`);
  await cql(`CREATE TABLE ${keyspace}.t (k int, c int, v blob, PRIMARY KEY (k, c))`);
  const insert = `INSERT INTO ${keyspace}.t (k, c, v) VALUES (?, ?, ?)`;
  const random = new SeededRandom(7);
  const keys = Array.from({ length: partitions * rows }, (_, i) => i);
  await forEachLimit(keys, 32, async (i) => {
    const v = Buffer.from(random.bytes(rowBytes));
    await client.execute(insert, [i % partitions, Math.floor(i / partitions), v], {
      prepare: true,
    });
  });
}

/** What a user would write for the cluster; gives the file's path. */
async function configFile(there: CassandraCluster, folder: string): Promise<string> {
  const path = join(folder, 'cluster.yaml');
  const place = { dataDirectories: [there.dataFolder(1)], control: { jolokia: there.httpUrl(1) } };
  const nodes = { [there.address(1)]: place };
  const content = {
    kind: 'cassandra',
    contactPoints: there.contactPoints,
    nodes,
    ownsBackups: true,
  };
  // JSON is YAML too.
  await writeFile(path, JSON.stringify(content));
  return path;
}

const wish = (to: string, name: string) => ({
  ...{ source: 'wide', to, at: 'latest', include: [], exclude: [], renames: [`wide.*=${name}.*`] },
  ...({ drop: false, ttl: 'keep', verify: true, ranges: [], queries: [] } as const),
});

const leftOver = async (there: CassandraCluster): Promise<string[]> =>
  (await readdir(there.dataFolder(1), { recursive: true })).filter((path) =>
    /codr-(import|proof)/.test(path),
  );

/** Records that the peer has had others load into files for it. */
function adopted(peer: PeerProcess, table: string): number[] {
  return peer
    .lines('another peer has loaded a range')
    .map((line) => JSON.parse(line) as { readonly table: string; readonly records: number })
    .filter((line) => line.table === table)
    .map(({ records }) => records);
}

const sum = (counts: readonly number[]): number => counts.reduce((all, one) => all + one, 0);

test('a table is written into files by several peers, imported once and proven, and so it is when one is killed', async () => {
  const there = await cluster();
  await using client = await connectCql(there);
  await fill(client, 'wide');
  peers = await Peers.start({ count: 3 });
  const config = await configFile(there, peers.folder);
  const [first, second, third] = peers.all as [PeerProcess, PeerProcess, PeerProcess];
  await using api = first.api();
  await api.addSource({ source: 'wide', config, include: ['wide.*'], exclude: [] }, call);
  await api.backup({ source: 'wide', follow: false, rpoSeconds: 1 }, call);

  const shared = await api.restore(wish(config, 'wide2'), call);
  const total = partitions * rows;
  const proven = (to: string) => [[to, total, true]];
  const told = ({ datasets }: typeof shared) =>
    datasets.map(({ to, records, proven: isProven }) => [to, records, isProven]);
  assert.deepEqual(told(shared), proven('wide2.t'));
  const others = sum(peers.all.flatMap((peer) => adopted(peer, 'wide2.t')));
  assert.ok(others > 0 && others < total, `${others} of ${total} records were loaded by others`);
  const { rows: found } = await client.cql('SELECT count(*) AS n FROM wide2.t');
  assert.equal(Number(found[0]?.n), total);
  assert.deepEqual(await leftOver(there), []);

  const [mine, theirs] = [second, third].map((peer) => peer.lines('"kind":"restore-range"').length);
  const again = api.restore(wish(config, 'wide3'), call).catch((error: unknown) => error as Error);
  const taken = (): PeerProcess | undefined =>
    [
      { peer: second, before: mine },
      { peer: third, before: theirs },
    ].find(({ peer, before = 0 }) => peer.lines('"kind":"restore-range"').length > before)?.peer;
  await until(() => taken() !== undefined, { within: 60_000, what: 'a peer has work' });
  await taken()?.kill();
  const ended = await again;
  assert.ok(!(ended instanceof Error), String(ended));
  assert.deepEqual(told(ended), proven('wide3.t'));
  const lost = peers.all.flatMap((peer) => peer.lines('its work goes elsewhere'));
  assert.ok(lost.length > 0, 'the peer was killed in its work');
  assert.deepEqual(await leftOver(there), []);
});
