// Writes into the ledger: holes, and wants that end. Reading it is in `source-history.ts`.
import { assert } from '../../base/assert.ts';
import type { DatasetId } from '../../model/id.ts';
import { type SourceTime, timeFromHex, timeToHex } from '../../model/time.ts';
import type { Draft } from '../../repository/lineage/draft.ts';
import type { EpochRecord, HoleRecord, WantRecord } from '../../repository/lineage/records.ts';
import { endsWithEpoch, epochKey } from './source-history.ts';

export function addHole(draft: Draft, hole: HoleRecord): void {
  // Holes end out of turn: their number is no place for the next.
  const n = Number(draft.keys('hole').at(-1) ?? -1) + 1;
  draft.set(`hole/${String(n).padStart(9, '0')}`, hole);
}

/** A copy read before a doubt is of no use, nor one of a dataset that is gone. */
export function isWanted(draft: Draft, dataset: DatasetId, after: SourceTime): boolean {
  const want = draft.get<WantRecord>(`want/${dataset}`);
  return want !== undefined && (!want.notBefore || after >= timeFromHex(want.notBefore));
}

/**
 * The dataset needs no base copy any more, because it has one that is exact from `exactFrom`, or because
 * it was gone at that time. Its epoch becomes exact no earlier, and the hole before the epoch ends no earlier;
 * a dataset that came later leaves a hole.
 */
export function endWant(
  draft: Draft,
  dataset: DatasetId,
  exactFrom: SourceTime,
  stream: string,
): void {
  const want = draft.get<WantRecord>(`want/${dataset}`);
  if (!want) return;
  draft.set(`want/${dataset}`, null);
  for (const rest of [...draft.keys('segment', `${dataset}/`)]) draft.set(`segment/${rest}`, null);
  if (!want.initial) {
    if (timeFromHex(want.from) >= exactFrom) return; // read as it was before it entered
    addHole(draft, {
      stream,
      dataset,
      from: timeToHex(timeFromHex(want.from) - 1n),
      to: timeToHex(exactFrom),
      reason: want.reason ?? 'it entered the scope without its history',
      ...(want.unknown && { unknown: want.unknown }),
    });
    return;
  }
  const epoch = draft.get<EpochRecord>(epochKey(want.epoch));
  assert(epoch, 'a want belongs to an epoch');
  if (timeFromHex(epoch.exactFrom) >= exactFrom) return;
  for (const [n, hole] of draft.list<HoleRecord>('hole')) {
    if (endsWithEpoch(hole, epoch)) draft.set(`hole/${n}`, { ...hole, to: timeToHex(exactFrom) });
  }
  draft.set(epochKey(want.epoch), { ...epoch, exactFrom: timeToHex(exactFrom) });
}
