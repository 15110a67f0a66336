// Times of the server: BSON timestamps as the driver gives them, and as read concerns want them.
import { type Long, Timestamp } from 'mongodb';
import type { Position, SourceTime } from '../../../model/time.ts';

/** Seconds in the upper half, increment in the lower. */
export function timeOf(timestamp: Timestamp): SourceTime {
  return (BigInt(timestamp.high >>> 0) << 32n) | BigInt(timestamp.low >>> 0);
}

export function timestampOf(time: SourceTime): Timestamp {
  return new Timestamp(time);
}

/** An optime `{ ts, t }`. */
export function positionOf(optime: { ts: Timestamp; t: number | Long | bigint }): Position {
  return { time: timeOf(optime.ts), term: BigInt(optime.t.toString()) };
}
