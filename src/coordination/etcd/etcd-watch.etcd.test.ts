import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { sharedEtcd } from '../../../test/harness/etcd.ts';
import type { TcpProxy } from '../../../test/harness/tcp-proxy.ts';
import { SeededRandom } from '../../base/random.ts';
import { endpointsOf, newPrefix, openEtcd, proxiesOf, rawEtcd, until } from './etcd.fixture.ts';

const cluster = sharedEtcd({ members: 3 });

test('of 5,000 changes none is missed over cuts of the network and compactions', async () => {
  const { endpoints } = await cluster();
  const prefix = newPrefix();
  const proxies = await proxiesOf(await cluster());
  const raw = rawEtcd(endpoints[0] as string);
  await using writer = await openEtcd(endpoints, { prefix });
  await using watcher = await openEtcd(endpointsOf(proxies), { prefix });
  const random = new SeededRandom(3);
  const stop = new AbortController();
  const seen = new Set<string>();
  let there: string[] = [];
  let hints = 0;
  const watching = (async () => {
    for await (const _ of watcher.watch('e/', stop.signal)) {
      hints++;
      there = (await watcher.list('e/')).map(({ key }) => key);
      for (const key of there) seen.add(key);
    }
  })();
  let cuts = 0;
  const cutting = (async () => {
    while (!stop.signal.aborted) {
      await sleep(20 + random.below(80));
      (proxies[random.below(3)] as TcpProxy).cut();
      cuts++;
    }
  })();

  const name = (i: number): string => `e/${`${i}`.padStart(4, '0')}`;
  for (let i = 0; i < 5000; i += 50) {
    const puts = Array.from({ length: 50 }, (_, j) => ({ put: name(i + j), value: '' }));
    const outcome = await writer.transact([], puts);
    assert.ok(outcome.done);
    if (i % 500 === 0) await raw.kv.compact({ revision: outcome.revision });
    await sleep(10);
  }
  await until('all were seen', () => seen.size === 5000);
  for (let i = 0; i < 1000; i += 100) {
    await writer.transact(
      [],
      Array.from({ length: 100 }, (_, j) => ({ delete: name(i + j) })),
    );
  }
  await until('the deletions were seen', () => there.length === 4000);
  assert.ok(cuts > 10 && hints > 10, `${cuts} cuts, ${hints} hints`);
  stop.abort();
  await Promise.all([watching, cutting]);
  for (const proxy of proxies) await proxy[Symbol.asyncDispose]();
  raw.close();
});

test('a member that freezes is left within 10 s by reads, transactions, watches and leases', async () => {
  const { endpoints, members } = await cluster();
  const prefix = newPrefix();
  const proxies = await proxiesOf(await cluster());
  await using coordinator = await openEtcd(endpointsOf(proxies), { prefix });
  const lease = await coordinator.lease(10_000);
  await coordinator.transact([], [{ put: 'held', value: '', lease }]);
  const stop = new AbortController();
  const hints = coordinator.watch('w/', stop.signal)[Symbol.asyncIterator]();
  await hints.next();
  const used = proxies.map(({ connections }) => connections > 0);
  assert.equal(used.filter(Boolean).length, 1, 'all three ways lead to one member');
  const frozen = used.indexOf(true);
  const left = endpoints.filter((_, i) => i !== frozen);
  await using other = await openEtcd(left, { prefix });

  members[frozen]?.freeze();
  const frozenMs = performance.now();
  const since = (): number => performance.now() - frozenMs;
  try {
    const read = coordinator.get('held').then(since);
    const done = coordinator.transact([], [{ put: 'k', value: '' }]).then(since);
    const told = (async () => {
      await other.transact([], [{ put: 'w/1', value: '' }]);
      while ((await hints.next()).done === false) {
        if ((await coordinator.list('w/')).length === 1) return since();
      }
      throw new Error('the watch ended');
    })();
    const times = await Promise.all([read, done, told]);
    for (const ms of times) assert.ok(ms < 10_000, `after ${times.map(Math.round)} ms`);
    // Before this time the lease was kept by the member that is frozen now.
    await sleep(8500 - since());
    assert.equal(lease.lost.aborted, false);
    assert.ok(await other.get('held'));
  } finally {
    members[frozen]?.thaw();
  }
  stop.abort();
  for (const proxy of proxies) await proxy[Symbol.asyncDispose]();
});
