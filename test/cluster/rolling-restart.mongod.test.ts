// Peers behind a balancer are restarted one after another while 50 clients look, change, create and cancel, one peer
// backs up and one restores; then one is frozen in the end of a restore. Nothing is lost, and no client sees anything
// but an error that says: try again.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Binary, type MongoClient } from 'mongodb';
import type { CodrApi, OperationList } from '../../src/api/codr-api.ts';
import { CodrError } from '../../src/base/error.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { connect } from '../../src/node/client.ts';
import type { ReplicaSet } from '../../src/node/demo/mongod-server.ts';
import { startHaproxy } from '../harness/haproxy.ts';
import { startReplicaSet } from '../harness/mongod.ts';
import { call, freePort, Peers, until } from './peers.ts';

const rowsBefore = 8_000;

let source: ReplicaSet;
let target: ReplicaSet;
let peers: Peers;
let balancer: AsyncDisposable;
let address: string;
before(async () => {
  source = await startReplicaSet({ cacheGiB: 0.25 });
  target = await startReplicaSet({ cacheGiB: 0.25, parameters: { enableTestCommands: 1 } });
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

interface Told {
  readonly kind: string;
  /** In all, and since the last peer was restarted. */
  answers: number;
  late: number;
  readonly errors: unknown[];
}

type Ask = (api: CodrApi, told: Told) => Promise<unknown>;

const enough = new Error('the client has seen enough');
const everything = { include: [] as string[], exclude: [] as string[] };

/** What clients ask, how many of them, and how long each rests in between. */
const asks: readonly { kind: string; clients: number; restMs: number; ask: Ask }[] = [
  {
    ...{ kind: 'list', clients: 25, restMs: 200 },
    ask: async (api) => assert.equal((await api.listSources(call)).sources.length, 2),
  },
  {
    ...{ kind: 'status', clients: 10, restMs: 300 },
    ask: async (api) => assert.ok((await api.status({}, call)).peers.length > 0),
  },
  {
    ...{ kind: 'limit', clients: 5, restMs: 2000 },
    ask: async (api, { answers }) => {
      const readers = 1 + (answers % 7);
      const limited = await api.limitSource({ source: 'given', readers }, call);
      assert.ok(limited.readers !== undefined);
    },
  },
  {
    ...{ kind: 'operation', clients: 5, restMs: 2000 },
    ask: async (api) => {
      const { findings } = await api.checkSource({ source: 'given' }, call);
      assert.ok(
        findings.every(({ level }) => level !== 'error'),
        JSON.stringify(findings),
      );
    },
  },
  {
    ...{ kind: 'cancel', clients: 5, restMs: 2000 },
    ask: async (api) => {
      const stop = new AbortController();
      const proof = { source: 'given', at: 'latest', ...everything, readData: true };
      const verified = api.verify(proof, { signal: stop.signal });
      verified.catch(() => {});
      await sleep(100);
      stop.abort(enough);
      // It may have ended before it heard of that.
      const ended = await verified.catch((error: unknown) => error);
      if (ended instanceof Error && ended !== enough) throw ended;
    },
  },
];

/** Answers count as late. */
let isRestarted = false;
/** How long clients ask for one, at most. */
let isRestartedUntil = 0;

/** Asks again and again until it is told to stop. What is answered by a word for "try again" is asked again. */
async function run(
  { ask, restMs, kind }: (typeof asks)[number],
  signal: AbortSignal,
): Promise<Told> {
  await using api = connect({ address, tls: 'insecure' });
  const told: Told = { kind, answers: 0, late: 0, errors: [] };
  const isDone = (): boolean => signal.aborted && (told.late > 0 || Date.now() > isRestartedUntil);
  while (!isDone()) {
    const isLate = isRestarted;
    try {
      await ask(api, told);
      told.answers++;
      if (isLate) told.late++;
    } catch (error) {
      const isRetryable = error instanceof CodrError && retryable.has(error.code);
      if (!isRetryable) told.errors.push(error);
      if (told.errors.length > 5) break;
    }
    await sleep(restMs);
  }
  return told;
}

const retryable: ReadonlySet<string> = new Set(['peer-unreachable', 'busy']);

async function fill(database: string, count: number): Promise<void> {
  const random = new SeededRandom(9);
  const rows = (source.clients[0] as MongoClient).db(database).collection<{ _id: number }>('a');
  for (let at = 0; at < count; at += 1000) {
    const noise = (): Binary => new Binary(random.bytes(2048));
    const batch = Array.from({ length: 1000 }, (_, i) => ({ _id: at + i, noise: noise() }));
    await rows.insertMany(batch);
  }
}

const wish = (name: string) => ({
  ...{ source: name, to: target.uri, at: 'latest', ...everything, renames: [], drop: true },
  ...({ ttl: 'keep', verify: true, ranges: [], queries: [] } as const),
});

/** Names of the peers that ran restores, in order. */
function restorers(): string[] {
  const lines = peers.all.flatMap((peer) =>
    peer
      .lines('an operation runs here')
      .map((line) => JSON.parse(line) as { time: string; kind: string; peer: string }),
  );
  const restores = lines.filter(({ kind }) => kind === 'restore');
  return restores.sort((a, b) => (a.time < b.time ? -1 : 1)).map(({ peer }) => peer);
}

/** The restore that runs: it must. */
async function runningRestore(api: CodrApi): Promise<string> {
  const asked = (): Promise<OperationList> => api.listOperations({ running: true }, call);
  // Once more where the balancer does not know yet who is away.
  const { operations } = await asked().catch(async () => await sleep(2000).then(asked));
  const restores = operations.filter(({ kind }) => kind === 'restore');
  assert.equal(restores.length, 1, 'the restore runs');
  return restores[0]?.id ?? '';
}

/** Each peer once, the one that runs the restore before others. */
async function restartAll(api: CodrApi): Promise<void> {
  const left = new Set(peers.all);
  const id = await runningRestore(api);
  while (left.size > 0) {
    const runner = restorers().at(-1);
    const next = [...left].find(({ name }) => name === runner) ?? [...left][0];
    assert.ok(next);
    left.delete(next);
    assert.equal(await runningRestore(api), id, 'it is the same one');
    assert.equal(await next.stop(), 0, `${next.name} stops well: ${next.log.slice(-2000)}`);
    await next.start();
    await until(() => restorers().at(-1) !== next.name || left.size === 0, {
      ...{ within: 60_000, what: 'another peer goes on with the restore' },
    });
  }
  assert.equal(await runningRestore(api), id, 'it outlived all restarts');
}

test('a rolling restart under a backup, a restore and 50 clients loses nothing', async () => {
  await using api = connect({ address, tls: 'insecure' });
  for (const name of ['given', 'taken']) {
    await fill(name, rowsBefore);
    const part = { include: [`${name}.*`], exclude: [] };
    await api.addSource({ source: name, uri: source.uri, ...part }, call);
  }
  await api.backup({ source: 'given', follow: false, rpoSeconds: 1 }, call);
  const stop = new AbortController();
  const clients = asks.flatMap((one) =>
    Array.from({ length: one.clients }, () => run(one, stop.signal)),
  );
  assert.equal(clients.length, 50);
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
  // It would take minutes: it runs at every restart.
  const enoughOfIt = new AbortController();
  const slow = { ...wish('given'), bytesPerSecond: 64 * 1024 };
  const restore = api.restore(slow, { signal: enoughOfIt.signal });
  restore.catch(() => {});
  await until(() => restorers().length > 0, { within: 60_000, what: 'the restore begins' });
  await restartAll(api);
  isRestarted = true;
  isRestartedUntil = Date.now() + 60_000;
  assert.ok(new Set(restorers()).size > 1, `its runner changed: ${restorers()}`);
  enoughOfIt.abort(enough);
  await assert.rejects(restore, enough);
  const restored = await api.restore(wish('given'), call);
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
  for (const { kind, late } of told) assert.ok(late > 0, `${kind} is answered after the restarts`);
  const after = await api.restore(wish('taken'), call);
  assert.deepEqual(
    after.datasets.map(({ records, proven }) => [records, proven]),
    [[written, true]],
  );
});

test('a peer that is frozen in the end of a restore, and wakes when another has ended it, changes nothing more', async () => {
  await using api = connect({ address, tls: 'insecure' });
  const given = (source.clients[0] as MongoClient).db('ended').collection<{ _id: number }>('a');
  await given.insertMany([{ _id: 1 }, { _id: 2 }, { _id: 3 }]);
  const part = { include: ['ended.*'], exclude: [] };
  await api.addSource({ source: 'ended', uri: source.uri, ...part }, call);
  await api.backup({ source: 'ended', follow: false, rpoSeconds: 1 }, call);
  const client = target.clients[0] as MongoClient;
  const there = client.db('ended');
  const old = ['old1', 'old2', 'old3', 'old4'];
  const insertAll = async (): Promise<void> => {
    for (const name of old) await there.collection<{ _id: number }>(name).insertOne({ _id: 0 });
  };
  await insertAll();
  // The first of those that go keeps the end waiting.
  const data = { failCommands: ['drop'], blockConnection: true, blockTimeMS: 5000 };
  const point = { configureFailPoint: 'failCommand', mode: { times: 1 }, data };
  await client.db('admin').command(point);
  const before = restorers().length;
  const restore = api.restore(wish('ended'), call);
  restore.catch(() => {});
  const isDropping = async (): Promise<boolean> => {
    const found = await client.db('admin').command({ currentOp: 1, 'command.drop': /^old/ });
    return found.inprog.length > 0;
  };
  await until(isDropping, { within: 60_000, what: 'the restore ends' });
  const runner = peers.all.find(({ name }) => name === restorers().at(-1));
  assert.ok(runner && restorers().length > before);
  runner.freeze();
  try {
    const restored = await restore;
    assert.deepEqual(
      restored.datasets.map(({ records, proven }) => [records, proven]),
      [[3, true]],
    );
    assert.notEqual(restorers().at(-1), runner.name, 'another peer has ended it');
    await insertAll();
    await there.collection<{ _id: number }>('a').insertOne({ _id: 4 });
  } finally {
    runner.thaw();
  }
  const joined = (): number => runner.lines('one of the peers again').length;
  const joinedBefore = joined();
  await until(() => joined() > joinedBefore, { within: 60_000, what: 'it is a peer again' });
  const counts = await Promise.all(
    ['a', ...old].map((name) => there.collection(name).countDocuments()),
  );
  assert.deepEqual(counts, [4, 1, 1, 1, 1]);
  const left = await client.db('codr_restore').listCollections().toArray();
  assert.deepEqual(left, []);
});
