// A key range as it travels between peers.
import { fromBase64, toBase64 } from '../../base/bytes.ts';
import type { KeyRange } from '../../model/key-range.ts';

export interface RangeText {
  /** Base64; absent: from the first key on. */
  readonly from?: string;
  readonly to?: string;
}

export function rangeToText({ from, to }: KeyRange): RangeText {
  return { ...(from && { from: toBase64(from) }), ...(to && { to: toBase64(to) }) };
}

export function rangeFromText({ from, to }: RangeText): KeyRange {
  return {
    ...(from !== undefined && { from: fromBase64(from) }),
    ...(to !== undefined && { to: fromBase64(to) }),
  };
}
