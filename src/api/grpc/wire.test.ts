// What callers hear: who sees what of an operation, how one has ended, and who is no peer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openServe } from '../../../test/api/world.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import { systemClock } from '../../node/system-clock.ts';
import { systemRandom } from '../../node/system-random.ts';
import type { Role } from '../access.ts';
import { Channel } from '../client/channel.ts';
import { RemoteApi } from '../client/remote-api.ts';
import { RemoteOperations } from '../client/remote-operations.ts';
import { RemoteWorkplace } from '../client/remote-workplace.ts';
import { fakeApi } from '../fake-api.fixture.ts';
import type { Operation, OperationStore } from '../operations.ts';
import { serve } from './serve.ts';

const key = '{"_id":"anna@example.org"}';
const common = { by: 'anna', created: '2026-01-01T00:00:00Z', sequence: 9, cancelling: false };
const verified: Operation = {
  ...{ id: 'a', kind: 'verify', source: 'shop', state: 'done', ...common },
  result: {
    ...{ source: 'shop', at: { time: '1:1', wall: '2026-01-01T00:00:00Z' }, seconds: 1 },
    ...{ bytesRead: 1 },
    datasets: [{ namespace: 'shop.a', verdict: 'different', records: 1, bytes: 1, detail: key }],
  } as Operation['result'],
};
const failed: Operation = {
  ...{ id: 'b', kind: 'restore', source: 'shop', state: 'failed', ...common },
  error: {
    ...{ code: 'failed', message: 'a dataset was not loaded', remedy: 'look', exitCode: 1 },
    ...{ causes: [`duplicate key ${key}`], factsJson: JSON.stringify({ key }) },
  },
};
const operations = {
  get: async (id: string) => (id === 'a' ? verified : failed),
  list: async () => [verified, failed],
  async *watch(id: string) {
    yield { sequence: 9, at: common.created, changed: id === 'a' ? verified : failed };
  },
} as unknown as OperationStore;

const api = fakeApi(async () => ({}));

/** All that a caller with this role hears of both, as text. */
async function heardBy(role: Role): Promise<string> {
  const authorise = () => ({ name: 'somebody', roles: [role] });
  const served = await serve({ ...openServe({ api, operations }), authorise });
  const { address } = served;
  const channel = new Channel({ address, tls: 'insecure', clock: systemClock });
  const asked = new RemoteOperations(channel);
  const watched = ['a', 'b'].map((id) =>
    Array.fromAsync(asked.watch(id, 0, new AbortController().signal)),
  );
  const heard = [asked.get('a'), asked.get('b'), asked.list(), ...watched];
  const text = JSON.stringify(await Promise.all<unknown>(heard));
  channel[Symbol.dispose]();
  await served.close({ drainMs: 0 });
  return text;
}

test('what came of an operation, and what a database said, is shown to those who may do such a thing', async () => {
  const viewer = await heardBy('viewer');
  assert.ok(!viewer.includes('anna@example.org'), viewer);
  assert.match(viewer, /a dataset was not loaded/);
  assert.match(await heardBy('operator'), /detail/);
  const restorer = await heardBy('restorer');
  for (const word of [/detail/, /duplicate key/, /factsJson/]) assert.match(restorer, word);
  assert.match(await heardBy('peer'), /duplicate key/);
});

test('a client whose peer has nothing more to tell asks how the operation has ended', async () => {
  const store = {
    ...operations,
    create: async () => ({ ...verified, state: 'running' }),
    async *watch() {},
  } as unknown as OperationStore;
  const served = await serve(openServe({ api, operations: store }));
  const { address } = served;
  const remote = new RemoteApi({
    ...{ address, tls: 'insecure', clock: systemClock, random: systemRandom },
  });
  const call = { signal: new AbortController().signal };
  const asked = { source: 'shop', include: [], exclude: [], readData: false };
  const { datasets } = await remote.verify(asked as never, call);
  assert.equal(datasets[0]?.detail, key);
  await remote[Symbol.asyncDispose]();
  await served.close({ drainMs: 0 });
});

test('a peer that does not know this one for a peer is a place where no work is done, not an error of the work', async () => {
  const authorise = () => ({ name: 'n4', roles: ['viewer'] as const });
  const work = async () => ({});
  const served = await serve({ ...openServe({ api, operations }), authorise, work });
  const { address } = served;
  using place = new RemoteWorkplace(
    { name: 'n1', slots: 1 },
    { address, tls: 'insecure', clock: systemClock },
  );
  const context = { signal: new AbortController().signal, progress: () => {} };
  await assert.rejects(
    place.run({ kind: 'k', input: {} }, context),
    (error) => isCodrError(error, 'peer-lost') && /n1: n4 may not work/.test(error.message),
  );
  place[Symbol.dispose]();
  await served.close({ drainMs: 0 });
});

test('a peer that stops ends what does not stop by itself, and it is done elsewhere', async () => {
  const begun = Promise.withResolvers<void>();
  const work = (): Promise<unknown> => {
    begun.resolve();
    return new Promise(() => {});
  };
  const served = await serve({ ...openServe({ api, operations }), work });
  const { address } = served;
  using place = new RemoteWorkplace(
    { name: 'n1', slots: 1 },
    { address, tls: 'insecure', clock: systemClock },
  );
  const context = { signal: new AbortController().signal, progress: () => {} };
  const running = place.run({ kind: 'k', input: {} }, context);
  running.catch(() => {});
  await begun.promise;
  await served.close({ drainMs: 0 });
  await assert.rejects(running, (error) => isCodrError(error, 'peer-lost'));
});

test('who is refused hears that, also while the audit log cannot be written', async () => {
  const append = async (): Promise<never> => {
    throw new CodrError('failed', 'the audit log /var/log/audit.jsonl cannot be written');
  };
  const audit = { append };
  const served = await serve({
    ...openServe({ api, operations }),
    ...{ audit, authorise: () => undefined },
  });
  const { address } = served;
  const channel = new Channel({ address, tls: 'insecure', clock: systemClock });
  await assert.rejects(new RemoteOperations(channel).get('a'), (error) =>
    isCodrError(error, 'access-denied'),
  );
  channel[Symbol.dispose]();
  await served.close({ drainMs: 0 });
});

test('strangers fill no audit log', async () => {
  const entries: unknown[] = [];
  const audit = { append: async (entry: unknown): Promise<void> => void entries.push(entry) };
  const served = await serve({
    ...openServe({ api, operations }),
    ...{ audit, authorise: () => undefined },
  });
  const { address } = served;
  const channel = new Channel({ address, tls: 'insecure', clock: systemClock });
  const asked = new RemoteOperations(channel);
  const calls = Array.from({ length: 150 }, () => asked.get('a'));
  assert.ok((await Promise.allSettled(calls)).every(({ status }) => status === 'rejected'));
  // A minute may end in between.
  assert.ok(entries.length >= 60 && entries.length <= 120, `${entries.length} entries`);
  channel[Symbol.dispose]();
  await served.close({ drainMs: 0 });
});
