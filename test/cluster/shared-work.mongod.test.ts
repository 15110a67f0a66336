// Three peers, one etcd, one repository: a base copy and a restore are shared, and any peer may die meanwhile.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Binary, type MongoClient } from 'mongodb';
import type { CodrApi } from '../../src/api/codr-api.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { ownersInOrder } from '../../src/cluster/placement.ts';
import type { ReplicaSet } from '../../src/node/demo/mongod-server.ts';
import { startReplicaSet } from '../harness/mongod.ts';
import { call, type PeerProcess, Peers, until } from './peers.ts';

let source: ReplicaSet;
let target: ReplicaSet;
let peers: Peers;

before(async () => {
  source = await startReplicaSet({ cacheGiB: 0.25 });
  target = await startReplicaSet({ cacheGiB: 0.25 });
  peers = await Peers.start({ count: 3, limits: { segmentMiB: 1 } });
});
after(async () => {
  await Promise.all([source?.stop(), target?.stop(), peers?.[Symbol.asyncDispose]()]);
});

const client = (): MongoClient => source.clients[0] as MongoClient;
const names = { include: [] as string[], exclude: [] as string[] };
const random = new SeededRandom(5);

/** Documents of 2 KiB that do not compress. */
async function fill(database: string, collection: string, count: number): Promise<void> {
  for (let at = 0; at < count; at += 1000) {
    const batch = Array.from({ length: Math.min(1000, count - at) }, (_, i) => ({
      _id: (at + i) as never,
      noise: new Binary(random.bytes(2048)),
    }));
    await client().db(database).collection(collection).insertMany(batch);
  }
}

async function add(api: CodrApi, name: string, uri = source.uri): Promise<void> {
  const scope = { include: [`${name}.*`], exclude: [] };
  await api.addSource({ source: name, uri, ...scope }, call);
}

const wish = (name: string) => ({
  ...{ source: name, to: target.uri, at: 'latest', ...names, renames: [], drop: true },
  ...({ ttl: 'keep', verify: true, ranges: [], queries: [] } as const),
});

test('a base copy is read by all peers, and its restore is loaded and proven by all', async () => {
  await fill('shared', 'a', 12_000);
  await using first = peers.peer(1).api();
  await add(first, 'shared');
  const made = await first.backup({ source: 'shared', follow: false, rpoSeconds: 1 }, call);
  assert.equal(made.records, 12_000);
  for (const peer of peers.all.slice(1)) {
    assert.ok(peer.lines('"kind":"segments"').length > 0, `${peer.name} has read nothing`);
  }
  await using second = peers.peer(2).api();
  const { peers: shown, coordinator, epoch } = await second.status({}, call);
  assert.deepEqual(
    shown.map(({ name, state }) => [name, state]),
    peers.all.map(({ name }) => [name, 'up']),
  );
  assert.ok(coordinator !== undefined && epoch !== undefined);
  assert.equal(
    shown.reduce((sum, { slots = 0 }) => sum + slots, 0),
    4096,
  );
  const restored = await second.restore(wish('shared'), call);
  assert.deepEqual(
    restored.datasets.map(({ to, records, proven }) => [to, records, proven]),
    [['shared.a', 12_000, true]],
  );
  const [one, , three] = peers.all;
  assert.ok(one?.lines('"kind":"restore-range"').length, 'the first has loaded nothing');
  assert.ok(three?.lines('"kind":"restore-range"').length, 'the third has loaded nothing');
  await using third = peers.peer(3).api();
  const against = { readData: true, against: target.uri };
  const same = await third.verify({ source: 'shared', at: 'latest', ...names, ...against }, call);
  assert.deepEqual(
    same.datasets.map(({ verdict }) => verdict),
    ['equal'],
  );
  assert.ok(peersWith('"kind":"compare"') >= 1, 'the live cluster was read by others too');
  await client()
    .db('shared')
    .collection<{ _id: number }>('a')
    .updateOne({ _id: 5 }, { $set: { n: 1 } });
  await second.backup({ source: 'shared', follow: false, rpoSeconds: 1 }, call);
  const folded = await third.checkpoint({ source: 'shared', to: 'latest' }, call);
  assert.deepEqual(
    folded.datasets.map(({ records }) => records),
    [12_000],
  );
  const whole = await first.verify(
    { source: 'shared', at: 'latest', ...names, readData: true },
    call,
  );
  assert.deepEqual(
    whole.datasets.map(({ verdict }) => verdict),
    ['whole'],
  );
  assert.ok(peersWith('"kind":"fold"') >= 2, 'checkpoint and verify were shared');
});

