// Peers, etcd, the store and the network between them fail at random while writers write and one peer follows. After it every
// time is what the source was at it, nothing is lost without a hole, and nothing is stored that nobody can free.
// CODR_CHAOS_SECONDS says how long, CODR_SEED with which faults.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Timestamp } from 'mongodb';
import type { CodrApi } from '../../src/api/codr-api.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { type FaultyProxy, startFaultyProxy } from '../harness/faulty-proxy.ts';
import { sharedS3 } from '../harness/s3.ts';
import { testSeed } from '../harness/seed.ts';
import { World } from '../mongodb/world.ts';
import { call, type PeerProcess, Peers, until } from './peers.ts';

const seconds = Number(process.env.CODR_CHAOS_SECONDS ?? 180);
const seed = testSeed(3);
const random = new SeededRandom(seed);
const pick = <T>(of: readonly T[]): T => of[random.below(of.length)] as T;
const name = 'chaos';
const dayMs = 86_400_000;

let world: World;
let peers: Peers;
let store: FaultyProxy;
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
});
after(async () => {
  await peers?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
  await store?.[Symbol.asyncDispose]();
});

/** Inserts, updates and deletes until it is told to stop. Remembers a time now and then. */
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

type Fault = (victim: PeerProcess) => Promise<() => Promise<void>>;

const healed = async (): Promise<void> => {
  store.faults = {};
};

/** There and back, each a jump of minutes under a process that runs. */
async function clockJumps(victim: PeerProcess, seconds: number): Promise<() => Promise<void>> {
  await victim.setClock(seconds);
  // What it puts into its answers is what it sees.
  const hasJumped = async (): Promise<boolean> => {
    const answer = await fetch(`http://${victim.metrics}/healthz`).catch(() => undefined);
    await answer?.arrayBuffer();
    const aheadMs = Date.parse(answer?.headers.get('date') ?? '') - Date.now();
    return Math.abs(aheadMs - seconds * 1000) < 30_000;
  };
  await until(hasJumped, { within: 30_000, what: `the clock of ${victim.name} jumps` });
  return () => victim.setClock(0);
}

/** Each breaks something and answers with how it is mended. */
const faults: Readonly<Record<string, Fault>> = {
  'peer killed': async (victim) => {
    await victim.kill();
    return () => victim.start();
  },
  'peer frozen': async (victim) => {
    victim.freeze();
    return async () => victim.thaw();
  },
  'peer stopped': async (victim) => {
    const code = await victim.stop();
    assert.equal(code, 0, `${victim.name} does not stop well: ${victim.log.slice(-4000)}`);
    return () => victim.start();
  },
  'links cut': async ({ links }) => {
    for (const link of links) {
      link.faults = { refuses: true };
      link.cut();
    }
    return async () => {
      for (const link of links) link.faults = {};
    };
  },
  'links frozen': async ({ links }) => {
    for (const link of links) link.freeze();
    return async () => {
      for (const link of links) link.thaw();
    };
  },
  'etcd member killed': async () => {
    const member = pick(peers.etcd.members);
    await member.kill();
    return () => member.start();
  },
  'etcd member frozen': async () => {
    const member = pick(peers.etcd.members);
    member.freeze();
    return async () => member.thaw();
  },
  'store slow': async () => {
    store.faults = { delayMsMax: 1500 };
    return healed;
  },
  'store refuses': async () => {
    store.faults = { refusedPerMille: 500, cutPerMille: 200 };
    return healed;
  },
  'store loses and repeats': async () => {
    store.faults = { lostReplyPerMille: 200, cutReplyPerMille: 100, twicePerMille: 200 };
    return healed;
  },
  'store full': async () => {
    store.faults = { isFull: true };
    return healed;
  },
  'clock ahead': (victim) => clockJumps(victim, 60 + random.below(1140)),
  'clock behind': (victim) => clockJumps(victim, -60 - random.below(1140)),
  'etcd begun anew': async () => {
    await peers.etcd.wipe();
    isForgotten = true;
    return async () => {};
  },
};

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

