// How many records a moment holds, as far as that is known without folding: a base copy's own count, exact
// where nothing has changed since, an estimate everywhere else.
import { isCodrError } from '../../base/error.ts';
import type { DatasetId } from '../../model/id.ts';
import type { SourceTime } from '../../model/time.ts';
import type { SourceContext } from '../source-context.ts';
import { OpenedRuns } from './fold.ts';
import type { PointDataset } from './point.ts';

/** What the base copy holds, as it is stored. */
export interface DatasetCount {
  readonly records: number;
  readonly bytes: number;
  /** The dataset has changed since its base copy, or has none. Absent: the count is exact. */
  readonly estimated?: true;
}

/**
 * By dataset, in the order given. Reads the indexes of runs and a few of their blocks. One that is missing or
 * damaged makes estimates of all: looking at a point must not fail where restoring it will.
 */
export async function countsAt(
  context: Pick<SourceContext, 'lineage' | 'repository'>,
  datasets: readonly PointDataset[],
  at: SourceTime,
): Promise<ReadonlyMap<DatasetId, DatasetCount>> {
  const changed = await changedDatasets(context, datasets, at);
  return new Map(
    datasets.map(({ entry: { dataset }, base: { tree } }) => {
      const { records = 0, bytes = 0 } = tree ?? {};
      const isExact = changed !== undefined && !changed.has(dataset);
      return [dataset, { records, bytes, ...(!isExact && { estimated: true as const }) }];
    }),
  );
}

/** Totals for progress; none when one of the counts is an estimate, since a share of it would be a lie. */
export function totalsOf(
  counts: Iterable<DatasetCount>,
  times = 1,
): { recordsTotal?: number; bytesTotal?: number } {
  let [recordsTotal, bytesTotal] = [0, 0];
  for (const { records, bytes, estimated } of counts) {
    if (estimated) return {};
    recordsTotal += records * times;
    bytesTotal += bytes * times;
  }
  return { recordsTotal, bytesTotal };
}

async function changedDatasets(
  context: Pick<SourceContext, 'lineage' | 'repository'>,
  datasets: readonly PointDataset[],
  at: SourceTime,
): Promise<ReadonlySet<DatasetId> | undefined> {
  try {
    return await new OpenedRuns(context).changed(datasets, at);
  } catch (error) {
    if (isCodrError(error, 'object-missing') || isCodrError(error, 'object-damaged')) {
      return undefined;
    }
    throw error;
  }
}
