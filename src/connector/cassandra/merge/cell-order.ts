// Which of two versions wins, as a total order: what Cassandra leaves to chance (who is asked first) is decided
// by the bytes, so that any order of merging gives the same. Source of the rules: db/rows/Cells.java
// (resolveRegular) and db/LivenessInfo.java of 4.0 to 5.0; time to live and originals come last and are ours.
import { compareRanges } from '../record/record-key.ts';
import { cellFlags, rowFlags } from '../record/record-layout.ts';
import type { RowReader } from '../record/row-reader.ts';

/** Positive if cell i of `a` beats cell j of `b`. Neither may be a live counter. */
export function compareCells(a: RowReader, i: number, b: RowReader, j: number): number {
  const hi = (a.cellHi[i] as number) - (b.cellHi[j] as number);
  if (hi !== 0) return hi;
  const lo = (a.cellLo[i] as number) - (b.cellLo[j] as number);
  if (lo !== 0) return lo;
  const rank = cellRank(a.cellFlags[i] as number) - cellRank(b.cellFlags[j] as number);
  if (rank !== 0) return rank;
  // Plain cells have no expiry: both read as 0.
  const expiry = (a.cellExpiry[i] as number) - (b.cellExpiry[j] as number);
  if (expiry !== 0) return expiry;
  const value = compareRanges(
    a.bytes,
    a.valueStart[i] as number,
    a.valueEnd[i] as number,
    b.bytes,
    b.valueStart[j] as number,
    b.valueEnd[j] as number,
  );
  if (value !== 0) return value;
  const ttl = (a.cellTtl[i] as number) - (b.cellTtl[j] as number);
  return ttl !== 0 ? ttl : -compareOriginals(a, i, b, j);
}

/** Tombstones beat expiring cells, these beat plain ones. */
function cellRank(flags: number): number {
  if ((flags & cellFlags.tombstone) !== 0) return 2;
  return (flags & cellFlags.expiring) !== 0 ? 1 : 0;
}

/** The smaller path wins; one without an original counts as the smallest. */
function compareOriginals(a: RowReader, i: number, b: RowReader, j: number): number {
  const has = cellFlags.pathOriginal;
  const flags = ((a.cellFlags[i] as number) & has) - ((b.cellFlags[j] as number) & has);
  if (flags !== 0) return flags;
  return compareRanges(
    a.bytes,
    a.originalStart[i] as number,
    a.originalEnd[i] as number,
    b.bytes,
    b.originalStart[j] as number,
    b.originalEnd[j] as number,
  );
}

/** Positive if the liveness of `a` beats that of `b`; both have one. */
export function compareLiveness(a: RowReader, b: RowReader): number {
  if (a.timestampHi !== b.timestampHi) return a.timestampHi - b.timestampHi;
  if (a.timestampLo !== b.timestampLo) return a.timestampLo - b.timestampLo;
  const expiring = (a.flags & rowFlags.expiring) - (b.flags & rowFlags.expiring);
  if (expiring !== 0 || (a.flags & rowFlags.expiring) === 0) return expiring;
  return a.expiry !== b.expiry ? a.expiry - b.expiry : a.ttl - b.ttl;
}

/** Orders columns: by name, a simple one before a complex one. */
export function compareColumns(a: RowReader, i: number, b: RowReader, j: number): number {
  const name = compareRanges(
    a.bytes,
    a.nameStart[i] as number,
    a.nameEnd[i] as number,
    b.bytes,
    b.nameStart[j] as number,
    b.nameEnd[j] as number,
  );
  if (name !== 0) return name;
  return Math.min(1, a.columnKind[i] as number) - Math.min(1, b.columnKind[j] as number);
}

/** Orders the cells of a complex column. */
export function comparePaths(a: RowReader, i: number, b: RowReader, j: number): number {
  return compareRanges(
    a.bytes,
    a.pathStart[i] as number,
    a.pathEnd[i] as number,
    b.bytes,
    b.pathStart[j] as number,
    b.pathEnd[j] as number,
  );
}
