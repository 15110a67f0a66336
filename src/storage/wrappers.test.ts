import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ManualClock } from '../../test/harness/manual-clock.ts';
import { CodrError, isCodrError } from '../base/error.ts';
import { SeededRandom } from '../base/random.ts';
import { objectStoreConformance } from './conformance.ts';
import { FaultyObjectStore } from './faulty-object-store.ts';
import { LimitedObjectStore } from './limited-object-store.ts';
import { LocalObjectStore } from './local/local-object-store.ts';
import { MemoryObjectStore } from './memory/memory-object-store.ts';
import { MeteredObjectStore } from './metered-object-store.ts';
import type { ObjectStore } from './object-store.ts';
import { RetryingObjectStore } from './retrying-object-store.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);
const jumping = () => new ManualClock({ jumps: true });

function retrying(store: ObjectStore, clock = jumping()): RetryingObjectStore {
  return new RetryingObjectStore(store, { clock, random: new SeededRandom(7), attempts: 12 });
}

function faulty(store: ObjectStore, seed = 1): FaultyObjectStore {
  return new FaultyObjectStore(store, { clock: jumping(), random: new SeededRandom(seed) });
}

objectStoreConformance('local under all wrappers', async () => {
  const root = await fs.mkdtemp(join(tmpdir(), 'codr-store-'));
  const local = new LocalObjectStore(root, new SeededRandom(1));
  const clock = jumping();
  const limited = new LimitedObjectStore(faulty(local), {
    clock,
    concurrency: 3,
    bytesPerSecond: 1e6,
  });
  return {
    store: new MeteredObjectStore(retrying(limited, clock)),
    dispose: () => fs.rm(root, { recursive: true }),
  };
});

objectStoreConformance('memory that fails and forgets replies, retried', async () => {
  const store = faulty(new MemoryObjectStore(), 3);
  store.faults = { errorPerMille: 60, lostReplyPerMille: 150, delayMsMax: 5 };
  return { store: retrying(store), dispose: async () => {} };
});

test('a create whose reply was lost is known as created', async () => {
  const store = faulty(new MemoryObjectStore());
  store.faults = { lostReplyPerMille: 1000 };
  const clock = new ManualClock();
  const outcome = retrying(store, clock).create('name', [bytes('nonce 1'), bytes(' body')]);
  await new Promise((turn) => setImmediate(turn));
  store.faults = {};
  await clock.advance(1000);
  assert.equal(await outcome, 'created');
  // The store is asked again, since only its answer says that the object is durable.
  assert.equal(store.writes, 2);
});

for (const other of ['nonce 2', 'of another length']) {
  test(`a create that failed while "${other}" took the name is told exists`, async () => {
    const memory = new MemoryObjectStore();
    const store = faulty(memory);
    store.faults = { errorPerMille: 1000 };
    const clock = new ManualClock();
    const outcome = retrying(store, clock).create('name', [bytes('nonce 1')]);
    await new Promise((turn) => setImmediate(turn));
    await memory.create('name', [bytes(other)]);
    store.faults = {};
    await clock.advance(1000);
    assert.equal(await outcome, 'exists');
  });
}

test('a list that breaks goes on after the last object that was given', async () => {
  const memory = new MemoryObjectStore();
  const names = ['a', 'b', 'c', 'd', 'e'];
  for (const name of names) await memory.create(name, []);
  let breaks = 0;
  const breaking: ObjectStore = Object.assign(new MeteredObjectStore(memory), {
    list: async function* () {
      // Each try breaks one object later than the try before, until the list is whole.
      const whole = ++breaks;
      let count = 0;
      for await (const object of memory.list('')) {
        if (count++ === whole) throw new CodrError('store-unreachable', 'the connection broke');
        yield object;
      }
    },
  });
  const listed = await Array.fromAsync(retrying(breaking).list(''));
  assert.deepEqual(
    listed.map((object) => object.name),
    names,
  );
  assert.equal(breaks, names.length);
});

test('a create that comes through after it seemed lost and missing is known as created', async () => {
  const memory = new MemoryObjectStore();
  const body = [bytes('nonce 1')];
  let attempts = 0;
  const late: ObjectStore = Object.assign(new MeteredObjectStore(memory), {
    create: async (name: string) => {
      if (++attempts === 1) throw new CodrError('store-unreachable', 'the reply was lost');
      await memory.create(name, body);
      return memory.create(name, body);
    },
  });
  assert.equal(await retrying(late).create('name', body), 'created');
  assert.equal(attempts, 2);
});

test('an error that lasts is thrown after the given number of attempts, with growing waits', async () => {
  const store = faulty(new MemoryObjectStore());
  store.crash();
  const clock = jumping();
  const options = { clock, random: new SeededRandom(1), attempts: 4, delayMsFirst: 100 };
  const tried = new RetryingObjectStore(store, { ...options, delayMsMax: 300 });
  await assert.rejects(
    () => tried.get('name'),
    (error) => isCodrError(error, 'store-unreachable'),
  );
  assert.equal(clock.sleptMs.length, 3);
  const bounds = [100, 200, 300];
  for (const [i, bound] of bounds.entries()) {
    const slept = clock.sleptMs[i] as number;
    assert.ok(slept >= bound / 2 && slept <= bound, `${slept} of ${bound} ms`);
  }
});

test('what waiting cannot mend is not tried again', async () => {
  const store = faulty(new MemoryObjectStore());
  store.diskFull = true;
  const clock = jumping();
  await assert.rejects(
    () => retrying(store, clock).create('name', []),
    (error) => isCodrError(error, 'store-unreachable'),
  );
  await assert.rejects(
    () => retrying(store, clock).get('name'),
    (error) => isCodrError(error, 'object-missing'),
  );
  assert.deepEqual(clock.sleptMs, []);
});

