// Byte-comparable form of varint (IntegerType, OSS50).
//
// Of up to 6 bytes without their leading sign bytes: n bytes, n from 1 to 7, that begin with n bits, each the
// inverse of the sign, and go on with the number in 7n bits of two's complement. Of more: FF (00 when negative), the
// number of bytes less 7 as Cassandra's unsigned vint (inverted when negative), the bytes.
import type { ByteSink } from './byte-sink.ts';
import type { ComparableCodec } from './comparable.ts';
import { badLength, maskBytes } from './comparable-scalar.ts';

/** From this many bytes on, the length is written. */
const longFormBytes = 7;
/** Sign or header byte and the longest vint of a 32-bit length. */
const headerBytesMax = 6;

export function varintCodec(mask: number): ComparableCodec {
  return {
    lossless: false,
    holdsEmpty: false,
    lengthMax: (length) => length + headerBytesMax + 1,
    encode(bytes, start, end, target, at) {
      if (end === start) throw badLength('varint', 0);
      const sign = (bytes[start] as number) >= 0x80 ? 0xff : 0;
      let first = start;
      while (first < end && bytes[first] === sign) first++;
      const to =
        end - first < longFormBytes
          ? putShort(bytes, first, end, { sign, target, at })
          : putLong(bytes, first, end, { sign, target, at });
      maskBytes(target, at, to, mask);
      return to;
    },
    decode(bytes, at, out) {
      const header = (bytes[at] as number) ^ mask;
      if (header === 0 || header === 0xff) return takeLong(bytes, at, out, mask);
      return takeShort(bytes, at, out, mask);
    },
  };
}

interface Place {
  /** The byte that extends the number to the left. */
  readonly sign: number;
  readonly target: Uint8Array;
  readonly at: number;
}

/** bytes[first, end) is the number without leading sign bytes; it may be empty, for 0 and -1. */
function putShort(bytes: Uint8Array, first: number, end: number, place: Place): number {
  const { sign, target, at } = place;
  const length = end - first;
  const topBits = length === 0 ? 0 : 32 - Math.clz32((bytes[first] as number) ^ sign);
  // One more bit than the magnitude has, for the sign.
  const bits = Math.max(0, (length - 1) * 8) + topBits + 1;
  const count = Math.ceil(bits / 7);
  for (let i = 0; i < count; i++) {
    const from = end - count + i;
    target[at + i] = from < first ? sign : (bytes[from] as number);
  }
  const header = (0xff << (8 - count)) & 0xff;
  const top = target[at] as number;
  target[at] = sign === 0 ? top | header : top & ~header;
  return at + count;
}

function takeShort(bytes: Uint8Array, at: number, out: ByteSink, mask: number): number {
  const header = (bytes[at] as number) ^ mask;
  const sign = header >= 0x80 ? 0 : 0xff;
  // Leading bits that are the inverse of the sign.
  const count = Math.clz32((sign === 0 ? header ^ 0xff : header) << 24);
  const headerBits = (0xff << (8 - count)) & 0xff;
  const start = out.length;
  out.push(sign === 0 ? header & ~headerBits : header | headerBits);
  for (let i = 1; i < count; i++) out.push((bytes[at + i] as number) ^ mask);
  shorten(out, start);
  return at + count;
}

function putLong(bytes: Uint8Array, first: number, end: number, place: Place): number {
  const { sign, target, at } = place;
  target[at] = sign ^ 0xff;
  const to = putVint(target, at + 1, end - first - longFormBytes, sign);
  target.set(bytes.subarray(first, end), to);
  return to + end - first;
}

function takeLong(bytes: Uint8Array, at: number, out: ByteSink, mask: number): number {
  const sign = (bytes[at] as number) ^ mask ^ 0xff;
  const flip = sign ^ mask;
  const head = (bytes[at + 1] as number) ^ flip;
  const extra = Math.clz32(((head ^ 0xff) << 24) | 0x800000);
  let value = head & (0xff >> extra);
  for (let i = 1; i <= extra; i++) value = value * 256 + ((bytes[at + 1 + i] as number) ^ flip);
  const from = at + 2 + extra;
  const length = value + longFormBytes;
  const start = out.length;
  out.push(sign);
  out.reserve(length);
  for (let i = 0; i < length; i++) out.push((bytes[from + i] as number) ^ mask);
  shorten(out, start);
  return from + length;
}

/** Cassandra's unsigned vint of a number below 2^35, every byte inverted by `flip`. */
function putVint(target: Uint8Array, at: number, value: number, flip: number): number {
  let extra = 0;
  while (value >= 2 ** (7 * (extra + 1))) extra++;
  let rest = value;
  for (let i = extra; i > 0; i--) {
    target[at + i] = (rest % 256) ^ flip;
    rest = Math.floor(rest / 256);
  }
  target[at] = (rest | ((0xff << (8 - extra)) & 0xff)) ^ flip;
  return at + extra + 1;
}

/** Leaves the shortest two's complement of what `out` holds from `start` on, as BigInteger writes it. */
export function shorten(out: ByteSink, start: number): void {
  const { bytes } = out;
  const sign = (bytes[start] as number) >= 0x80 ? 0xff : 0;
  let first = start;
  while (first + 1 < out.length && bytes[first] === sign) {
    if (((bytes[first + 1] as number) & 0x80) !== (sign & 0x80)) break;
    first++;
  }
  bytes.copyWithin(start, first, out.length);
  out.length -= first - start;
}
