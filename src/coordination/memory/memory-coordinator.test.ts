import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../test/harness/manual-clock.ts';
import { BrokenPromiseError } from '../../base/assert.ts';
import { isCodrError } from '../../base/error.ts';
import { silentLogger } from '../../base/log.ts';
import { SeededRandom } from '../../base/random.ts';
import { openCoordinator } from '../all.ts';
import { coordinatorConformance } from '../conformance.ts';
import { MemoryCoordinator } from './memory-coordinator.ts';

coordinatorConformance('memory, expired at once', async () => {
  const coordinator = new MemoryCoordinator(new ManualClock());
  return {
    coordinator,
    expire: async (lease) => coordinator.expire(lease),
    dispose: () => coordinator[Symbol.asyncDispose](),
  };
});

coordinatorConformance('memory, cut off', async () => {
  const coordinator = new MemoryCoordinator(new ManualClock({ jumps: true }));
  return {
    coordinator,
    expire: (lease) => coordinator.silence(lease),
    dispose: () => coordinator[Symbol.asyncDispose](),
  };
});

test('a holder that is cut off is told a margin before its keys vanish', async () => {
  const clock = new ManualClock();
  const coordinator = new MemoryCoordinator(clock);
  const lease = await coordinator.lease(10_000);
  await coordinator.transact([], [{ put: 'k', value: 'v', lease }]);
  const silenced = coordinator.silence(lease);
  await clock.advance(7_999);
  assert.equal(lease.lost.aborted, false);
  await clock.advance(1);
  assert.equal(lease.lost.aborted, true);
  await clock.advance(1_999);
  assert.notEqual(await coordinator.get('k'), undefined);
  await clock.advance(1);
  assert.equal(await coordinator.get('k'), undefined);
  await silenced;
});

test('a transaction that changes nothing keeps the revision', async () => {
  const coordinator = new MemoryCoordinator(new ManualClock());
  const put = await coordinator.transact([], [{ put: 'k', value: 'v' }]);
  assert.deepEqual(await coordinator.transact([], [{ delete: 'other' }]), put);
  assert.deepEqual(await coordinator.transact([{ key: 'other', modifyRevision: 0 }], []), put);
});

test('a lease that nothing cuts off outlives any time', async () => {
  const clock = new ManualClock();
  const coordinator = new MemoryCoordinator(clock);
  const lease = await coordinator.lease(10);
  await clock.advance(1_000_000);
  assert.equal(lease.lost.aborted, false);
});

test('disposing of the coordinator ends leases and watches and refuses later calls', async () => {
  const coordinator = new MemoryCoordinator(new ManualClock());
  const lease = await coordinator.lease(10_000);
  const step = coordinator.watch('', new AbortController().signal)[Symbol.asyncIterator]().next();
  await coordinator[Symbol.asyncDispose]();
  assert.equal(lease.lost.aborted, true);
  assert.equal((await step).done, true);
  await assert.rejects(() => coordinator.get('k'), BrokenPromiseError);
});

test('a coordinator is opened by its kind, and an unknown kind names the known ones', async () => {
  const context = { clock: new ManualClock(), random: new SeededRandom(1), log: silentLogger };
  await using coordinator = await openCoordinator('memory', context);
  await using other = await openCoordinator('memory', context);
  assert.notEqual(coordinator.clusterId, other.clusterId);
  assert.deepEqual(await coordinator.list(''), []);
  await assert.rejects(
    () => openCoordinator('zookeeper', context),
    (error) => isCodrError(error, 'config-invalid') && /memory, etcd/.test(error.remedy),
  );
  await assert.rejects(
    () => openCoordinator('etcd', context),
    (error) => isCodrError(error, 'config-invalid') && /endpoints/.test(error.remedy),
  );
});
