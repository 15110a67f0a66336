// Three peers give a table back by files: each writes SSTables for the ranges that it folds, one of them has them
// imported, all read back. Any of them may die meanwhile.
import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { RestoreResult } from '../../src/api/codr-api.ts';
import { forEachLimit } from '../../src/base/async.ts';
import { SeededRandom } from '../../src/base/random.ts';
import type { CassandraCluster } from '../../src/node/demo/cassandra-server.ts';
import { call, type PeerProcess, Peers, until } from '../cluster/peers.ts';
import { connectCql, sharedNode, type TestClient } from '../harness/cassandra.ts';

const cluster = sharedNode();
const partitions = 320;
const rows = 8;
const rowBytes = 16 * 1024;
let there: CassandraCluster;
let peers: Peers;
/** Path of the cluster's file. */
let config: string;

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
async function configFile(folder: string): Promise<string> {
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

const leftOver = async (): Promise<string[]> =>
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

const total = partitions * rows;

const told = ({ datasets }: RestoreResult) =>
  datasets.map(({ to, records, proven }) => [to, records, proven]);

/** Pieces of restores that the peer has begun for others. */
const pieces = (peer: PeerProcess): number => peer.lines('"kind":"restore-range"').length;

/** One for all tests of the file; not a hook, since files of a group share theirs. */
let world: Promise<void> | undefined;

async function open(): Promise<void> {
  there = await cluster();
  await using client = await connectCql(there);
  await fill(client, 'wide');
  peers = await Peers.start({ count: 3 });
  config = await configFile(peers.folder);
  await using api = peers.peer(1).api();
  await api.addSource({ source: 'wide', config, include: ['wide.*'], exclude: [] }, call);
  await api.backup({ source: 'wide', follow: false, rpoSeconds: 1 }, call);
}

const opened = (): Promise<void> => {
  world ??= open();
  return world;
};

after(() => peers?.[Symbol.asyncDispose]());

test('a table is written into files by several peers, imported once and proven', async () => {
  await opened();
  await using api = peers.peer(1).api();
  assert.deepEqual(told(await api.restore(wish(config, 'wide2'), call)), [
    ['wide2.t', total, true],
  ]);
  const others = sum(peers.all.flatMap((peer) => adopted(peer, 'wide2.t')));
  assert.ok(others > 0 && others < total, `${others} of ${total} records were loaded by others`);
  await using client = await connectCql(there);
  const { rows: found } = await client.cql('SELECT count(*) AS n FROM wide2.t');
  assert.equal(Number(found[0]?.n), total);
  assert.deepEqual(await leftOver(), []);
});

test('a peer that is killed while it writes files is replaced, and what it began is not imported', async () => {
  await opened();
  const [first, ...others] = peers.all as [PeerProcess, ...PeerProcess[]];
  await using api = first.api();
  const before = new Map(others.map((peer) => [peer, pieces(peer)]));
  const outcome = api.restore(wish(config, 'wide3'), call).catch((error: unknown) => error);
  const atWork = (): PeerProcess | undefined =>
    others.find((peer) => pieces(peer) > (before.get(peer) ?? 0));
  await until(() => atWork() !== undefined, { within: 60_000, what: 'a peer has work' });
  const killed = atWork();
  await killed?.kill();
  const ended = await outcome;
  assert.ok(!(ended instanceof Error), String(ended));
  assert.deepEqual(told(ended as RestoreResult), [['wide3.t', total, true]]);
  assert.ok(first.lines('its work goes elsewhere').length > 0, 'it was killed in its work');
  assert.deepEqual(await leftOver(), []);
  await killed?.start();
});

test('a peer that is killed when all is imported is followed by one that loads nothing again', async () => {
  await opened();
  const [first, second, third] = peers.all as [PeerProcess, PeerProcess, PeerProcess];
  await using api = second.api();
  const outcome = api.restore(wish(config, 'wide4'), call).catch((error: unknown) => error);
  const isImported = (): boolean =>
    second.lines('groups of files of wide4.t').some((line) => line.includes('has taken 1 of 1'));
  await until(isImported, { within: 60_000, what: 'the files are imported' });
  await second.kill();
  await second.start();
  const ended = await outcome;
  assert.ok(!(ended instanceof Error), String(ended));
  assert.deepEqual(told(ended as RestoreResult), [['wide4.t', total, true]]);
  for (const peer of [first, third]) {
    assert.deepEqual(adopted(peer, 'wide4.t'), []);
    assert.deepEqual(peer.lines('groups of files of wide4.t'), []);
  }
  assert.deepEqual(await leftOver(), []);
});

test('a restore by CQL alone is loaded and compared by several peers', async () => {
  await opened();
  const before = new Map(peers.all.map((peer) => [peer, pieces(peer)]));
  await using api = peers.peer(3).api();
  const uri = `cassandra://${there.contactPoints.join(',')}`;
  const restored = await api.restore(wish(uri, 'wide5'), call);
  assert.deepEqual(told(restored), [['wide5.t', total, true]]);
  assert.equal(restored.datasets[0]?.reads?.made, total, 'every row was compared');
  const busy = peers.all.filter((peer) => pieces(peer) > (before.get(peer) ?? 0));
  assert.ok(busy.length > 0, 'no other peer had a piece');
});
