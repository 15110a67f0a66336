// What simulated peers agree through keeps the contract of all coordinators.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCodrError } from '../../src/base/error.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { coordinatorConformance } from '../../src/coordination/conformance.ts';
import { ManualClock } from '../harness/manual-clock.ts';
import { CoordinatorService } from './coordinator-service.ts';
import { PeerClock } from './peer-clock.ts';
import { SimulatedCoordinator } from './simulated-coordinator.ts';
import { SimulatedNetwork } from './simulated-network.ts';

async function open(lines: { lostPerMille: number }) {
  const clock = new ManualClock({ jumps: true });
  const random = new SeededRandom(1);
  const service = new CoordinatorService(clock);
  const network = new SimulatedNetwork(clock, random, {
    delayMsMax: 3,
    twicePerMille: 0,
    ...lines,
  });
  const station = { name: 'a', clock: new PeerClock(clock, random), isDead: false };
  const coordinator = await SimulatedCoordinator.open({ service, network, station });
  return { clock, service, network, station, coordinator };
}

coordinatorConformance('simulated', async () => {
  const { clock, service, coordinator } = await open({ lostPerMille: 0 });
  return {
    coordinator,
    expire: async (lease) => {
      await service.revoke(lease.id);
      while (!lease.lost.aborted) await clock.sleep(500);
    },
    dispose: () => coordinator[Symbol.asyncDispose](),
  };
});

test('a transaction whose answers are lost is done, or not, or in doubt', async () => {
  const { service, coordinator } = await open({ lostPerMille: 300 });
  let [done, doubted] = [0, 0];
  for (let i = 0; i < 100; i++) {
    try {
      await coordinator.transact(
        [{ key: `k${i}`, createRevision: 0 }],
        [{ put: `k${i}`, value: '' }],
      );
      done++;
      assert.ok(await service.memory.get(`k${i}`));
    } catch (error) {
      if (isCodrError(error, 'coordinator-unreachable')) {
        assert.equal(await service.memory.get(`k${i}`), undefined);
        continue;
      }
      assert.ok(isCodrError(error, 'transaction-in-doubt'), String(error));
      doubted++;
    }
  }
  assert.ok(done > 20 && doubted > 5, `${done} done, ${doubted} in doubt`);
});

test('in another life of the store everything of the one before fails', async () => {
  const { service, coordinator } = await open({ lostPerMille: 0 });
  const lease = await coordinator.lease(10_000);
  const steps = coordinator.watch('', new AbortController().signal)[Symbol.asyncIterator]();
  await service.wipe();
  const isReplaced = (error: unknown): boolean => isCodrError(error, 'coordinator-replaced');
  await assert.rejects(() => steps.next(), isReplaced);
  await assert.rejects(() => coordinator.get('k'), isReplaced);
  assert.equal(lease.lost.aborted, true);
});

test('a peer that is frozen past its lease learns that it is lost before it writes', async () => {
  const { clock, service, station, coordinator } = await open({ lostPerMille: 0 });
  const lease = await coordinator.lease(10_000);
  station.clock.freeze();
  while (service.counts.expired === 0) await clock.sleep(500);
  station.clock.thaw();
  const put = { put: 'k', value: '', lease };
  await assert.rejects(
    () => coordinator.transact([], [put]),
    (error) => isCodrError(error, 'lease-lost'),
  );
});
