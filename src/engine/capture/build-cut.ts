// What a cut adds to its datasets, as trees: several datasets, and several parts of each, are read side by side, here
// and on other peers. A file that turns out to be damaged is left out when its dataset is read again.
import { forEachLimit, mapLimit } from '../../base/async.ts';
import { isCodrError } from '../../base/error.ts';
import type { CutReader } from '../../connector/connector.ts';
import type { CutDataset } from '../../connector/cut-dataset.ts';
import { type KeyRange, wholeRange } from '../../model/key-range.ts';
import type { TreeRecord } from '../../repository/lineage/records.ts';
import { joinParts } from '../../repository/tree/join.ts';
import type { TreePart } from '../../repository/tree/tree-part.ts';
import type { TreeRoot } from '../../repository/tree/tree-root.ts';
import type { CutParts } from './cut-parts.ts';
import { treeRecordOf } from './merge-deltas.ts';

/** One dataset's part of a cut, stored. */
export interface BuiltDataset {
  readonly dataset: CutDataset;
  readonly tree: TreeRecord;
}

/** In the order of the cut's datasets. */
export async function buildCut(
  { datasets }: Pick<CutReader, 'datasets'>,
  parts: CutParts,
  signal: AbortSignal,
): Promise<BuiltDataset[]> {
  const built: BuiltDataset[] = [];
  // The largest first: no peer is left with one of them at the end.
  const order = [...datasets.entries()].sort(([, a], [, b]) => b.bytes - a.bytes);
  await forEachLimit(
    order,
    parts.places,
    async ([i, dataset], one) => {
      const root = await buildDataset(dataset, { parts, beside: order.length }, one);
      built[i] = { dataset, tree: treeRecordOf(root) };
    },
    signal,
  );
  return built;
}

async function buildDataset(
  dataset: CutDataset,
  /** `beside`: datasets of the cut. */
  { parts, beside }: { readonly parts: CutParts; readonly beside: number },
  signal: AbortSignal,
): Promise<TreeRoot> {
  const { places, asked, partBytes } = parts;
  const { dataset: id } = dataset.entry;
  for (;;) {
    try {
      const ranges = (await dataset.ranges?.(partBytes, signal, places)) ?? [wholeRange];
      const content = dataset.content?.();
      const bytes = dataset.bytes / ranges.length;
      const most = Math.min(places, Math.max(beside, ranges.length));
      const one = async (range: KeyRange, stop: AbortSignal): Promise<TreePart> =>
        await parts.part({ dataset: id, content, range, bytes, most }, dataset, stop);
      const built = await mapLimit(ranges, asked, one, signal);
      return await joinParts(built, parts.tree(signal));
    } catch (error) {
      if (!isCodrError(error, 'file-damaged')) throw error;
      // Peers know then what others of them have stored already.
      await parts.keepOthers();
    }
  }
}