test('an abort ends the wait between attempts with the reason of the signal', async () => {
  const store = faulty(new MemoryObjectStore());
  store.crash();
  const stop = new AbortController();
  const reason = new Error('stopped by the test');
  const call = retrying(store, new ManualClock()).get('name', undefined, stop.signal);
  await new Promise((turn) => setImmediate(turn));
  stop.abort(reason);
  await assert.rejects(call, (error) => error === reason);
});

test('no more calls than allowed are under way at a time', async () => {
  const clock = new ManualClock();
  const inner = new MeteredObjectStore(faultyDelays(clock));
  const store = new LimitedObjectStore(inner, { clock, concurrency: 2, bytesPerSecond: 0 });
  const calls = ['a', 'b', 'c'].map((name) => store.stat(name));
  await new Promise((turn) => setImmediate(turn));
  assert.equal(inner.meters.stat.calls, 2);
  await clock.advance(1000);
  await Promise.all(calls);
  assert.equal(inner.meters.stat.calls, 3);
});

function faultyDelays(clock: ManualClock): FaultyObjectStore {
  const random = new SeededRandom(1);
  const faults = { delayMsMax: 50 };
  return new FaultyObjectStore(new MemoryObjectStore(), { clock, random, faults });
}

test('a call aborted while it waits for its turn gives the turn on', async () => {
  const clock = new ManualClock();
  const inner = faultyDelays(clock);
  const store = new LimitedObjectStore(inner, { clock, concurrency: 1, bytesPerSecond: 0 });
  const stop = new AbortController();
  const reason = new Error('stopped by the test');
  const first = store.stat('a');
  const second = assert.rejects(store.stat('b', stop.signal), (error) => error === reason);
  const third = store.stat('c');
  stop.abort(reason);
  await second;
  await clock.advance(1000);
  await Promise.all([first, third]);
});

test('bytes a second hold over creates and reads', async () => {
  const clock = jumping();
  const store = new LimitedObjectStore(new MemoryObjectStore(), {
    clock,
    concurrency: 4,
    bytesPerSecond: 200_000,
  });
  const body = Buffer.alloc(100_000);
  await store.create('a', [body]);
  await store.create('b', [body]);
  assert.equal(clock.monotonic(), 500);
  await store.get('a');
  await store.get('b');
  await store.get('b');
  assert.equal(clock.monotonic(), 2000);
});

test('a small object does not wait behind large ones, which pay for it', async () => {
  const clock = new ManualClock();
  const inner = new MemoryObjectStore();
  const store = new LimitedObjectStore(inner, { clock, concurrency: 1, bytesPerSecond: 100_000 });
  await store.create('first', [Buffer.alloc(200_000)]);
  const reads = [store.get('first'), store.get('first', { offset: 0, length: 100_000 })];
  const large = store.create('large', [Buffer.alloc(70_000)]);
  await store.create('commit', [Buffer.alloc(60_000)]);
  assert.ok(await store.stat('first'), 'what waits for its bytes holds no place');
  await clock.advance(2599);
  assert.equal(await inner.stat('large'), undefined);
  await clock.advance(10_000);
  assert.deepEqual(
    (await Promise.all(reads)).map(({ length }) => length),
    [200_000, 100_000],
  );
  assert.equal(await large, 'created');
});

test('a range that goes beyond its object costs what there is', async () => {
  const clock = jumping();
  const inner = new MemoryObjectStore();
  await inner.create('a', [Buffer.alloc(500)]);
  const store = new LimitedObjectStore(inner, { clock, concurrency: 1, bytesPerSecond: 1000 });
  for (let i = 0; i < 4; i++) await store.get('a', { suffix: 100_000 });
  assert.equal(clock.monotonic(), 1500);
});

test('calls, failures and bytes are counted by kind', async () => {
  const store = new MeteredObjectStore(new MemoryObjectStore());
  await store.create('a', [bytes('12345')]);
  await store.create('a', [bytes('other')]);
  await store.get('a', { suffix: 2 });
  await assert.rejects(() => store.get('missing'));
  await Array.fromAsync(store.list(''));
  assert.deepEqual(store.meters.create, { calls: 2, failures: 0, bytes: 5 });
  assert.deepEqual(store.meters.get, { calls: 2, failures: 1, bytes: 2 });
  assert.deepEqual(store.meters.list, { calls: 1, failures: 0, bytes: 0 });
});

test('a crash at a chosen write falls before or after its effect', async () => {
  for (const when of ['before', 'after'] as const) {
    const memory = new MemoryObjectStore();
    const store = faulty(memory);
    store.crashAtWrite(2, when);
    await store.create('a', []);
    await assert.rejects(() => store.create('b', []));
    await assert.rejects(() => store.get('a'));
    store.revive();
    assert.equal((await store.stat('b')) !== undefined, when === 'after');
    await store.create('c', []);
  }
});

test('calls under way at a crash fail, and the same seed gives the same outcome', async () => {
  const run = async (seed: number): Promise<string[]> => {
    const clock = new ManualClock();
    const memory = new MemoryObjectStore();
    const random = new SeededRandom(seed);
    const store = new FaultyObjectStore(memory, { clock, random, faults: { delayMsMax: 100 } });
    const calls = Array.from({ length: 20 }, (_, i) => store.create(`${i}`, []));
    const settled = Promise.allSettled(calls);
    store.crash();
    await clock.advance(1000);
    assert.ok((await settled).every((outcome) => outcome.status === 'rejected'));
    return (await Array.fromAsync(memory.list(''))).map((object) => object.name);
  };
  const effects = await run(5);
  assert.ok(effects.length > 0 && effects.length < 20);
  assert.deepEqual(await run(5), effects);
  assert.notDeepEqual(await run(6), effects);
});
