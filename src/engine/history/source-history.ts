// What a source's lineage says about time: which moments can be restored, and from what. Pure reading of
// a state; nothing here touches the store.
import { fromBase64, toBase64 } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import type { CatalogChange, CatalogEntry } from '../../model/catalog.ts';
import { type DatasetId, streamId } from '../../model/id.ts';
import { type Scope, scopeHolds } from '../../model/namespace.ts';
import type { Hole, Interval } from '../../model/point.ts';
import {
  lastTime,
  minTime,
  positionFromText,
  type SourceTime,
  timeFromHex,
  timeToHex,
} from '../../model/time.ts';
import type {
  BaseRecord,
  CatalogRecord,
  EpochRecord,
  HoleRecord,
  StreamRecord,
  WantRecord,
} from '../../repository/lineage/records.ts';
import type { StateView } from '../../repository/lineage/state.ts';
import { cutsOf, hasCuts } from './cut-history.ts';

export interface Epoch extends EpochRecord {
  readonly number: number;
}

export function epochsOf(state: StateView): Epoch[] {
  return state.list<EpochRecord>('epoch').map(([n, epoch]) => ({ ...epoch, number: Number(n) }));
}

export function epochKey(n: number): string {
  return `epoch/${String(n).padStart(6, '0')}`;
}

/** Everything at or before this time is stored: the least over the streams; undefined before any. */
export function settledTime(state: StateView): SourceTime | undefined {
  const times = state.list<StreamRecord>('stream').map(([, s]) => timeFromHex(s.settled));
  return times.length === 0 ? undefined : times.reduce(minTime);
}

/** As {@link settledTime}; of a source that was rebased and not backed up since, what was stored before. */
export function storedTime(state: StateView): SourceTime | undefined {
  const closed = epochsOf(state).at(-1)?.closedAt;
  return settledTime(state) ?? (closed === undefined ? undefined : timeFromHex(closed));
}

export function holesOf(state: StateView): Hole[] {
  return state.list<HoleRecord>('hole').map(([, hole]) => ({
    stream: streamId(hole.stream),
    ...(hole.dataset && { dataset: hole.dataset }),
    from: timeFromHex(hole.from),
    ...(hole.to && { to: timeFromHex(hole.to) }),
    reason: hole.reason,
  }));
}

/**
 * True of the hole before an epoch, which lasts until all of the epoch's first base copies are exact. Those
 * that are exact earlier are of its far side all the same.
 */
export function endsWithEpoch(
  { dataset, from, to }: Omit<HoleRecord, 'stream' | 'reason'>,
  { catalogFrom, exactFrom }: EpochRecord,
): boolean {
  return dataset === undefined && from < catalogFrom && to === exactFrom;
}

/** The moments at which the whole scope can be restored, ascending. */
export function restorableIntervals(state: StateView): Interval[] {
  if (hasCuts(state)) return cutIntervals(state);
  const settled = storedTime(state);
  if (settled === undefined) return [];
  const wants = state.list<WantRecord>('want').map(([, want]) => want);
  const intervals: Interval[] = [];
  for (const epoch of epochsOf(state)) {
    if (wants.some((want) => want.initial && want.epoch === epoch.number)) continue;
    const from = timeFromHex(epoch.exactFrom);
    const to = epoch.closedAt === undefined ? settled : timeFromHex(epoch.closedAt);
    if (from <= to) intervals.push({ from, to });
  }
  const gaps = [
    ...holesOf(state).map(({ from, to }) => ({ from: from + 1n, to: (to ?? settled + 2n) - 1n })),
    ...wants.flatMap((w) => (w.initial ? [] : [{ from: timeFromHex(w.from), to: settled }])),
  ];
  return gaps.reduce(without, intervals);
}

/** Each cut alone: nothing is known of the time between two. */
function cutIntervals(state: StateView): Interval[] {
  const gaps = holesOf(state).filter(({ dataset }) => dataset !== undefined);
  return cutsOf(state)
    .filter(({ time }) => !gaps.some(({ from, to }) => from < time && (to ?? lastTime) > time))
    .map(({ time }) => ({ from: time, to: time }));
}

/**
 * The epoch whose unbroken history holds `at`: the newest that has all its base copies there; else, so that
 * some datasets can be given back, the newest.
 */
export function epochAt(state: StateView, at: SourceTime): Epoch | undefined {
  const settled = settledTime(state);
  const holding = epochsOf(state)
    .reverse()
    .filter(
      (epoch) =>
        timeFromHex(epoch.catalogFrom) <= at &&
        at <= (epoch.closedAt === undefined ? (settled ?? -1n) : timeFromHex(epoch.closedAt)),
    );
  if (holding.length < 2) return holding[0];
  const whole = holding.find((epoch) => isWholeAt(state, epoch, at));
  return whole ?? holding[0];
}

function isWholeAt(state: StateView, { number, exactFrom }: Epoch, at: SourceTime): boolean {
  if (timeFromHex(exactFrom) > at) return false;
  const wants = state.list<WantRecord>('want');
  return !wants.some(([, want]) => want.initial && want.epoch === number);
}

