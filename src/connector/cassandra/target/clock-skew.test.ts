// Clocks that are apart are refused with both times; a slow answer is no doubt of a clock.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodrError } from '../../../base/error.ts';
import type { QueryOptions } from '../session/cql.ts';
import { lookAtClocks } from './clock-skew.ts';

const { signal } = new AbortController();
const start = Date.parse('2026-11-27T08:00:00Z');

/** Nodes by their skew, ms; a question takes `takesMs` and is answered in its middle. */
function look(skews: readonly (number | undefined)[], takesMs = 10): Promise<string[]> {
  let at = start;
  const nodes = skews.map((_, i) => ({ address: `n${i}`, nativeAddress: String(i) }));
  const rows = async (_: string, { host }: QueryOptions) => {
    const skew = skews[Number(host)];
    if (skew === undefined) throw new CodrError('target-unfit', 'no node answers');
    const now = new Date(at + takesMs / 2 + skew);
    at += takesMs;
    return [{ now }];
  };
  // One after the other, so that each has its own time.
  return nodes.reduce<Promise<string[]>>(
    async (before, node) => [
      ...(await before),
      ...(await lookAtClocks({ rows }, [node], { now: () => at }, signal)),
    ],
    Promise.resolve([]),
  );
}

test('a node whose clock is more than five seconds apart is refused, and both times are named', async () => {
  for (const skew of [3_600_000, -3_600_000, 5_100]) {
    await assert.rejects(look([0, skew]), (error: CodrError) => {
      assert.deepEqual([error.code, error.object], ['target-unfit', 'n1']);
      assert.ok(error.message.includes(new Date(start + 15 + skew).toISOString()));
      assert.ok(error.message.includes(new Date(start + 15).toISOString()));
      return true;
    });
  }
});

test('what is less is told from a second on, and so is a node that does not answer', async () => {
  assert.deepEqual(await look([0, 900, -900]), []);
  assert.deepEqual(await look([2_300, -4_000, undefined]), [
    'the clock of n0 is 2.3 s ahead of that of this machine',
    'the clock of n1 is 4.0 s behind that of this machine',
    'n2 does not say what time it is: its clock is not compared',
  ]);
});

test('an answer that took long is of any moment in between', async () => {
  assert.deepEqual(await look([8_000], 20_000), []);
  await assert.rejects(look([16_000], 20_000), { code: 'target-unfit' });
});
