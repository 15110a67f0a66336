// Which runs are merged next: a pure policy. Runs stand in the order in which they were committed, so that
// their stream intervals join; only neighbours are merged, so that they go on joining.
//
// Twelve runs of a tier become one of the next: a change is rewritten once a tier. After n ticks there are
// at most log12(n) + 1 tiers, so the bytes written for all merges are at most log12(n) times the bytes
// captured: 3 times in a day of 5 s ticks (17,280), 4 times in 14 days. When merged runs still add up
// (beyond 248,832 ticks), the oldest are joined early.
import type { RunRef } from './run-ref.ts';

/** Runs of a tier that become one of the next. */
export const tierFanIn = 12;

/** A restore holds a block of each open run; the policy keeps them at or below this. */
export const openRunsMax = 64;

/** Above this count the oldest runs are joined though their tier is not full. */
const openRunsSoftMax = 60;

/**
 * The runs to merge next, neighbours in `runs`, or undefined when nothing is due. Called again with the
 * merged run (its tier: {@link mergedTier}) in their place until nothing is due; once a tick is enough too.
 */
export function planMerge<R extends Pick<RunRef, 'tier'>>(runs: readonly R[]): R[] | undefined {
  const groups = groupsOf(runs);
  const full = groups.findLast((group) => group.length >= tierFanIn);
  if (full) return full.slice(0, openRunsMax);
  if (runs.length <= openRunsSoftMax) return undefined;
  return groups.find((group) => group.length > 1);
}

/** The tier of the run that a merge gives. */
export function mergedTier(runs: readonly Pick<RunRef, 'tier'>[]): number {
  return 1 + runs.reduce((tier, run) => Math.max(tier, run.tier), 0);
}

/** Neighbours of one tier. A run counts at least as high as any younger one, so tiers never rise. */
function groupsOf<R extends Pick<RunRef, 'tier'>>(runs: readonly R[]): R[][] {
  const groups: R[][] = [];
  let tier = -1;
  for (const run of runs.toReversed()) {
    if (run.tier > tier) groups.push([]);
    tier = Math.max(tier, run.tier);
    groups.at(-1)?.push(run);
  }
  return groups.reverse().map((group) => group.reverse());
}
