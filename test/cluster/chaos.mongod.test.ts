// Peers, etcd, the store and the network between them fail at random while writers write, one peer follows, and others are
// asked to collect and to verify. After it every time is what the source was at it, nothing is missing without a hole, no
// peer ended by itself or met a defect, and nothing is stored that nobody can free.
// CODR_CHAOS_SECONDS says how long, CODR_SEED with which faults.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type MongoClient, Timestamp } from 'mongodb';
import type { CodrApi } from '../../src/api/codr-api.ts';
import { isCodrError } from '../../src/base/error.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { type FaultyProxy, startFaultyProxy } from '../harness/faulty-proxy.ts';
import { sharedS3 } from '../harness/s3.ts';
import { testSeed } from '../harness/seed.ts';
import { World } from '../mongodb/world.ts';
import { ChaosFaults, type Struck } from './chaos-faults.ts';
import { call, Peers, until } from './peers.ts';

const seconds = Number(process.env.CODR_CHAOS_SECONDS ?? 180);
const seed = testSeed(3);
const random = new SeededRandom(seed);
const pick = <T>(of: readonly T[]): T => of[random.below(of.length)] as T;
const name = 'chaos';
const dayMs = 86_400_000;

let world: World;
let peers: Peers;
let store: FaultyProxy;
let faults: ChaosFaults;
const shared = sharedS3();
before(async () => {
  const server = await shared();
  store = await startFaultyProxy(server.endpoint, new SeededRandom(seed + 2));
  const repository = `s3://${await server.bucket()}/codr?endpoint=${store.endpoint}`;
  world = await World.open({ repository });
  const limits = { segmentMiB: 1 };
  peers = await Peers.start({
    count: 3,
    members: 3,
    repository,
    limits,
    proxied: true,
    ownClocks: true,
  });
  faults = new ChaosFaults({ peers, store, random });
});
after(async () => {
  await peers?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
  await store?.[Symbol.asyncDispose]();
});

/** Inserts, updates and deletes, each by itself, until it is told to stop. Remembers a time now and then. */
async function write(times: Timestamp[], signal: AbortSignal): Promise<void> {
  const rows = world.client.db(name).collection<{ _id: number; n: number; text: string }>('a');
  const own = new SeededRandom(seed + 1);
  for (let i = 0; !signal.aborted; i++) {
    const key = own.below(5000);
    const text = Buffer.from(own.bytes(200)).toString('base64');
    if (own.below(5) === 0) await rows.deleteOne({ _id: key });
    else await rows.updateOne({ _id: key }, { $inc: { n: 1 }, $set: { text } }, { upsert: true });
    if (i % 200 === 0) times.push(await world.now());
    if (i % 20 === 0) await sleep(10);
  }
}

const accounts = 50;
const balance = 1000;

/** Moves amounts from an account of one collection to one of another: both or neither. */
async function transfer(client: MongoClient, signal: AbortSignal): Promise<void> {
  const [from, to] = ['b', 'c'].map((each) => client.db(name).collection<Account>(each));
  const own = new SeededRandom(seed + 3);
  const pause = (): Promise<unknown> => sleep(50, undefined, { signal }).catch(() => {});
  for (; !signal.aborted; await pause()) {
    const amount = own.below(10) - 5;
    const places = [own.below(accounts), own.below(accounts)];
    await client.withSession((session) =>
      session.withTransaction(async () => {
        await from?.updateOne({ _id: places[0] }, { $inc: { n: -amount } }, { session });
        await to?.updateOne({ _id: places[1] }, { $inc: { n: amount } }, { session });
      }),
    );
  }
}

interface Account {
  readonly _id: number;
  readonly n: number;
}

async function openAccounts(): Promise<void> {
  const all = Array.from({ length: accounts }, (_, _id): Account => ({ _id, n: balance }));
  for (const each of ['b', 'c'])
    await world.client.db(name).collection<Account>(each).insertMany(all);
}

/** A client that looks for a peer that answers, as a balancer would. */
async function anywhere<T>(work: (api: CodrApi) => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    const api = peers.peer(1 + (attempt % peers.all.length)).api();
    try {
      return await work(api);
    } catch (error) {
      if (attempt >= 60) throw error;
      await sleep(500);
    } finally {
      await api[Symbol.asyncDispose]();
    }
  }
}

