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
