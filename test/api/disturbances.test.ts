// What breaks between a client and a peer, and what the client makes of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BackupRequest, Progress } from '../../src/api/codr-api.ts';
import { type Answer, fakeApi, untilStopped } from '../../src/api/fake-api.fixture.ts';
import { type Served, serve } from '../../src/api/grpc/serve.ts';
import { LocalOperations } from '../../src/api/local-operations.ts';
import type { OperationStore } from '../../src/api/operations.ts';
import type { Clock } from '../../src/base/clock.ts';
import { CodrError, isCodrError } from '../../src/base/error.ts';
import { localFiles } from '../../src/connector/cassandra/session/local-files.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import { TcpProxy } from '../harness/tcp-proxy.ts';
import {
  calm,
  clientOf,
  heardCall,
  localOptions,
  openServe,
  backupResult as result,
} from './world.ts';

const request: BackupRequest = { source: 'shop', follow: true };
const report = (records: number): Progress => ({ phase: 'p', records, bytes: 0, seconds: 1 });
/** Work that goes on step by step, as the test lets it. */
class Steps {
  readonly answer: Answer = async ({ call }) => {
    for (;;) {
      const step = await this.#next();
      if (step === 'end') return result;
      call.progress?.(report(step));
    }
  };
  readonly #steps: (number | 'end')[] = [];
  #wake: () => void = () => {};

  step(step: number | 'end'): void {
    this.#steps.push(step);
    this.#wake();
  }

  async #next(): Promise<number | 'end'> {
    while (this.#steps.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#steps.shift() ?? 'end';
  }
}

/** Resolves once what was told has this many entries. */
async function until(told: readonly unknown[], count: number): Promise<void> {
  while (told.length < count) await new Promise((resolve) => setImmediate(resolve));
}

const numbers = (told: readonly Progress[]): number[] => told.map(({ records }) => records);

test('a cut connection is made again, and nothing is told twice or lost', async () => {
  const steps = new Steps();
  const api = fakeApi(steps.answer);
  await using operations = new LocalOperations(api, localOptions);
  const served = await serve(openServe({ api, operations }));
  await using proxy = await TcpProxy.start(served.address);
  await using remote = clientOf(proxy);
  const { call, told } = heardCall();
  const backup = remote.backup(request, call);
  for (const n of [1, 2]) steps.step(n);
  await until(told, 2);
  proxy.cut();
  for (const n of [3, 4]) steps.step(n);
  await until(told, 4);
  proxy.cut();
  steps.step('end');
  assert.deepEqual(await backup, result);
  assert.deepEqual(numbers(told), [1, 2, 3, 4]);
  assert.equal(api.asked.length, 1);
  await served.close();
});

test('a peer that stops lets its watchers go, and they find the work at the next one', async () => {
  const steps = new Steps();
  const api = fakeApi(steps.answer);
  await using operations = new LocalOperations(api, localOptions);
  const first = await serve(openServe({ api, operations }));
  await using remote = clientOf(first);
  const { call, told } = heardCall();
  const backup = remote.backup(request, call);
  steps.step(1);
  await until(told, 1);
  const start = performance.now();
  await first.close({ drainMs: 30_000 });
  assert.ok(performance.now() - start < 5000, 'watchers did not hold the peer up');
  steps.step(2);
  const second = await serve({ ...openServe({ api, operations }), listen: first.address });
  await until(told, 2);
  steps.step('end');
  assert.deepEqual(await backup, result);
  assert.deepEqual(numbers(told), [1, 2]);
  await second.close();
});

test('a peer that stops carries running calls to their end, and takes no new ones', async () => {
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const api = fakeApi(async () => {
    await held;
    return { sources: [] };
  });
  await using operations = new LocalOperations(api, localOptions);
  const keepaliveMs = 30;
  const served = await serve({ ...openServe({ api, operations }), keepaliveMs });
  await using remote = clientOf(served);
  const running = remote.listSources(calm);
  await until(api.asked, 1);
  const closing = served.close({ drainMs: 30_000 });
  await using late = clientOf(served);
  await assert.rejects(late.listSources(calm), (error) => isCodrError(error, 'peer-unreachable'));
  // A server that pings while it says goodbye would end the connection.
  await new Promise((resolve) => setTimeout(resolve, 5 * keepaliveMs));
  release();
  assert.deepEqual(await running, { sources: [] });
  await closing;
});

