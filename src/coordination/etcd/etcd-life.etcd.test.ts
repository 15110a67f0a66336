import assert from 'node:assert/strict';
import { cp, rm } from 'node:fs/promises';
import { test } from 'node:test';
import { type EtcdMember, sharedEtcd } from '../../../test/harness/etcd.ts';
import { isCodrError } from '../../base/error.ts';
import { newPrefix, openEtcd, rawEtcd, untilLost } from './etcd.fixture.ts';

const cluster = sharedEtcd();
const isReplaced = (error: unknown): boolean => isCodrError(error, 'coordinator-replaced');

test('an etcd that was wiped and started empty is another life, though it calls itself the same', async () => {
  const etcd = await cluster();
  const prefix = newPrefix();
  const raw = rawEtcd(etcd.endpoints[0] as string);
  const ownId = async (): Promise<string> =>
    (await raw.kv.range({ key: Buffer.from('x') })).header.cluster_id;
  await using before = await openEtcd(etcd.endpoints, { prefix });
  await using reader = await openEtcd(etcd.endpoints, { prefix });
  const created = await before.transact([], [{ put: 'leader', value: 'a' }]);
  assert.ok(created.done);
  const lease = await before.lease(3000);
  const watch = before.watch('', new AbortController().signal);
  const watching = assert.rejects(async () => {
    for await (const _ of watch);
  }, isReplaced);
  const idBefore = await ownId();

  await etcd.wipe();
  assert.equal(await ownId(), idBefore, 'etcd derives its id from its flags');
  await using after = await openEtcd(etcd.endpoints, { prefix });
  assert.notEqual(after.clusterId, before.clusterId);
  const again = await after.transact([], [{ put: 'leader', value: 'b' }]);
  assert.deepEqual(again, created, 'revisions repeat, so a guard alone would hold');
  // Later revisions than the first life had, so that nothing looks set back.
  for (let i = 0; i < 30; i++) await after.transact([], [{ put: 'other', value: `${i}` }]);
  const guard = { key: 'leader', createRevision: created.revision };
  await assert.rejects(() => before.transact([guard], [{ put: 'k', value: '' }]), isReplaced);
  assert.equal(await after.get('k'), undefined);
  await assert.rejects(() => reader.get('leader'), isReplaced);

  for (const call of [
    () => before.get('leader'),
    () => before.list(''),
    () => before.lease(3000),
  ]) {
    await assert.rejects(call, isReplaced);
  }
  await watching;
  await untilLost(lease);
  assert.equal((await after.get('leader'))?.value, 'b');
  raw.close();
});

test('an etcd that was set back to an older state is another life, for those who open it later too', async () => {
  const etcd = await cluster();
  const [member] = etcd.members as [EtcdMember];
  const prefix = newPrefix();
  await using before = await openEtcd(etcd.endpoints, { prefix });
  await before.transact([], [{ put: 'k', value: 'old' }]);
  const copy = `${member.folder}-copy`;
  await member.kill();
  await cp(member.folder, copy, { recursive: true });
  await member.start();
  for (const value of ['new', 'newer']) await before.transact([], [{ put: 'k', value }]);
  await member.kill();
  await rm(member.folder, { recursive: true });
  await cp(copy, member.folder, { recursive: true });
  await member.start();

  await assert.rejects(() => before.get('k'), isReplaced);
  await using after = await openEtcd(etcd.endpoints, { prefix });
  assert.notEqual(after.clusterId, before.clusterId);
  assert.equal((await after.get('k'))?.value, 'old');
});

test('coordinators of one prefix share a life, those of another prefix see none of its keys', async () => {
  const { endpoints } = await cluster();
  const prefix = newPrefix();
  await using one = await openEtcd(endpoints, { prefix });
  await using two = await openEtcd(endpoints, { prefix });
  await using other = await openEtcd(endpoints, { prefix: `${prefix}-2` });
  assert.equal(one.clusterId, two.clusterId);
  assert.notEqual(one.clusterId, other.clusterId);
  await one.transact([], [{ put: 'k', value: 'v' }]);
  assert.equal((await two.get('k'))?.value, 'v');
  assert.deepEqual(await other.list(''), []);
});
