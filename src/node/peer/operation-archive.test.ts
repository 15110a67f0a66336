// What has ended lies out of the way of those who look for work, is found all the same, and is forgotten in time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../test/harness/manual-clock.ts';
import { tidyEnded } from './operation-archive.ts';
import { sealedText, writeResult } from './operation-records.ts';
import { DoubtfulCoordinator, request, secret, until, World } from './operations-world.fixture.ts';
import { valueSeal } from './value-seal.ts';

type Asked = Awaited<ReturnType<World['peer']>>['peer'];

const count = async (world: World, prefix: string): Promise<number> =>
  (await world.coordinator.list(prefix)).length;

/** Runs one from its beginning to its end. */
async function runOne(world: World, peer: Asked, key: string): Promise<string> {
  const before = world.begun.length;
  const { id } = await peer.create('check', request, key, 'anna');
  await until(() => world.begun.length > before);
  world.finish(1);
  await until(async () => (await peer.get(id)).state === 'done');
  return id;
}

/** As it lies there. */
const recordOf = (id: string, more: object): string =>
  JSON.stringify({
    ...{
      id,
      kind: 'check',
      by: 'anna',
      created: '2026-01-01T00:00:00Z',
      key: `operation-keys/${id}`,
    },
    ...{ state: 'done', ended: '2031-01-01T00:00:00Z', sequence: 1, ...more },
  });

test('peers that look for work read what runs; only who ends an operation reads what has ended', async () => {
  const world = new World();
  const [a] = [await world.peer('a'), await world.peer('b'), await world.peer('c')];
  for (const key of ['1', '2', '3']) await runOne(world, a.peer, key);
  assert.equal(await count(world, 'operations/'), 0);
  const values = (await world.coordinator.list('operations-ended/')).map(({ value }) => value);
  assert.equal(values.length, 3);
  // Its request may hold secrets.
  assert.ok(values.every((value) => !('request' in JSON.parse(value))));
  const read: string[] = [];
  const list = world.coordinator.list.bind(world.coordinator);
  world.coordinator.list = async (prefix) => {
    read.push(prefix);
    return await list(prefix);
  };
  await runOne(world, a.peer, '4');
  await a.peer.drain();
  assert.equal(read.filter((prefix) => prefix === 'operations-ended/').length, 1);
  assert.ok(read.filter((prefix) => prefix === 'operations/').length >= 3);
  world.stop.abort();
});

test('who asks for an operation in the moment in which it ends finds it', async () => {
  const world = new World();
  const [a, b] = [await world.peer('a'), await world.peer('b')];
  const end = async (id: string): Promise<void> => {
    world.finish(1);
    await until(async () => (await a.peer.get(id)).state === 'done');
  };
  const { id } = await a.peer.create('check', request, 'key', 'anna');
  await until(() => world.begun.length === 1);
  const get = world.coordinator.get.bind(world.coordinator);
  world.coordinator.get = async (key) => {
    const found = await get(key);
    world.coordinator.get = get;
    await end(id);
    return found;
  };
  assert.equal((await b.peer.get(id)).id, id);
  const other = await a.peer.create('check', request, 'other', 'anna');
  await until(() => world.begun.length === 2);
  const list = world.coordinator.list.bind(world.coordinator);
  world.coordinator.list = async (prefix) => {
    const found = await list(prefix);
    if (!prefix.startsWith('operations')) return found;
    world.coordinator.list = list;
    await end(other.id);
    return found;
  };
  const listed = (await b.peer.list()).map((one) => one.id);
  assert.deepEqual(listed.sort(), [id, other.id].sort());
  world.stop.abort();
});

