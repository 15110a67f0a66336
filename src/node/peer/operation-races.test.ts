// What must not go wrong when two things happen at once: a claim and a stop, a claim and a cancellation, an end that does
// not fit, a peer that does not answer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../test/harness/manual-clock.ts';
import { requestHash } from '../../api/idempotency.ts';
import type { OperationStore } from '../../api/operations.ts';
import { CodrError } from '../../base/error.ts';
import type { ErrorCode } from '../../base/error-catalogue.ts';
import { SeededRandom } from '../../base/random.ts';
import type { Operation } from '../../coordination/coordinator.ts';
import { sealedText } from './operation-records.ts';
import { request, secret, until, World } from './operations-world.fixture.ts';
import { valueSeal } from './value-seal.ts';

const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
};

const isClaim = (operations: readonly Operation[]): boolean =>
  operations.some((one) => 'put' in one && one.put.startsWith('operation-owners/'));

test('a peer that is told to stop while it claims an operation has given it back when it is done', async () => {
  const world = new World();
  const { peer } = await world.peer('a');
  const held = Promise.withResolvers<void>();
  world.coordinator.hold = (operations) => (isClaim(operations) ? held.promise : undefined);
  const made = peer.create('check', request, 'key', 'anna');
  let isDrained = false;
  const draining = peer.drain().then(() => {
    isDrained = true;
  });
  await turns(5);
  assert.equal(isDrained, false);
  held.resolve();
  await draining;
  assert.deepEqual(await world.coordinator.list('operation-owners/'), []);
  assert.equal((await made).state, 'running');
  assert.deepEqual(world.begun, []);
  world.stop.abort();
});

test('an operation that is cancelled before its owner hears that it is that ends', async () => {
  const world = new World();
  const [a, b] = [await world.peer('a'), await world.peer('b')];
  const told = Promise.withResolvers<void>();
  world.coordinator.tell = (operations) => (isClaim(operations) ? told.promise : undefined);
  const made = a.peer.create('check', request, 'key', 'anna');
  await until(async () => (await world.coordinator.list('operation-owners/')).length === 1);
  const [one] = await b.peer.list();
  const id = one?.id ?? '';
  await b.peer.cancel(id);
  // Whoever looks has looked by now.
  await turns(20);
  told.resolve();
  await made;
  await until(async () => (await b.peer.get(id)).state === 'cancelled');
  world.stop.abort();
});

test('an end that is too long for the coordinator is cut, and written all the same', async () => {
  const world = new World();
  const { peer } = await world.peer('a');
  const random = new SeededRandom(3);
  const noise = (bytes: number): string => Buffer.from(random.bytes(bytes)).toString('base64');
  // As long as a request may be, nearly.
  const asked = { ...request, names: noise(42_000) };
  const { id } = await peer.create('check', asked as typeof request, 'key', 'anna');
  await until(() => world.begun.length === 1);
  const cause = new Error(noise(200_000));
  const object = noise(100_000);
  world.finish(
    new CodrError('failed', `key ${noise(200_000)}`, { object, cause, facts: { object } }),
  );
  await until(async () => (await peer.get(id)).state === 'failed');
  const { error } = await peer.get(id);
  assert.match(error?.message ?? '', /^key .{1000}/);
  world.stop.abort();
});

test('a peer that does not say how an operation goes keeps nobody from hearing how it ended', async () => {
  const world = new World();
  const a = await world.peer('a');
  const { id } = await a.peer.create('check', request, 'key', 'anna');
  const b = await world.peer('b');
  const mute: Partial<OperationStore> = {
    get: () => new Promise(() => {}),
    // biome-ignore lint/correctness/useYield: it refuses before it tells anything
    async *watch() {
      throw new CodrError('access-denied', 'b is no peer of this one yet');
    },
  };
  world.peers.set('a', mute as OperationStore);
  assert.equal((await b.peer.get(id)).state, 'running');
  const watching = Array.fromAsync(b.peer.watch(id, 0, world.stop.signal));
  await until(() => world.begun.length === 1);
  world.finish(1);
  assert.equal((await watching).at(-1)?.changed?.state, 'done');
  world.stop.abort();
});

