// A restore of some datasets can cut a transaction in two: some of its changes come back, others do not.
// Nothing is refused for it, but it is counted and said.
import type { DatasetId } from '../../model/id.ts';
import { lastTime, minTime, type SourceTime, timeFromHex } from '../../model/time.ts';
import type { RunRecord } from '../../repository/lineage/records.ts';
import { readWholeRun } from '../../repository/runs/run-reader.ts';
import { blocksOf, type OpenRun, openRuns, runTouches } from '../capture/run-records.ts';
import type { ResolvedPoint } from '../read/point.ts';
import type { SourceContext } from '../source-context.ts';

/**
 * Atomic groups of changes, after the base copies and up to the point, that concern both a dataset of the
 * point and one that was left out. Runs keep their counts; only a run that the point cuts is read.
 */
export async function countTornTransactions(
  context: SourceContext,
  point: ResolvedPoint,
): Promise<number> {
  const chosen = new Set(point.datasets.map(({ entry }) => entry.dataset));
  const from = point.datasets
    .map(({ base }) => timeFromHex(base.exactFrom))
    .reduce(minTime, lastTime);
  let torn = 0;
  const epoch = point.datasets[0]?.base.epoch;
  for (const run of openRuns(context.lineage.state, epoch)) {
    if (run.record.groups.length === 0 || !runTouches(run.record, from, point.at)) continue;
    if (run.ref.maxTime <= point.at) {
      torn += countTorn(run.record.groups, chosen);
      continue;
    }
    torn += await countTornUntil(context, run, { at: point.at, chosen });
  }
  return torn;
}

/** Reads one run: times at which both a chosen and another dataset changed. Memory: the times of the run's changes. */
async function countTornUntil(
  context: SourceContext,
  run: OpenRun,
  { at, chosen }: { readonly at: SourceTime; readonly chosen: ReadonlySet<DatasetId> },
): Promise<number> {
  const inside: SourceTime[] = [];
  const outside: SourceTime[] = [];
  const blocks = await blocksOf(context.lineage, context.repository.blocks, run);
  for await (const batch of readWholeRun(blocks, run.ref)) {
    for (const { time, dataset } of batch) {
      if (time <= at) (chosen.has(dataset) ? inside : outside).push(time);
    }
  }
  const others = new Set(outside);
  return new Set(inside.filter((time) => others.has(time))).size;
}

function countTorn(groups: RunRecord['groups'], chosen: ReadonlySet<DatasetId>): number {
  return groups
    .filter(({ datasets }) => {
      const inside = datasets.filter((dataset) => chosen.has(dataset)).length;
      return inside > 0 && inside < datasets.length;
    })
    .reduce((sum, { count }) => sum + count, 0);
}
