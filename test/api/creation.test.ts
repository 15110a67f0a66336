// The connection breaks while an operation is created: it is made once, and its end is heard.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BackupRequest } from '../../src/api/codr-api.ts';
import { fakeApi, untilStopped } from '../../src/api/fake-api.fixture.ts';
import { serve } from '../../src/api/grpc/serve.ts';
import { LocalOperations } from '../../src/api/local-operations.ts';
import type { OperationStore } from '../../src/api/operations.ts';
import { CodrError, isCodrError } from '../../src/base/error.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import { TcpProxy } from '../harness/tcp-proxy.ts';
import { calm, clientOf, localOptions, openServe, backupResult as result } from './world.ts';

const request: BackupRequest = { source: 'shop', follow: true };

/** The store, but for how it creates. */
function creating(store: OperationStore, create: OperationStore['create']): OperationStore {
  return {
    create,
    get: (id) => store.get(id),
    list: () => store.list(),
    watch: (...asked) => store.watch(...asked),
    cancel: (id) => store.cancel(id),
  };
}

test('a peer that dies before it has answered is asked again when it is back, under the same key', async () => {
  const api = fakeApi(async () => result);
  await using operations = new LocalOperations(api, localOptions);
  let died: () => void = () => {};
  const dying = new Promise<void>((resolve) => {
    died = resolve;
  });
  const keys: string[] = [];
  const mortal = creating(operations, async (...order) => {
    keys.push(order[2]);
    await operations.create(...order);
    died();
    return await new Promise<never>(() => {});
  });
  const first = await serve(openServe({ api, operations: mortal }));
  const proxy = await TcpProxy.start(first.address);
  await using remote = clientOf(proxy);
  const backup = remote.backup(request, calm);
  await dying;
  await proxy[Symbol.asyncDispose]();
  await first.close({ drainMs: 0 });
  // Longer than the channel tries by itself.
  await systemClock.sleep(1500);
  const second = await serve({ ...openServe({ api, operations }), listen: proxy.address });
  assert.deepEqual(await backup, result);
  assert.equal(keys.length, 1);
  assert.equal(api.asked.length, 1, 'it was done once');
  await second.close();
});

test('a peer that was never reached is given up at once', async () => {
  const api = fakeApi(untilStopped);
  await using operations = new LocalOperations(api, localOptions);
  const gone = await serve(openServe({ api, operations }));
  await gone.close();
  await using remote = clientOf(gone);
  const began = performance.now();
  await assert.rejects(remote.backup(request, calm), (e) => isCodrError(e, 'peer-unreachable'));
  assert.ok(performance.now() - began < 30_000);
});

test('when the answer to a creation is lost, asking again makes no second operation', async () => {
  let proxy: TcpProxy | undefined;
  const api = fakeApi(async () => result);
  await using operations = new LocalOperations(api, localOptions);
  let creations = 0;
  const store = creating(operations, async (...order) => {
    const made = await operations.create(...order);
    if (++creations === 1) proxy?.cut();
    return made;
  });
  const served = await serve(openServe({ api, operations: store }));
  proxy = await TcpProxy.start(served.address);
  await using remote = clientOf(proxy);
  assert.deepEqual(await remote.backup(request, calm), result);
  assert.equal(creations, 2);
  assert.equal(api.asked.length, 1);
  await served.close();
  await proxy[Symbol.asyncDispose]();
});

test('when nobody knows whether it was created, it is asked for again under the same key', async () => {
  const api = fakeApi(async () => result);
  await using operations = new LocalOperations(api, localOptions);
  const keys: string[] = [];
  const doubtful = creating(operations, async (...order) => {
    keys.push(order[2]);
    // More often than the channel tries by itself.
    if (keys.length <= 6) {
      throw keys.length % 2 === 0
        ? new CodrError('lease-lost', 'the lease has ended')
        : new CodrError('transaction-in-doubt', 'nobody says how it went');
    }
    return await operations.create(...order);
  });
  const served = await serve(openServe({ api, operations: doubtful }));
  await using remote = clientOf(served);
  assert.deepEqual(await remote.backup(request, calm), result);
  assert.equal(new Set(keys).size, 1);
  assert.equal(api.asked.length, 1);
  await served.close();
});

test('who gives up asking hears that it may have been created all the same', async () => {
  const api = fakeApi(async () => result);
  await using operations = new LocalOperations(api, localOptions);
  const doubtful = creating(operations, async () => {
    throw new CodrError('transaction-in-doubt', 'nobody says how it went');
  });
  const served = await serve(openServe({ api, operations: doubtful }));
  await using remote = clientOf(served, { patienceMs: 1 });
  await assert.rejects(
    remote.backup(request, calm),
    (error) => isCodrError(error, 'peer-unreachable') && /codr ops/.test(error.remedy),
  );
  await served.close();
});