/** Peers that have begun such work for others. */
function peersWith(kind: string): number {
  return peers.all.filter((peer) => peer.lines(kind).length > 0).length;
}

const equalCount = 8000;
const twins = ['twin1', 'twin2', 'twin3', 'twin4'];

/** The same for all who ask; documents of 2 KiB that do not compress. */
function equalRows(): { _id: number; noise: Binary }[] {
  const noise = (i: number): Buffer =>
    createHash('shake256', { outputLength: 2048 }).update(String(i)).digest();
  return Array.from({ length: equalCount }, (_, _id) => ({ _id, noise: new Binary(noise(_id)) }));
}

test('equal data that peers copy at the same moment is stored once, and later costs next to nothing', async () => {
  const count = equalCount;
  for (const name of twins) {
    await client().db(name).collection<{ _id: number }>('a').insertMany(equalRows());
  }
  await using api = peers.peer(1).api();
  for (const name of twins) {
    await add(api, name);
    // What is on its way is little beside all: of pieces of 1 MiB that begin in the same instant much is stored twice.
    await api.limitSource({ source: name, readers: 1 }, call);
  }
  const copy = async (name: string, number: number): Promise<void> => {
    await using own = peers.peer(number).api();
    const made = await own.backup({ source: name, follow: false, rpoSeconds: 1 }, call);
    assert.equal(made.records, count);
  };
  const before = await packBytes();
  await Promise.all(twins.slice(0, 3).map((name, i) => copy(name, i + 1)));
  const together = (await packBytes()) - before;
  assert.ok(together <= count * 2090 * 1.1, `${together} bytes for ${count} documents of 2 KiB`);
  await copy('twin4', 2);
  assert.ok((await packBytes()) - before - together <= together * 0.01, 'stored once');
  // What comes back from a restore is the same data, in another database and another cluster.
  const moved = { ...wish('twin4'), renames: ['twin4.*=back.*'] };
  const returned = await api.restore(moved, call);
  assert.equal(returned.datasets[0]?.proven, true);
  await add(api, 'back', target.uri);
  await copy('back', 3);
  const later = (await packBytes()) - before - together;
  assert.ok(later <= together * 0.01, `${later} bytes for what is stored already`);
});

test('a check is shared; a peer that dies costs a try, and a lost pack is found', async () => {
  const [, second, third] = peers.all as [PeerProcess, PeerProcess, PeerProcess];
  const looks = (peer: PeerProcess): number => peer.lines('"kind":"check-packs"').length;
  await using api = peers.peer(1).api();
  const all = { readDataPercent: 100, repair: false };
  const before = looks(third);
  const checking = api.check(all, call);
  await until(() => looks(third) > before, { within: 60_000, what: 'the third takes part' });
  await third.kill();
  const { problems, bytesRead } = await checking;
  assert.deepEqual(problems, []);
  assert.ok(bytesRead > equalCount * 2048, `${bytesRead} bytes were read`);
  assert.ok(looks(second) > 0, 'the second has looked at nothing');
  const starting = third.start();
  const [lost = ''] = await packFiles();
  await rename(lost, `${lost}.away`);
  const damaged = await api.check({ ...all, readDataPercent: 0 }, call);
  await rename(`${lost}.away`, lost);
  const found = damaged.problems.find(({ object }) => object.endsWith(lost.slice(-64)));
  assert.equal(found?.problem, 'it is missing');
  await starting;
});

test('a source is removed and its packs are collected while another relies on most of them: that one restores', async () => {
  await using api = peers.peer(2).api();
  // What it alone has is in packs of its own.
  await fill('twin1', 'b', 1000);
  await api.backup({ source: 'twin1', follow: false, rpoSeconds: 1 }, call);
  const others = ['twin1', 'twin2', 'twin3'];
  for (const name of others) await api.removeSource({ source: name }, call);
  const { bytesFreed } = await api.collect({ dryRun: false }, call);
  assert.ok(bytesFreed > 1000 * 2048, `${bytesFreed} bytes were freed`);
  await using third = peers.peer(3).api();
  const { datasets } = await third.restore(wish('twin4'), call);
  assert.deepEqual(
    datasets.map(({ records, proven }) => [records, proven]),
    [[equalCount, true]],
  );
  assert.deepEqual((await api.check({ readDataPercent: 0, repair: false }, call)).problems, []);
});

const takes = (kind: string): string => `"kind":"${kind}","peer"`;

