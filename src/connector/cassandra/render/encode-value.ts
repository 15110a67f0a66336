// What a user writes for a value of a key column, as Cassandra holds it. Collections in keys are frozen; sets and maps
// are put into the order in which Cassandra keeps them.
import { compareBytes, concatBytes } from '../../../base/bytes.ts';
import { comparableCodec } from '../key/comparable.ts';
import type { CassandraType } from '../type/cassandra-type.ts';
import { fixedValueLength } from '../type/value-layout.ts';
import { encodeScalar, LiteralError } from './encode-scalar.ts';
import { jsonLiteral, type Literal, literalText } from './literal.ts';

/**
 * Undefined is null. An empty string in place of what is no text is a value of no bytes, as value-json.ts shows it.
 * @throws LiteralError when it is no value of the type.
 */
export function encodeValue(type: CassandraType, literal: Literal): Uint8Array | undefined {
  if (literal.kind === 'null') return undefined;
  if (type.kind === 'reversed') return encodeValue(type.type, literal);
  if (literal.kind === 'string' && literal.text === '') return new Uint8Array(0);
  if (type.kind === 'scalar') return encodeScalar(type.name, literal);
  if (literal.kind === 'string') return encodeValue(type, nested(literal.text));
  const no = (what: string): LiteralError =>
    new LiteralError(`${literalText(literal)} is no ${what}`);
  switch (type.kind) {
    case 'list':
    case 'set': {
      const items = itemsOf(literal);
      if (!items) throw no(type.kind);
      const values = items.map((item) => present(encodeValue(type.element, item)));
      const kept = type.kind === 'set' ? ordered(type.element, values, (value) => value) : values;
      return counted(kept.length, kept);
    }
    case 'map': {
      if (literal.kind !== 'entries') throw no('map');
      const pairs = literal.entries.map(
        ([key, value]) =>
          [present(encodeValue(type.key, key)), present(encodeValue(type.value, value))] as const,
      );
      const kept = ordered(type.key, pairs, ([key]) => key);
      return counted(kept.length, kept.flat());
    }
    case 'tuple': {
      const items = itemsOf(literal);
      if (!items || items.length > type.fields.length) throw no('tuple of the column');
      return concatBytes(items.map((item, i) => sized(encodeValue(typeAt(type.fields, i), item))));
    }
    case 'udt': {
      if (literal.kind !== 'entries') throw no(type.name);
      const fields = new Map(literal.entries.map(([name, value]) => [textOf(name), value]));
      const parts = type.fields.map(({ name, type: field }) => {
        const value = fields.get(name) ?? { kind: 'null' as const };
        fields.delete(name);
        return sized(encodeValue(field, value));
      });
      const [unknown] = fields.keys();
      if (unknown !== undefined) throw new LiteralError(`${type.name} has no field "${unknown}"`);
      return concatBytes(parts);
    }
    case 'vector': {
      const items = itemsOf(literal);
      if (items?.length !== type.dimension) throw no(`vector of ${type.dimension}`);
      const values = items.map((item) => present(encodeValue(type.element, item)));
      if (fixedValueLength(type.element) >= 0) return concatBytes(values);
      return concatBytes(values.flatMap((value) => [vint(value.length), value]));
    }
    case 'composite':
      throw no('value');
  }
}

/** Keys of JSON objects that are no text stand as text: `{"[1]": 2}`. */
function nested(text: string): Literal {
  try {
    return jsonLiteral(text);
  } catch {
    throw new LiteralError(`'${text}' is no JSON`);
  }
}

/** `{}` may be meant as a set too. */
function itemsOf(literal: Literal): readonly Literal[] | undefined {
  if (literal.kind === 'items') return literal.items;
  return literal.kind === 'entries' && literal.entries.length === 0 ? [] : undefined;
}

function textOf(literal: Literal): string {
  return 'text' in literal ? literal.text : literalText(literal);
}

function typeAt(fields: readonly CassandraType[], i: number): CassandraType {
  return fields[i] as CassandraType;
}

function present(value: Uint8Array | undefined): Uint8Array {
  if (value) return value;
  throw new LiteralError('null is no element of a collection');
}

/** Ascending as Cassandra compares; of equal ones the first. */
function ordered<T>(type: CassandraType, items: readonly T[], keyOf: (item: T) => Uint8Array): T[] {
  const codec = comparableCodec(type);
  const formOf = (value: Uint8Array): Uint8Array => {
    if (value.length === 0 && !codec.holdsEmpty) return value;
    const form = new Uint8Array(codec.lengthMax(value.length));
    return form.subarray(0, codec.encode(value, 0, value.length, form, 0));
  };
  const forms = items.map((item) => ({ item, form: formOf(keyOf(item)) }));
  return forms
    .sort((a, b) => compareBytes(a.form, b.form))
    .filter(({ form }, i) => i === 0 || compareBytes(form, forms[i - 1]?.form ?? form) !== 0)
    .map(({ item }) => item);
}

function counted(count: number, values: readonly Uint8Array[]): Uint8Array {
  return concatBytes([i32(count), ...values.map(sized)]);
}

function sized(value: Uint8Array | undefined): Uint8Array {
  return value ? concatBytes([i32(value.length), value]) : i32(-1);
}

function i32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** Cassandra's unsigned vint, of a length of up to 28 bits. */
function vint(value: number): Uint8Array {
  let extra = 0;
  while (value >= 2 ** (7 * (extra + 1))) extra++;
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  const kept = bytes.subarray(3 - extra);
  kept[0] = (kept[0] as number) | ((0xff << (8 - extra)) & 0xff);
  return kept;
}
