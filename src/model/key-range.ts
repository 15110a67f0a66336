// Half-open ranges of keys in byte order. An absent bound is open.
import { compareBytes, concatBytes } from '../base/bytes.ts';

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

/** One key: none lies between it and itself with a zero byte behind. */
export function keyAlone(key: Uint8Array): KeyRange {
  return { from: key, to: concatBytes([key, Buffer.of(0)]) };
}

/** What lies in any of them: ascending, disjoint, none empty. Ranges that only touch stay apart. */
export function unionRanges(ranges: readonly KeyRange[]): KeyRange[] {
  const sorted = ranges
    .filter(({ from, to }) => !(from && to && compareBytes(from, to) >= 0))
    .sort((a, b) =>
      a.from && b.from ? compareBytes(a.from, b.from) : a.from ? 1 : b.from ? -1 : 0,
    );
  const union: KeyRange[] = [];
  for (const range of sorted) {
    const last = union.at(-1);
    const overlaps = last && (!last.to || !range.from || compareBytes(range.from, last.to) < 0);
    if (!last || !overlaps) union.push(range);
    else if (last.to && (!range.to || compareBytes(range.to, last.to) > 0)) {
      const { from } = last;
      union[union.length - 1] = { ...(from && { from }), ...(range.to && { to: range.to }) };
    }
  }
  return union;
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