const isFollowed = async (): Promise<boolean> =>
  (await running()).some(({ kind, source }) => kind === 'backup' && source === name);

/** Somebody follows, and is asked to only where etcd forgot it: it outlives all other faults. */
async function followed(): Promise<void> {
  if (!faults.isForgotten) {
    return await until(isFollowed, { within: 60_000, what: 'the follower goes on by itself' });
  }
  if (await isFollowed()) return;
  faults.isForgotten = false;
  const api = pick(peers.all).api();
  const request = { source: name, follow: true, rpoSeconds: 1 };
  void api.backup(request, call).catch(() => {});
  await until(isFollowed, { within: 60_000, what: 'somebody follows' }).finally(() =>
    api[Symbol.asyncDispose](),
  );
}

/** How operations ended that were asked for meanwhile: by code, or `done`. */
const ends = new Map<string, number>();
/** Ends that faults explain; and where nothing is stored yet. */
const passing = new Set([
  ...['done', 'given up', 'busy', 'interrupted', 'lease-lost', 'transaction-in-doubt'],
  ...['store-unreachable', 'source-unreachable', 'peer-unreachable', 'operation-unknown'],
  ...['coordinator-unreachable', 'coordinator-replaced', 'nothing is restorable yet'],
]);
let waiting = 0;

/** Any peer frees what nobody needs, or proves what is stored: faults may end it, a defect or damage must not. */
async function ask(signal: AbortSignal): Promise<void> {
  const api = pick(peers.all).api();
  const what = pick(['collect', 'verify'] as const);
  const all = { include: [], exclude: [], readData: true };
  waiting++;
  const run = async (): Promise<string> => {
    if (what === 'collect') {
      await api.collect({ dryRun: false }, { signal });
      return 'done';
    }
    const { datasets } = await api.verify({ source: name, at: 'latest', ...all }, { signal });
    return datasets.every(({ verdict }) => verdict === 'whole') ? 'done' : 'damage';
  };
  const told = await run().catch((error: unknown) => {
    if (signal.aborted) return 'given up';
    if (isCodrError(error, 'failed')) return `defect (${error.message})`;
    if (isCodrError(error, 'time-not-restorable')) return error.message;
    return (error as { code?: string }).code ?? String(error);
  });
  ends.set(`${what}: ${told}`, (ends.get(`${what}: ${told}`) ?? 0) + 1);
  waiting--;
  await api[Symbol.asyncDispose]();
}

/** Everybody is well again, and what is written now becomes restorable. */
async function settled(): Promise<void> {
  await peers.etcd.healthy();
  await followed();
  const at = await world.now();
  await until(
    async () => {
      const { intervals } = await anywhere((api) => api.points({ source: name }, call));
      const [seconds = '0', place = '0'] = (intervals.at(-1)?.to.time ?? '').split(':');
      const newest = new Timestamp({ t: Number(seconds), i: Number(place) });
      return newest.greaterThanOrEqual(at);
    },
    { within: 90_000, what: 'the newest write is restorable' },
  );
}

/** Whoever ended was told to. */
function allRun(): void {
  for (const peer of peers.all) {
    assert.ok(peer.isRunning, `${peer.name} ended by itself: ${peer.log.slice(-4000)}`);
  }
}

/** Strikes and mends until the time is over and each kind has come. What befell whom. */
async function strike(told: string[], signal: AbortSignal): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (Date.now() < end || faults.missing.length > 0) {
    if (random.below(2) === 0) void ask(signal);
    const struck: Struck[] = await faults.strike();
    told.push(struck.map(({ what }) => what).join(' and '));
    await sleep(1000 + random.below(12_000));
    for (const { mend } of struck) await mend();
    await sleep(random.below(3000));
    allRun();
    if (random.below(3) === 0) await followed();
  }
  await settled();
  await until(() => waiting === 0, { within: 60_000, what: 'all that was asked for ends' });
}

