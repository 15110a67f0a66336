import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/harness/manual-clock.ts';
import { CodrError, isCodrError } from '../base/error.ts';
import { silentLogger } from '../base/log.ts';
import type { Coordinator } from '../coordination/coordinator.ts';
import type { Epoch } from './epoch.ts';
import { Membership } from './membership.ts';
import { decodeSlots, encodeSlots } from './slot-codec.ts';
import { keepSlots, SlotFollower, type SlotTerm } from './slot-keeper.ts';
import { computeSlots, SlotTable, slotCount } from './slot-table.ts';
import { coordinatorOf, turns } from './task-runner.fixture.ts';

const log = silentLogger;
const settleMs = 2000;

interface Led extends SlotTerm {
  readonly end: AbortController;
}

/** A term as leading gives it: each transaction is guarded by the leader's key. */
async function lead(coordinator: Coordinator): Promise<Led> {
  await coordinator.transact([], [{ delete: 'leader' }]);
  const outcome = await coordinator.transact([], [{ put: 'leader', value: '' }]);
  assert.ok(outcome.done);
  const epoch: Epoch = { clusterId: coordinator.clusterId, revision: outcome.revision };
  const guard = { key: 'leader', createRevision: epoch.revision };
  const end = new AbortController();
  const transact: SlotTerm['transact'] = async (guards, operations) => {
    const leads = (await coordinator.get('leader'))?.createRevision === epoch.revision;
    if (!leads) throw new CodrError('lease-lost', 'another one leads');
    return await coordinator.transact([guard, ...guards], operations);
  };
  return { epoch, transact, signal: end.signal, end };
}

async function join(coordinator: Coordinator, name: string): Promise<Membership> {
  const rest = { version: '1', weight: 1, state: 'up', startedAt: 0 } as const;
  const self = { name, address: `${name}:1`, ...rest };
  return await Membership.join(coordinator, self, { leaseTtlMs: 10_000 });
}

async function stored(coordinator: Coordinator) {
  const there = await coordinator.get('slots');
  return there && decodeSlots(there.value);
}

test('a leader places the slots on the peers that are up, once they have settled', async () => {
  const [coordinator, clock] = [coordinatorOf(), new ManualClock()];
  const term = await lead(coordinator);
  const kept = keepSlots(term, { coordinator, clock, settleMs, log });
  const b = await join(coordinator, 'b');
  await join(coordinator, 'a');
  await clock.advance(settleMs - 1);
  assert.equal(await stored(coordinator), undefined);
  await clock.advance(1);
  assert.deepEqual((await stored(coordinator))?.table.peers, ['a', 'b']);
  assert.deepEqual((await stored(coordinator))?.epoch, term.epoch);
  await b.drain();
  await clock.advance(settleMs);
  assert.deepEqual((await stored(coordinator))?.table.peers, ['a']);
  term.end.abort();
  await kept;
});

test('a new leader goes on from the table there is, and a dead peer loses its slots alone', async () => {
  const [coordinator, clock] = [coordinatorOf(), new ManualClock()];
  const members = await Promise.all(['a', 'b', 'c'].map((name) => join(coordinator, name)));
  const first = await lead(coordinator);
  const keptFirst = keepSlots(first, { coordinator, clock, settleMs, log });
  await clock.advance(settleMs);
  first.end.abort();
  await keptFirst;
  const before = (await stored(coordinator))?.table as SlotTable;
  const second = await lead(coordinator);
  const keptSecond = keepSlots(second, { coordinator, clock, settleMs, log });
  await clock.advance(settleMs);
  assert.deepEqual((await stored(coordinator))?.epoch, second.epoch);
  assert.ok((await stored(coordinator))?.table.equals(before));
  await members[2]?.[Symbol.asyncDispose]();
  await clock.advance(settleMs);
  const after = (await stored(coordinator))?.table as SlotTable;
  for (const peer of ['a', 'b']) {
    const left = new Set(after.slotsOf(peer));
    assert.ok(before.slotsOf(peer).every((slot) => left.has(slot)));
  }
  second.end.abort();
  await keptSecond;
});

test('who leads no more writes nothing, even when nobody told it', async () => {
  const [coordinator, clock] = [coordinatorOf(), new ManualClock()];
  await join(coordinator, 'a');
  const old = await lead(coordinator);
  const kept = keepSlots(old, { coordinator, clock, settleMs, log });
  const next = await lead(coordinator);
  await clock.advance(settleMs);
  assert.equal(await stored(coordinator), undefined);
  await kept;
  const keptNext = keepSlots(next, { coordinator, clock, settleMs, log });
  await clock.advance(settleMs);
  assert.deepEqual((await stored(coordinator))?.epoch, next.epoch);
  next.end.abort();
  await keptNext;
});

test('an idle cluster writes nothing, nor one where a peer came and went in no time', async () => {
  const [coordinator, clock] = [coordinatorOf(), new ManualClock()];
  await join(coordinator, 'a');
  const term = await lead(coordinator);
  const kept = keepSlots(term, { coordinator, clock, settleMs, log });
  await clock.advance(settleMs);
  const written = (await coordinator.get('slots'))?.modifyRevision;
  await coordinator.transact([], [{ put: 'other', value: '' }]);
  await (await join(coordinator, 'b'))[Symbol.asyncDispose]();
  await clock.advance(3_600_000);
  assert.equal((await coordinator.get('slots'))?.modifyRevision, written);
  term.end.abort();
  await kept;
});

