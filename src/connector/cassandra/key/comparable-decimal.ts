// Byte-comparable form of decimal (DecimalType, OSS50): the number as ±0.D × 100^E with pairs of decimal digits.
//
//   zero   80
//   other  header: 80 (00 when negative) + 40 ± count of exponent bytes ‖ exponent ‖ (80 + digit pair)* ‖ 00
//
// The exponent has its sign turned for negative numbers, whose first pair is rounded down so that all further ones
// are positive: each adds to the number, so that a longer one is the greater. 1.0 and 1.00 have the same form.
import type { ByteSink } from './byte-sink.ts';
import { getI32, putU32 } from './byte-sink.ts';
import type { ComparableCodec } from './comparable.ts';
import { badLength, maskBytes } from './comparable-scalar.ts';
import { shorten } from './comparable-varint.ts';

const scaleBytes = 4;

/** Scale (i32), then the unscaled number. */
export function decimalCodec(mask: number): ComparableCodec {
  return {
    lossless: false,
    holdsEmpty: false,
    // A byte holds up to 2.41 digits, 1.21 pairs.
    lengthMax: (length) => length + (length >> 2) + 8,
    encode(bytes, start, end, target, at) {
      if (end - start < scaleBytes) throw badLength('decimal', end - start);
      const unscaled = readBigInt(bytes, start + scaleBytes, end);
      const to = putDecimal(unscaled, getI32(bytes, start), target, at);
      maskBytes(target, at, to, mask);
      return to;
    },
    decode(bytes, at, out) {
      return takeDecimal(bytes, at, out, mask);
    },
  };
}

/** Two's complement, big-endian; no bytes are 0. */
function readBigInt(bytes: Uint8Array, start: number, end: number): bigint {
  if (end === start) return 0n;
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('hex');
  return BigInt.asIntN((end - start) * 8, BigInt(`0x${hex}`));
}

function putDecimal(unscaled: bigint, scale: number, target: Uint8Array, at: number): number {
  if (unscaled === 0n) {
    target[at] = 0x80;
    return at + 1;
  }
  const negative = unscaled < 0n;
  const written = (negative ? -unscaled : unscaled).toString();
  const exponent10 = written.length - scale;
  const even = exponent10 % 2 === 0;
  let digits = (even ? '' : '0') + written.replace(/0+$/, '');
  if (digits.length % 2 === 1) digits += '0';
  const exponent = Math.ceil(exponent10 / 2);
  let to = putExponent(negative ? -exponent : exponent, negative, target, at);
  const last = digits.length - 2;
  for (let i = 0; i <= last; i += 2) {
    const pair = Number(digits.slice(i, i + 2));
    target[to++] = 0x80 + (negative ? complement(pair, i === 0, i === last) : pair);
  }
  target[to++] = 0;
  return to;
}

/** A pair of a negative number: the first is rounded down, the others are what then lacks. */
function complement(pair: number, isFirst: boolean, isLast: boolean): number {
  if (isFirst) return isLast ? -pair : -pair - 1;
  return isLast ? 100 - pair : 99 - pair;
}

function putExponent(turned: number, negative: boolean, target: Uint8Array, at: number): number {
  const count = exponentBytes(turned);
  target[at] = (negative ? 0x40 : 0xc0) + (turned < 0 ? -count : count);
  for (let i = 0; i < count; i++) target[at + 1 + i] = turned >> (8 * (count - 1 - i));
  return at + 1 + count;
}

/** As many as its magnitude has. */
function exponentBytes(exponent: number): number {
  return Math.ceil((32 - Math.clz32(Math.abs(exponent))) / 8);
}

/** The equal number with the fewest digits. */
function takeDecimal(bytes: Uint8Array, at: number, out: ByteSink, mask: number): number {
  const header = (bytes[at] as number) ^ mask;
  if (header === 0x80) {
    putNumber(0n, 0, out);
    return at + 1;
  }
  const negative = header < 0x80;
  const signedCount = header - (negative ? 0x40 : 0xc0);
  const count = Math.abs(signedCount);
  let turned = signedCount < 0 ? -1 : 0;
  for (let i = 1; i <= count; i++) turned = (turned << 8) | ((bytes[at + i] as number) ^ mask);
  const exponent = negative ? -turned : turned;
  let to = at + 1 + count;
  let unscaled = 0n;
  let pairs = 0;
  for (;;) {
    const byte = (bytes[to++] as number) ^ mask;
    if (byte === 0) break;
    unscaled = unscaled * 100n + BigInt(byte - 0x80);
    pairs++;
  }
  putNumber(unscaled, 2 * (pairs - exponent), out);
  return to;
}

function putNumber(number: bigint, scale: number, out: ByteSink): void {
  const strip = number !== 0n && number % 10n === 0n;
  const unscaled = strip ? number / 10n : number;
  out.reserve(scaleBytes);
  out.length = putU32(out.bytes, out.length, strip ? scale - 1 : scale);
  const start = out.length;
  const magnitude = unscaled < 0n ? -unscaled : unscaled;
  const count = (magnitude.toString(16).length >> 1) + 2;
  const bits = BigInt.asUintN(count * 8, unscaled)
    .toString(16)
    .padStart(count * 2, '0');
  for (const byte of Buffer.from(bits, 'hex')) out.push(byte);
  shorten(out, start);
}
