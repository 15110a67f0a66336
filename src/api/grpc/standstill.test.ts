import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../test/harness/manual-clock.ts';
import { Standstill } from './standstill.ts';

/** Time passes while nothing runs. */
class FrozenClock extends ManualClock {
  frozenMs = 0;

  override monotonic(): number {
    return super.monotonic() + this.frozenMs;
  }
}

test('who stood still knows it for a moment; a busy machine is no standstill', async () => {
  const clock = new FrozenClock();
  const stop = new AbortController();
  const standstill = new Standstill(clock);
  const watching = standstill.watch(stop.signal);
  await clock.advance(5000);
  assert.equal(standstill.hasJustEnded, false);
  clock.frozenMs += 4000;
  await clock.advance(500);
  assert.equal(standstill.hasJustEnded, false, 'the machine was busy');
  clock.frozenMs += 12_000;
  await clock.advance(500);
  assert.equal(standstill.hasJustEnded, true);
  await clock.advance(1500);
  assert.equal(standstill.hasJustEnded, false);
  clock.frozenMs += 12_000;
  assert.equal(standstill.hasJustEnded, true, 'though the timer has not been heard yet');
  stop.abort();
  await watching;
});
