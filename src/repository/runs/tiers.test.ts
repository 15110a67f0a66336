import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { mergedTier, openRunsMax, planMerge, tierFanIn } from './tiers.ts';

/** A run as the policy sees it, with the ticks it holds. */
interface TickRun {
  readonly tier: number;
  readonly from: number;
  readonly to: number;
}

interface Outcome {
  readonly runs: readonly TickRun[];
  readonly openMax: number;
  /** Ticks written again by merges. */
  readonly rewritten: number;
}

/** Adds one run a tick and merges `perTick` times at most after each. */
function follow(ticks: number, perTick: number): Outcome {
  let runs: TickRun[] = [];
  let openMax = 0;
  let rewritten = 0;
  for (let tick = 0; tick < ticks; tick++) {
    runs.push({ tier: 0, from: tick, to: tick + 1 });
    for (let i = 0; i < perTick; i++) {
      const picked = planMerge(runs);
      if (!picked) break;
      rewritten += sizeOf(picked);
      runs = merged(runs, picked);
    }
    openMax = Math.max(openMax, runs.length);
  }
  return { runs, openMax, rewritten };
}

function merged(runs: readonly TickRun[], picked: readonly TickRun[]): TickRun[] {
  const first = runs.indexOf(picked[0] as TickRun);
  assert.deepEqual(
    runs.slice(first, first + picked.length),
    picked,
    'the runs picked are neighbours',
  );
  const [from, to] = [picked[0]?.from as number, picked.at(-1)?.to as number];
  return [
    ...runs.slice(0, first),
    { tier: mergedTier(picked), from, to },
    ...runs.slice(first + picked.length),
  ];
}

const sizeOf = (runs: readonly TickRun[]): number =>
  runs.reduce((sum, run) => sum + run.to - run.from, 0);

function assertJoined(runs: readonly TickRun[], ticks: number): void {
  let at = 0;
  for (const run of runs) {
    assert.equal(run.from, at);
    at = run.to;
  }
  assert.equal(at, ticks);
}

test('200,000 ticks never leave more than 64 open runs and rewrite each tick 5 times at most', () => {
  const { runs, openMax, rewritten } = follow(200_000, 1);
  assert.ok(openMax <= openRunsMax, `${openMax} open runs`);
  assert.ok(
    rewritten <= 200_000 * Math.floor(Math.log(200_000) / Math.log(tierFanIn)),
    `${rewritten}`,
  );
  assertJoined(runs, 200_000);
});

test('after any number of ticks the runs join, and those above 64 are never open', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20_000 }),
      fc.integer({ min: 1, max: 9 }),
      (ticks, perTick) => {
        const { runs, openMax } = follow(ticks, perTick);
        assert.ok(openMax <= openRunsMax);
        assertJoined(runs, ticks);
      },
    ),
    { numRuns: 25 },
  );
});

test('runs that already fill every tier are joined early, oldest first', () => {
  const runs: TickRun[] = [];
  for (let tier = 9; tier >= 0; tier--) {
    for (let i = 0; i < 7; i++) runs.push({ tier, from: runs.length, to: runs.length + 1 });
  }
  assert.deepEqual(planMerge(runs), runs.slice(0, 7));
});

test('a young run left between older ones is merged with its neighbours', () => {
  const tiers = [1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0];
  const runs = tiers.map((tier, from) => ({ tier, from, to: from + 1 }));
  assert.deepEqual(planMerge(runs), runs.slice(0, 12));
});

test('nothing is merged while every tier has room', () => {
  assert.equal(planMerge([]), undefined);
  assert.equal(planMerge(Array.from({ length: tierFanIn - 1 }, () => ({ tier: 0 }))), undefined);
});
