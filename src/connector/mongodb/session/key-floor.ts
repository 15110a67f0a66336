// Key bytes back as `_id` values, for the lower and upper bounds of index scans. Where a key cannot be
// turned back exactly (cut at 1 KiB, rare types), a value that sorts at or before it: the reader then
// passes over what lies between. The layout of keys is key/key-codec.ts's; every answer is held against it.
import {
  Binary,
  BSON,
  BSONRegExp,
  Code,
  Decimal128,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
} from 'mongodb';
import { ByteReader, compareBytes, equalBytes, view } from '../../../base/bytes.ts';
import { keyOfDocument, keyTypes } from '../key/key-codec.ts';
import { readNumber } from '../key/number-key.ts';

/** An `_id` at or before a key in the server's order. */
export interface KeyFloor {
  /** A value of the driver's types. */
  readonly value: unknown;
  /** True when `value` is the very key. */
  readonly exact: boolean;
}

/** The floor of any stored key. Never throws: what cannot be read has MinKey below it. */
export function keyFloor(key: Uint8Array): KeyFloor {
  for (const candidate of [decodeKey, typeFloor]) {
    try {
      const value = candidate(key);
      const again = keyOfDocument(BSON.serialize({ _id: value }));
      if (compareBytes(again, key) <= 0) return { value, exact: equalBytes(again, key) };
    } catch {
      // Not readable this way: the next candidate is coarser.
    }
  }
  return { value: new MinKey(), exact: false };
}

/** A reader that can look one byte ahead. */
class KeyReader extends ByteReader {
  readonly #key: Uint8Array;

  constructor(key: Uint8Array) {
    super(key);
    this.#key = key;
  }

  /** Passes over the next byte when it is `byte`. */
  skipIf(byte: number): boolean {
    if (this.#key[this.at] !== byte) return false;
    this.u8();
    return true;
  }
}

function decodeKey(key: Uint8Array): unknown {
  const reader = new KeyReader(key);
  return readValue(reader, reader.u8());
}

function readValue(reader: KeyReader, type: number): unknown {
  switch (type) {
    case keyTypes.minKey:
      return new MinKey();
    case keyTypes.maxKey:
      return new MaxKey();
    case keyTypes.null:
      return null;
    case keyTypes.number:
      return readNumberValue(reader);
    case keyTypes.string:
      return readText(reader);
    case keyTypes.document:
      return readDocument(reader);
    case keyTypes.array:
      return readArray(reader);
    case keyTypes.binary:
      return readBinary(reader);
    case keyTypes.objectId:
      return new ObjectId(reader.bytes(12));
    case keyTypes.bool:
      return reader.u8() === 1;
    case keyTypes.date:
      return readDate(reader);
    case keyTypes.timestamp:
      return new Timestamp(readBigEndian(reader));
    case keyTypes.regex:
      return new BSONRegExp(readName(reader), readName(reader));
    case keyTypes.code:
      return new Code(readText(reader));
    default:
      throw new Error(`keys of type ${type} are not read back`);
  }
}

function readNumberValue(reader: KeyReader): unknown {
  const number = readNumber(reader);
  if (number.kind === 'zero') return new Int32(0);
  if (number.kind === 'nan') return new Double(Number.NaN);
  if (number.kind === 'infinity') return new Double(Number.POSITIVE_INFINITY);
  if (number.kind !== 'finite') return new Double(Number.NEGATIVE_INFINITY);
  const text = `${number.negative ? '-' : ''}${number.digits}E${number.exponent}`;
  if (number.exponent >= 0 && number.exponent < 19) {
    const whole = BigInt(text.slice(0, text.indexOf('E'))) * 10n ** BigInt(number.exponent);
    if (BigInt.asIntN(64, whole) === whole) return Long.fromBigInt(whole);
  }
  // A number of more digits than a decimal holds was a double: the nearest double is that one.
  return number.digits.length <= 34 ? Decimal128.fromString(text) : new Double(Number(text));
}

/** Text up to its closing 0, where 0 255 stands for a zero byte; a cut text is its whole characters. */
function readText(reader: KeyReader): string {
  const bytes: number[] = [];
  while (reader.remaining > 0) {
    const byte = reader.u8();
    if (byte === 0 && !reader.skipIf(255)) break;
    bytes.push(byte);
  }
  const text = Buffer.from(bytes).toString('utf8');
  const broken = text.indexOf('\ufffd');
  return broken < 0 ? text : text.slice(0, broken);
}

function readName(reader: KeyReader): string {
  const bytes: number[] = [];
  for (let byte = reader.u8(); byte !== 0; byte = reader.u8()) bytes.push(byte);
  return Buffer.from(bytes).toString('utf8');
}

/** A Map: a plain object would sort names that look like numbers to the front. */
function readDocument(reader: KeyReader): Map<string, unknown> {
  const document = new Map<string, unknown>();
  for (let type = reader.u8(); type !== 0; type = reader.u8()) {
    document.set(readName(reader), readValue(reader, type));
  }
  return document;
}

function readArray(reader: KeyReader): unknown[] {
  const items: unknown[] = [];
  for (let type = reader.u8(); type !== 0; type = reader.u8()) items.push(readValue(reader, type));
  return items;
}

function readBinary(reader: KeyReader): Binary {
  const short = reader.u8();
  const length = short < 255 ? short : view(reader.bytes(4)).readUInt32BE(0);
  const subtype = reader.u8();
  const bytes = reader.bytes(length);
  // Subtype 2 holds its length a second time, which the serialiser adds by itself.
  return new Binary(Buffer.from(subtype === 2 ? bytes.subarray(4) : bytes), subtype);
}

function readDate(reader: KeyReader): Date {
  const ms = BigInt.asIntN(64, readBigEndian(reader) ^ (1n << 63n));
  const date = new Date(Number(ms));
  if (Number.isNaN(date.getTime())) throw new Error('outside of the dates that JavaScript has');
  return date;
}

function readBigEndian(reader: KeyReader): bigint {
  return view(reader.bytes(8)).readBigUInt64BE(0);
}

/** The first value of the key's type, or the last of the type before where there is no first one. */
function typeFloor(key: Uint8Array): unknown {
  const type = key[0] ?? 0;
  if (type >= keyTypes.maxKey) return new MaxKey();
  if (type >= keyTypes.regex) return new Timestamp((1n << 64n) - 1n);
  if (type >= keyTypes.timestamp) return new Timestamp(0n);
  if (type >= keyTypes.date) return true;
  if (type >= keyTypes.bool) return false;
  if (type >= keyTypes.objectId) return new ObjectId('000000000000000000000000');
  if (type >= keyTypes.binary) return new Binary(Buffer.alloc(0), 0);
  if (type >= keyTypes.document) return {};
  if (type >= keyTypes.string) return '';
  if (type >= keyTypes.number) return new Double(Number.NaN);
  return new MinKey();
}
