// For what is stored in place of older trees: deletions and expired rows go of which a cut proves that no server
// holds them any more. What they hid has gone in the merge.
import type { DatasetId } from '../../model/id.ts';
import type { DataRecord } from '../../model/record.ts';
import type { CutMemory } from '../connector.ts';
import { contentOf, type Deletion, encodeContent, isSame, tokenOfKey } from './replica-record.ts';
import type { Horizon, ReplicaState } from './replica-state.ts';

/** Takes a merged stream that does not begin inside a partition, and gives one in normal form. */
export async function* purgedRecords(
  merged: AsyncIterable<DataRecord>,
  provenBy: CutMemory,
  dataset: DatasetId,
): AsyncGenerator<DataRecord, void, void> {
  const { horizon } = JSON.parse(provenBy.get('all') ?? '{}') as ReplicaState;
  if (!horizon) {
    yield* merged;
    return;
  }
  let given: Deletion | undefined;
  for await (const record of merged) {
    const { key } = record;
    const content = contentOf(record);
    const isGone = (seconds: number): boolean => isProven(horizon, dataset, key, seconds);
    if (content.kind === 'marker') {
      const { deletion } = content;
      const kept = deletion && !isGone(deletion.seconds) ? deletion : undefined;
      if (isSame(kept, given)) continue;
      given = kept;
      const value = encodeContent({ kind: 'marker', ...(kept && { deletion: kept }) });
      yield { key, value };
      continue;
    }
    const hides =
      content.kind === 'partition' ? content.deletion.seconds : hidingSince(content.row);
    if (hides === undefined || !isGone(hides)) yield record;
  }
}

type StoredRow = Extract<ReturnType<typeof contentOf>, { kind: 'row' }>['row'];

function hidingSince(row: StoredRow): number | undefined {
  return row.alive ? row.expiry : row.seconds;
}

function isProven(
  { graceSeconds, ranges, floors }: Horizon,
  dataset: DatasetId,
  key: Uint8Array,
  seconds: number,
): boolean {
  const token = tokenOfKey(key);
  const isWhole = ranges.some(([from, to]) => from <= token && token < to);
  return isWhole && seconds < graceSeconds && seconds < (floors[dataset] ?? Number.MAX_VALUE);
}
