// What the bytes of ascending keys tell of their records: where one partition ends and the next begins, what kind
// each record is of. Nothing here knows types; docs/format/cassandra-records.md has the layout.
import { partitionEnd } from '../key/record-key.ts';
import { clusteringEnds, keyKinds } from './record-layout.ts';

/** What a record holds, by its key. */
export const recordKinds = {
  partitionKey: 1,
  partitionDeletion: 2,
  static: 3,
  row: 4,
  marker: 5,
} as const;
export type RecordKind = (typeof recordKinds)[keyof typeof recordKinds];

/** Tells where one partition ends and the next begins in ascending records. */
export class PartitionTracker {
  /** Token and escaped key of the partition at hand; a view of the block it came in. */
  partition: Uint8Array = new Uint8Array(0);

  /** Takes the next key; true if it is of another partition than the one before. */
  enter(bytes: Uint8Array, start: number, end: number): boolean {
    const { partition } = this;
    const size = partition.length;
    let i = size > 0 && end - start > size ? size : -1;
    // From behind: neighbours that share a token's first bytes are rare, the same partition is not.
    while (i > 0 && bytes[start + i - 1] === partition[i - 1]) i--;
    if (i === 0) return false;
    this.partition = bytes.subarray(start, partitionEnd(bytes, start, end));
    return true;
  }

  /** The kind of the record with the key `bytes[start, end)`, which `enter` has been told. */
  kind(bytes: Uint8Array, start: number, end: number): RecordKind {
    return recordKind(bytes, start + this.partition.length, end);
  }
}

/** The kind of the record with the key `bytes[…, end)` whose partition ends at `partition`. */
function recordKind(bytes: Uint8Array, partition: number, end: number): RecordKind {
  switch (bytes[partition]) {
    case keyKinds.partitionKey:
      return recordKinds.partitionKey;
    case keyKinds.partitionDeletion:
      return recordKinds.partitionDeletion;
    case keyKinds.static:
      return recordKinds.static;
    default:
      return bytes[end - 1] === clusteringEnds.row ? recordKinds.row : recordKinds.marker;
  }
}

/** A comparison of two byte ranges, unsigned; for short ones, where a call out of JavaScript costs more. */
export function compareRanges(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const length = Math.min(aEnd - aStart, bEnd - bStart);
  for (let i = 0; i < length; i++) {
    const difference = (a[aStart + i] as number) - (b[bStart + i] as number);
    if (difference !== 0) return difference;
  }
  return aEnd - aStart - (bEnd - bStart);
}
