// One canonical form for numbers of all BSON types, so that numbers that the server finds equal have equal
// bytes and others sort as it sorts them. Every finite double and decimal is a finite decimal fraction,
// hence the form: a class byte, then for numbers other than zero a base-100 exponent (2 bytes, big-endian,
// offset 32768) and the digits of 0.D × 100^exponent, one byte (digit + 1) each, closed by 0. All bytes
// after the class of a negative number are inverted. Page: docs/format/mongodb-keys.md.
import type { ByteReader, ByteWriter } from '../../../base/bytes.ts';

const classes = {
  nan: 0,
  negativeInfinity: 1,
  negative: 2,
  zero: 3,
  positive: 4,
  infinity: 5,
} as const;

/** A number in its canonical form, as it is read back. */
export type CanonicalNumber =
  | { readonly kind: 'nan' | 'infinity' | 'negativeInfinity' | 'zero' }
  /** `digits` × 10^`exponent`, without trailing zeros. */
  | {
      readonly kind: 'finite';
      readonly negative: boolean;
      readonly digits: string;
      readonly exponent: number;
    };

export function appendDouble(out: ByteWriter, value: number): void {
  if (Number.isSafeInteger(value)) {
    appendInteger(out, value);
  } else if (Number.isNaN(value)) {
    out.u8(classes.nan);
  } else if (value === Number.POSITIVE_INFINITY) {
    out.u8(classes.infinity);
  } else if (value === Number.NEGATIVE_INFINITY) {
    out.u8(classes.negativeInfinity);
  } else {
    const { mantissa, exponent } = binaryParts(Math.abs(value));
    // m × 2^-e = m × 5^e × 10^-e
    if (exponent >= 0) appendFinite(out, value < 0, (mantissa << BigInt(exponent)).toString(), 0);
    else appendFinite(out, value < 0, (mantissa * 5n ** BigInt(-exponent)).toString(), exponent);
  }
}

/** A safe integer or a 64-bit one; -0 is 0. */
export function appendInteger(out: ByteWriter, value: number | bigint): void {
  if (value === 0 || value === 0n) out.u8(classes.zero);
  else if (value < 0) appendFinite(out, true, (-value).toString(), 0);
  else appendFinite(out, false, value.toString(), 0);
}

/** IEEE 754-2008 decimal128 in its binary-integer encoding, as BSON holds it: two little-endian halves. */
export function appendDecimal128(out: ByteWriter, low: bigint, high: bigint): void {
  const negative = high >> 63n === 1n;
  const top = (high >> 58n) & 31n;
  if (top === 31n) {
    out.u8(classes.nan);
  } else if (top === 30n) {
    out.u8(negative ? classes.negativeInfinity : classes.infinity);
  } else {
    const coefficient = ((high & ((1n << 49n) - 1n)) << 64n) | low;
    // Larger coefficients, and the form that begins with 11, are not canonical: they mean zero.
    if (top >= 24n || coefficient >= 10n ** 34n || coefficient === 0n) out.u8(classes.zero);
    else
      appendFinite(out, negative, coefficient.toString(), Number((high >> 49n) & 0x3fffn) - 6176);
  }
}

/** Reads what the functions above wrote. */
export function readNumber(reader: ByteReader): CanonicalNumber {
  const kind = reader.u8();
  if (kind === classes.nan) return { kind: 'nan' };
  if (kind === classes.infinity) return { kind: 'infinity' };
  if (kind === classes.negativeInfinity) return { kind: 'negativeInfinity' };
  if (kind === classes.zero) return { kind: 'zero' };
  const flip = kind === classes.negative ? 255 : 0;
  const scale = (((reader.u8() ^ flip) << 8) | (reader.u8() ^ flip)) - 32768;
  let digits = '';
  for (let pair = reader.u8() ^ flip; pair !== 0; pair = reader.u8() ^ flip) {
    digits += String(pair - 1).padStart(2, '0');
  }
  const exponent = scale * 2 - digits.length;
  const short = digits.replace(/0+$/, '');
  return {
    kind: 'finite',
    negative: flip !== 0,
    digits: short.replace(/^0+/, ''),
    exponent: exponent + digits.length - short.length,
  };
}

/** `digits` has no leading zero; the value is digits × 10^exponent. */
function appendFinite(out: ByteWriter, negative: boolean, digits: string, exponent: number): void {
  const flip = negative ? 255 : 0;
  let point = digits.length + exponent;
  let end = digits.length;
  while (digits.charCodeAt(end - 1) === 48) end--;
  // The decimal point must fall between pairs: an odd one puts a 0 before the first digit.
  let at = 0;
  if (point & 1) {
    point++;
    at = -1;
  }
  const scale = point / 2 + 32768;
  out.u8(negative ? classes.negative : classes.positive);
  out.u8((scale >> 8) ^ flip).u8((scale & 255) ^ flip);
  for (; at < end; at += 2) {
    const tens = at < 0 ? 0 : digits.charCodeAt(at) - 48;
    const ones = at + 1 < end ? digits.charCodeAt(at + 1) - 48 : 0;
    out.u8((tens * 10 + ones + 1) ^ flip);
  }
  out.u8(flip);
}

const scratch = new DataView(new ArrayBuffer(8));

/** A finite positive double as mantissa × 2^exponent, the mantissa odd. */
function binaryParts(value: number): { mantissa: bigint; exponent: number } {
  scratch.setFloat64(0, value);
  const bits = scratch.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  let mantissa = bits & ((1n << 52n) - 1n);
  let exponent = -1074;
  if (biased > 0) {
    mantissa |= 1n << 52n;
    exponent = biased - 1075;
  }
  while ((mantissa & 1n) === 0n) {
    mantissa >>= 1n;
    exponent++;
  }
  return { mantissa, exponent };
}
