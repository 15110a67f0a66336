// Records that define other things (views, users, roles). They are few, so they are read whole. A filter may
// name what they define: whether it means something is known only when they have been folded.
import { wholeRange } from '../../model/key-range.ts';
import { scopeHolds } from '../../model/namespace.ts';
import type { DataRecord } from '../../model/record.ts';
import type { SourceTime } from '../../model/time.ts';
import type { SourceContext } from '../source-context.ts';
import { foldDataset, type OpenedRuns } from './fold.ts';
import { nothingLeft, type PointDataset, type ResolvedPoint, unknownNamespace } from './point.ts';

/** The records of a dataset of role `definitions`; of those with names, what the source's scope means. */
export async function readDefinitions(
  context: SourceContext,
  runs: OpenedRuns,
  dataset: PointDataset,
  at: SourceTime,
): Promise<DataRecord[]> {
  const { connector, scope } = context;
  const isMeant = (record: DataRecord): boolean => {
    const name = connector.definedName(dataset.entry, record);
    return name === undefined || scopeHolds(scope, name);
  };
  const records: DataRecord[] = [];
  for await (const batch of foldDataset(context, runs, dataset, { range: wholeRange, at })) {
    records.push(...batch.filter(isMeant));
  }
  return records;
}

/**
 * A filter that matches nothing is a mistake that must be heard. Errors: `namespace-unknown` when an
 * include of the point fits neither a dataset nor anything that is defined, or the excludes leave neither.
 */
export async function refuseUnmatched(
  context: SourceContext,
  runs: OpenedRuns,
  { at, datasets, unmatched, known, emptied }: ResolvedPoint,
): Promise<void> {
  const { connector } = context;
  let left = unmatched;
  let isEmpty = emptied !== undefined;
  for (const dataset of datasets) {
    if (left.length === 0 && !isEmpty) return;
    if (dataset.entry.role !== 'definitions') continue;
    const names = (await readDefinitions(context, runs, dataset, at))
      .map((record) => connector.definedName(dataset.entry, record))
      .filter((name) => name !== undefined);
    if (emptied && names.some((name) => scopeHolds(emptied, name))) isEmpty = false;
    left = left.filter(
      (pattern) => !names.some((name) => scopeHolds({ include: [pattern], exclude: [] }, name)),
    );
  }
  if (left[0] !== undefined) throw unknownNamespace(left[0], known);
  if (emptied && isEmpty) throw nothingLeft(emptied);
}