/** The catalog changes of one epoch with time ≤ `at`, ascending. */
export function catalogChanges(state: StateView, epoch: number, at: SourceTime): CatalogChange[] {
  const prefix = `${String(epoch).padStart(6, '0')}/`;
  const upTo = timeToHex(at);
  const changes: CatalogChange[] = [];
  for (const rest of state.keys('catalog', prefix)) {
    const place = rest.slice(prefix.length);
    if (place.slice(0, 16) > upTo) continue;
    const record = state.get<CatalogRecord>(`catalog/${rest}`) as CatalogRecord;
    changes.push(catalogChangeOf(place, record));
  }
  return changes;
}

/** Sorts by (time, position, index), which is the order of {@link CatalogChange}s. */
export function catalogKey(epoch: number, change: CatalogChange): string {
  const { time, position, index, stream } = change;
  const at = `${timeToHex(position.time)}-${position.term.toString(16)}`;
  const place = `${timeToHex(time)}.${at}.${String(index).padStart(9, '0')}.${stream}`;
  return `catalog/${String(epoch).padStart(6, '0')}/${place}`;
}

export function catalogRecord({ dataset, creates, kind, body }: CatalogChange): CatalogRecord {
  return {
    ...(dataset && { dataset }),
    ...(creates && { creates }),
    kind,
    body: toBase64(body),
  };
}

function catalogChangeOf(place: string, record: CatalogRecord): CatalogChange {
  const [time = '', at = '', index = '', ...stream] = place.split('.');
  return {
    time: timeFromHex(time),
    position: positionFromText(at.replace('-', '.')),
    index: Number(index),
    stream: streamId(stream.join('.')),
    ...(record.dataset && { dataset: record.dataset }),
    ...(record.creates && { creates: record.creates }),
    kind: record.kind,
    body: fromBase64(record.body),
  };
}

export interface Base extends BaseRecord {
  readonly dataset: DatasetId;
}

/**
 * The newest base copy of a dataset that is exact at `at`, within one epoch; of any epoch when it is exact
 * from just that time on, since no change is needed then.
 */
export function baseAt(
  state: StateView,
  dataset: DatasetId,
  epoch: number,
  at: SourceTime,
): Base | undefined {
  const upTo = `${dataset}/${timeToHex(at)}`;
  const rest = state
    .keys('base', `${dataset}/`)
    .filter((key) => key <= upTo)
    .reverse()
    .find((key) => key === upTo || state.get<BaseRecord>(`base/${key}`)?.epoch === epoch);
  const record = rest && state.get<BaseRecord>(`base/${rest}`);
  return record ? { ...record, dataset } : undefined;
}

/** The base copy that `base` was folded of, or itself. The older one carries the history that the newer is made of. */
export function unfolded(state: StateView, base: Base): Base {
  const { dataset, epoch, exactFrom, folded } = base;
  const before = folded && baseAt(state, dataset, epoch, timeFromHex(exactFrom) - 1n);
  return before ? unfolded(state, before) : base;
}

/** True when a copy is there that no doubt has come after. */
export function hasBase(state: StateView, dataset: DatasetId, epoch: number): boolean {
  const doubts = holesOf(state).filter((hole) => hole.dataset === dataset);
  return state.keys('base', `${dataset}/`).some((rest) => {
    const base = state.get<BaseRecord>(`base/${rest}`);
    if (base?.epoch !== epoch) return false;
    return !doubts.some(({ to }) => to === undefined || to > timeFromHex(base.exactFrom));
  });
}

export function baseKey(dataset: DatasetId, exactFrom: SourceTime): string {
  return `base/${dataset}/${timeToHex(exactFrom)}`;
}

export function inScope(scope: Scope, entry: CatalogEntry): boolean {
  return entry.role === 'definitions' || scopeHolds(scope, entry.namespace);
}

/** Throws `time-not-restorable` naming the nearest restorable moments on both sides. */
export function notRestorable(
  state: StateView,
  at: SourceTime,
  format: (time: SourceTime) => string,
  why: string,
): CodrError {
  const intervals = restorableIntervals(state);
  const before = intervals.filter((i) => i.to < at).at(-1)?.to;
  const after = intervals.find((i) => i.from > at)?.from;
  const near = [
    ...(before === undefined ? [] : [`the nearest before is ${format(before)}`]),
    ...(after === undefined ? [] : [`the nearest after is ${format(after)}`]),
  ];
  return new CodrError('time-not-restorable', `${format(at)} cannot be restored: ${why}`, {
    remedy: near.length > 0 ? near.join(', ') : 'nothing is restorable yet; run `codr backup`',
    facts: {
      ...(before !== undefined && { before: format(before) }),
      ...(after !== undefined && { after: format(after) }),
    },
  });
}

/** Cuts `gap` out of ascending intervals. */
function without(intervals: Interval[], gap: Interval): Interval[] {
  return intervals.flatMap(({ from, to }) => {
    if (gap.to < from || gap.from > to) return [{ from, to }];
    return [
      ...(from < gap.from ? [{ from, to: gap.from - 1n }] : []),
      ...(gap.to < to ? [{ from: gap.to + 1n, to }] : []),
    ];
  });
}
