import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/harness/manual-clock.ts';
import { isCodrError } from '../base/error.ts';
import type { Lease } from '../coordination/coordinator.ts';
import { listPeers, Membership, type Peer, watchPeers } from './membership.ts';
import { coordinatorOf, withLeases } from './task-runner.fixture.ts';

const leaseTtlMs = 10_000;

function peer(name: string, changes: Partial<Peer> = {}): Peer {
  const startedAt = new ManualClock().now();
  const rest = { version: '1', weight: 1, state: 'up', startedAt } as const;
  return { name, address: `${name}:7000`, ...rest, ...changes };
}

test('peers are listed by name with what they say of themselves, until they leave', async () => {
  const coordinator = coordinatorOf();
  const b = await Membership.join(coordinator, peer('b/1', { weight: 4 }), { leaseTtlMs });
  await using _a = await Membership.join(coordinator, peer('a'), { leaseTtlMs });
  assert.deepEqual(await listPeers(coordinator), [peer('a'), peer('b/1', { weight: 4 })]);
  await b.drain();
  assert.equal((await listPeers(coordinator))[1]?.state, 'draining');
  assert.equal(b.self.state, 'draining');
  await b[Symbol.asyncDispose]();
  assert.deepEqual(await listPeers(coordinator), [peer('a')]);
});

test('a peer whose lease ends is told and is in the list no more', async () => {
  const coordinator = coordinatorOf();
  const { seen, leases } = withLeases(coordinator);
  const member = await Membership.join(seen, peer('a'), { leaseTtlMs });
  coordinator.expire(leases[0] as Lease);
  assert.ok(isCodrError(member.lost.reason, 'lease-lost'));
  assert.deepEqual(await listPeers(coordinator), []);
  await assert.rejects(member.drain(), (error) => isCodrError(error, 'lease-lost'));
});

test('a name belongs to one address; another life at that address replaces the one before', async () => {
  const coordinator = coordinatorOf();
  await Membership.join(coordinator, peer('a'), { leaseTtlMs });
  await assert.rejects(
    Membership.join(coordinator, peer('a', { address: 'elsewhere:7000' }), { leaseTtlMs }),
    (error) => isCodrError(error, 'busy') && /a:7000/.test(error.message),
  );
  assert.deepEqual(await listPeers(coordinator), [peer('a')]);
  await Membership.join(coordinator, peer('a', { startedAt: 9 }), { leaseTtlMs });
  assert.equal((await listPeers(coordinator))[0]?.startedAt, 9);
});

test('an address belongs to one peer', async () => {
  const coordinator = coordinatorOf();
  await coordinator.transact([], [{ put: 'peers/unreadable', value: '{}' }]);
  const a = await Membership.join(coordinator, peer('a'), { leaseTtlMs });
  const same = peer('b', { address: 'a:7000' });
  await assert.rejects(
    Membership.join(coordinator, same, { leaseTtlMs }),
    (error) => isCodrError(error, 'busy') && /named a is registered at a:7000/.test(error.message),
  );
  await a[Symbol.asyncDispose]();
  await Membership.join(coordinator, same, { leaseTtlMs });
});

test('a watch tells the peers now and after each change', async () => {
  const coordinator = coordinatorOf();
  const stop = new AbortController();
  const seen = watchPeers(coordinator, stop.signal);
  const next = async () => (await seen.next()).value?.map(({ name }: Peer) => name);
  assert.deepEqual(await next(), []);
  const a = await Membership.join(coordinator, peer('a'), { leaseTtlMs });
  assert.deepEqual(await next(), ['a']);
  await a[Symbol.asyncDispose]();
  assert.deepEqual(await next(), []);
  stop.abort();
  assert.equal((await seen.next()).done, true);
});

test('what is no peer is named, not passed over', async () => {
  for (const value of ['{}', '7', 'x', JSON.stringify(peer('b'))]) {
    const coordinator = coordinatorOf();
    await coordinator.transact([], [{ put: 'peers/a', value }]);
    await assert.rejects(
      listPeers(coordinator),
      (error) => isCodrError(error, 'format-unknown') && error.message.includes('peers/a'),
    );
  }
});
