import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../test/harness/manual-clock.ts';
import { BrokenPromiseError } from '../../base/assert.ts';
import { objectStoreConformance } from '../conformance.ts';
import { MemoryObjectStore } from './memory-object-store.ts';

objectStoreConformance('memory', async () => ({
  store: new MemoryObjectStore(),
  dispose: async () => {},
}));

test('the age of an object comes from the clock that was given', async () => {
  const clock = new ManualClock({ startMs: 5000 });
  const store = new MemoryObjectStore(clock);
  await store.create('a', []);
  await clock.advance(70);
  await store.create('b', []);
  assert.equal((await store.stat('a'))?.modifiedMs, 5000);
  assert.equal((await store.stat('b'))?.modifiedMs, 5070);
});

test('a name cannot be an object and a folder', async () => {
  const store = new MemoryObjectStore();
  await store.create('a/b', []);
  await assert.rejects(() => store.create('a', []), BrokenPromiseError);
  await assert.rejects(() => store.create('a/b/c/d', []), BrokenPromiseError);
});