/** Times that the peer has begun to run an operation of the kind. */
function taken(peer: PeerProcess, kind: string): number {
  return peer.lines('an operation runs here').filter((line) => line.includes(takes(kind))).length;
}

test('a peer that is killed in a base copy is replaced, and the client sees the end of it', async () => {
  await fill('killed', 'a', 12_000);
  const [first, second, third] = peers.all as [PeerProcess, PeerProcess, PeerProcess];
  await using watcher = third.api();
  await add(watcher, 'killed');
  // The client speaks to the peer that dies, and finds it again when it is back.
  await using api = second.api();
  const others = (): number => taken(first, 'backup') + taken(third, 'backup');
  const [mine, theirs] = [taken(second, 'backup'), others()];
  const outcome = api
    .backup({ source: 'killed', follow: false, rpoSeconds: 1 }, call)
    .catch((error: unknown) => error);
  await until(() => taken(second, 'backup') > mine, { within: 20_000, what: 'it has begun' });
  await second.kill();
  await until(() => others() > theirs, { within: 60_000, what: 'another peer goes on' });
  await second.start();
  const ended = await outcome;
  assert.ok(!(ended instanceof Error), String(ended));
  const restored = await watcher.restore(wish('killed'), call);
  assert.deepEqual(
    restored.datasets.map(({ records, proven }) => [records, proven]),
    [[12_000, true]],
  );
});

test('a follower that is frozen past its lease is replaced, and harms nothing when it wakes', async () => {
  const rows = client().db('frozen').collection<{ _id: number }>('a');
  await rows.insertOne({ _id: 0 });
  // Where it begins its source decides, not who is asked: the peers rank for it by their names.
  const candidates = peers.all.map(({ name }) => ({ name, weight: 2, load: 0 }));
  const [runner = ''] = ownersInOrder('frozen', candidates);
  const first = peers.all.find(({ name }) => name === runner) as PeerProcess;
  const rest = peers.all.filter((peer) => peer !== first);
  const [second, third] = rest as [PeerProcess, PeerProcess];
  await using other = third.api();
  await add(other, 'frozen');
  const limited = await other.limitSource({ source: 'frozen', readers: 5 }, call);
  assert.equal(limited.readers, 5);
  const stop = new AbortController();
  const began = taken(first, 'backup');
  const follow = { source: 'frozen', follow: true, rpoSeconds: 1 };
  void other.backup(follow, { signal: stop.signal }).catch(() => {});
  const restorable = async (): Promise<number> => {
    const { intervals } = await other.points({ source: 'frozen' }, call);
    return Date.parse(intervals.at(-1)?.to.wall ?? '1970-01-01T00:00:00Z');
  };
  await until(async () => (await restorable()) > 0, { within: 60_000, what: 'a first moment' });
  assert.ok(taken(first, 'backup') > began, 'the source has its place');
  const followers = (): number => taken(second, 'backup') + taken(third, 'backup');
  const before = followers();
  first.freeze();
  await rows.insertOne({ _id: 1 });
  await until(() => followers() > before, { within: 60_000, what: 'another peer follows' });
  first.thaw();
  await rows.insertOne({ _id: 2 });
  const written = Date.now();
  const isIn = async (): Promise<boolean> => (await restorable()) > written;
  await until(isIn, { within: 60_000, what: 'the newest write is restorable' });
  const { peers: shown } = await other.status({}, call);
  const lags = shown.flatMap(({ lagSeconds }) => lagSeconds ?? []);
  assert.equal(lags.length, 1, 'the peer that follows has a lag, and no other');
  assert.ok((lags[0] as number) < 60);
  const { operations } = await other.listOperations({ running: true }, call);
  const [{ id = '' } = {}] = operations.filter(({ source }) => source === 'frozen');
  await other.cancelOperation({ id }, call);
  stop.abort();
  await until(
    async () => (await other.listOperations({ running: true }, call)).operations.length === 0,
    { within: 30_000, what: 'nothing runs any more' },
  );
  const restored = await other.restore(wish('frozen'), call);
  assert.deepEqual(
    restored.datasets.map(({ records, proven }) => [records, proven]),
    [[3, true]],
  );
});

/** Of all packs in the repository. */
async function packBytes(): Promise<number> {
  const sizes = (await packFiles()).map(async (path) => (await stat(path)).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

async function packFiles(): Promise<string[]> {
  const entries = await readdir(peers.repository, { recursive: true, withFileTypes: true });
  const files = entries.filter((one) => one.isFile() && one.parentPath.includes('/packs/'));
  return files.map(({ parentPath, name }) => join(parentPath, name));
}
