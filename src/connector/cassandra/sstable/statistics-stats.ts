// The STATS section of Statistics.db (io/sstable/metadata/StatsMetadata.java), field by field. `oa`
// and `da` differ from `n*` in the tombstone histogram, in how the covered clusterings are said and
// in what stands at the end.
import { parseMarshal } from '../type/marshal-name.ts';
import { fixedValueLength, hasLengthPrefix } from '../type/value-layout.ts';
import type { ByteCursor } from './vint.ts';

/** A place in a node's commit log; positions are compared by segment, then by position. */
export interface CommitLogPosition {
  readonly segment: bigint;
  readonly position: number;
}

/**
 * What Cassandra says is in the file. Times in µs and s; deletion times that are absent are
 * the largest.
 */
export interface SstableStats {
  readonly minTimestamp: bigint;
  readonly maxTimestamp: bigint;
  readonly minLocalDeletionTime: number;
  readonly maxLocalDeletionTime: number;
  readonly minTtl: number;
  readonly maxTtl: number;
  readonly compressionRatio: number;
  readonly level: number;
  /** ms, or 0 for data that no repair has seen. */
  readonly repairedAt: number;
  readonly columnsSet: number;
  readonly rows: number;
  /** What was flushed into this file, as spans of the commit log of the originating host. */
  readonly commitLogIntervals: readonly {
    readonly start: CommitLogPosition;
    readonly end: CommitLogPosition;
  }[];
  readonly pendingRepair: string | undefined;
  readonly transient: boolean;
  readonly hasLegacyCounterShards: boolean;
  /** UUID with dashes. From `nb` on, and not of every file. */
  readonly originatingHostId: string | undefined;
  /** Raw partition keys; `oa` and `da` only. */
  readonly firstKey: Uint8Array | undefined;
  readonly lastKey: Uint8Array | undefined;
}

/**
 * Reads from the cursor's place to the end of the section; the caller checks that it is the
 * end.
 */
export function readStats(cursor: ByteCursor, version: string): SstableStats {
  const legacy = version.startsWith('n');
  // Partition sizes and cells per partition.
  for (let i = 0; i < 2; i++) cursor.skip(16 * cursor.u32());
  readPosition(cursor);
  const minTimestamp = cursor.bigLong();
  const maxTimestamp = cursor.bigLong();
  const minLocalDeletionTime = cursor.u32();
  const maxLocalDeletionTime = cursor.u32();
  const minTtl = cursor.u32();
  const maxTtl = cursor.u32();
  const compressionRatio = cursor.double();
  // The tombstone histogram: its greatest size, its size, then pairs.
  cursor.at += 4;
  const tombstoneBins = cursor.u32();
  cursor.skip((legacy ? 16 : 12) * tombstoneBins);
  const level = cursor.i32();
  const repairedAt = cursor.safeLong();
  if (legacy) skipLegacyBounds(cursor);
  else skipSlice(cursor);
  const hasLegacyCounterShards = cursor.u8() !== 0;
  const columnsSet = cursor.safeLong();
  const rows = cursor.safeLong();
  readPosition(cursor);
  const commitLogIntervals = readIntervals(cursor);
  const pendingRepair = cursor.u8() === 0 ? undefined : readUuid(cursor);
  const transient = cursor.u8() !== 0;
  const hasHost = version !== 'na' && cursor.u8() !== 0;
  const originatingHostId = hasHost ? readUuid(cursor) : undefined;
  let firstKey: Uint8Array | undefined;
  let lastKey: Uint8Array | undefined;
  if (!legacy) {
    // Whether there are partition deletions.
    cursor.at++;
    firstKey = Uint8Array.from(cursor.take(cursor.vint()));
    lastKey = Uint8Array.from(cursor.take(cursor.vint()));
    // The part of the token space that is covered.
    cursor.at += 8;
    // 5.0 makes room for the histogram as if its pairs were as long as before: zeros are left at
    // the end.
    cursor.skip(4 * tombstoneBins);
  }
  return {
    minTimestamp,
    maxTimestamp,
    minLocalDeletionTime,
    maxLocalDeletionTime,
    minTtl,
    maxTtl,
    compressionRatio,
    level,
    repairedAt,
    columnsSet,
    rows,
    commitLogIntervals,
    pendingRepair,
    transient,
    hasLegacyCounterShards,
    originatingHostId,
    firstKey,
    lastKey,
  };
}

function readPosition(cursor: ByteCursor): CommitLogPosition {
  const segment = cursor.bigLong();
  return { segment, position: cursor.i32() };
}

function readIntervals(cursor: ByteCursor): SstableStats['commitLogIntervals'] {
  const count = Math.min(cursor.u32(), cursor.bytes.length);
  const intervals: { start: CommitLogPosition; end: CommitLogPosition }[] = [];
  for (let i = 0; i < count; i++) {
    intervals.push({ start: readPosition(cursor), end: readPosition(cursor) });
  }
  return intervals;
}

function readUuid(cursor: ByteCursor): string {
  const hex = Buffer.from(cursor.take(16)).toString('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** The least and the greatest value of each clustering column. */
function skipLegacyBounds(cursor: ByteCursor): void {
  for (let bound = 0; bound < 2; bound++) {
    const count = Math.min(cursor.u32(), cursor.bytes.length);
    for (let i = 0; i < count; i++) cursor.skip(cursor.u16());
  }
}

/** The covered clusterings: their types, then a start and an end (db/Slice.java). */
function skipSlice(cursor: ByteCursor): void {
  const count = Math.min(cursor.vint(), cursor.bytes.length);
  const lengths: number[] = [];
  for (let i = 0; i < count; i++) {
    const name = Buffer.from(cursor.take(cursor.vint())).toString('utf8');
    lengths.push(fixedValueLength(parseMarshal(name)));
  }
  for (let bound = 0; bound < 2; bound++) {
    // The kind of bound.
    cursor.at++;
    const size = cursor.u16();
    let hi = 0;
    let lo = 0;
    for (let i = 0; i < size; i++) {
      if (i % 32 === 0) {
        cursor.vint64();
        ({ hi, lo } = cursor);
      }
      const marks = (i % 32 < 16 ? lo : hi) >>> (2 * (i % 16));
      if ((marks & 3) !== 0) continue;
      const length = lengths[i] ?? hasLengthPrefix;
      cursor.skip(length === hasLengthPrefix ? cursor.vint() : length);
    }
  }
}
