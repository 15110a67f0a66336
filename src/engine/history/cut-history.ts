// Sources without an ordered log: their cuts, and what each cut added to a dataset. Pure reading of a state.
import type { SourceTime } from '../../model/time.ts';
import { timeFromHex, timeToHex } from '../../model/time.ts';
import type { BaseRecord, CutRecord, DeltaRecord } from '../../repository/lineage/records.ts';
import type { StateView } from '../../repository/lineage/state.ts';
import type { Base } from './source-history.ts';

export interface StoredCut extends CutRecord {
  readonly time: SourceTime;
}

/** All of one epoch, or of all, ascending. */
export function cutsOf(state: StateView, epoch?: number): StoredCut[] {
  return state
    .list<CutRecord>('cut')
    .filter(([, cut]) => epoch === undefined || cut.epoch === epoch)
    .map(([time, cut]) => ({ ...cut, time: timeFromHex(time) }));
}

/** True of a source of which only cuts can be restored. */
export function hasCuts(state: StateView): boolean {
  return state.keys('cut').length > 0;
}

export function cutAt(state: StateView, at: SourceTime): CutRecord | undefined {
  return state.get<CutRecord>(cutKey(at));
}

export function cutKey(time: SourceTime): string {
  return `cut/${timeToHex(time)}`;
}

export function deltaKey(dataset: string, to: SourceTime): string {
  return `delta/${dataset}/${timeToHex(to)}`;
}

/**
 * What later cuts added to a base copy up to `at`, newest first. A delta that covers several cuts is taken
 * in place of theirs.
 */
export function deltasAt(
  state: StateView,
  { dataset, epoch, exactFrom }: Pick<Base, 'dataset'> & Pick<BaseRecord, 'epoch' | 'exactFrom'>,
  at: SourceTime,
): DeltaRecord[] {
  const found: DeltaRecord[] = [];
  let upTo = `${dataset}/${timeToHex(at)}`;
  const oldest = `${dataset}/${exactFrom}`;
  for (const rest of [...state.keys('delta', `${dataset}/`)].reverse()) {
    if (rest > upTo || rest <= oldest) continue;
    const delta = state.get<DeltaRecord>(`delta/${rest}`) as DeltaRecord;
    if (delta.epoch !== epoch) continue;
    found.push(delta);
    upTo = `${dataset}/${delta.after}`;
  }
  return found;
}
