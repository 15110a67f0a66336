// What a user writes for a scalar value, as Cassandra holds it. The forms are those of CQL and of `INSERT JSON`:
// what scalar-json.ts writes is read here.
import { fromHex } from '../../../base/bytes.ts';
import type { ScalarName } from '../type/cassandra-type.ts';
import { type Literal, literalText } from './literal.ts';

/** Says what is wrong with a literal; who knows the column names it. */
export class LiteralError extends Error {}

const integerBits: Partial<Readonly<Record<ScalarName, number>>> = {
  tinyint: 8,
  smallint: 16,
  int: 32,
  bigint: 64,
};
const nanosPerDay = 86_400_000_000_000n;

/** @throws LiteralError when it is no value of the type. */
export function encodeScalar(name: ScalarName, literal: Literal): Uint8Array {
  const no = (): LiteralError => new LiteralError(`${literalText(literal)} is no ${name}`);
  if (!('text' in literal)) throw no();
  const bytes = encoded(name, literal);
  if (!bytes) throw no();
  return bytes;
}

function encoded(
  name: ScalarName,
  literal: Extract<Literal, { readonly text: string }>,
): Uint8Array | undefined {
  const { kind, text } = literal;
  const bits = integerBits[name];
  if (bits !== undefined) return integer(text, bits);
  switch (name) {
    case 'ascii':
    case 'text':
      return kind === 'string' ? Buffer.from(text, 'utf8') : undefined;
    case 'blob':
      return /^0x([0-9a-f]{2})*$/i.test(text) ? fromHex(text.slice(2)) : undefined;
    case 'boolean':
      return /^(true|false)$/i.test(text) ? Buffer.of(/^t/i.test(text) ? 1 : 0) : undefined;
    case 'varint':
      return integerText.test(text) ? varintBytes(BigInt(text)) : undefined;
    case 'decimal':
      return decimal(text);
    case 'float':
    case 'double':
      return floating(text, name);
    case 'date':
      return date(text);
    case 'time':
      return time(text);
    case 'timestamp':
      return timestamp(text);
    case 'uuid':
    case 'timeuuid':
      return uuid(text);
    case 'inet':
      return inet(text);
    default:
      return undefined;
  }
}

const integerText = /^-?\d+$/;

function integer(text: string, bits: number): Uint8Array | undefined {
  if (!integerText.test(text)) return undefined;
  const value = BigInt(text);
  if (BigInt.asIntN(bits, value) !== value) return undefined;
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes.subarray(8 - bits / 8);
}

/** Two's complement in as few bytes as hold it. */
function varintBytes(value: bigint): Uint8Array {
  let length = 1;
  while (BigInt.asIntN(8 * length, value) !== value) length++;
  const hex = BigInt.asUintN(8 * length, value).toString(16);
  return fromHex(hex.padStart(2 * length, '0'));
}

function decimal(text: string): Uint8Array | undefined {
  const match = /^(-?)(\d+)(?:\.(\d*))?(?:e([+-]?\d{1,9}))?$/i.exec(text);
  if (!match) return undefined;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match;
  const scale = Buffer.alloc(4);
  scale.writeInt32BE(fraction.length - Number(exponent));
  return Buffer.concat([scale, varintBytes(BigInt(`${sign}${BigInt(whole + fraction)}`))]);
}

function floating(text: string, name: 'float' | 'double'): Uint8Array | undefined {
  if (!/^-?(\d+(\.\d*)?(e[+-]?\d+)?|nan|infinity)$/i.test(text)) return undefined;
  const isNegative = text.startsWith('-');
  const special = /nan$/i.test(text) ? Number.NaN : /infinity$/i.test(text) ? Infinity : undefined;
  const value = special === undefined ? Number(text) : isNegative ? -special : special;
  const bytes = Buffer.alloc(name === 'float' ? 4 : 8);
  if (name === 'float') bytes.writeFloatBE(value);
  else bytes.writeDoubleBE(value);
  return bytes;
}

const dayText = /^[+-]?\d{4,6}-\d\d-\d\d$/;

/** What `Date` takes for a later day, such as February 30th, is none. */
function isDay(text: string): boolean {
  return new Date(`${text}T00:00:00Z`).getUTCDate() === Number(text.slice(-2));
}

function date(text: string): Uint8Array | undefined {
  const ms = dayText.test(text) && isDay(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  const days = /^\d+$/.test(text) ? Number(text) : ms / 86_400_000 + 2 ** 31;
  if (!Number.isInteger(days) || days < 0 || days >= 2 ** 32) return undefined;
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(days);
  return bytes;
}

function time(text: string): Uint8Array | undefined {
  const match = /^(\d\d?):(\d\d):(\d\d)(?:\.(\d{1,9}))?$/.exec(text);
  const [, hours = '0', minutes = '0', seconds = '0', fraction = '0'] = match ?? [];
  if (!match && !/^\d{1,14}$/.test(text)) return undefined;
  if (Number(minutes) > 59 || Number(seconds) > 59) return undefined;
  const whole = (BigInt(hours) * 60n + BigInt(minutes)) * 60n + BigInt(seconds);
  const nanos = match ? whole * 1_000_000_000n + BigInt(fraction.padEnd(9, '0')) : BigInt(text);
  return nanos < nanosPerDay ? integer(nanos.toString(), 64) : undefined;
}

/** Milliseconds since 1970, or a date and time with its zone; a date alone means UTC. */
function timestamp(text: string): Uint8Array | undefined {
  if (integerText.test(text)) return integer(text, 64);
  const match = /^([+-]?\d{4,6}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?) ?(.*))?$/.exec(
    text,
  );
  const [, day = '', clock = '00:00', zone = 'Z'] = match ?? [];
  if (!match || !isDay(day)) return undefined;
  if (zone === '') throw new LiteralError(`the timestamp '${text}' says no time zone: add Z`);
  const ms = Date.parse(`${day}T${clock}${zone.replace(/^([+-]\d\d)(\d\d)$/, '$1:$2')}`);
  return Number.isNaN(ms) ? undefined : integer(String(ms), 64);
}

function uuid(text: string): Uint8Array | undefined {
  const isUuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
  return isUuid ? fromHex(text.replaceAll('-', '')) : undefined;
}

function inet(text: string): Uint8Array | undefined {
  const v4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (v4) {
    const parts = v4.slice(1).map(Number);
    return parts.every((part) => part < 256) ? Uint8Array.from(parts) : undefined;
  }
  const [head = '', tail, ...more] = text.split('::');
  const groupsOf = (side: string): string[] => (side === '' ? [] : side.split(':'));
  const [left, right] = [groupsOf(head), groupsOf(tail ?? '')];
  const missing = 8 - left.length - right.length;
  if (more.length > 0 || (tail === undefined ? missing !== 0 : missing < 1)) return undefined;
  const groups = [...left, ...Array<string>(missing).fill('0'), ...right];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return fromHex(groups.map((group) => group.padStart(4, '0')).join(''));
}
