// Cassandra's byte-comparable forms (OSS50, utils/bytecomparable/ByteComparable.md): the bytes of two forms compare,
// unsigned, as the type compares the values; equal forms are equal values. No form followed by 20..60 is a prefix
// of another. A reversed type has all bits of the form inverted.
//
// Values of no bytes are the caller's: a separator stands for them (clustering-codec.ts), save for byte strings.
// Where OSS50 merges an empty and a null part of a tuple, these forms keep them apart, as TupleType compares.
import type { CassandraType, ScalarName } from '../type/cassandra-type.ts';
import type { ByteSink } from './byte-sink.ts';
import { decimalCodec } from './comparable-decimal.ts';
import { booleanCodec, bytesCodec, fixedCodec, floatCodec } from './comparable-scalar.ts';
import { collectionCodec, tupleCodec, vectorCodec } from './comparable-sequence.ts';
import { timeuuidCodec, uuidCodec } from './comparable-uuid.ts';
import { varintCodec } from './comparable-varint.ts';

export interface ComparableCodec {
  /**
   * decode gives back exactly what encode was given, for every value Cassandra can hold. Not so for decimal,
   * varint, boolean, float and double (other bytes of equal values), tuples and user types (nulls at the end).
   */
  readonly lossless: boolean;
  /** A value of no bytes has a form: byte strings. For others a separator stands for it. */
  readonly holdsEmpty: boolean;
  /**
   * Writes the form of bytes[start, end), a value of the type and never null, at target[at] and returns the
   * offset after it. No separators. `target` has room for `lengthMax(end - start)`.
   * @throws CodrError `source-unfit` for bytes that are no value of the type.
   */
  encode(bytes: Uint8Array, start: number, end: number, target: Uint8Array, at: number): number;
  /** Upper bound of the form's length for a value of `length` bytes. */
  lengthMax(length: number): number;
  /** Appends the value of the form at bytes[at] to `out`; returns the offset after the form. */
  decode(bytes: Uint8Array, at: number, out: ByteSink): number;
}

const longBytes = 8;

/** The codec of each scalar; `mask` is FF where the form is inverted, else 0. */
const scalarCodecs: Readonly<Record<ScalarName, (mask: number) => ComparableCodec>> = {
  ascii: bytesCodec,
  bigint: (mask) => fixedCodec('bigint', longBytes, 0x80, mask),
  blob: bytesCodec,
  boolean: booleanCodec,
  counter: (mask) => fixedCodec('counter', longBytes, 0x80, mask),
  date: (mask) => fixedCodec('date', 4, 0, mask),
  decimal: decimalCodec,
  double: (mask) => floatCodec('double', longBytes, mask),
  // Cassandra lets nobody order durations; the bytes as such keep equal ones together.
  duration: bytesCodec,
  empty: (mask) => fixedCodec('empty', 0, 0, mask),
  float: (mask) => floatCodec('float', 4, mask),
  inet: bytesCodec,
  int: (mask) => fixedCodec('int', 4, 0x80, mask),
  smallint: (mask) => fixedCodec('smallint', 2, 0x80, mask),
  text: bytesCodec,
  time: (mask) => fixedCodec('time', longBytes, 0, mask),
  timestamp: (mask) => fixedCodec('timestamp', longBytes, 0x80, mask),
  timeuuid: timeuuidCodec,
  tinyint: (mask) => fixedCodec('tinyint', 1, 0x80, mask),
  uuid: uuidCodec,
  varint: varintCodec,
};

/** The codec of a type's forms. Collections and user types are taken as frozen. */
export function comparableCodec(type: CassandraType): ComparableCodec {
  return type.kind === 'reversed' ? codecOf(type.type, 0xff) : codecOf(type, 0);
}

function codecOf(type: CassandraType, mask: number): ComparableCodec {
  switch (type.kind) {
    case 'scalar':
      return scalarCodecs[type.name](mask);
    case 'list':
    case 'set':
      return collectionCodec([codecOf(type.element, mask)], mask);
    case 'map':
      return collectionCodec([codecOf(type.key, mask), codecOf(type.value, mask)], mask);
    case 'tuple':
      return tupleCodec(
        type.fields.map((each) => codecOf(each, mask)),
        mask,
      );
    case 'udt':
      return tupleCodec(
        type.fields.map((each) => codecOf(each.type, mask)),
        mask,
      );
    case 'vector':
      return vectorCodec(codecOf(type.element, mask), type, mask);
    case 'reversed':
      return codecOf(type.type, mask ^ 0xff);
    case 'composite':
      return bytesCodec(mask);
  }
}
