import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IdleCache } from './idle-cache.ts';

const clock = { sleep: async (): Promise<void> => await new Promise(() => {}) };

/** Something that is opened, and knows whether it was closed. */
class Thing implements AsyncDisposable {
  isClosed = false;

  async [Symbol.asyncDispose](): Promise<void> {
    this.isClosed = true;
  }
}

test('who waited for an opening that was called off opens by himself, and the next ones share that', async () => {
  const cache = new IdleCache<Thing>(clock, 1000);
  const opening = Promise.withResolvers<Thing>();
  const never = (): Promise<never> => assert.fail('it is opened already');
  const first = cache.use('source', () => opening.promise, never);
  const thing = new Thing();
  const same = async (value: Thing): Promise<boolean> => value === thing;
  const waiting = [1, 2].map(() => cache.use('source', async () => thing, same));
  opening.reject(new Error('called off'));
  await assert.rejects(first, /called off/);
  assert.deepEqual(await Promise.all(waiting), [true, true]);
  assert.equal(await cache.use('source', never, same), true);
  await cache[Symbol.asyncDispose]();
  assert.equal(thing.isClosed, true);
});

test('what nobody can open fails for all who want it, and so does work that fails', async () => {
  const cache = new IdleCache<Thing>(clock, 1000);
  let opened = 0;
  const open = async (): Promise<Thing> => {
    opened++;
    throw new Error('unreachable');
  };
  const asked = Array.from({ length: 5 }, () => cache.use('source', open, async () => {}));
  for (const one of await Promise.allSettled(asked)) assert.equal(one.status, 'rejected');
  assert.equal(opened, 2);
  const thing = new Thing();
  const works = cache.use(
    'source',
    async () => thing,
    async () => 1,
  );
  const fails = cache.use('source', open, async () => {
    throw new Error('work');
  });
  assert.equal(await works, 1);
  await assert.rejects(fails, /work/);
  assert.equal(thing.isClosed, true);
});