test('a call that does not end is cut off when the peer has waited long enough', async () => {
  const api = fakeApi(untilStopped);
  await using operations = new LocalOperations(api, localOptions);
  const served = await serve(openServe({ api, operations }));
  await using remote = clientOf(served);
  const running = remote.listSources(calm);
  const refused = assert.rejects(running, (error) => isCodrError(error, 'peer-unreachable'));
  await until(api.asked, 1);
  await served.close({ drainMs: 50 });
  await refused;
});

test('heartbeats keep a stream alive on which nothing happens', async () => {
  const steps = new Steps();
  const api = fakeApi(steps.answer);
  await using operations = new LocalOperations(api, localOptions);
  const watched = countingWatch(operations);
  const served = await serve({ ...openServe({ api, operations: watched }), heartbeatMs: 20 });
  await using remote = clientOf(served, { silenceMs: 1000 });
  const { call, told } = heardCall();
  const backup = remote.backup(request, call);
  steps.step(1);
  await until(told, 1);
  await new Promise((resolve) => setTimeout(resolve, 1300));
  steps.step('end');
  await backup;
  assert.equal(watched.watches, 1);
  await served.close();
});

test('a peer that falls silent is left, and asked again from the last number', async () => {
  const steps = new Steps();
  const api = fakeApi(steps.answer);
  await using operations = new LocalOperations(api, localOptions);
  const watched = countingWatch(operations);
  const served = await serve({ ...openServe({ api, operations: watched }), heartbeatMs: 60_000 });
  await using remote = clientOf(served, { silenceMs: 200 });
  const { call, told } = heardCall();
  const backup = remote.backup(request, call);
  steps.step(1);
  await until(told, 1);
  while (watched.watches < 3) await new Promise((resolve) => setImmediate(resolve));
  steps.step(2);
  await until(told, 2);
  steps.step('end');
  assert.deepEqual(await backup, result);
  assert.deepEqual(numbers(told), [1, 2]);
  await served.close();
});

/** Counts how often somebody began to watch. */
function countingWatch(store: OperationStore): OperationStore & { readonly watches: number } {
  let watches = 0;
  return {
    create: (...order) => store.create(...order),
    get: (id) => store.get(id),
    list: () => store.list(),
    cancel: (id) => store.cancel(id),
    watch(id, after, signal) {
      watches++;
      return store.watch(id, after, signal);
    },
    get watches() {
      return watches;
    },
  };
}

test('an interrupt cancels the work at the peer, and its last commit is the result', async () => {
  const api = fakeApi(async (asked) => {
    await untilStopped(asked).catch(() => {});
    return result;
  });
  await using operations = new LocalOperations(api, localOptions);
  const served = await serve(openServe({ api, operations }));
  await using remote = clientOf(served);
  const { call, stop } = heardCall();
  const backup = remote.backup(request, call);
  await until(api.asked, 1);
  stop();
  assert.deepEqual(await backup, result);
  await served.close();
});

test('work that is interrupted before it has a result rejects with the reason', async () => {
  const api = fakeApi(untilStopped);
  await using operations = new LocalOperations(api, localOptions);
  const served = await serve(openServe({ api, operations }));
  await using remote = clientOf(served);
  const { call, stop } = heardCall();
  const backup = remote.backup(request, call);
  await until(api.asked, 1);
  stop();
  await assert.rejects(backup, /stopped by the test/);
  assert.equal((await operations.list())[0]?.state, 'cancelled');
  await served.close();
});

test('an interrupt while the peer is away reaches it when it is back', async () => {
  const api = fakeApi(async (asked) => {
    asked.call.progress?.(report(1));
    return await untilStopped(asked);
  });
  await using operations = new LocalOperations(api, localOptions);
  const served = await serve(openServe({ api, operations }));
  await using proxy = await TcpProxy.start(served.address);
  await using remote = clientOf(proxy);
  const { call, told, stop } = heardCall();
  const refused = assert.rejects(remote.backup(request, call), /stopped by the test/);
  await until(told, 1);
  proxy.faults = { refuses: true };
  proxy.cut();
  stop();
  // Longer than the request to cancel is repeated.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  assert.equal((await operations.list())[0]?.cancelling, false);
  proxy.faults = {};
  await refused;
  await served.close();
});

