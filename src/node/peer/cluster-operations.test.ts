import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OperationEvent, OperationStore } from '../../api/operations.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import { SeededRandom } from '../../base/random.ts';
import { handoverOf } from './operation-handover.ts';
import { request, secret, until, World } from './operations-world.fixture.ts';
import { valueSeal } from './value-seal.ts';

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
  const before = (claim?.createRevision ?? 0) - 1;
  const late = handoverOf(world.coordinator, seal, { id, claim: before });
  await assert.rejects(late.write('too late'), (error) => isCodrError(error, 'lease-lost'));
  const left = await world.coordinator.list(`operation-results/${id}/handover-${before}-`);
  assert.deepEqual(left, []);
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

test('a peer that is full refuses an operation before anything is written, but not one that is there', async () => {
  const world = new World();
  const { peer } = await world.peer('a', { runningMax: 1 });
  const { id } = await peer.create('check', request, 'key', 'anna');
  await assert.rejects(
    () => peer.create('check', request, 'another', 'anna'),
    (error) => isCodrError(error, 'busy'),
  );
  assert.equal((await world.coordinator.list('operation')).filter(isKeyOrRecord).length, 2);
  assert.equal((await peer.create('check', request, 'key', 'anna')).id, id);
  world.stop.abort();
});

const isKeyOrRecord = ({ key }: { readonly key: string }): boolean =>
  key.startsWith('operations/') || key.startsWith('operation-keys/');

test('what is asked for at once counts before it runs', async () => {
  const world = new World();
  const { peer } = await world.peer('a', { runningMax: 2 });
  const asked = await Promise.allSettled(
    ['1', '2', '3', '4'].map((key) => peer.create('check', request, key, 'anna')),
  );
  assert.deepEqual(asked.map(({ status }) => status).sort(), [
    ...['fulfilled', 'fulfilled', 'rejected', 'rejected'],
  ]);
  assert.equal((await peer.list()).length, 2);
  world.stop.abort();
});

test('a full peer takes over what nobody runs once it has room', async () => {
  const world = new World();
  const a = await world.peer('a');
  const { id } = await a.peer.create('check', request, 'key', 'anna');
  const b = await world.peer('b', { runningMax: 1 });
  const own = await b.peer.create('check', request, 'of b', 'anna');
  await until(() => world.begun.length === 2);
  world.peers.delete('a');
  world.coordinator.expire(a.lease);
  await a.peer.drain();
  const c = await b.peer.list();
  assert.deepEqual(
    c.map(({ state }) => state),
    ['running', 'running'],
  );
  world.finish(1, 1);
  await until(async () => (await b.peer.get(own.id)).state === 'done');
  await until(() => world.begun.length === 3);
  world.finish(2);
  await until(async () => (await b.peer.get(id)).state === 'done');
  assert.deepEqual(world.begun, ['a', 'b', 'b']);
  world.stop.abort();
});

test('what nobody has room for can be cancelled', async () => {
  const world = new World();
  const a = await world.peer('a');
  const { id } = await a.peer.create('check', request, 'key', 'anna');
  const b = await world.peer('b', { runningMax: 1 });
  await b.peer.create('check', request, 'of b', 'anna');
  await until(() => world.begun.length === 2);
  world.peers.delete('a');
  world.coordinator.expire(a.lease);
  await a.peer.drain();
  const events: OperationEvent[] = [];
  const watching = (async () => {
    for await (const event of b.peer.watch(id, 0, world.stop.signal)) events.push(event);
  })();
  await b.peer.cancel(id);
  await until(async () => (await b.peer.get(id)).state === 'cancelled');
  await watching;
  assert.equal(events.at(-1)?.changed?.state, 'cancelled');
  assert.deepEqual(world.begun, ['a', 'b']);
  world.stop.abort();
});

test('an operation whose request cannot be opened belongs to nobody, and can be cancelled', async () => {
  const world = new World();
  const { peer } = await world.peer('a');
  const record = {
    ...{ id: 'x', kind: 'check', by: 'anna', created: '2026-01-01T00:00:00Z', key: 'k' },
    ...{ request: 'AAAA', state: 'running', sequence: 0 },
  };
  const owned = world.ownersOf('x');
  await world.coordinator.transact([], [{ put: 'operations/x', value: JSON.stringify(record) }]);
  await until(() => owned.length === 2);
  assert.deepEqual(owned, ['put', 'delete']);
  await peer.cancel('x');
  await until(async () => (await peer.get('x')).state === 'cancelled');
  const { id } = await peer.create('check', request, 'key', 'anna');
  world.finish(1);
  await until(async () => (await peer.get(id)).state === 'done');
  world.stop.abort();
});

test('who watches through another peer hears on when the line between both was cut for a moment', async () => {
  const world = new World();
  const a = await world.peer('a');
  const { id } = await a.peer.create('check', request, 'key', 'anna');
  await until(() => world.begun.length === 1);
  let cuts = 0;
  const cut: OperationStore = {
    create: (...asked) => a.peer.create(...asked),
    get: (...asked) => a.peer.get(...asked),
    list: () => a.peer.list(),
    cancel: (...asked) => a.peer.cancel(...asked),
    async *watch(...asked) {
      for await (const event of a.peer.watch(...asked)) {
        yield event;
        if (cuts++ === 0) throw new CodrError('peer-unreachable', 'the line is cut');
      }
    },
  };
  world.peers.set('a', cut);
  const b = await world.peer('b');
  const events: OperationEvent[] = [];
  const watching = (async () => {
    for await (const event of b.peer.watch(id, 0, world.stop.signal)) events.push(event);
  })();
  await until(() => events.some(({ progress }) => progress?.phase === 'a'));
  assert.ok(cuts > 1);
  world.finish(1);
  await watching;
  assert.equal(events.at(-1)?.changed?.state, 'done');
  world.stop.abort();
});

test('an owner that wakes while it writes a result leaves the result of the next owner as it is', async () => {
  const world = new World();
  const a = await world.peer('a');
  const { id } = await a.peer.create('check', request, 'key', 'anna');
  await until(() => world.begun.length === 1);
  const b = await world.peer('b');
  const random = new SeededRandom(5);
  const problems = () => [Buffer.from(random.bytes(150_000)).toString('base64')];
  const frozen = Promise.withResolvers<void>();
  const woken = Promise.withResolvers<void>();
  let results = 0;
  world.coordinator.hold = (operations) => {
    const isPart = operations.some(
      (one) => 'put' in one && /^operation-results\/(?!.*handover)/.test(one.put),
    );
    if (!isPart || ++results !== 2) return undefined;
    frozen.resolve();
    return woken.promise;
  };
  world.finish({ bytesRead: 1, problems: problems() });
  await frozen.promise;
  world.peers.delete('a');
  world.coordinator.expire(a.lease);
  await until(() => world.begun.length === 2);
  const expected = problems();
  world.finish({ bytesRead: 2, problems: expected });
  await until(async () => (await b.peer.get(id)).state === 'done');
  woken.resolve();
  await a.peer.drain();
  const { result } = await b.peer.get(id);
  assert.deepEqual(Object(result).problems, expected);
  world.stop.abort();
});

test('what a peer runs is told to stop in the very moment in which its lease is lost', async () => {
  const world = new World();
  const { peer, lease } = await world.peer('a');
  await peer.create('check', request, 'key', 'anna');
  await until(() => world.begun.length === 1);
  assert.equal(world.stopped, 0);
  world.coordinator.expire(lease);
  assert.equal(world.stopped, 1);
  world.stop.abort();
});