test('the thousand that ended last stay, whatever clocks say; the others go with results and keys', async () => {
  const world = new World();
  const { coordinator } = world;
  for (let i = 0; i < 1003; i++) {
    const id = `old-${String(i).padStart(4, '0')}`;
    await coordinator.transact(
      [],
      [
        { put: `operations-ended/${id}`, value: recordOf(id, {}) },
        { put: `operation-keys/${id}`, value: '' },
      ],
    );
  }
  for (let i = 0; i < 250; i++) {
    await coordinator.transact([], [{ put: `operation-results/old-0000/1-${i}`, value: '' }]);
  }
  const { peer } = await world.peer('a');
  const id = await runOne(world, peer, 'key');
  await peer.drain();
  const kept = (await coordinator.list('operations-ended/')).map(({ key }) => key);
  assert.equal(kept.length, 1000);
  assert.ok(kept.includes(`operations-ended/${id}`));
  assert.ok(!kept.some((key) => /old-000[0-3]/.test(key)));
  assert.equal(await count(world, 'operation-results/old-0000/'), 0);
  assert.equal(await count(world, 'operation-keys/old'), 999);
  world.stop.abort();
});

test('what an older version left among those that run is shown, moved when another one ends, and forgotten first', async () => {
  const world = new World();
  const { coordinator } = world;
  const seal = valueSeal(secret);
  await coordinator.transact([], [{ put: 'operation-owners/older', value: 'gone' }]);
  const claim = (await coordinator.get('operation-owners/older'))?.createRevision ?? 0;
  const result = { bytesRead: 5 };
  const resultParts = await writeResult(coordinator, seal, { id: 'older', claim, result });
  const older = { request: sealedText(seal, request), resultParts, resultClaim: claim };
  await coordinator.transact(
    [],
    [
      { put: 'operations/older', value: recordOf('older', older) },
      { put: 'operation-keys/older', value: '' },
      { delete: 'operation-owners/older' },
    ],
  );
  const { peer } = await world.peer('a');
  const shown = async () => {
    assert.deepEqual((await peer.get('older')).result, result);
    const all = (await peer.list()).map((one) => one.id);
    assert.equal(all.filter((one) => one === 'older').length, 1);
    assert.deepEqual(await peer.list('running'), []);
  };
  await shown();
  await runOne(world, peer, 'key');
  await until(async () => (await count(world, 'operations/')) === 0);
  await shown();
  // All that ended since then ended later.
  for (let i = 0; i < 999; i++) {
    await coordinator.transact([], [{ put: `operations-ended/${i}`, value: recordOf(`${i}`, {}) }]);
  }
  await tidyEnded(coordinator, []);
  assert.equal(await coordinator.get('operations-ended/older'), undefined);
  assert.equal(await count(world, 'operation-results/older/'), 0);
  world.stop.abort();
});

test('large results are forgotten before their number is reached, but that of the last one', async () => {
  const coordinator = new DoubtfulCoordinator(new ManualClock({ jumps: true }), 'memory');
  for (const [id, resultParts] of Object.entries({ a: 1, b: 1200, c: 900, d: 1000 })) {
    const value = recordOf(id, { resultParts, resultClaim: 1 });
    await coordinator.transact([], [{ put: `operations-ended/${id}`, value }]);
  }
  const kept = async () => (await coordinator.list('operations-ended/')).map(({ key }) => key);
  await tidyEnded(coordinator, []);
  assert.deepEqual(await kept(), ['operations-ended/c', 'operations-ended/d']);
  const value = recordOf('e', { resultParts: 5000, resultClaim: 1 });
  await coordinator.transact([], [{ put: 'operations-ended/e', value }]);
  await tidyEnded(coordinator, []);
  assert.deepEqual(await kept(), ['operations-ended/e']);
  assert.deepEqual(await coordinator.list('operation-keys/'), []);
});

test('of two who forget the same operation the later one leaves its key, which is another one’s by then', async () => {
  const coordinator = new DoubtfulCoordinator(new ManualClock({ jumps: true }), 'memory');
  for (let i = 0; i < 1001; i++) {
    await coordinator.transact([], [{ put: `operations-ended/${i}`, value: recordOf(`${i}`, {}) }]);
  }
  const reached = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  coordinator.hold = () => {
    coordinator.hold = () => undefined;
    reached.resolve();
    return held.promise;
  };
  const late = tidyEnded(coordinator, []);
  await reached.promise;
  await tidyEnded(coordinator, []);
  assert.equal(await coordinator.get('operations-ended/0'), undefined);
  await coordinator.transact([], [{ put: 'operation-keys/0', value: 'of another' }]);
  held.resolve();
  await late;
  assert.equal((await coordinator.get('operation-keys/0'))?.value, 'of another');
});