test('a quick call that is interrupted ends at the peer too', async () => {
  const ended: unknown[] = [];
  const api = fakeApi(async (asked) => {
    await untilStopped(asked).catch((reason: unknown) => ended.push(reason));
    return { sources: [] };
  });
  await using operations = new LocalOperations(api, localOptions);
  const served = await serve(openServe({ api, operations }));
  await using remote = clientOf(served);
  const { call, stop } = heardCall();
  const listing = remote.listSources(call);
  await until(api.asked, 1);
  stop();
  await assert.rejects(listing, /stopped by the test/);
  await until(ended, 1);
  await served.close();
});

test('a peer that was started anew and forgot the work says so: try again', async () => {
  const api = fakeApi(untilStopped);
  await using operations = new LocalOperations(api, localOptions);
  const first = await serve(openServe({ api, operations }));
  await using remote = clientOf(first);
  const backup = remote.backup(request, calm);
  const refused = assert.rejects(
    backup,
    (error) => isCodrError(error, 'lease-lost') && error.exitCode === 10,
  );
  await until(api.asked, 1);
  await first.close();
  await using others = new LocalOperations(api, localOptions);
  const second = await serve({ ...openServe({ api, operations: others }), listen: first.address });
  await refused;
  await second.close();
});

test('a peer that never comes back is given up after a while, and the work is named', async () => {
  const api = fakeApi(untilStopped);
  await using operations = new LocalOperations(api, localOptions);
  const served = await serve(openServe({ api, operations }));
  await using remote = clientOf(served, { patienceMs: 300 });
  const { call, told } = heardCall();
  const backup = remote.backup(request, call);
  const refused = assert.rejects(
    backup,
    (error) => isCodrError(error, 'peer-unreachable') && /codr ops/.test(error.remedy),
  );
  await until(api.asked, 1);
  await served.close();
  await refused;
  assert.match(told.at(-1)?.told ?? '', /operation \w+ is looked for/);
});

test('what may be asked twice is asked again when a connection breaks, and what may not is not', async () => {
  for (const [method, times] of [
    ['listSources', 2],
    ['init', 1],
  ] as const) {
    let proxy: TcpProxy | undefined;
    const api = fakeApi(async ({ method: asked }) => {
      if (api.asked.length === 1) {
        proxy?.cut();
        return await new Promise<never>(() => {});
      }
      assert.equal(asked, 'listSources');
      return { sources: [] };
    });
    await using operations = new LocalOperations(api, localOptions);
    const served = await serve(openServe({ api, operations }));
    proxy = await TcpProxy.start(served.address);
    await using remote = clientOf(proxy);
    if (method === 'listSources') assert.deepEqual(await remote.listSources(calm), { sources: [] });
    else {
      const init = remote.init({ encryption: true }, calm);
      await assert.rejects(init, (error) => isCodrError(error, 'peer-unreachable'));
    }
    assert.equal(api.asked.length, times, method);
    await served.close({ drainMs: 50 });
    await proxy[Symbol.asyncDispose]();
  }
});

test('an address that is none is refused before anything is sent', () => {
  for (const address of ['', 'n1', 'http://n1:7420', 'n1:7420/x']) {
    assert.throws(
      () => clientOf({ address } as Served),
      (error) => isCodrError(error, 'config-invalid'),
      address,
    );
  }
});

test('a port that is taken is refused when the peer starts', async () => {
  const api = fakeApi(async () => ({}));
  await using operations = new LocalOperations(api, localOptions);
  const served = await serve(openServe({ api, operations }));
  const waits: (AbortSignal | undefined)[] = [];
  const sleep: Clock['sleep'] = (ms, signal) => {
    waits.push(signal);
    return systemClock.sleep(ms, signal);
  };
  const again = serve({
    ...openServe({ api, operations }),
    ...{ listen: served.address, files: localFiles, clock: { ...systemClock, sleep } },
  });
  await assert.rejects(
    again,
    (error) => error instanceof CodrError && /listen on/.test(error.message),
  );
  assert.ok(waits.length > 0 && waits.every((signal) => signal?.aborted), 'nothing of it goes on');
  await served.close();
});
