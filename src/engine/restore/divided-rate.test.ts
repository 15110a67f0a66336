import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../test/harness/manual-clock.ts';
import { SeededRandom } from '../../base/random.ts';
import { DividedRate, type RatePart } from './divided-rate.ts';

const never = new AbortController().signal;

/** Milliseconds that 1,000 bytes take here. */
async function tookHere({ throttle }: DividedRate, clock: ManualClock): Promise<number> {
  const from = clock.monotonic();
  await throttle.pay(1000, never);
  return Math.round(clock.monotonic() - from);
}

test('what is handed out is missing here until it comes back', async () => {
  const clock = new ManualClock({ jumps: true });
  const rate = new DividedRate(600, clock);
  assert.equal(await tookHere(rate, clock), 1667);
  const parts = [1, 2, 3, 4].map(() => rate.take(6));
  assert.deepEqual(
    parts.map(({ bytesPerSecond }) => bytesPerSecond),
    [100, 100, 100, 100],
  );
  assert.equal(await tookHere(rate, clock), 5000);
  for (const part of parts) part.giveBack();
  parts[0]?.giveBack();
  assert.equal(await tookHere(rate, clock), 1667);
});

test('whatever comes and goes, all parts together are no more than the rate, and none is nothing', () => {
  const random = new SeededRandom(4);
  const rate = new DividedRate(1000, new ManualClock());
  const parts: RatePart[] = [];
  for (let step = 0; step < 2000; step++) {
    if (random.below(5) > 1) parts.push(rate.take(1 + random.below(12)));
    else parts.splice(random.below(parts.length || 1), 1)[0]?.giveBack();
    if (parts.length > 30) parts.shift()?.giveBack();
    const given = parts.reduce((sum, { bytesPerSecond }) => sum + bytesPerSecond, 0);
    assert.ok(given < 1000 * (1 + 1e-9), `${given}`);
    assert.ok(parts.every(({ bytesPerSecond }) => bytesPerSecond > 0));
  }
});
