import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodrError, isCodrError } from '../base/error.ts';
import { SeededRandom } from '../base/random.ts';
import type { BackupRequest, BackupResult, Progress } from './codr-api.ts';
import { type Answer, fakeApi, untilStopped } from './fake-api.fixture.ts';
import { LocalOperations, type LocalOperationsOptions } from './local-operations.ts';
import type { Operation, OperationEvent } from './operations.ts';

const request: BackupRequest = { source: 'shop', follow: false };
const done = { source: 'shop', records: 7 } as BackupResult;
const report = (records: number): Progress => ({ phase: 'p', records, bytes: 0, seconds: 1 });

function opened(answer: Answer, options: Partial<LocalOperationsOptions> = {}) {
  const api = fakeApi(answer);
  const clock = {
    now: () => Date.UTC(2026, 10, 22),
    monotonic: () => 0,
    sleep: async (): Promise<void> => {},
  };
  const redact = (text: string): string => text.replace('hunter2', '***');
  const random = new SeededRandom(1);
  return { api, operations: new LocalOperations(api, { clock, random, redact, ...options }) };
}

/** All events up to the end. */
async function watched(
  operations: LocalOperations,
  { id }: Pick<Operation, 'id'>,
  after = 0,
): Promise<OperationEvent[]> {
  return await Array.fromAsync(operations.watch(id, after, new AbortController().signal));
}

const refusedWith = (code: Parameters<typeof isCodrError>[1]) => (error: unknown) =>
  isCodrError(error, code);

test('an operation runs by itself, and its result is kept', async () => {
  const { api, operations } = opened(async () => done);
  const made = await operations.create('backup', request, 'key', 'ann');
  assert.deepEqual(
    { ...made, id: '' },
    {
      id: '',
      kind: 'backup',
      source: 'shop',
      state: 'running',
      by: 'ann',
      created: '2026-11-22T00:00:00.000Z',
      sequence: 1,
      cancelling: false,
    },
  );
  const events = await watched(operations, made);
  const ended = await operations.get(made.id);
  assert.deepEqual(events.at(-1)?.changed, ended);
  assert.equal(ended.state, 'done');
  assert.equal(ended.result, done);
  assert.deepEqual(api.asked[0]?.request, request);
});

test('the same key and request give the same operation, another request is refused', async () => {
  const { api, operations } = opened(async () => done);
  const made = await operations.create('backup', request, 'key', 'ann');
  const sameFields = { follow: false, source: 'shop', rpoSeconds: undefined };
  const again = await operations.create('backup', sameFields, 'key', 'ann');
  assert.equal(again.id, made.id);
  await watched(operations, made);
  assert.equal((await operations.create('backup', request, 'key', 'ann')).state, 'done');
  const other = operations.create('backup', { ...request, follow: true }, 'key', 'ann');
  await assert.rejects(other, refusedWith('usage'));
  const otherKind = operations.create('verify', request as never, 'key', 'ann');
  await assert.rejects(otherKind, refusedWith('usage'));
  const others = await operations.create('backup', request, 'key', 'bob');
  assert.notEqual(others.id, made.id);
  assert.equal(api.asked.length, 2);
});

test('a key of no or of too many characters is refused', async () => {
  const { operations } = opened(async () => done);
  for (const key of ['', 'x'.repeat(129)]) {
    await assert.rejects(operations.create('backup', request, key, 'ann'), refusedWith('usage'));
  }
});

test('who watches from a later number hears the rest, and nothing twice', async () => {
  const { operations } = opened(async ({ call }) => {
    for (let i = 1; i <= 5; i++) call.progress?.(report(i));
    return done;
  });
  const made = await operations.create('backup', request, 'key', 'ann');
  const all = await watched(operations, made);
  assert.deepEqual(
    all.map(({ sequence }) => sequence),
    [1, 2, 3, 4, 5, 6, 7],
  );
  assert.deepEqual(await watched(operations, made, 4), all.slice(4));
  assert.deepEqual(await watched(operations, made, 7), []);
  assert.deepEqual(all[3]?.progress, report(3));
});

test('of many reports the old ones go, the changes of the state stay', async () => {
  const { operations } = opened(async ({ call }) => {
    for (let i = 1; i <= 1000; i++) call.progress?.(report(i));
    return done;
  });
  const made = await operations.create('backup', request, 'key', 'ann');
  const events = await watched(operations, made);
  assert.equal(events.filter(({ progress }) => progress).length, 256);
  assert.equal(events[0]?.changed?.state, 'running');
  assert.equal(events.at(-1)?.changed?.state, 'done');
  assert.equal(events.at(-2)?.progress?.records, 1000);
});

