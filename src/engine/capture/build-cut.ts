// What a cut adds to its datasets, as trees: several datasets, and several parts of each, are read side by side.
// A file that turns out to be damaged is left out when its dataset is read again.
import { forEachLimit } from '../../base/async.ts';
import { isCodrError } from '../../base/error.ts';
import type { CutDataset, CutReader } from '../../connector/connector.ts';
import { wholeRange } from '../../model/key-range.ts';
import { batchBytes, type RecordStream } from '../../model/record.ts';
import type { TreeRecord } from '../../repository/lineage/records.ts';
import { joinParts } from '../../repository/tree/join.ts';
import type { TreePart } from '../../repository/tree/tree-part.ts';
import type { TreeRoot } from '../../repository/tree/tree-root.ts';
import type { ProgressMeter } from '../progress.ts';
import type { EngineLimits } from '../source-context.ts';
import type { CutParts } from './cut-parts.ts';
import { treeRecordOf } from './merge-deltas.ts';

/** One dataset's part of a cut, stored. */
export interface BuiltDataset {
  readonly dataset: CutDataset;
  readonly tree: TreeRecord;
}

export interface BuildWork {
  readonly parts: CutParts;
  readonly meter: ProgressMeter;
  readonly limits: EngineLimits;
}

/** In the order of the cut's datasets. */
export async function buildCut(
  cut: CutReader,
  work: BuildWork,
  signal: AbortSignal,
): Promise<BuiltDataset[]> {
  const built: BuiltDataset[] = [];
  await forEachLimit(
    cut.datasets.entries(),
    work.limits.workers,
    async ([i, dataset], one) => {
      built[i] = { dataset, tree: treeRecordOf(await buildDataset(dataset, work, one)) };
    },
    signal,
  );
  return built;
}

async function buildDataset(
  dataset: CutDataset,
  { parts, meter, limits }: BuildWork,
  signal: AbortSignal,
): Promise<TreeRoot> {
  const { segmentBytes, workers } = limits;
  for (;;) {
    try {
      const ranges = (await dataset.ranges?.(segmentBytes, signal)) ?? [wholeRange];
      const content = dataset.content?.();
      const bytes = dataset.bytes / ranges.length;
      const built: TreePart[] = [];
      await forEachLimit(
        ranges.entries(),
        workers,
        async ([i, range], one) => {
          const place = { dataset: dataset.entry.dataset, content, range, bytes };
          const records = (): RecordStream => metered(dataset.records(one, range), meter);
          built[i] = await parts.part(place, records, one);
        },
        signal,
      );
      return await joinParts(built, parts.tree(signal));
    } catch (error) {
      if (!isCodrError(error, 'file-damaged')) throw error;
    }
  }
}

async function* metered(records: RecordStream, meter: ProgressMeter): RecordStream {
  for await (const batch of records) {
    meter.add(batch.length, batchBytes(batch));
    yield batch;
  }
}