test(`after ${seconds} s of faults of seed ${seed} every time is what it was`, async (t) => {
  await world.client.db(name).collection('a').insertOne({ n: 0 });
  await openAccounts();
  const chaos = await world.protect(name);
  await followed();
  const stop = new AbortController();
  const times: Timestamp[] = [];
  const writing = [write(times, stop.signal), transfer(world.client, stop.signal)];
  const told: string[] = [];
  try {
    await strike(told, stop.signal);
  } catch (error) {
    const file = join(tmpdir(), `codr-chaos-${seed}.log`);
    await writeFile(file, [told.join('\n'), ...peers.all.map(({ log }) => log)].join('\n\n'));
    t.diagnostic(`what the peers said is in ${file}`);
    throw error;
  } finally {
    stop.abort();
  }
  await Promise.all(writing);
  const lives = peers.all.flatMap((peer) => peer.lines('an operation runs here')).length;
  t.diagnostic(`${told.length} faults, operations begun ${lives} times: ${told.join(', ')}`);
  t.diagnostic(`what the store did: ${JSON.stringify(store.counts)}`);
  t.diagnostic(`what was asked for: ${JSON.stringify(Object.fromEntries(ends))}`);
  noDefects();
  for (const { id } of await running()) await anywhere((api) => api.cancelOperation({ id }, call));
  await until(async () => (await running()).length === 0, { within: 30_000, what: 'all at rest' });
  const { holes, intervals } = await anywhere((api) => api.points({ source: name }, call));
  // Nothing here loses the log, so there is nothing that a hole would be about: one interval, to the end.
  assert.deepEqual([holes, intervals.length], [[], 1], told.join(', '));
  const span = await chaos.interval();
  const within = (time: Timestamp): boolean =>
    time.greaterThan(span.from) && time.lessThanOrEqual(span.to);
  const restorable = times.filter(within);
  assert.ok(restorable.length >= 10, 'there are times to restore');
  for (let i = 0; i < 5; i++) await chaos.assertEqualAt(pick(restorable));
  for (let i = 0; i < 5; i++) await chaos.assertEqualAt(between(span.from, span.to));
  await faults.judgeTerms();
  assert.ok(faults.tables > 0, 'slots are placed');
  await nothingIsStrayed();
});

/** Any moment, also one at which nothing was written. */
function between(from: Timestamp, to: Timestamp): Timestamp {
  const [first, last] = [from.getHighBitsUnsigned() + 1, to.getHighBitsUnsigned()];
  return new Timestamp({ t: first + random.below(last - first), i: 1 + random.below(40) });
}

async function running() {
  return (await anywhere((api) => api.listOperations({ running: true }, call))).operations;
}

/** What a fault causes has a code; anything else is a mistake of ours. */
function noDefects(): void {
  const kinds = /BrokenPromise|a defect of CODR|(Assertion|Type|Range|Reference)Error\b/;
  const lines = peers.all.flatMap((peer) =>
    peer.log.split('\n').filter((line) => kinds.test(line)),
  );
  assert.deepEqual(lines, []);
  const wrong = [...ends.keys()].filter((told) => !passing.has(told.slice(told.indexOf(': ') + 2)));
  assert.ok(ends.has('verify: done'), 'what is stored was proven meanwhile');
  assert.deepEqual(wrong, []);
}

/**
 * Days later, when what no commit took up counts as left behind: a collection leaves nothing that another one would
 * take, what is left is whole, and once the source is gone all of it can be freed.
 */
async function nothingIsStrayed(): Promise<void> {
  await using node = await peers.embedded(3 * dayMs);
  await node.collect({ dryRun: false }, call);
  const { packsRemoved } = await node.collect({ dryRun: true }, call);
  assert.equal(packsRemoved, 0, 'a collection leaves nothing that another one would take');
  const { problems, packs } = await node.check({ readDataPercent: 100, repair: false }, call);
  assert.deepEqual(problems, []);
  assert.ok(packs > 0);
  await node.removeSource({ source: name }, call);
  for (let i = 0; i < 2; i++) await node.collect({ dryRun: false }, call);
  const empty = await node.check({ readDataPercent: 0, repair: false }, call);
  assert.deepEqual([empty.packs, empty.problems], [0, []], 'all packs can be freed');
}
