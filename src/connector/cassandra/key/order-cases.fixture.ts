// Values of every type, as the bytes Cassandra holds, and how CQL orders them: comparators written from the types'
// meaning, with no code of the forms they check.
import fc from 'fast-check';
import type { CassandraType } from '../type/cassandra-type.ts';
import { parseCqlType } from '../type/cql-name.ts';

export interface OrderCase {
  /** Of the clustering column. */
  readonly cql: string;
  readonly type: CassandraType;
  readonly values: fc.Arbitrary<Buffer>;
  readonly compare: (a: Buffer, b: Buffer) => number;
}

type Compare = OrderCase['compare'];
interface Kind {
  readonly cql: string;
  readonly values: fc.Arbitrary<Buffer>;
  readonly compare: Compare;
}

const sign = (a: bigint | number, b: bigint | number): number => (a < b ? -1 : a > b ? 1 : 0);
const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes);
const raw = (minLength: number, maxLength = minLength): fc.Arbitrary<Buffer> =>
  fc
    .array(fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xfe, 0xff), fc.nat(255)), {
      minLength,
      maxLength,
    })
    .map((bytes) => Buffer.from(bytes));
const signed = (bytes: Buffer): bigint =>
  bytes.length === 0 ? 0n : BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`));

const integer = (cql: string, length: number): Kind => ({
  cql,
  values: raw(length),
  compare: (a, b) => sign(signed(a), signed(b)),
});
const byteString = (cql: string, values: fc.Arbitrary<Buffer>): Kind => ({
  cql,
  values,
  compare: Buffer.compare,
});

/** Java's Double.compare: -0.0 before 0.0, every NaN equal and last. */
function compareFloats(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return sign(+Number.isNaN(a), +Number.isNaN(b));
  if (a === 0 && b === 0) return sign(1 / a, 1 / b);
  return sign(a, b);
}

function compareDecimals(a: Buffer, b: Buffer): number {
  const scaleA = a.readInt32BE();
  const scaleB = b.readInt32BE();
  const scale = Math.max(scaleA, scaleB);
  const at = (bytes: Buffer, own: number) => signed(bytes.subarray(4)) * 10n ** BigInt(scale - own);
  return sign(at(a, scaleA), at(b, scaleB));
}

/** Time of a version 1 UUID, in 100 ns. */
function timeOf(uuid: Buffer): bigint {
  const hex = uuid.toString('hex');
  return BigInt(`0x${hex.slice(13, 16)}${hex.slice(8, 12)}${hex.slice(0, 8)}`);
}

function compareTimeuuids(a: Buffer, b: Buffer): number {
  const byTime = sign(timeOf(a), timeOf(b));
  if (byTime !== 0) return byTime;
  for (let i = 8; i < 16; i++) {
    const difference = sign(a.readInt8(i), b.readInt8(i));
    if (difference !== 0) return difference;
  }
  return 0;
}

function compareUuids(a: Buffer, b: Buffer): number {
  const versions = sign((a[6] as number) >> 4, (b[6] as number) >> 4);
  if (versions !== 0) return versions;
  const times = (a[6] as number) >> 4 === 1 ? sign(timeOf(a), timeOf(b)) : 0;
  return times !== 0 ? times : Buffer.compare(a, b);
}

const withVersion = (uuid: Buffer, version: number): Buffer => {
  uuid[6] = ((uuid[6] as number) & 0x0f) | (version << 4);
  return uuid;
};
/** Few different times, so that the lower halves decide as well. */
const timeuuids = fc
  .tuple(raw(8), raw(8), fc.boolean())
  .map(([time, rest, fixed]) =>
    withVersion(Buffer.concat([fixed ? Buffer.alloc(8) : time, rest]), 1),
  );

const decimals = fc
  .tuple(fc.integer({ min: -40, max: 40 }), raw(1, 12), fc.nat(3))
  .map(([scale, unscaled, zeros]) => {
    const number = signed(unscaled) * 10n ** BigInt(zeros);
    const bytes = Buffer.alloc(20);
    bytes.writeInt32BE(scale);
    bytes.writeBigInt64BE(number >> 64n, 4);
    bytes.writeBigUInt64BE(BigInt.asUintN(64, number), 12);
    return bytes;
  });

/** A number with sign bytes in front that it does not need. */
const varints = fc.tuple(raw(1, 20), fc.nat(3)).map(([bytes, more]) => {
  const fill = (bytes[0] as number) >= 0x80 ? 0xff : 0;
  return Buffer.concat([Buffer.alloc(more, fill), bytes]);
});

const int = integer('int', 4);
const text = byteString(
  'text',
  fc.string({ unit: 'grapheme', maxLength: 8 }).map((s) => Buffer.from(s)),
);
const blob = byteString('blob', raw(0, 6));
const varint: Kind = {
  cql: 'varint',
  values: varints,
  compare: (a, b) => sign(signed(a), signed(b)),
};
const timeuuid: Kind = { cql: 'timeuuid', values: timeuuids, compare: compareTimeuuids };
const decimal: Kind = { cql: 'decimal', values: decimals, compare: compareDecimals };

const scalars: readonly Kind[] = [
  int,
  text,
  blob,
  varint,
  timeuuid,
  decimal,
  integer('tinyint', 1),
  integer('smallint', 2),
  integer('bigint', 8),
  integer('timestamp', 8),
  byteString(
    'ascii',
    fc.string({ maxLength: 8 }).map((s) => Buffer.from(s, 'ascii')),
  ),
  byteString('date', raw(4)),
  byteString(
    'time',
    fc.bigInt({ min: 0n, max: 86_399_999_999_999n }).map((nanos) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64BE(nanos);
      return bytes;
    }),
  ),
  byteString('inet', fc.oneof(raw(4), raw(16))),
  {
    cql: 'boolean',
    values: raw(1),
    compare: (a, b) => sign(Math.min(1, a[0] as number), Math.min(1, b[0] as number)),
  },
  {
    cql: 'float',
    values: fc.oneof(raw(4), fc.constantFrom('7fc00000', 'ffc00000', '80000000').map(fromHex)),
    compare: (a, b) => compareFloats(a.readFloatBE(), b.readFloatBE()),
  },
  {
    cql: 'double',
    values: fc.oneof(raw(8), fc.constantFrom('7ff80000', 'fff80000', '80000000').map(wide)),
    compare: (a, b) => compareFloats(a.readDoubleBE(), b.readDoubleBE()),
  },
  {
    cql: 'uuid',
    values: fc.oneof(
      timeuuids,
      fc.tuple(raw(16), fc.constantFrom(4, 7)).map(([uuid, version]) => withVersion(uuid, version)),
    ),
    compare: compareUuids,
  },
];

function fromHex(hex: string): Buffer {
  return Buffer.from(hex, 'hex');
}
function wide(hex: string): Buffer {
  return fromHex(hex.padEnd(16, '0'));
}

/** length i32, bytes; null is -1. */
function part(bytes: Buffer | null): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(bytes === null ? -1 : bytes.length);
  return bytes === null ? length : Buffer.concat([length, bytes]);
}

function partsOf(bytes: Buffer, from: number): (Buffer | null)[] {
  const parts: (Buffer | null)[] = [];
  let at = from;
  while (at < bytes.length) {
    const length = bytes.readInt32BE(at);
    at += 4;
    parts.push(length < 0 ? null : bytes.subarray(at, at + length));
    at += Math.max(0, length);
  }
  return parts;
}

/** In turn; at equal starts, by `rest`. */
function compareParts(
  a: readonly (Buffer | null)[],
  b: readonly (Buffer | null)[],
  compares: readonly Compare[],
  rest: (a: readonly (Buffer | null)[], b: readonly (Buffer | null)[]) => number,
): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [one, other] = [a[i] ?? null, b[i] ?? null];
    if (one === null && other === null) continue;
    if (one === null) return -1;
    if (other === null) return 1;
    const compare = compares[i % compares.length] as Compare;
    const difference = compareOrEmpty(compare)(one, other);
    if (difference !== 0) return difference;
  }
  return rest(a, b);
}

/** A value of no bytes sorts before all others. */
function compareOrEmpty(compare: Compare): Compare {
  return (a, b) => (a.length === 0 || b.length === 0 ? sign(a.length, b.length) : compare(a, b));
}

const bySize = (a: readonly unknown[], b: readonly unknown[]) => sign(a.length, b.length);
/** A tuple that ends early equals one that has nulls there. */
const byMore = (a: readonly unknown[], b: readonly unknown[]) =>
  sign(
    +a.slice(b.length).some((each) => each !== null),
    +b.slice(a.length).some((each) => each !== null),
  );

/** Sets and maps hold each key once, in order: a server makes them so when it takes a value. */
function collection(cql: string, parts: readonly Kind[]): Kind {
  const compares = parts.map((each) => each.compare);
  const byKey = compareOrEmpty(compares[0] as Compare);
  return {
    cql: `frozen<${cql}>`,
    values: fc
      .array(fc.tuple(...parts.map((each) => each.values)), { maxLength: 4 })
      .map((entries) => {
        const kept = cql.startsWith('list') ? entries : distinct(entries, byKey);
        const count = Buffer.alloc(4);
        count.writeInt32BE(kept.length);
        return Buffer.concat([count, ...kept.flat().map(part)]);
      }),
    compare: (a, b) => compareParts(partsOf(a, 4), partsOf(b, 4), compares, bySize),
  };
}

function distinct(entries: readonly Buffer[][], byKey: Compare): Buffer[][] {
  const keyed = entries.map((entry) => ({ entry, key: entry[0] as Buffer }));
  keyed.sort((a, b) => byKey(a.key, b.key));
  return keyed
    .filter(({ key }, i) => i === 0 || byKey((keyed[i - 1] as { key: Buffer }).key, key) !== 0)
    .map(({ entry }) => entry);
}

function tuple(fields: readonly Kind[]): Kind {
  const compares = fields.map((each) => each.compare);
  const field = (each: Kind) => fc.option(each.values, { freq: 3 });
  return {
    cql: `frozen<tuple<${fields.map((each) => each.cql).join(', ')}>>`,
    values: fc
      .tuple(fc.tuple(...fields.map(field)), fc.integer({ min: 1, max: fields.length }))
      .map(([values, count]) => Buffer.concat(values.slice(0, count).map(part))),
    compare: (a, b) => compareParts(partsOf(a, 0), partsOf(b, 0), compares, byMore),
  };
}

function vector(element: Kind, dimension: number, length: number): Kind {
  const cut = (bytes: Buffer) =>
    length > 0
      ? Array.from({ length: dimension }, (_, i) => bytes.subarray(i * length, (i + 1) * length))
      : shortVectorParts(bytes);
  const prefix = (bytes: Buffer) => Buffer.concat([Buffer.from([bytes.length]), bytes]);
  return {
    cql: `vector<${element.cql}, ${dimension}>`,
    values: fc
      .array(element.values, { minLength: dimension, maxLength: dimension })
      .map((all) => Buffer.concat(length > 0 ? all : all.map(prefix))),
    compare: (a, b) => compareParts(cut(a), cut(b), [element.compare], bySize),
  };
}

/** Elements below 128 bytes: each after one byte of length. */
function shortVectorParts(bytes: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 1 + (bytes[at] as number)) {
    parts.push(bytes.subarray(at + 1, at + 1 + (bytes[at] as number)));
  }
  return parts;
}

const listOfText = collection('list<text>', [text]);
const nested: readonly Kind[] = [
  collection('list<int>', [int]),
  listOfText,
  collection('set<blob>', [blob]),
  collection('map<timeuuid, blob>', [timeuuid, blob]),
  collection(`list<${listOfText.cql}>`, [listOfText]),
  tuple([int, text, blob]),
  tuple([listOfText, varint, decimal]),
  collection(`set<${tuple([int, blob]).cql}>`, [tuple([int, blob])]),
];
const vectors: readonly Kind[] = [vector(int, 3, 4), vector(byteString('blob', raw(0, 6)), 2, 0)];

const noUserTypes = () => undefined;
const caseOf = (kind: Kind): OrderCase => ({
  cql: kind.cql,
  type: parseCqlType(kind.cql, noUserTypes, 'ks'),
  values: kind.values.map(asBuffer),
  compare: compareOrEmpty(kind.compare),
});

export const orderCases: readonly OrderCase[] = [...scalars, ...nested, ...vectors].map(caseOf);
