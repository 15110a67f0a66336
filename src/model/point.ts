// What can be restored: intervals, the holes between them, and the points that commits left.
import type { DatasetId, StreamId } from './id.ts';
import type { SourceTime } from './time.ts';

/** Every moment from `from` to `to`, both included. */
export interface Interval {
  readonly from: SourceTime;
  readonly to: SourceTime;
}

/** Why and where history is missing. Of a whole stream, or of one dataset. */
export interface Hole {
  readonly stream: StreamId;
  readonly dataset?: DatasetId;
  /** Last moment before the hole. */
  readonly from: SourceTime;
  /** First moment after it; absent while it is still open. */
  readonly to?: SourceTime;
  readonly reason: string;
}

/** Where both hold; ascending, not overlapping, as the arguments are. */
export function intersectIntervals(a: readonly Interval[], b: readonly Interval[]): Interval[] {
  const out: Interval[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const [x, y] = [a[i] as Interval, b[j] as Interval];
    const from = x.from > y.from ? x.from : y.from;
    const to = x.to < y.to ? x.to : y.to;
    if (from <= to) out.push({ from, to });
    if (x.to < y.to) i++;
    else j++;
  }
  return out;
}
