// Byte-comparable forms of byte strings, numbers of a fixed length, floats and booleans.
import { CodrError } from '../../../base/error.ts';
import { type ByteSink, getI32 } from './byte-sink.ts';
import type { ComparableCodec } from './comparable.ts';
import { escapedEnd, escapedLengthMax, writeEscaped, writeUnescaped } from './escaped.ts';

/** Inverts target[from, to) when the mask says so. */
export function maskBytes(target: Uint8Array, from: number, to: number, mask: number): void {
  if (mask === 0) return;
  for (let i = from; i < to; i++) target[i] = (target[i] as number) ^ mask;
}

/** The failure for bytes that are no value of their type. */
export function badLength(type: string, length: number): CodrError {
  return new CodrError('source-unfit', `a value of type ${type} has ${length} bytes`, {
    remedy: 'the table holds damaged values: look at it with `sstabledump`, then scrub it',
  });
}

/** ascii, text, blob, inet, duration: the bytes as such, escaped. */
export function bytesCodec(mask: number): ComparableCodec {
  return {
    lossless: true,
    holdsEmpty: true,
    lengthMax: escapedLengthMax,
    encode(bytes, start, end, target, at) {
      const to = writeEscaped(bytes, start, end, target, at);
      maskBytes(target, at, to, mask);
      return to;
    },
    decode(bytes, at, out) {
      // A form can end the array when no separator follows.
      const found = escapedEnd(bytes, at, bytes.length, mask);
      const end = found < 0 ? bytes.length : found;
      out.reserve(end - at);
      out.length = writeUnescaped(bytes, at, end, out.bytes, out.length, mask);
      return end;
    },
  };
}

/** Big-endian numbers of one length. `sign` is 80 for signed ones, 0 for unsigned ones. */
export function fixedCodec(
  name: string,
  length: number,
  sign: number,
  mask: number,
): ComparableCodec {
  const first = sign ^ mask;
  return {
    lossless: true,
    holdsEmpty: false,
    lengthMax: () => length,
    encode(bytes, start, end, target, at) {
      if (end - start !== length) throw badLength(name, end - start);
      target[at] = (bytes[start] as number) ^ first;
      for (let i = 1; i < length; i++) target[at + i] = (bytes[start + i] as number) ^ mask;
      return at + length;
    },
    decode(bytes, at, out) {
      out.reserve(length);
      const { bytes: target, length: to } = out;
      target[to] = (bytes[at] as number) ^ first;
      for (let i = 1; i < length; i++) target[to + i] = (bytes[at + i] as number) ^ mask;
      out.length = to + length;
      return at + length;
    },
  };
}

/**
 * IEEE 754 in the order of Java's `compare`: -0.0 before 0.0, every NaN equal and after infinity. NaN of any bits
 * has one form, which gives back Java's.
 */
export function floatCodec(name: string, length: number, mask: number): ComparableCodec {
  const isNaNAt = length === 4 ? isFloatNaN : isDoubleNaN;
  return {
    lossless: false,
    holdsEmpty: false,
    lengthMax: () => length,
    encode(bytes, start, end, target, at) {
      if (end - start !== length) throw badLength(name, end - start);
      if (isNaNAt(bytes, start)) {
        target.fill(mask, at, at + length);
        target[at] = 0xff ^ mask;
        target[at + 1] = (length === 4 ? 0xc0 : 0xf8) ^ mask;
        return at + length;
      }
      const rest = (bytes[start] as number) >= 0x80 ? 0xff : 0;
      target[at] = (bytes[start] as number) ^ (rest | 0x80) ^ mask;
      for (let i = 1; i < length; i++) target[at + i] = (bytes[start + i] as number) ^ rest ^ mask;
      return at + length;
    },
    decode(bytes, at, out) {
      out.reserve(length);
      const first = (bytes[at] as number) ^ mask;
      const rest = first < 0x80 ? 0xff : 0;
      out.push(first ^ (rest | 0x80));
      for (let i = 1; i < length; i++) out.push((bytes[at + i] as number) ^ rest ^ mask);
      return at + length;
    },
  };
}

function isFloatNaN(bytes: Uint8Array, at: number): boolean {
  return (getI32(bytes, at) & 0x7fffffff) > 0x7f800000;
}

function isDoubleNaN(bytes: Uint8Array, at: number): boolean {
  const high = getI32(bytes, at) & 0x7fffffff;
  return high > 0x7ff00000 || (high === 0x7ff00000 && getI32(bytes, at + 4) !== 0);
}

/** 00 is false; every other byte is true, and equal. */
export function booleanCodec(mask: number): ComparableCodec {
  return {
    lossless: false,
    holdsEmpty: false,
    lengthMax: () => 1,
    encode(bytes, start, end, target, at) {
      if (end - start !== 1) throw badLength('boolean', end - start);
      target[at] = (bytes[start] === 0 ? 0 : 1) ^ mask;
      return at + 1;
    },
    decode(bytes, at, out: ByteSink) {
      out.push((bytes[at] as number) ^ mask);
      return at + 1;
    },
  };
}
