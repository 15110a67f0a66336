// Streams begin where it is their turn, orphans are taken in turn, and nobody waits for long for who does not come.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../test/harness/manual-clock.ts';
import { Membership } from '../../cluster/membership.ts';
import { until, World } from './operations-world.fixture.ts';

type Asked = Awaited<ReturnType<World['peer']>>['peer'];

const follow = (source: string) => ({ source, follow: true, rpoSeconds: 1 });

/** Begins the backups of so many sources at this peer. */
async function begin(peer: Asked, count: number): Promise<void> {
  for (let i = 0; i < count; i++)
    await peer.create('backup', follow(`source ${i}`), `${i}`, 'anna');
}

async function owners(world: World): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { value } of await world.coordinator.list('operation-owners/')) {
    counts[value] = (counts[value] ?? 0) + 1;
  }
  return counts;
}

test('streams that all begin at one peer spread over all; those of a dead one spread over the rest', async () => {
  const world = new World(new ManualClock());
  const [a, b] = [await world.peer('a'), await world.peer('b')];
  await world.peer('c');
  await begin(a.peer, 12);
  await until(() => world.begun.length === 12);
  const before = await owners(world);
  assert.deepEqual(Object.keys(before).sort(), ['a', 'b', 'c']);
  assert.ok(Math.max(...Object.values(before)) <= 5, JSON.stringify(before));
  const orphans = before.b ?? 0;
  world.peers.delete('b');
  world.coordinator.expire(b.lease);
  await b.peer.drain();
  // No time has passed: each took what it was the first for.
  await until(() => world.begun.length === 12 + orphans);
  const after = await owners(world);
  assert.deepEqual(Object.keys(after).sort(), ['a', 'c']);
  assert.ok(Math.max(...Object.values(after)) <= 7, JSON.stringify(after));
  world.stop.abort();
});

test('a stream runs where it was asked for when nobody else is there', async () => {
  const world = new World(new ManualClock());
  const { peer } = await world.peer('a');
  await begin(peer, 3);
  assert.deepEqual(await owners(world), { a: 3 });
  world.stop.abort();
});

test('what the peer whose turn it is does not take another one takes after a second', async () => {
  const clock = new ManualClock();
  const world = new World(clock);
  const idle = { name: 'idle', address: 'i:1', version: '1', weight: 100, startedAt: 1 };
  await Membership.join(world.coordinator, { ...idle, state: 'up' }, { leaseTtlMs: 10_000 });
  const { peer } = await world.peer('a');
  await begin(peer, 1);
  await clock.advance(900);
  assert.deepEqual(world.begun, []);
  await clock.advance(200);
  await until(() => world.begun.length === 1);
  assert.deepEqual(await owners(world), { a: 1 });
  world.stop.abort();
});

test('a peer that is about to leave gets no streams', async () => {
  const world = new World(new ManualClock());
  const a = await world.peer('a');
  const b = await world.peer('b');
  await b.membership.drain();
  await begin(a.peer, 6);
  assert.deepEqual(await owners(world), { a: 6 });
  world.stop.abort();
});
