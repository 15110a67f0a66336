import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { sharedEtcd } from '../../../test/harness/etcd.ts';
import { TcpProxy } from '../../../test/harness/tcp-proxy.ts';
import { isCodrError } from '../../base/error.ts';
import { SeededRandom } from '../../base/random.ts';
import { endpointsOf, newPrefix, openEtcd, rawEtcd, until } from './etcd.fixture.ts';

const cluster = sharedEtcd();

// Each has a network of its own.
describe('answers of etcd that are lost', { concurrency: true }, () => {
  test('a transaction whose answer is lost is done once, and its true revision told', async () => {
    const [endpoint] = (await cluster()).endpoints as [string];
    await using proxy = await TcpProxy.start(endpoint.replace('http://', ''));
    const prefix = newPrefix();
    await using coordinator = await openEtcd(endpointsOf([proxy]), { prefix });
    await using direct = await openEtcd([endpoint], { prefix });
    assert.ok((await coordinator.transact([], [{ put: 'k', value: '1' }])).done);

    proxy.faults = { losesReplies: true };
    const guard = { key: 'k', modifyRevision: (await direct.get('k'))?.modifyRevision as number };
    const outcome = coordinator.transact([guard], [{ put: 'k', value: '2' }]);
    await until('etcd has done it', async () => (await direct.get('k'))?.value === '2');
    const done = await direct.get('k');
    proxy.faults = {};
    proxy.cut();
    assert.deepEqual(await outcome, { done: true, revision: done?.modifyRevision });
    assert.deepEqual(await direct.get('k'), done, 'it was not done again');
  });

  test('a transaction that was done is told so also when others changed its keys since', async () => {
    const [endpoint] = (await cluster()).endpoints as [string];
    await using proxy = await TcpProxy.start(endpoint.replace('http://', ''));
    const prefix = newPrefix();
    await using coordinator = await openEtcd(endpointsOf([proxy]), { prefix });
    await using direct = await openEtcd([endpoint], { prefix });
    await coordinator.transact([], [{ put: 'warm', value: '' }]);

    proxy.faults = { losesReplies: true };
    const put = { put: 'k', value: 'mine' };
    const outcome = coordinator.transact([{ key: 'k', createRevision: 0 }], [put]);
    await until('etcd has done it', async () => (await direct.get('k')) !== undefined);
    const revision = (await direct.get('k'))?.createRevision;
    await direct.transact([], [{ delete: 'k' }]);
    proxy.faults = {};
    proxy.cut();
    assert.deepEqual(await outcome, { done: true, revision });
    assert.equal(await direct.get('k'), undefined, 'it was not done again');
  });

  test('a transaction that stays without an answer is in doubt, one that never left is not', async () => {
    const [endpoint] = (await cluster()).endpoints as [string];
    await using proxy = await TcpProxy.start(endpoint.replace('http://', ''));
    const [address] = endpointsOf([proxy]) as [string];
    await using coordinator = await openEtcd([address]);
    await coordinator.transact([], [{ put: 'warm', value: '' }]);
    const change = async (): Promise<unknown> =>
      await coordinator.transact([], [{ put: 'k', value: '' }]).catch((error: unknown) => error);

    proxy.faults = { losesReplies: true };
    const first = change();
    await sleep(300);
    // From now on nobody can be reached at all.
    proxy.faults = { refuses: true };
    proxy.cut();
    const [doubtful, unsent] = await Promise.all([first, sleep(200).then(change)]);
    assert.ok(isCodrError(doubtful, 'transaction-in-doubt'), `${doubtful}`);
    assert.equal(doubtful.object, 'k');
    assert.ok(isCodrError(unsent, 'coordinator-unreachable'), `${unsent}`);
    assert.ok(unsent.remedy.includes(address), unsent.remedy);
    proxy.faults = {};
  });

  test('of 400 guarded increments over a network that loses answers none is lost or done twice', async () => {
    const [endpoint] = (await cluster()).endpoints as [string];
    const target = endpoint.replace('http://', '');
    await using one = await TcpProxy.start(target);
    await using two = await TcpProxy.start(target);
    await using three = await TcpProxy.start(target);
    const proxies = [one, two, three] as const;
    const prefix = newPrefix();
    await using direct = await openEtcd([endpoint], { prefix });
    const stop = new AbortController();
    const random = new SeededRandom(11);
    const cuts = (async () => {
      while (!stop.signal.aborted) {
        await sleep(random.below(20));
        const proxy = proxies[random.below(3)] as TcpProxy;
        proxy.faults = { losesReplies: true };
        await sleep(random.below(15));
        proxy.faults = {};
        proxy.cut();
      }
    })();
    let done = 0;
    let refused = 0;
    const count = async (): Promise<void> => {
      await using coordinator = await openEtcd(endpointsOf(proxies), { prefix });
      for (let i = 0; i < 100; ) {
        const entry = await coordinator.get('n');
        const guard = { key: 'n', modifyRevision: entry?.modifyRevision ?? 0 };
        const value = `${Number(entry?.value ?? 0) + 1}`;
        const outcome = await coordinator.transact([guard], [{ put: 'n', value }]);
        if (outcome.done) i++;
        if (outcome.done) done++;
        else refused++;
      }
    };
    await Promise.all([count(), count(), count(), count()]);
    stop.abort();
    await cuts;
    assert.equal((await direct.get('n'))?.value, '400');
    assert.equal(done, 400);
    assert.ok(refused > 0, 'the counters met');
  });

  test('what a coordinator put for its receipts is gone when it is disposed of', async () => {
    const [endpoint] = (await cluster()).endpoints as [string];
    const prefix = newPrefix();
    const coordinator = await openEtcd([endpoint], { prefix });
    await Promise.all(
      Array.from({ length: 40 }, (_, i) => coordinator.transact([], [{ put: `${i}`, value: '' }])),
    );
    const raw = rawEtcd(endpoint);
    const receipts = async (): Promise<number> => {
      const key = Buffer.from(`${prefix}/receipts/`);
      const { count } = await raw.kv.range({ key, range_end: Buffer.from(`${prefix}/receipts0`) });
      return Number(count);
    };
    assert.ok((await receipts()) > 0 && (await receipts()) <= 32);
    await coordinator[Symbol.asyncDispose]();
    assert.equal(await receipts(), 0);
    raw.close();
  });
});
