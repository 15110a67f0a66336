// One committed effect on one record, with its effective time; and the total order of changes.
import { compareBytes } from '../base/bytes.ts';
import type { DatasetId, StreamId } from './id.ts';
import type { Position, SourceTime } from './time.ts';

/**
 * What a change does to its record. `put` carries the whole record; `patch` carries a difference that
 * only the connector understands; `clear` stands at the empty key and removes every record of the
 * dataset that is older (MongoDB: `emptycapped`).
 */
export const changeKinds = { put: 1, delete: 2, patch: 3, clear: 4 } as const;
export type ChangeKind = (typeof changeKinds)[keyof typeof changeKinds];

/** Where in time and in its stream an effect stands. (stream, position, index) identifies it. */
export interface Order {
  /** Effective time: when the effect became visible (a transaction's commit time). */
  readonly time: SourceTime;
  readonly stream: StreamId;
  /** Where in the stream the operation stands. */
  readonly position: Position;
  /** Place among the operations of that entry. */
  readonly index: number;
}

export interface Change extends Order {
  readonly dataset: DatasetId;
  /** The record's key; empty for `clear`. */
  readonly key: Uint8Array;
  readonly kind: ChangeKind;
  /** Native bytes of the operation; empty for `delete` and `clear`. */
  readonly value: Uint8Array;
}

/** (effective time, position, index): the order in which changes of one record apply. */
export function compareOrder(a: Order, b: Order): number {
  if (a.time !== b.time) return a.time < b.time ? -1 : 1;
  if (a.position.time !== b.position.time) return a.position.time < b.position.time ? -1 : 1;
  if (a.index !== b.index) return a.index - b.index;
  if (a.position.term !== b.position.term) return a.position.term < b.position.term ? -1 : 1;
  return a.stream < b.stream ? -1 : a.stream > b.stream ? 1 : 0;
}

/** (dataset, key, order): the order of a run. */
export function compareChanges(a: Change, b: Change): number {
  if (a.dataset !== b.dataset) return a.dataset < b.dataset ? -1 : 1;
  return compareBytes(a.key, b.key) || compareOrder(a, b);
}

/** True when both are the same operation of the same stream, read twice. */
export function isSameChange(a: Order, b: Order): boolean {
  return (
    a.position.time === b.position.time &&
    a.index === b.index &&
    a.position.term === b.position.term &&
    a.stream === b.stream
  );
}

/** Sorted batches of changes, in the order of {@link compareChanges}. */
export type ChangeStream = AsyncIterable<readonly Change[]>;
