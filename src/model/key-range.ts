// Half-open ranges of keys in byte order. An absent bound is open.
import { compareBytes } from '../base/bytes.ts';

export interface KeyRange {
  /** First key in the range. */
  readonly from?: Uint8Array;
  /** First key after the range. */
  readonly to?: Uint8Array;
}

export const wholeRange: KeyRange = {};

export function rangeHolds(range: KeyRange, key: Uint8Array): boolean {
  return (
    (range.from === undefined || compareBytes(key, range.from) >= 0) &&
    (range.to === undefined || compareBytes(key, range.to) < 0)
  );
}

/** The common part, or undefined when there is none. */
export function intersectRanges(a: KeyRange, b: KeyRange): KeyRange | undefined {
  const from = later(a.from, b.from);
  const to = earlier(a.to, b.to);
  if (from && to && compareBytes(from, to) >= 0) return undefined;
  return { ...(from && { from }), ...(to && { to }) };
}

/** Cuts the whole key space at `bounds` (ascending) into `bounds.length + 1` ranges. */
export function rangesBetween(bounds: readonly Uint8Array[]): KeyRange[] {
  const ranges: KeyRange[] = [];
  for (let i = 0; i <= bounds.length; i++) {
    const from = bounds[i - 1];
    const to = bounds[i];
    ranges.push({ ...(from && { from }), ...(to && { to }) });
  }
  return ranges;
}

function later(a: Uint8Array | undefined, b: Uint8Array | undefined): Uint8Array | undefined {
  if (!a || !b) return a ?? b;
  return compareBytes(a, b) >= 0 ? a : b;
}

function earlier(a: Uint8Array | undefined, b: Uint8Array | undefined): Uint8Array | undefined {
  if (!a || !b) return a ?? b;
  return compareBytes(a, b) <= 0 ? a : b;
}
