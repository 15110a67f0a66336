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

/** Of what was added after `after`, up to `to`. */
export function deltaKey(dataset: string, { after, to }: DeltaSpan): string {
  return `delta/${dataset}/${to}.${after}`;
}

/** Hex times, which compare as the times do. */
interface DeltaSpan {
  readonly after: string;
  readonly to: string;
}

export interface StoredDelta extends DeltaRecord {
  /** In the state. */
  readonly key: string;
  readonly to: string;
}

/**
 * What later cuts added to a base copy up to `at`, newest first. A delta that covers several cuts is taken
 * in place of theirs. Each begins where the next one ends, the last one at the base copy.
 */
export function deltasAt(
  state: StateView,
  { dataset, epoch, exactFrom }: Pick<Base, 'dataset'> & Pick<BaseRecord, 'epoch' | 'exactFrom'>,
  at: SourceTime,
): StoredDelta[] {
  const found: StoredDelta[] = [];
  let upTo = timeToHex(at);
  let chosen: StoredDelta | undefined;
  for (const rest of [...state.keys('delta', `${dataset}/`)].reverse()) {
    const { after, to } = deltaSpan(rest);
    if (to > upTo || to <= exactFrom || after < exactFrom) continue;
    if (chosen && to < chosen.to) {
      found.push(chosen);
      upTo = chosen.after;
      chosen = undefined;
      if (to > upTo) continue;
    }
    const key = `delta/${rest}`;
    const delta = state.get<DeltaRecord>(key) as DeltaRecord;
    // Of those that end together the one that begins first comes last.
    if (delta.epoch === epoch) chosen = { ...delta, key, to };
  }
  return chosen ? [...found, chosen] : found;
}

/** Of the rest of a key, without its kind. */
export function deltaSpan(rest: string): DeltaSpan {
  const [to = '', after = ''] = rest.slice(rest.lastIndexOf('/') + 1).split('.');
  return { after, to };
}

/** False when what some cut added is not there any more; whether the newest is, cannot be told from here. */
export function isUnbroken(deltas: readonly StoredDelta[], exactFrom: string): boolean {
  return deltas.every(({ after }, i) => after === (deltas[i + 1]?.to ?? exactFrom));
}
