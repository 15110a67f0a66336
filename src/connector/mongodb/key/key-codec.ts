// Key bytes whose unsigned order is MongoDB's own order of `_id` values (the order of a simple-collation
// index), and which are equal exactly where the server finds two values equal. Source of the order:
// the manual's "Comparison/Sort Order", held against a real server by key-codec.mongod.test.ts.
// Page: docs/format/mongodb-keys.md.
import { ByteWriter, view } from '../../../base/bytes.ts';
import { CodrError } from '../../../base/error.ts';
import { boundedKey } from '../../../model/record.ts';
import {
  type BsonElement,
  bsonTypes,
  damagedBson,
  depthMax,
  documentEnd,
  elementAt,
  findElement,
} from '../bson/raw-bson.ts';
import { appendDecimal128, appendDouble, appendInteger } from './number-key.ts';

/** First byte of a key, ascending in MongoDB's order of types; 0 closes a document or array. */
export const keyTypes = {
  minKey: 10,
  undefined: 15,
  null: 20,
  number: 30,
  string: 60,
  document: 70,
  array: 80,
  binary: 90,
  objectId: 100,
  bool: 110,
  date: 120,
  timestamp: 130,
  regex: 140,
  dbPointer: 150,
  code: 160,
  codeWithScope: 170,
  maxKey: 240,
} as const;

/**
 * The key of a document by its `_id`, wherever that stands; bounded to 1 KiB + 32 bytes. The caller owns
 * the result. Errors: `object-damaged` when there is no `_id` or the bytes are no BSON.
 */
export function keyOfDocument(document: Uint8Array): Uint8Array {
  const source = view(document);
  const end = documentEnd(source, 0);
  // Most documents begin so; the general way makes two objects a document.
  if (source[4] === bsonTypes.objectId && hasIdName(source, 4) && end >= objectIdDocumentBytes) {
    return objectIdKey(source, 9);
  }
  let id = elementAt(source, 4, end);
  if (!id || !isId(id)) id = findElement(source, '_id');
  if (!id) throw new CodrError('object-damaged', 'a document has no _id');
  return encodeKey(id);
}

/** The key of one value, its name left out; bounded to 1 KiB + 32 bytes. The caller owns the result. */
export function encodeKey(element: BsonElement): Uint8Array {
  const { source, type, valueStart: at } = element;
  if (type === bsonTypes.objectId) return objectIdKey(source, at);
  const out = new ByteWriter(element.end - at + 8);
  out.u8(keyTypeOf(type, at));
  appendValue(out, element, 0);
  return boundedKey(out.finish());
}

/** Length, type, `_id` and its zero, 12 bytes, and the document's zero. */
const objectIdDocumentBytes = 4 + 1 + 4 + 12 + 1;

function objectIdKey(source: Buffer, at: number): Uint8Array {
  const key = Buffer.allocUnsafe(13);
  key[0] = keyTypes.objectId;
  for (let i = 0; i < 12; i++) key[i + 1] = source[at + i] as number;
  return key;
}

function isId({ source, start }: BsonElement): boolean {
  return hasIdName(source, start);
}

/** True when the element that begins at `start` is called `_id`. */
function hasIdName(source: Buffer, start: number): boolean {
  return (
    source[start + 1] === 0x5f &&
    source[start + 2] === 0x69 &&
    source[start + 3] === 0x64 &&
    source[start + 4] === 0
  );
}

function keyTypeOf(type: number, at: number): number {
  switch (type) {
    case bsonTypes.double:
    case bsonTypes.int32:
    case bsonTypes.int64:
    case bsonTypes.decimal128:
      return keyTypes.number;
    case bsonTypes.string:
    case bsonTypes.symbol:
      return keyTypes.string;
    case bsonTypes.document:
      return keyTypes.document;
    case bsonTypes.array:
      return keyTypes.array;
    case bsonTypes.binary:
      return keyTypes.binary;
    case bsonTypes.objectId:
      return keyTypes.objectId;
    case bsonTypes.bool:
      return keyTypes.bool;
    case bsonTypes.date:
      return keyTypes.date;
    case bsonTypes.timestamp:
      return keyTypes.timestamp;
    case bsonTypes.null:
      return keyTypes.null;
    case bsonTypes.undefined:
      return keyTypes.undefined;
    case bsonTypes.regex:
      return keyTypes.regex;
    case bsonTypes.dbPointer:
      return keyTypes.dbPointer;
    case bsonTypes.code:
      return keyTypes.code;
    case bsonTypes.codeWithScope:
      return keyTypes.codeWithScope;
    case bsonTypes.minKey:
      return keyTypes.minKey;
    case bsonTypes.maxKey:
      return keyTypes.maxKey;
    default:
      throw damagedBson(`an element of unknown type ${type}`, at);
  }
}

