// Peers behind a balancer are restarted one after another while clients ask, one peer backs up and one restores.
// Nothing is lost, and no client sees anything but an error that says: try again.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Binary, type MongoClient } from 'mongodb';
import { isCodrError } from '../../src/base/error.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { connect } from '../../src/node/client.ts';
import type { ReplicaSet } from '../../src/node/demo/mongod-server.ts';
import { startHaproxy } from '../harness/haproxy.ts';
import { startReplicaSet } from '../harness/mongod.ts';
import { call, freePort, Peers, until } from './peers.ts';

const clientCount = 50;
const rowsBefore = 8_000;

let source: ReplicaSet;
let target: ReplicaSet;
let peers: Peers;
let balancer: AsyncDisposable;
let address: string;
before(async () => {
  source = await startReplicaSet({ cacheGiB: 0.25 });
  target = await startReplicaSet({ cacheGiB: 0.25 });
  const limits = { segmentMiB: 1 };
  peers = await Peers.start({ count: 3, members: 3, limits, balancerSeconds: 3 });
  address = `127.0.0.1:${await freePort()}`;
  const servers = peers.all.flatMap(({ address: at, metrics }, i) => [
    [`CODR_N${i + 1}`, at],
    [`CODR_N${i + 1}_METRICS`, metrics.split(':')[1] ?? ''],
  ]);
  balancer = await startHaproxy({ CODR_BIND: address, ...Object.fromEntries(servers) });
});
after(async () => {
  await balancer?.[Symbol.asyncDispose]();
  await Promise.all([source?.stop(), target?.stop(), peers?.[Symbol.asyncDispose]()]);
});

/** Asks again and again until it is told to stop; answers how often it was answered, and each other error. */
async function ask(signal: AbortSignal): Promise<{ answers: number; errors: unknown[] }> {
  await using api = connect({ address, tls: 'insecure' });
  const told = { answers: 0, errors: [] as unknown[] };
  while (!signal.aborted) {
    try {
      const { sources } = await api.listSources(call);
      assert.equal(sources.length, 2);
      told.answers++;
    } catch (error) {
      if (!isCodrError(error, 'peer-unreachable')) told.errors.push(error);
    }
    await sleep(100);
  }
  return told;
}

async function fill(database: string, count: number): Promise<void> {
  const random = new SeededRandom(9);
  const rows = (source.clients[0] as MongoClient).db(database).collection<{ _id: number }>('a');
  for (let at = 0; at < count; at += 1000) {
    const noise = (): Binary => new Binary(random.bytes(2048));
    const batch = Array.from({ length: 1000 }, (_, i) => ({ _id: at + i, noise: noise() }));
    await rows.insertMany(batch);
  }
}

const scope = { include: [] as string[], exclude: [] as string[] };
const wish = (name: string) => ({
  ...{ source: name, to: target.uri, at: 'latest', ...scope, renames: [], drop: true },
  ...({ ttl: 'keep', verify: true, ranges: [], queries: [] } as const),
});

test('a rolling restart under a backup, a restore and 50 clients loses nothing', async () => {
  await using api = connect({ address, tls: 'insecure' });
  for (const name of ['given', 'taken']) {
    await fill(name, rowsBefore);
    const part = { include: [`${name}.*`], exclude: [] };
    await api.addSource({ source: name, uri: source.uri, ...part }, call);
  }
  await api.backup({ source: 'given', follow: false, rpoSeconds: 1 }, call);
  const stop = new AbortController();
  const clients = Array.from({ length: clientCount }, () => ask(stop.signal));
  const rows = (source.clients[0] as MongoClient).db('taken').collection<{ _id: number }>('a');
  let written = rowsBefore;
  const writing = (async () => {
    while (!stop.signal.aborted) {
      await rows.insertOne({ _id: written++ });
      await sleep(20);
    }
  })();
  const following = new AbortController();
  const follow = { source: 'taken', follow: true, rpoSeconds: 1 };
  const backup = api.backup(follow, { signal: following.signal });
  const restore = api.restore(wish('given'), call);
  restore.catch(() => {});
  for (const peer of peers.all) {
    await sleep(2000);
    assert.equal(await peer.stop(), 0, `${peer.name} stops well: ${peer.log.slice(-2000)}`);
    await peer.start();
  }
  const restored = await restore;
  assert.deepEqual(
    restored.datasets.map(({ records, proven }) => [records, proven]),
    [[rowsBefore, true]],
  );
  stop.abort();
  await writing;
  const isIn = async (): Promise<boolean> => {
    const { intervals } = await api.points({ source: 'taken' }, call);
    return Date.parse(intervals.at(-1)?.to.wall ?? '1970-01-01T00:00:00Z') > Date.now() - 1000;
  };
  await until(isIn, { within: 60_000, what: 'the newest write is restorable' });
  following.abort();
  assert.ok((await backup).interval);
  const told = await Promise.all(clients);
  assert.deepEqual(
    told.flatMap(({ errors }) => errors),
    [],
  );
  for (const { answers } of told) assert.ok(answers > 0, 'every client was answered');
  const after = await api.restore(wish('taken'), call);
  assert.deepEqual(
    after.datasets.map(({ records, proven }) => [records, proven]),
    [[written, true]],
  );
});
