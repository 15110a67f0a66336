// A restore of some datasets can cut a transaction in two: some of its changes come back, others do not.
// Nothing is refused for it, but it is counted and said.
import type { DatasetId } from '../../model/id.ts';
import { lastTime, minTime, type SourceTime, timeFromHex } from '../../model/time.ts';
import type { RunRecord } from '../../repository/lineage/records.ts';
import { readWholeRun } from '../../repository/runs/run-reader.ts';
import { blocksOf, type OpenRun, openRuns, runTouches } from '../capture/run-records.ts';
import { catalogChanges, inScope } from '../history/source-history.ts';
import type { ResolvedPoint } from '../read/point.ts';
import type { SourceContext } from '../source-context.ts';

/** Which datasets a restore has, and which it could have had. */
interface Choice {
  readonly chosen: ReadonlySet<DatasetId>;
  /** There at the point, and left out by the filter: what is gone by then is missed by nobody. */
  readonly leftOut: ReadonlySet<DatasetId>;
}

/**
 * Atomic groups of changes, after the base copies and up to the point, that concern both a dataset of the
 * restore and one that its filter left out. Runs keep their counts; only a run that the point cuts is read.
 */
export async function countTornTransactions(
  context: SourceContext,
  point: ResolvedPoint,
): Promise<number> {
  const epoch = point.datasets[0]?.base.epoch;
  if (epoch === undefined) return 0;
  const choice = choiceOf(context, point, epoch);
  if (choice.leftOut.size === 0) return 0;
  const from = point.datasets
    .map(({ base }) => timeFromHex(base.exactFrom))
    .reduce(minTime, lastTime);
  let torn = 0;
  for (const run of openRuns(context.lineage.state, epoch)) {
    if (run.record.groups.length === 0 || !runTouches(run.record, from, point.at)) continue;
    if (run.ref.maxTime <= point.at) {
      torn += countTorn(run.record.groups, choice);
      continue;
    }
    torn += await countTornUntil(context, run, { at: point.at, ...choice });
  }
  return torn;
}

function choiceOf(
  { lineage, connector, scope }: SourceContext,
  { at, datasets }: ResolvedPoint,
  epoch: number,
): Choice {
  const chosen = new Set(datasets.map(({ entry }) => entry.dataset));
  const there = connector.foldCatalog(catalogChanges(lineage.state, epoch, at));
  const leftOut = there
    .filter((entry) => inScope(scope, entry) && !chosen.has(entry.dataset))
    .map(({ dataset }) => dataset);
  return { chosen, leftOut: new Set(leftOut) };
}

/** Reads one run: times at which both a chosen dataset and one left out changed. Memory: the times of the run's changes. */
async function countTornUntil(
  context: SourceContext,
  run: OpenRun,
  { at, chosen, leftOut }: Choice & { readonly at: SourceTime },
): Promise<number> {
  const inside: SourceTime[] = [];
  const outside: SourceTime[] = [];
  const blocks = await blocksOf(context.lineage, context.repository.blocks, run);
  for await (const batch of readWholeRun(blocks, run.ref)) {
    for (const { time, dataset } of batch) {
      if (time > at) continue;
      if (chosen.has(dataset)) inside.push(time);
      else if (leftOut.has(dataset)) outside.push(time);
    }
  }
  const others = new Set(outside);
  return new Set(inside.filter((time) => others.has(time))).size;
}

function countTorn(groups: RunRecord['groups'], { chosen, leftOut }: Choice): number {
  return groups
    .filter(
      ({ datasets }) =>
        datasets.some((dataset) => chosen.has(dataset)) &&
        datasets.some((dataset) => leftOut.has(dataset)),
    )
    .reduce((sum, { count }) => sum + count, 0);
}