test('a failure is kept as its error, without secrets', async () => {
  const { operations } = opened(async () => {
    throw new CodrError('source-unreachable', 'mongodb://u:hunter2@h/ does not answer', {
      cause: new Error('refused by hunter2'),
      facts: { tries: 3n },
    });
  });
  const made = await operations.create('backup', request, 'key', 'ann');
  await watched(operations, made);
  const { state, error } = await operations.get(made.id);
  assert.equal(state, 'failed');
  assert.deepEqual(error, {
    code: 'source-unreachable',
    message: 'mongodb://u:***@h/ does not answer',
    remedy: 'check the address and the network',
    exitCode: 9,
    causes: ['refused by ***'],
    factsJson: '{"tries":"3"}',
  });
});

test('what is cancelled ends at its own time; a backup that commits once more is done', async () => {
  const { operations } = opened(async (asked) => {
    await untilStopped(asked).catch(() => {});
    return done;
  });
  const made = await operations.create('backup', { ...request, follow: true }, 'key', 'ann');
  assert.equal((await operations.cancel(made.id)).cancelling, true);
  await watched(operations, made);
  const ended = await operations.get(made.id);
  assert.deepEqual([ended.state, ended.cancelling], ['done', false]);
  assert.deepEqual(await operations.cancel(made.id), ended);
});

test('what is cancelled and gives up is cancelled, whatever it failed with', async () => {
  const { operations } = opened(untilStopped);
  const made = await operations.create('backup', request, 'key', 'ann');
  await operations.cancel(made.id);
  await watched(operations, made);
  const { state, error } = await operations.get(made.id);
  assert.deepEqual([state, error?.code], ['cancelled', 'interrupted']);
});

test('who stops watching leaves, and the operation goes on', async () => {
  const { operations } = opened(untilStopped);
  const made = await operations.create('backup', request, 'key', 'ann');
  const stop = new AbortController();
  const events = operations.watch(made.id, 1, stop.signal);
  const next = events.next();
  stop.abort(new Error('enough'));
  await assert.rejects(next, /enough/);
  assert.equal((await operations.get(made.id)).state, 'running');
  await operations[Symbol.asyncDispose]();
  assert.equal((await operations.get(made.id)).state, 'cancelled');
});

test('an unknown operation is refused by its id', async () => {
  const { operations } = opened(async () => done);
  const unknown = refusedWith('operation-unknown');
  await assert.rejects(operations.get('x'), unknown);
  await assert.rejects(operations.cancel('x'), unknown);
  await assert.rejects(watched(operations, { id: 'x' }), unknown);
});

test('no more run at the same time than is allowed, and known ones are still found', async () => {
  const { operations } = opened(untilStopped, { runningMax: 2 });
  const made = await operations.create('backup', request, 'a', 'ann');
  await operations.create('backup', request, 'b', 'ann');
  await assert.rejects(operations.create('backup', request, 'c', 'ann'), refusedWith('busy'));
  assert.equal((await operations.create('backup', request, 'a', 'ann')).id, made.id);
  await operations.cancel(made.id);
  await watched(operations, made);
  assert.equal((await operations.create('backup', request, 'c', 'ann')).state, 'running');
  await operations[Symbol.asyncDispose]();
});

test('what has just ended is known, though it began before all others', async () => {
  const { operations } = opened(untilStopped, { endedMax: 1 });
  const [old, young] = [
    await operations.create('backup', request, 'a', 'ann'),
    await operations.create('backup', request, 'b', 'ann'),
  ];
  for (const one of [young, old]) {
    await operations.cancel(one.id);
    await watched(operations, one);
  }
  assert.equal((await operations.get(old.id)).state, 'cancelled');
  await assert.rejects(operations.get(young.id), refusedWith('operation-unknown'));
  operations.forget(old.id);
  assert.deepEqual(await operations.list(), []);
});

test('the newest are listed first, and those that ended long ago are forgotten', async () => {
  const { operations } = opened(async () => done, { endedMax: 2 });
  const made: Operation[] = [];
  for (const key of ['a', 'b', 'c', 'd']) {
    const one = await operations.create('backup', request, key, 'ann');
    await watched(operations, one);
    made.push(one);
  }
  const ids = made.map(({ id }) => id);
  assert.deepEqual(
    (await operations.list()).map(({ id }) => id),
    [ids[3], ids[2]],
  );
  assert.notEqual((await operations.create('backup', request, 'a', 'ann')).id, ids[0]);
});
