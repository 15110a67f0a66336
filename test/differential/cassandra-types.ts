// Random CQL types and literals of their values. Values are few and small, so that writers meet;
// among them are the edges: empty texts, NaN, the least and greatest numbers, nested collections,
// nulls.
import type { Random } from '../../src/base/random.ts';

export interface ValueType {
  /** As a statement names it. */
  readonly cql: string;
  readonly literal: (random: Random) => string;
}

/** Stored as one cell an element; operations go to elements. */
export type ComplexType = ValueType &
  (
    | { readonly kind: 'list' | 'set'; readonly element: ValueType }
    | { readonly kind: 'map'; readonly key: ValueType; readonly element: ValueType }
    | { readonly kind: 'udt'; readonly fields: readonly UdtField[] }
  );

export interface UdtField {
  readonly name: string;
  readonly type: ValueType;
}

export function pick<T>(random: Random, items: readonly T[]): T {
  return items[random.below(items.length)] as T;
}

export function some<T>(random: Random, count: number, make: () => T): T[] {
  return Array.from({ length: random.below(count + 1) }, make);
}

const texts = ['', 'a', 'ab', 'b', "it''s", 'é', '漢字', 'x'.repeat(40)];

/** Of equal values with other bytes the server keeps any: none of these types has such. */
const keyTypes: readonly ValueType[] = [
  of('int', ['0', '1', '-1', '7', '2147483647', '-2147483648']),
  of('bigint', ['0', '-5', '9', '9223372036854775807', '-9223372036854775808']),
  of('smallint', ['0', '-3', '300', '32767', '-32768']),
  of('tinyint', ['0', '-3', '30', '127', '-128']),
  of('varint', ['0', '-1', '255', '256', '-256', '123456789012345678901234567890', '-99999999999']),
  // One scale only: 1.0 and 1.00 are one key of two spellings.
  of('decimal', ['0.5', '-0.5', '1.5', '12.5', '-1234567890123456789.5', '99999999999999999999.5']),
  of('double', ['0.0', '-0.0', '1.5', '-1.5', '1e300', 'NaN', 'Infinity', '-Infinity']),
  of('float', ['0.0', '-0.0', '1.5', '-1.5', '1e30', 'NaN', 'Infinity']),
  of('text', texts.map(quoted)),
  of('ascii', ['', 'a', 'aa', 'b', '~'].map(quoted)),
  of('blob', ['0x', '0x00', '0x0000', '0x00ff', '0xff', '0xff00']),
  of('boolean', ['true', 'false']),
  of('date', ['1970-01-01', '2024-02-29', '1969-12-31', '9999-12-31'].map(quoted)),
  of('time', ['00:00:00', '00:00:00.000000001', '23:59:59.999999999'].map(quoted)),
  of('timestamp', ['0', '-1', '1700000000000', '253402300799999']),
  of('inet', ['1.2.3.4', '255.0.0.1', '::1', 'fe80::1'].map(quoted)),
  of('uuid', [uuid('4', '0'), uuid('4', 'f'), uuid('1', '3'), uuid('7', '5')]),
  of('timeuuid', [uuid('1', '0'), uuid('1', '9'), uuid('1', 'f')]),
];

const plainTypes: readonly ValueType[] = [
  ...keyTypes,
  of('duration', ['1mo2d3s', '0s', '-1mo1d1ns', '12h']),
];

/** A type for a part of the key: scalar, or frozen of any shape. */
export function keyType(random: Random, udt: readonly UdtField[]): ValueType {
  return random.below(4) > 0 ? pick(random, keyTypes) : frozenType(random, udt, keyTypes);
}

export function cellType(random: Random, udt: readonly UdtField[]): ValueType {
  return random.below(3) > 0 ? pick(random, plainTypes) : frozenType(random, udt, plainTypes);
}

export function complexType(random: Random, udt: readonly UdtField[]): ComplexType {
  const [key, element] = [pick(random, keyTypes), pick(random, keyTypes)];
  const shapes: readonly ComplexType[] = [
    { kind: 'list', element, ...listOf(element) },
    { kind: 'set', element, ...setOf(element) },
    { kind: 'map', key, element, ...mapOf(key, element) },
    { kind: 'udt', fields: udt, ...udtOf(udt) },
  ];
  return pick(random, shapes);
}

/** Fields of the one user type of a keyspace. */
export function udtFields(random: Random): UdtField[] {
  const nested = listOf(pick(random, keyTypes));
  return [
    { name: 'street', type: pick(random, keyTypes) },
    { name: 'zip', type: pick(random, keyTypes) },
    { name: 'notes', type: { ...nested, cql: `frozen<${nested.cql}>` } },
  ];
}

export const udtName = 'address';

function frozenType(
  random: Random,
  udt: readonly UdtField[],
  elements: readonly ValueType[],
): ValueType {
  const [a, b] = [pick(random, elements), pick(random, keyTypes)];
  const inner = listOf(a);
  const tuple: ValueType = {
    cql: `tuple<${a.cql}, ${b.cql}>`,
    literal: (r) => `(${r.below(5) ? a.literal(r) : 'null'}, ${b.literal(r)})`,
  };
  const shape = pick(random, [
    inner,
    setOf(b),
    mapOf(b, a),
    mapOf(b, { ...inner, cql: `frozen<${inner.cql}>` }),
    tuple,
    udtOf(udt),
  ]);
  return { ...shape, cql: `frozen<${shape.cql}>` };
}

function listOf({ cql, literal }: ValueType): ValueType {
  return { cql: `list<${cql}>`, literal: (r) => `[${some(r, 3, () => literal(r)).join(', ')}]` };
}

function setOf({ cql, literal }: ValueType): ValueType {
  return { cql: `set<${cql}>`, literal: (r) => `{${some(r, 3, () => literal(r)).join(', ')}}` };
}

function mapOf(key: ValueType, value: ValueType): ValueType {
  const entry = (r: Random): string => `${key.literal(r)}: ${value.literal(r)}`;
  return {
    cql: `map<${key.cql}, ${value.cql}>`,
    literal: (r) => `{${some(r, 3, () => entry(r)).join(', ')}}`,
  };
}

/** Fields are left out now and then. */
function udtOf(fields: readonly UdtField[]): ValueType {
  return {
    cql: udtName,
    literal: (r) => {
      const set = fields.filter((_, i) => i === 0 || r.below(4) > 0);
      return `{${set.map(({ name, type }) => `${name}: ${type.literal(r)}`).join(', ')}}`;
    },
  };
}

function of(cql: string, literals: readonly string[]): ValueType {
  return { cql, literal: (random) => pick(random, literals) };
}

function quoted(text: string): string {
  return `'${text}'`;
}

function uuid(version: string, digit: string): string {
  const d = (count: number): string => digit.repeat(count);
  return `${d(8)}-${d(4)}-${version}${d(3)}-8${d(3)}-${d(12)}`;
}
