import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SourceShares } from './source-limits.ts';

const never = new AbortController().signal;

/** Runs `count` pieces that last a few turns each; what was in use at most. */
async function peak(shares: SourceShares, count: number, most: number) {
  const now = { readers: 0, rate: 0 };
  const seen = { readers: 0, rate: 0 };
  const piece = async (rate: number): Promise<void> => {
    now.readers++;
    now.rate += rate;
    seen.readers = Math.max(seen.readers, now.readers);
    seen.rate = Math.max(seen.rate, now.rate);
    for (let i = 0; i < 3; i++) await new Promise((turn) => setImmediate(turn));
    now.readers--;
    now.rate -= rate;
  };
  await Promise.all(Array.from({ length: count }, () => shares.use(most, never, piece)));
  return seen;
}

test('pieces that run at a time share the rate, and never have more than it together', async () => {
  const seen = await peak(new SourceShares({ bytesPerSecond: 1000 }), 20, 6);
  assert.equal(seen.readers, 6);
  assert.ok(Math.abs(seen.rate - 1000) < 1e-6);
});

test('no more are read at a time than the source allows, and each of them gets its part of the rate', async () => {
  const seen = await peak(new SourceShares({ readers: 2, bytesPerSecond: 1000 }), 10, 6);
  assert.deepEqual(seen, { readers: 2, rate: 1000 });
});

test('a single piece has the whole rate, and without limits all run at once', async () => {
  const alone = await new SourceShares({ bytesPerSecond: 500 }).use(1, never, async (rate) => rate);
  assert.equal(alone, 500);
  assert.deepEqual(await peak(new SourceShares(), 10, 3), { readers: 10, rate: 0 });
});

test('when more could be read than before, the rate still holds', async () => {
  const shares = new SourceShares({ bytesPerSecond: 900 });
  const rates: number[] = [];
  const ends: (() => void)[] = [];
  const hold = async (rate: number): Promise<void> => {
    rates.push(rate);
    await new Promise<void>((end) => ends.push(end));
  };
  const first = shares.use(1, never, hold);
  const second = shares.use(3, never, hold);
  await new Promise((turn) => setImmediate(turn));
  assert.deepEqual(rates, [900]);
  ends[0]?.();
  await first;
  await new Promise((turn) => setImmediate(turn));
  assert.deepEqual(rates, [900, 300]);
  ends[1]?.();
  await second;
});

test('who waits for room hears of an abort', async () => {
  const shares = new SourceShares({ readers: 1 });
  const stop = new AbortController();
  let end: () => void = () => {};
  const first = shares.use(1, never, () => new Promise<void>((resolve) => (end = resolve)));
  const second = shares.use(1, stop.signal, async () => assert.fail('there is no room'));
  stop.abort(new Error('enough'));
  await assert.rejects(second, /enough/);
  end();
  await first;
  assert.equal(await shares.use(1, never, async () => 'next'), 'next');
});
