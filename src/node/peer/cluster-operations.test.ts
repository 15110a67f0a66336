import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../test/harness/manual-clock.ts';
import type { Call, CodrApi } from '../../api/codr-api.ts';
import type { OperationEvent } from '../../api/operations.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import { silentLogger } from '../../base/log.ts';
import { SeededRandom } from '../../base/random.ts';
import type { Outcome } from '../../coordination/coordinator.ts';
import { MemoryCoordinator } from '../../coordination/memory/memory-coordinator.ts';
import { ClusterOperations } from './cluster-operations.ts';
import { handoverOf } from './operation-handover.ts';
import { valueSeal } from './value-seal.ts';

const secret = Buffer.alloc(32, 7);
const request = { readDataPercent: 10, repair: false };

/** Of so many transactions to come the outcome is not told, though they happen. */
class DoubtfulCoordinator extends MemoryCoordinator {
  doubts = 0;

  override async transact(...args: Parameters<MemoryCoordinator['transact']>): Promise<Outcome> {
    const outcome = await super.transact(...args);
    if (this.doubts-- <= 0) return outcome;
    throw new CodrError('transaction-in-doubt', 'nobody says how it went');
  }
}

/** Peers whose only work is `check`: it goes on until the test lets it end. */
class World {
  readonly coordinator = new DoubtfulCoordinator(new ManualClock({ jumps: true }), 'memory');
  readonly peers = new Map<string, ClusterOperations>();
  /** Names of peers that began the work, in order. */
  readonly begun: string[] = [];
  /** What each found that another had left. */
  readonly handed: unknown[] = [];
  readonly stop = new AbortController();
  readonly #endings: ((bytesRead: number | CodrError) => void)[] = [];

