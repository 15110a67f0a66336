// Four peers campaign and count while members of etcd freeze, die and come back, and the network cuts, freezes
// and loses answers. The oracle is etcd's own history. CODR_CHAOS_SECONDS runs it for longer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { realClock } from '../../test/harness/context.ts';
import { type EtcdCluster, sharedEtcd } from '../../test/harness/etcd.ts';
import { testSeed } from '../../test/harness/seed.ts';
import type { TcpProxy } from '../../test/harness/tcp-proxy.ts';
import { isCodrError } from '../base/error.ts';
import { SeededRandom } from '../base/random.ts';
import {
  endpointsOf,
  newPrefix,
  openEtcd,
  proxiesOf,
  rawEtcd,
  until,
} from '../coordination/etcd/etcd.fixture.ts';
import type { EtcdCoordinator } from '../coordination/etcd/etcd-coordinator.ts';
import { campaign, type Term } from './leadership.ts';

const cluster = sharedEtcd({ members: 3 });
const seconds = Number(process.env.CODR_CHAOS_SECONDS ?? 8);

/** A change of the counter as a leader was told of it. */
interface Change {
  readonly epoch: number;
  readonly revision: number;
}

interface Tally {
  readonly changes: Change[];
  terms: number;
  inDoubt: number;
}

test(`leaders count without loss or repetition through ${seconds} s of trouble, each in its epoch`, async (t) => {
  const seed = testSeed(1);
  t.diagnostic(`seed ${seed}`);
  const etcd = await cluster();
  const proxies = await proxiesOf(etcd);
  const prefix = newPrefix();
  const tally: Tally = { changes: [], terms: 0, inDoubt: 0 };
  const stop = new AbortController();
  const coordinators: EtcdCoordinator[] = [];
  for (let i = 0; i < 4; i++) coordinators.push(await openEtcd(endpointsOf(proxies), { prefix }));
  const peers = coordinators.map((one, i) => count(one, `${i}`, tally, stop.signal));
  const end = performance.now() + seconds * 1000;
  await makeTrouble(etcd, proxies, prefix, new SeededRandom(seed), end);
  const before = tally.changes.length;
  await until('somebody leads after it', () => tally.changes.length > before + 5, 20_000);
  stop.abort();
  await Promise.all(peers);
  for (const coordinator of coordinators) await coordinator[Symbol.asyncDispose]();
  for (const proxy of proxies) await proxy[Symbol.asyncDispose]();

  const history = await historyOf(etcd.endpoints[0] as string, `${prefix}/keys/counter`);
  t.diagnostic(`${history.length} changes, ${tally.terms} terms, ${tally.inDoubt} in doubt`);
  for (const [i, { value }] of history.entries()) {
    assert.equal(Number(value.split(' ')[0]), i + 1, 'each change follows the one before');
  }
  const epochs = await historyOf(etcd.endpoints[0] as string, `${prefix}/keys/epoch`);
  for (const [i, { value, revision }] of epochs.entries()) {
    const last = Number(epochs[i - 1]?.value ?? 0);
    assert.ok(Number(value) >= last, `epoch ${value} wrote after ${last}, at ${revision}`);
  }
  const happened = new Map(history.map(({ value, revision }) => [revision, value.split(' ')[1]]));
  for (const { epoch, revision } of tally.changes) {
    assert.equal(happened.get(revision), `${epoch}`, 'what was told as done is there');
  }
  const untold = history.length - tally.changes.length;
  assert.ok(untold >= 0 && untold <= tally.inDoubt, `${untold} changes happened untold`);
  assert.ok(tally.terms > 1, `${tally.terms} terms`);
});

/** Campaigns, and counts while it leads. */
async function count(
  coordinator: EtcdCoordinator,
  name: string,
  tally: Tally,
  signal: AbortSignal,
): Promise<void> {
  const options = { name, ttlMs: 3000, clock: realClock, signal };
  for await (const term of campaign(coordinator, options)) {
    tally.terms++;
    while (!term.signal.aborted) {
      try {
        await countOnce(coordinator, term, tally);
      } catch (error) {
        if (isCodrError(error, 'transaction-in-doubt')) tally.inDoubt++;
        else if (!isCodrError(error, 'coordinator-unreachable') && !term.signal.aborted)
          throw error;
      }
    }
  }
}

async function countOnce(coordinator: EtcdCoordinator, term: Term, tally: Tally): Promise<void> {
  const entry = await coordinator.get('counter');
  const number = Number(entry?.value.split(' ')[0] ?? 0) + 1;
  const epoch = term.epoch.revision;
  const guard = { key: 'counter', modifyRevision: entry?.modifyRevision ?? 0 };
  const put = { put: 'counter', value: `${number} ${epoch}` };
  // Nothing but the term keeps this one back.
  await term.transact([], [{ put: 'epoch', value: `${epoch}` }]);
  const outcome = await term.transact([guard], [put]);
  if (outcome.done) tally.changes.push({ epoch, revision: outcome.revision });
}

/** Ends with a network and members that work. */
async function makeTrouble(
  etcd: EtcdCluster,
  proxies: readonly TcpProxy[],
  prefix: string,
  random: SeededRandom,
  endMs: number,
): Promise<void> {
  const { members } = etcd;
  while (performance.now() < endMs) {
    const [proxy, member] = [proxies[random.below(3)] as TcpProxy, members[random.below(3)]];
    const pause = sleep(50 + random.below(300));
    const kind = random.below(10);
    if (kind === 0) proxy.cut();
    if (kind === 1) proxy.freeze();
    if (kind === 2) proxy.faults = { losesReplies: true };
    if (kind === 3) proxy.faults = { delayMs: 1 + random.below(40) };
    if (kind === 4) {
      member?.freeze();
      await sleep(500 + random.below(2500));
      member?.thaw();
    }
    if (kind === 5) {
      await member?.kill();
      await sleep(random.below(2000));
      await member?.start();
    }
    // Behind the back of who leads, so that it goes on for a while.
    if (kind >= 6) await endLease(etcd.endpoints, `${prefix}/keys/coordinator`);
    await pause;
    proxy.thaw();
    if (kind === 2) proxy.cut();
    proxy.faults = {};
  }
  await etcd.healthy();
}

async function endLease(endpoints: readonly string[], key: string): Promise<void> {
  const raw = rawEtcd(endpoints[0] as string);
  try {
    const { kvs } = await raw.kv.range({ key: Buffer.from(key) });
    if (kvs[0]) await raw.leases.leaseRevoke({ ID: kvs[0].lease });
  } catch {
    // No member answers now; there is enough trouble.
  }
  raw.close();
}

/** All values that the key ever had, by etcd's own record. */
async function historyOf(
  endpoint: string,
  key: string,
): Promise<{ value: string; revision: number }[]> {
  const raw = rawEtcd(endpoint);
  const newest = (await raw.kv.range({ key: Buffer.from(key) })).kvs[0]?.mod_revision;
  const stream = await raw.watches.watch();
  const history: { value: string; revision: number }[] = [];
  stream.on('data', ({ events }) => {
    for (const { kv } of events) {
      history.push({ value: `${kv.value}`, revision: Number(kv.mod_revision) });
    }
  });
  stream.on('error', () => {});
  stream.write({ create_request: { key: Buffer.from(key), start_revision: 1 } });
  await until('the whole history came', () => history.at(-1)?.revision === Number(newest));
  stream.cancel();
  raw.close();
  return history;
}