test('a coordinator that is silent for a while is asked again; one that was replaced ends the work', async () => {
  const [coordinator, clock] = [coordinatorOf(), new ManualClock()];
  await join(coordinator, 'a');
  const term = await lead(coordinator);
  let failure: 'coordinator-unreachable' | 'coordinator-replaced' | undefined =
    'coordinator-unreachable';
  const shaky = Object.create(coordinator, {
    get: {
      value: async (key: string) => {
        if (failure) throw new CodrError(failure, 'no answer');
        return await coordinator.get(key);
      },
    },
  }) as Coordinator;
  for (const name of ['list', 'watch'] as const) {
    Object.assign(shaky, { [name]: coordinator[name].bind(coordinator) });
  }
  const kept = keepSlots(term, { coordinator: shaky, clock, settleMs, log });
  await clock.advance(settleMs);
  assert.equal(await stored(coordinator), undefined);
  failure = undefined;
  await clock.advance(settleMs + 1000);
  assert.deepEqual((await stored(coordinator))?.table.peers, ['a']);
  failure = 'coordinator-replaced';
  const rejected = assert.rejects(kept, (error) => isCodrError(error, 'coordinator-replaced'));
  await join(coordinator, 'b');
  await clock.advance(settleMs);
  await rejected;
});

test('a follower keeps the newest table: no older term, no older value of the same term', async () => {
  const [coordinator, clock] = [coordinatorOf(), new ManualClock()];
  const follower = new SlotFollower();
  const stop = new AbortController();
  const followed = follower.follow(coordinator, { clock, log, signal: stop.signal });
  const put = async (revision: number, names: readonly string[], clusterId = 'one') => {
    const peers = names.map((name) => ({ name, weight: 1 }));
    const table = computeSlots(peers, SlotTable.empty);
    const value = encodeSlots({ epoch: { clusterId, revision }, table });
    await coordinator.transact([], [{ put: 'slots', value }]);
    await turns(3);
    return follower.current?.table.peers;
  };
  await turns(3);
  const now = () => follower.current?.table;
  assert.equal(now(), undefined);
  assert.deepEqual(await put(5, ['a']), ['a']);
  assert.equal(now()?.slotsOf('a').length, slotCount);
  assert.deepEqual(await put(5, ['a', 'b']), ['a', 'b']);
  assert.deepEqual(await put(4, ['c']), ['a', 'b'], 'an older term is refused');
  assert.deepEqual(await put(6, ['c']), ['c']);
  await coordinator.transact([], [{ put: 'slots', value: 'what is this' }]);
  await turns(3);
  assert.deepEqual(now()?.peers, ['c']);
  assert.deepEqual(
    await put(1, ['d'], 'two'),
    ['d'],
    'another life of the coordinator begins anew',
  );
  stop.abort();
  await followed;
});

test('a follower that the coordinator does not answer leaves no watch behind', async () => {
  const [coordinator, clock] = [coordinatorOf(), new ManualClock()];
  let open = 0;
  const watch = coordinator.watch.bind(coordinator);
  // Counted from the call on: that is when a coordinator begins to watch.
  coordinator.watch = (prefix, signal) => {
    open++;
    const steps = watch(prefix, signal)[Symbol.asyncIterator]();
    const end = async () => {
      open--;
      return { done: true as const, value: undefined };
    };
    return { [Symbol.asyncIterator]: () => ({ next: () => steps.next(), return: end }) };
  };
  let isSilent = false;
  const get = coordinator.get.bind(coordinator);
  coordinator.get = async (key) => {
    if (isSilent) throw new CodrError('coordinator-unreachable', 'no answer');
    return await get(key);
  };
  const stop = new AbortController();
  const followed = new SlotFollower().follow(coordinator, { clock, log, signal: stop.signal });
  await turns(3);
  isSilent = true;
  await coordinator.transact([], [{ put: 'slots', value: '' }]);
  await clock.advance(10_000);
  assert.ok(open <= 1, `${open} watches are open`);
  stop.abort();
  await followed;
});

test('a follower keeps its table when it goes over to another coordinator', async () => {
  const clock = new ManualClock();
  const follower = new SlotFollower();
  for (const clusterId of ['one', 'two']) {
    const coordinator = coordinatorOf();
    const stop = new AbortController();
    const followed = follower.follow(coordinator, { clock, log, signal: stop.signal });
    await turns(3);
    assert.equal(follower.current?.table.peers[0], clusterId === 'one' ? undefined : 'one');
    const table = computeSlots([{ name: clusterId, weight: 1 }], SlotTable.empty);
    const value = encodeSlots({ epoch: { clusterId, revision: 3 }, table });
    await coordinator.transact([], [{ put: 'slots', value }]);
    await turns(3);
    stop.abort();
    await followed;
  }
  assert.equal(follower.current?.table.peers[0], 'two');
});