  async peer(name: string) {
    const lease = await this.coordinator.lease(10_000);
    const peer = new ClusterOperations({
      ...{ coordinator: this.coordinator, lease, name, seal: valueSeal(secret) },
      api: { check: (_: unknown, call: Call) => this.#work(name, call) } as unknown as CodrApi,
      clock: new ManualClock({ jumps: true }),
      random: new SeededRandom(this.peers.size + 1),
      log: silentLogger,
      redact: (text) => text,
      relay: (other) => this.peers.get(other),
    });
    this.peers.set(name, peer);
    const running = peer.run(this.stop.signal);
    return { peer, lease, running };
  }

  /** Lets the newest work end. */
  finish(bytesRead: number | CodrError): void {
    this.#endings.at(-1)?.(bytesRead);
  }

  async #work(name: string, { signal, progress, handover }: Call) {
    this.begun.push(name);
    this.handed.push(await handover?.read());
    await handover
      ?.write(`${'left by '.repeat(20_000)}${name}`)
      .catch((error) => this.handed.push(error));
    progress?.({ phase: name, records: 1, bytes: 2, seconds: 0 });
    const bytesRead = await new Promise<number | CodrError>((resolve, reject) => {
      this.#endings.push(resolve);
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    if (bytesRead instanceof CodrError) throw bytesRead;
    return { packs: 0, commits: 0, bytesRead, problems: [], givenUp: [], seconds: 0 };
  }
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 10_000; i++) {
    if (await condition()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.fail('it never came true');
}

test('an operation ends with its result at every peer, and its request is not readable in the store', async () => {
  const world = new World();
  const [a, b] = [await world.peer('a'), await world.peer('b')];
  const { id } = await a.peer.create('check', request, 'key', 'anna');
  await until(() => world.begun.length === 1);
  assert.equal((await b.peer.get(id)).state, 'running');
  world.finish(42);
  await until(async () => (await b.peer.get(id)).state === 'done');
  for (const { peer } of [a, b]) {
    assert.deepEqual((await peer.get(id)).result, {
      ...{ packs: 0, commits: 0, bytesRead: 42, problems: [], givenUp: [], seconds: 0 },
    });
  }
  const values = (await world.coordinator.list('')).map(({ value }) => value).join();
  assert.ok(!values.includes('readDataPercent'));
  world.stop.abort();
});

test('the same key gives the same operation at every peer; with another request it is refused', async () => {
  const world = new World();
  const [a, b] = [await world.peer('a'), await world.peer('b')];
  const { id } = await a.peer.create('check', request, 'key', 'anna');
  assert.equal((await b.peer.create('check', { ...request }, 'key', 'anna')).id, id);
  await assert.rejects(
    () => b.peer.create('check', { ...request, repair: true }, 'key', 'anna'),
    (error) => isCodrError(error, 'usage') && error.object === id,
  );
  assert.notEqual((await b.peer.create('check', request, 'key', 'bert')).id, id);
  world.stop.abort();
});

test('when its peer is lost another goes on with an operation, and who watches sees events grow to the end', async () => {
  const world = new World();
  const a = await world.peer('a');
  const { id } = await a.peer.create('check', request, 'key', 'anna');
  await until(() => world.begun.length === 1);
  const b = await world.peer('b');
  const events: OperationEvent[] = [];
  const watching = (async () => {
    for await (const event of b.peer.watch(id, 0, world.stop.signal)) events.push(event);
  })();
  await until(() => events.some(({ progress }) => progress?.phase === 'a'));
  world.peers.delete('a');
  world.coordinator.expire(a.lease);
  await a.peer.drain();
  await until(() => world.begun.includes('b'));
  await until(() => events.some(({ progress }) => progress?.phase === 'b'));
  world.finish(1);
  await watching;
  assert.equal(events.at(-1)?.changed?.state, 'done');
  const sequences = events.map(({ sequence }) => sequence);
  assert.deepEqual(
    sequences,
    [...new Set(sequences)].sort((x, y) => x - y),
  );
  // A watcher that begins behind the last event has nothing to wait for.
  for await (const _ of b.peer.watch(id, sequences.at(-1) ?? 0, world.stop.signal)) assert.fail();
  world.stop.abort();
});

test('who takes an operation over reads what was left for it; who lost it leaves nothing more', async () => {
  const world = new World();
  const a = await world.peer('a');
  const { id } = await a.peer.create('check', request, 'key', 'anna');
  const isLeft = async (): Promise<boolean> =>
    (await world.coordinator.get(`operation-results/${id}/handover`)) !== undefined;
  await until(isLeft);
  const b = await world.peer('b');
  world.coordinator.expire(a.lease);
  await until(() => world.handed.length === 2);
  assert.equal(world.handed[0], undefined);
  assert.match(world.handed[1] as string, /^(left by )+a$/);
  const [claim] = await world.coordinator.list('operation-owners/');
  const seal = valueSeal(secret);
  const late = handoverOf(world.coordinator, seal, { id, claim: (claim?.createRevision ?? 0) - 1 });
  await assert.rejects(late.write('too late'), (error) => isCodrError(error, 'lease-lost'));
  await until(async () => /^(left by )+b$/.test(String(await late.read())));
  world.finish(1);
  await until(async () => (await b.peer.get(id)).state === 'done');
  assert.equal(((await b.peer.get(id)).result as { bytesRead: number }).bytesRead, 1);
  world.stop.abort();
});

test('a peer that stops gives its operation to another, and it does not count as cancelled', async () => {
  const world = new World();
  const [a, b] = [await world.peer('a'), await world.peer('b')];
  const { id } = await a.peer.create('check', request, 'key', 'anna');
  await until(() => world.begun.length === 1);
  await a.peer.drain();
  await until(() => world.begun.includes('b'));
  assert.equal((await b.peer.get(id)).state, 'running');
  world.stop.abort();
});

test('an operation can be cancelled through any peer', async () => {
  const world = new World();
  const [a, b] = [await world.peer('a'), await world.peer('b')];
  const { id } = await a.peer.create('check', request, 'key', 'anna');
  await until(() => world.begun.length === 1);
  await b.peer.cancel(id);
  await until(async () => (await b.peer.get(id)).state === 'cancelled');
  assert.deepEqual(world.begun, ['a']);
  assert.equal((await a.peer.cancel(id)).state, 'cancelled');
  world.stop.abort();
});

test('an operation that nobody knows is named', async () => {
  const world = new World();
  const { peer } = await world.peer('a');
  const unknown = (error: unknown): boolean =>
    error instanceof CodrError && error.code === 'operation-unknown' && error.object === 'x';
  await assert.rejects(() => peer.get('x'), unknown);
  await assert.rejects(() => peer.cancel('x'), unknown);
  world.stop.abort();
});

test('an operation that was made in doubt is run by the peer that owns it, once', async () => {
  const world = new World();
  const { peer } = await world.peer('a');
  await peer.list();
  world.coordinator.doubts = 1;
  const ask = () => peer.create('check', request, 'key', 'anna');
  await assert.rejects(ask, (error) => isCodrError(error, 'transaction-in-doubt'));
  await until(() => world.begun.length === 1);
  const { id } = await ask();
  world.finish(42);
  await until(async () => (await peer.get(id)).state === 'done');
  assert.deepEqual(world.begun, ['a']);
  world.stop.abort();
});

test('an operation that was taken over in doubt is run by the peer that took it, and says what the one before may have done', async () => {
  const world = new World();
  const a = await world.peer('a');
  const { id } = await a.peer.create('check', request, 'key', 'anna');
  await until(() => world.begun.length === 1);
  const b = await world.peer('b');
  await until(async () => (await b.peer.list()).length === 1);
  world.coordinator.doubts = 1;
  world.coordinator.expire(a.lease);
  await until(() => world.begun.length === 2);
  assert.deepEqual(world.begun.at(-1), 'b');
  world.finish(new CodrError('target-not-empty', 'the target holds a.one already'));
  await until(async () => (await b.peer.get(id)).state === 'failed');
  const { error } = await b.peer.get(id);
  assert.match(
    error?.remedy ?? '',
    /may have ended it: see by `codr verify --against`, or use --dr/,
  );
  world.stop.abort();
});