test('who takes over and finds a source registered says who may have done it', async () => {
  const told = async (code: ErrorCode, isTakenOver: boolean): Promise<string> => {
    const world = new World();
    const [a, b] = [await world.peer('a'), await world.peer('b')];
    const { id } = await a.peer.create('check', request, 'key', 'anna');
    await until(() => world.begun.length === 1);
    if (isTakenOver) {
      world.coordinator.expire(a.lease);
      await until(() => world.begun.length === 2);
    }
    world.finish(new CodrError(code, 'it is'));
    await until(async () => (await b.peer.get(id)).state === 'failed');
    world.stop.abort();
    return (await b.peer.get(id)).error?.remedy ?? '';
  };
  assert.match(
    await told('source-exists', true),
    /may have ended it: see it by `codr source show`/,
  );
  assert.doesNotMatch(await told('source-exists', false), /lost/);
  // Of a removal alone.
  assert.doesNotMatch(await told('source-unknown', true), /lost/);
});

test('what was asked for cannot be guessed by what lies in the coordinator; how it was marked before still counts', async () => {
  const world = new World();
  const { peer } = await world.peer('a');
  const { id } = await peer.create('check', request, 'key', 'anna');
  const plain = requestHash(['check', request]);
  const keys = await world.coordinator.list('operation-keys/');
  assert.equal(keys.length, 1);
  assert.ok(!keys.some(({ value }) => value.includes(plain)));
  const older = { put: keys[0]?.key ?? '', value: JSON.stringify({ id, asked: plain }) };
  await world.coordinator.transact([], [older]);
  assert.equal((await peer.create('check', request, 'key', 'anna')).id, id);
  world.stop.abort();
});

test('what a newer version is to do is left to it by an older one, which ends it only when it is cancelled', async () => {
  const world = new World();
  const { peer } = await world.peer('a');
  const record = {
    ...{ id: 'x', kind: 'newer', by: 'anna', created: '2026-01-01T00:00:00Z', key: 'k' },
    ...{ request: sealedText(valueSeal(secret), {}), state: 'running', sequence: 0 },
  };
  const owned = world.ownersOf('x');
  await world.coordinator.transact([], [{ put: 'operations/x', value: JSON.stringify(record) }]);
  await until(() => owned.length === 2);
  assert.deepEqual(owned, ['put', 'delete']);
  assert.equal((await peer.get('x')).state, 'running');
  await peer.cancel('x');
  await until(async () => (await peer.get('x')).state === 'cancelled');
  world.stop.abort();
});

test('an end that cannot be written as it is is a failure that says so, and nothing stands still for it', async () => {
  const world = new World();
  const { peer } = await world.peer('a');
  const { id } = await peer.create('check', request, 'key', 'anna');
  await until(() => world.begun.length === 1);
  world.finish({ bytesRead: 1n as unknown as number, problems: [] });
  await until(async () => (await peer.get(id)).state === 'failed');
  const { error } = await peer.get(id);
  assert.match(`${error?.message} ${error?.causes}`, /cannot be written down .*BigInt/);
  world.stop.abort();
});

test('a coordinator that is slow is asked less often, however much happens', async () => {
  const clock = new ManualClock();
  const world = new World(clock);
  await world.peer('a');
  await clock.advance(0);
  let looks = 0;
  const list = world.coordinator.list.bind(world.coordinator);
  world.coordinator.list = async (prefix) => {
    if (prefix === 'operations/') looks++;
    await clock.sleep(100);
    return await list(prefix);
  };
  for (let ms = 0; ms < 12_000; ms += 50) {
    await world.coordinator.transact([], [{ put: 'operation-cancels/x', value: `${ms}` }]);
    await clock.advance(50);
  }
  // Three lists a look, and three times as long a rest.
  assert.ok(looks >= 9 && looks <= 11, `${looks} looks`);
  world.stop.abort();
});
