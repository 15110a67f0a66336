// When a peer becomes one of many.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../test/harness/manual-clock.ts';
import type { CodrApi } from '../../api/codr-api.ts';
import { isCodrError } from '../../base/error.ts';
import { silentLogger } from '../../base/log.ts';
import { SeededRandom } from '../../base/random.ts';
import { listPeers } from '../../cluster/membership.ts';
import type { Lease } from '../../coordination/coordinator.ts';
import { MemoryCoordinator } from '../../coordination/memory/memory-coordinator.ts';
import type { Workers } from '../../engine/work/workers.ts';
import type { Repository } from '../../repository/repository.ts';
import { PeerLife } from './peer-life.ts';
import { valueSeal } from './value-seal.ts';

/** A peer whose reading of what is committed ends when `read` does. */
function begin(read: Promise<void>, api: Partial<CodrApi> = {}) {
  const clock = new ManualClock();
  const coordinator = new MemoryCoordinator(clock, 'memory');
  const life = new PeerLife({
    ...{ name: 'a', slots: 1, clock, random: new SeededRandom(1), log: silentLogger },
    ...{ redact: (text) => text, api: api as CodrApi, workers: {} as Workers },
  });
  const told: boolean[] = [];
  const leaves = { settled: () => read, find: async () => [], hint: () => {} };
  const repository = { committedLeaves: () => leaves } as unknown as Repository;
  const alone = () => Promise.reject(new Error('no other peer'));
  life.exchange(repository, { call: alone, where: alone });
  const started = life.start({
    seal: valueSeal(Buffer.alloc(32, 1)),
    self: () => ({ name: 'a', address: 'a:1', version: '1', weight: 1 }),
    openCoordinator: async () => coordinator,
    relay: () => undefined,
    seen: () => {},
    reachable: (isReachable) => told.push(isReachable),
  });
  const names = async () => (await listPeers(coordinator)).map(({ name }) => name);
  return { clock, coordinator, life, started, names, told };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a peer joins, and so gets slots, when it has read what is committed', async () => {
  let end: () => void = () => {};
  const { life, started, names } = begin(new Promise<void>((resolve) => (end = resolve)));
  await turn();
  assert.deepEqual([await names(), life.isReady], [[], false]);
  end();
  await started;
  assert.deepEqual([await names(), life.isReady], [['a'], true]);
  life.leave();
});

test('a peer that reads for too long joins all the same', async () => {
  const { clock, life, started, names } = begin(new Promise<void>(() => {}));
  await clock.advance(29_000);
  assert.deepEqual(await names(), []);
  await clock.advance(1000);
  await started;
  assert.deepEqual(await names(), ['a']);
  life.leave();
});

test('a peer whose lease is lost is not ready from then on, however long its work takes to stop', async () => {
  const stopped = Promise.withResolvers<never>();
  const { coordinator, life, started, told } = begin(Promise.resolve(), {
    check: () => stopped.promise,
  });
  const lease = coordinator.lease.bind(coordinator);
  const leases: Lease[] = [];
  coordinator.lease = async (ttlMs) => {
    const granted = await lease(ttlMs);
    leases.push(granted);
    return granted;
  };
  await started;
  await life.operations.create('check', { readDataPercent: 1, repair: false }, 'key', 'anna');
  assert.equal(life.isReady, true);
  for (const one of leases) coordinator.expire(one);
  await turn();
  assert.deepEqual([life.isReady, told], [false, [false]]);
  stopped.reject(new Error('stopped at last'));
  while (!life.isReady) await turn();
  assert.deepEqual(told, [false, true]);
  life.leave();
  await life.left();
});

test('a call that is under way when the session ends says that the peer is cut off', async () => {
  const { coordinator, life, started } = begin(Promise.resolve());
  await started;
  const held = Promise.withResolvers<void>();
  const get = coordinator.get.bind(coordinator);
  coordinator.get = async (key) => {
    if (key.startsWith('operations/')) await held.promise;
    return await get(key);
  };
  const asked = life.operations.get('of-old');
  const process = { host: 'h', machineId: '', bootId: '', pidSpace: '', pid: 1, startTicks: '' };
  const probe = life.probe({ self: process, isAlive: async () => 'alive' });
  const told = life.joined(({ coordinator: mine }) => mine.get('operations/of-old'));
  told.catch(() => {});
  life.leave();
  await life.left();
  held.resolve();
  const alive = probe.isAlive({ ...process, peer: 'b 1' });
  for (const late of [asked, told, alive, life.operations.list()]) {
    await assert.rejects(late, (error) => isCodrError(error, 'peer-unreachable'));
  }
});

test('a peer that is told to stop while it joins again leaves nothing open', async () => {
  const { coordinator, life, started } = begin(Promise.resolve());
  const lease = coordinator.lease.bind(coordinator);
  const leases: Lease[] = [];
  let held = Promise.resolve();
  coordinator.lease = async (ttlMs) => {
    await held;
    const granted = await lease(ttlMs);
    leases.push(granted);
    return granted;
  };
  await started;
  const asked = Promise.withResolvers<void>();
  held = asked.promise;
  for (const one of leases) coordinator.expire(one);
  while (life.session) await turn();
  life.leave();
  asked.resolve();
  await life.left();
  assert.equal(life.session, undefined);
  await assert.rejects(
    () => life.operations.list(),
    (error) => isCodrError(error, 'peer-unreachable'),
  );
});
