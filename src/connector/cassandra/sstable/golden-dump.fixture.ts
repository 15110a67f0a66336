// Values of Cassandra beside what sstabledump prints for them: both are brought into one form, by
// code that shares nothing with the reader. Numbers of a dump come as their text, so that nothing
// of them is lost.
import type { CassandraType } from '../type/cassandra-type.ts';

/** A number of a dump, as it was written. */
export class DumpNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** JSON with numbers as {@link DumpNumber}. */
export function parseDump(line: string): unknown {
  const reviver = (_key: string, value: unknown, context?: { source?: string }): unknown =>
    typeof value === 'number' ? new DumpNumber(context?.source ?? String(value)) : value;
  return JSON.parse(line, reviver as (key: string, value: unknown) => unknown);
}

/** What a dump says of a value, in the form of {@link valueForm}. */
export function dumpForm(type: CassandraType, value: unknown): unknown {
  if (type.kind === 'reversed') return dumpForm(type.type, value);
  if (value instanceof DumpNumber) {
    const name = type.kind === 'scalar' ? type.name : '';
    if (name === 'decimal') return decimalOf(value.text);
    if (name === 'float') return Math.fround(Number(value.text));
    return name === 'double' ? Number(value.text) : value.text;
  }
  if (value === null || typeof value !== 'object') return value;
  switch (type.kind) {
    case 'list':
    case 'set':
    case 'vector':
      return (value as unknown[]).map((each) => dumpForm(type.element, each));
    case 'map':
      return Object.entries(value).map(([key, each]) => [key, dumpForm(type.value, each)]);
    case 'tuple':
      return (value as unknown[]).map((each, i) => dumpForm(type.fields[i]!, each));
    case 'udt':
      return type.fields.map(({ name, type: of }) => dumpForm(of, (value as never)[name]));
    default:
      return value;
  }
}

function decimalOf(text: string): string {
  const [, sign = '', whole = '', part = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:E([+-]?\d+))?$/.exec(text) ?? [];
  return `${BigInt(`${sign}${whole}${part}`)} scale ${part.length - Number(exponent)}`;
}

/** A value in the form that the dump's values are brought into. */
export function valueForm(type: CassandraType, value: Uint8Array): unknown {
  const bytes = Buffer.from(value);
  if (type.kind === 'reversed') return valueForm(type.type, value);
  if (type.kind === 'scalar') return scalarForm(type.name, bytes);
  if (type.kind === 'composite') throw new Error('a composite is no value');
  if (type.kind === 'vector') return vectorForm(type.element, type.dimension, bytes);
  if (bytes.length === 0 && type.kind !== 'tuple' && type.kind !== 'udt') return '';
  let at = 0;
  const next = (of: CassandraType, form = valueForm): unknown => {
    if (at >= bytes.length) return null;
    const length = bytes.readInt32BE(at);
    at += 4 + Math.max(0, length);
    return length < 0 ? null : form(of, bytes.subarray(at - length, at));
  };
  if (type.kind === 'tuple') return type.fields.map((of) => next(of));
  if (type.kind === 'udt') return type.fields.map(({ type: of }) => next(of));
  const count = bytes.readInt32BE(0);
  at = 4;
  if (type.kind !== 'map') return Array.from({ length: count }, () => next(type.element));
  return Array.from({ length: count }, () => [next(type.key, stringForm), next(type.value)]);
}

/** As keys and paths are printed: text without quotes, tuples with colons. */
export function stringForm(type: CassandraType, value: Uint8Array): string {
  if (type.kind === 'reversed') return stringForm(type.type, value);
  if (type.kind === 'tuple' || type.kind === 'udt') {
    const form = valueForm(type, value) as unknown[];
    return form.map((each) => (each === null ? '@' : String(each))).join(':');
  }
  const form = valueForm(type, value);
  return typeof form === 'string' ? form : JSON.stringify(form);
}

/** The values of a partition key. */
export function keyForms(type: CassandraType, key: Uint8Array): string[] {
  if (type.kind !== 'composite') return [stringForm(type, key)];
  let at = 0;
  return type.components.map((each) => {
    const length = Buffer.from(key).readUInt16BE(at);
    at += 2 + length + 1;
    return stringForm(each, key.subarray(at - 1 - length, at - 1));
  });
}

function vectorForm(element: CassandraType, dimension: number, bytes: Buffer): unknown {
  const fixed =
    element.kind === 'vector'
      ? bytes.length / dimension
      : ({ float: 4, int: 4 } as Record<string, number>)[
          element.kind === 'scalar' ? element.name : ''
        ];
  let at = 0;
  return Array.from({ length: dimension }, () => {
    // Elements in these tables have less than 128 bytes: their length is one byte.
    const length = fixed ?? (bytes[at++] as number);
    at += length;
    return valueForm(element, bytes.subarray(at - length, at));
  });
}

function scalarForm(name: string, bytes: Buffer): unknown {
  if (bytes.length === 0) return name === 'blob' ? '0x' : '';
  const big = (): bigint => BigInt.asIntN(8 * bytes.length, BigInt(`0x${bytes.toString('hex')}`));
  const hex = bytes.toString('hex');
  switch (name) {
    case 'ascii':
    case 'text':
      return bytes.toString('utf8');
    case 'blob':
      return `0x${hex}`;
    case 'boolean':
      return bytes[0] !== 0;
    // sstabledump reads the first eight bytes of the context as a number.
    case 'counter':
      return bytes.readBigInt64BE(0).toString();
    case 'float':
      return numberForm(bytes.readFloatBE());
    case 'double':
      return numberForm(bytes.readDoubleBE());
    case 'decimal': {
      const unscaled = scalarForm('varint', bytes.subarray(4)) as string;
      return `${unscaled} scale ${bytes.readInt32BE(0)}`;
    }
    case 'date':
      return new Date((bytes.readUInt32BE(0) - 2 ** 31) * 86_400_000).toISOString().slice(0, 10);
    case 'timestamp':
      return new Date(Number(big())).toISOString().replace('T', ' ');
    case 'time': {
      const clock = new Date(Number(big() / 1_000_000n)).toISOString().slice(11, 23);
      return clock + String(big() % 1_000_000n).padStart(6, '0');
    }
    case 'uuid':
    case 'timeuuid':
      return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    case 'inet':
      if (bytes.length === 4) return bytes.join('.');
      return (hex.match(/.{4}/g) ?? [])
        .map((each) => Number.parseInt(each, 16).toString(16))
        .join(':');
    case 'duration':
      return durationForm(bytes);
    default:
      return big().toString();
  }
}

function numberForm(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function durationForm(bytes: Buffer): string {
  const parts: bigint[] = [];
  for (let at = 0; at < bytes.length; ) {
    const more = Math.clz32(~((bytes[at] as number) << 24));
    let value = BigInt((bytes[at++] as number) & (0xff >> more));
    for (const end = at + more; at < end; at++) value = value * 256n + BigInt(bytes[at] as number);
    parts.push((value >> 1n) ^ -(value & 1n));
  }
  const sizes = [
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
  let text = parts.some((each) => each < 0n) ? '-' : '';
  parts.forEach((part, i) => {
    let rest = part < 0n ? -part : part;
    for (const [unit, size] of sizes[i] ?? []) {
      if (rest >= size) text += `${rest / size}${unit}`;
      rest %= size;
    }
  });
  return text;
}