const isFollowed = (): Promise<boolean> =>
  anywhere(async (api) => {
    const { operations } = await api.listOperations({ running: true }, call);
    return operations.some(({ source }) => source === name);
  });

/** Nobody was asked to follow since etcd began anew: it forgets all operations then. */
let isForgotten = true;

/** Somebody follows, and is asked to only where etcd forgot it: it outlives all other faults. */
async function followed(): Promise<void> {
  if (!isForgotten) {
    return await until(isFollowed, { within: 60_000, what: 'the follower goes on by itself' });
  }
  if (await isFollowed()) return;
  isForgotten = false;
  const api = pick(peers.all).api();
  const request = { source: name, follow: true, rpoSeconds: 1 };
  void api.backup(request, call).catch(() => {});
  await until(isFollowed, { within: 60_000, what: 'somebody follows' }).finally(() =>
    api[Symbol.asyncDispose](),
  );
}

/** Everybody is well again, and what is written now becomes restorable. */
async function settled(): Promise<void> {
  await Promise.all(
    peers.all.map(async (peer) => {
      if (!peer.isRunning) await peer.start();
    }),
  );
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

test(`after ${seconds} s of faults of seed ${seed} every time is what it was`, async (t) => {
  await world.client.db(name).collection('a').insertOne({ n: 0 });
  const chaos = await world.protect(name);
  await followed();
  const stop = new AbortController();
  const times: Timestamp[] = [];
  const writing = write(times, stop.signal);
  const end = Date.now() + seconds * 1000;
  const told: string[] = [];
  const kinds = Object.keys(faults);
  try {
    while (Date.now() < end) {
      const kind = pick(kinds);
      const victim = pick(peers.all);
      told.push(`${new Date().toISOString()} ${kind} ${victim.name}`);
      const mend = await (faults[kind] as Fault)(victim);
      await sleep(1000 + random.below(12_000));
      await mend();
      await sleep(random.below(3000));
      if (random.below(3) === 0) await followed();
    }
    await settled();
  } catch (error) {
    const file = join(tmpdir(), `codr-chaos-${seed}.log`);
    await writeFile(file, [told.join('\n'), ...peers.all.map(({ log }) => log)].join('\n\n'));
    t.diagnostic(`what the peers said is in ${file}`);
    throw error;
  } finally {
    stop.abort();
  }
  await writing;
  const lives = peers.all.flatMap((peer) => peer.lines('an operation runs here')).length;
  t.diagnostic(`${told.length} faults, the follower begun ${lives} times: ${told.join(', ')}`);
  t.diagnostic(`what the store did: ${JSON.stringify(store.counts)}`);
  const { holes } = await anywhere((api) => api.points({ source: name }, call));
  assert.deepEqual(holes, [], told.join(', '));
  for (const { id } of await running()) await anywhere((api) => api.cancelOperation({ id }, call));
  await until(async () => (await running()).length === 0, { within: 30_000, what: 'all at rest' });
  const first = (await chaos.interval()).from;
  const restorable = times.filter((time) => time.greaterThan(first));
  assert.ok(restorable.length >= 10, 'there are times to restore');
  for (let i = 0; i < 10; i++) await chaos.assertEqualAt(pick(restorable));
  oneCoordinatorAnEpoch();
  await nothingIsStrayed();
});

async function running() {
  return (await anywhere((api) => api.listOperations({ running: true }, call))).operations;
}

/** Epochs are told by the peers' own logs. */
function oneCoordinatorAnEpoch(): void {
  const terms = peers.all.flatMap((peer) =>
    peer.lines('this peer coordinates').map((line) => {
      const { epoch } = JSON.parse(line) as { epoch: { clusterId: string; revision: number } };
      return `${epoch.clusterId} ${epoch.revision}`;
    }),
  );
  assert.ok(terms.length > 0);
  assert.equal(new Set(terms).size, terms.length, 'an epoch has one coordinator');
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