function appendValue(out: ByteWriter, element: BsonElement, depth: number): void {
  const { source, type, valueStart: at, end } = element;
  switch (type) {
    case bsonTypes.double:
      appendDouble(out, source.readDoubleLE(at));
      break;
    case bsonTypes.int32:
      appendInteger(out, source.readInt32LE(at));
      break;
    case bsonTypes.int64:
      appendInteger(out, source.readBigInt64LE(at));
      break;
    case bsonTypes.decimal128:
      appendDecimal128(out, source.readBigUInt64LE(at), source.readBigUInt64LE(at + 8));
      break;
    case bsonTypes.string:
    case bsonTypes.symbol:
    case bsonTypes.code:
      appendText(out, source, at + 4, end - 1);
      break;
    case bsonTypes.document:
    case bsonTypes.array:
      appendDocument(out, source, at, type === bsonTypes.document, depth + 1);
      break;
    case bsonTypes.binary:
      appendLength(out, source.readInt32LE(at));
      out.bytes(source.subarray(at + 4, end));
      break;
    case bsonTypes.date: // signed: the flipped sign bit sorts negative times first
      appendBigEndian(out, source.readBigInt64LE(at) ^ -(1n << 63n));
      break;
    case bsonTypes.timestamp:
      appendBigEndian(out, source.readBigUInt64LE(at));
      break;
    case bsonTypes.dbPointer: // shorter first, then the bytes of namespace and id
      appendLength(out, source.readInt32LE(at));
      out.bytes(source.subarray(at + 4, end));
      break;
    case bsonTypes.codeWithScope: {
      const scope = at + 8 + source.readInt32LE(at + 4);
      appendText(out, source, at + 8, scope - 1);
      appendDocument(out, source, scope, true, depth + 1);
      break;
    }
    default: // bool, ObjectId, regex: their bytes; null, undefined, MinKey, MaxKey: none
      out.bytes(source.subarray(at, end));
  }
}

/** Per element: type, name (documents only), value; then 0. So the server compares: type, name, value. */
function appendDocument(
  out: ByteWriter,
  source: Buffer,
  at: number,
  named: boolean,
  depth: number,
): void {
  if (depth > depthMax) throw damagedBson('a document nested too deep', at);
  const end = documentEnd(source, at);
  for (let next = elementAt(source, at + 4, end); next; next = elementAt(source, next.end, end)) {
    out.u8(keyTypeOf(next.type, next.start));
    if (named) out.bytes(source.subarray(next.start + 1, next.valueStart));
    appendValue(out, next, depth);
  }
  out.u8(0);
}

/** Bytes, a zero among them as 0 255, closed by 0: a prefix sorts first, and no type byte is 255. */
function appendText(out: ByteWriter, source: Buffer, start: number, end: number): void {
  let from = start;
  for (
    let zero = source.indexOf(0, from);
    zero >= 0 && zero < end;
    zero = source.indexOf(0, from)
  ) {
    out.bytes(source.subarray(from, zero + 1)).u8(255);
    from = zero + 1;
  }
  out.bytes(source.subarray(from, end)).u8(0);
}

function appendLength(out: ByteWriter, length: number): void {
  if (length < 255) out.u8(length);
  else
    out
      .u8(255)
      .u8(length >>> 24)
      .u8((length >>> 16) & 255)
      .u8((length >>> 8) & 255)
      .u8(length & 255);
}

function appendBigEndian(out: ByteWriter, value: bigint): void {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64BE(BigInt.asUintN(64, value));
  out.bytes(bytes);
}
