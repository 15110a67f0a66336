import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forEachLimit, untilAborted } from './async.ts';

test('what is left behind by an abort may fail without a word', async () => {
  const unheard: unknown[] = [];
  const listen = (reason: unknown): void => void unheard.push(reason);
  process.on('unhandledRejection', listen);
  try {
    const stop = new AbortController();
    const late = Promise.withResolvers<void>();
    const waiting = untilAborted(late.promise, stop.signal);
    stop.abort(new Error('enough'));
    await assert.rejects(waiting, /enough/);
    const later = Promise.withResolvers<void>();
    await assert.rejects(untilAborted(later.promise, stop.signal), /enough/);
    late.reject(new Error('late'));
    later.reject(new Error('later'));
    await new Promise((turn) => setImmediate(turn));
    assert.deepEqual(unheard, []);
  } finally {
    process.off('unhandledRejection', listen);
  }
});

test('items that fail end the work that is under way, and what comes after has it behind it', async () => {
  async function* items(): AsyncGenerator<number> {
    yield 1;
    throw new Error('no more items');
  }
  let isUnderWay = false;
  const work = async (_: number, stop: AbortSignal): Promise<void> => {
    isUnderWay = true;
    await new Promise((resolve) => stop.addEventListener('abort', resolve, { once: true }));
    await new Promise((turn) => setImmediate(turn));
    isUnderWay = false;
  };
  await assert.rejects(forEachLimit(items(), 4, work), /no more items/);
  assert.equal(isUnderWay, false);
});
