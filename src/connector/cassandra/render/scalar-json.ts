// Native bytes of scalar values as JSON text, as `SELECT JSON` shows them. Numbers are written digit by digit, so
// that none loses what a double cannot hold; what JSON has no number for (NaN, infinities) is a string.
import { view } from '../../../base/bytes.ts';
import { ByteCursor } from '../sstable/vint.ts';
import type { ScalarName } from '../type/cassandra-type.ts';

/** Days and milliseconds that `Date` can hold, either side of 1970. */
const daysMax = 100_000_000;
const msMax = 8_640_000_000_000_000n;
const msPerDay = 86_400_000;

/** A value of no bytes is an empty string, whatever its type. */
export function scalarJson(name: ScalarName, value: Uint8Array): string {
  const bytes = view(value);
  if (bytes.length === 0) return name === 'blob' ? '"0x"' : '""';
  switch (name) {
    case 'ascii':
    case 'text':
      return JSON.stringify(bytes.toString('utf8'));
    case 'blob':
      return `"0x${bytes.toString('hex')}"`;
    case 'boolean':
      return bytes[0] === 0 ? 'false' : 'true';
    case 'counter':
      return counterTotal(bytes).toString();
    case 'float':
      return floatJson(bytes.readFloatBE(0));
    case 'double':
      return doubleJson(bytes.readDoubleBE(0));
    case 'decimal':
      return decimalText(signedNumber(bytes.subarray(4)), bytes.readInt32BE(0));
    case 'date':
      return dateJson(bytes.readUInt32BE(0));
    case 'time':
      return `"${timeText(bytes.readBigInt64BE(0))}"`;
    case 'timestamp':
      return timestampJson(bytes.readBigInt64BE(0));
    case 'uuid':
    case 'timeuuid':
      return `"${uuidText(bytes)}"`;
    case 'inet':
      return `"${inetText(bytes)}"`;
    case 'duration':
      return `"${durationText(bytes)}"`;
    case 'empty':
      return '""';
    default:
      return signedNumber(bytes).toString();
  }
}

/** Two's complement of any length, big-endian. */
function signedNumber(bytes: Uint8Array): bigint {
  if (bytes.length === 0) return 0n;
  return BigInt.asIntN(8 * bytes.length, BigInt(`0x${view(bytes).toString('hex')}`));
}

/** What a reader sees of a counter's context: the sum of its shards' counts. The layout: merge/counter-context.ts. */
export function counterTotal(bytes: Buffer): bigint {
  let total = 0n;
  for (let at = 2 + 2 * Math.abs(bytes.readInt16BE(0)); at + 32 <= bytes.length; at += 32) {
    total += bytes.readBigInt64BE(at + 24);
  }
  return BigInt.asIntN(64, total);
}

/** The shortest digits that give the same 32 bits again. */
function floatJson(value: number): string {
  for (let digits = 1; digits <= 9 && Number.isFinite(value); digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === value) return doubleJson(rounded);
  }
  return doubleJson(value);
}

function doubleJson(value: number): string {
  if (!Number.isFinite(value)) return `"${value}"`;
  return Object.is(value, -0) ? '-0.0' : String(value);
}

/** As `BigDecimal.toString`: an exponent where the scale is negative or many zeros would lead. */
function decimalText(unscaled: bigint, scale: number): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString();
  const sign = unscaled < 0n ? '-' : '';
  const exponent = digits.length - 1 - scale;
  if (scale === 0) return sign + digits;
  if (scale > 0 && exponent >= -6) {
    const padded = digits.padStart(scale + 1, '0');
    return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`;
  }
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : '';
  return `${sign}${digits[0]}${fraction}E${exponent > 0 ? '+' : ''}${exponent}`;
}

/** Days since 1970 with 2^31 added; a day that `Date` lacks stays this number, which CQL takes too. */
function dateJson(days: number): string {
  const since1970 = days - 2 ** 31;
  if (Math.abs(since1970) > daysMax) return String(days);
  return `"${new Date(since1970 * msPerDay).toISOString().slice(0, -'T00:00:00.000Z'.length)}"`;
}

/** Nanoseconds since midnight. */
function timeText(nanos: bigint): string {
  const seconds = nanos / 1_000_000_000n;
  const parts = [seconds / 3600n, (seconds / 60n) % 60n, seconds % 60n];
  const clock = parts.map((part) => part.toString().padStart(2, '0')).join(':');
  return `${clock}.${(nanos % 1_000_000_000n).toString().padStart(9, '0')}`;
}

function timestampJson(ms: bigint): string {
  if (ms > msMax || ms < -msMax) return ms.toString();
  return `"${new Date(Number(ms)).toISOString().replace('T', ' ')}"`;
}

function uuidText(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** IPv6 as Java writes it: eight groups, none left out. */
function inetText(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups: string[] = [];
  for (let at = 0; at + 1 < bytes.length; at += 2) groups.push(bytes.readUInt16BE(at).toString(16));
  return groups.join(':');
}

const durationUnits = [
  [
    ['y', 12n],
    ['mo', 1n],
  ],
  [['d', 1n]],
  [
    ['h', 3_600_000_000_000n],
    ['m', 60_000_000_000n],
    ['s', 1_000_000_000n],
    ['ms', 1_000_000n],
    ['us', 1000n],
    ['ns', 1n],
  ],
] as const;

/** Months, days and nanoseconds, each a zigzag vint; all of one sign. */
function durationText(bytes: Uint8Array): string {
  const cursor = new ByteCursor(bytes);
  let text = '';
  let isNegative = false;
  for (const units of durationUnits) {
    cursor.vint64();
    const raw = (BigInt(cursor.hi >>> 0) << 32n) | BigInt(cursor.lo >>> 0);
    const value = (raw >> 1n) ^ -(raw & 1n);
    isNegative ||= value < 0n;
    let rest = value < 0n ? -value : value;
    for (const [unit, size] of units) {
      if (rest >= size) text += `${rest / size}${unit}`;
      rest %= size;
    }
  }
  return `${isNegative ? '-' : ''}${text === '' ? '0s' : text}`;
}
