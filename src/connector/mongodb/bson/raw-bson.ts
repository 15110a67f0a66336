// Walks BSON bytes without making objects of them. Every offset is checked against its document, so
// damaged bytes give an error and never a wrong value. Names are Latin-1 text: one character a byte, so
// two names are equal exactly when their bytes are. Specification: bsonspec.org, version 1.1.
import { view } from '../../../base/bytes.ts';
import { CodrError } from '../../../base/error.ts';

/** The type byte that opens an element. */
export const bsonTypes = {
  end: 0x00,
  double: 0x01,
  string: 0x02,
  document: 0x03,
  array: 0x04,
  binary: 0x05,
  undefined: 0x06,
  objectId: 0x07,
  bool: 0x08,
  date: 0x09,
  null: 0x0a,
  regex: 0x0b,
  dbPointer: 0x0c,
  code: 0x0d,
  symbol: 0x0e,
  codeWithScope: 0x0f,
  int32: 0x10,
  timestamp: 0x11,
  int64: 0x12,
  decimal128: 0x13,
  maxKey: 0x7f,
  minKey: 0xff,
} as const;

/** Nesting that is followed; the server's own limit is 180. */
export const depthMax = 250;

/** One element of a document: `source` from `start` (type byte) to `end`. A view, never a copy. */
export interface BsonElement {
  readonly source: Buffer;
  readonly type: number;
  readonly start: number;
  readonly valueStart: number;
  readonly end: number;
}

/** The error for bytes that are no BSON. */
export function damagedBson(what: string, at: number): CodrError {
  return new CodrError('object-damaged', `${what} at byte ${at} of a BSON document`, {
    facts: { at },
  });
}

/** End of the document that begins at `at`: its length and its last byte are checked. */
export function documentEnd(source: Buffer, at: number, limit = source.length): number {
  if (at + 5 > limit) throw damagedBson('the document ends early', at);
  const end = at + source.readInt32LE(at);
  if (end < at + 5 || end > limit) throw damagedBson('the document has an impossible length', at);
  if (source[end - 1] !== 0) throw damagedBson('the document does not end with a zero', end - 1);
  return end;
}

/** The element at `at` of a document that ends at `documentEnd`, or undefined at the document's end. */
export function elementAt(source: Buffer, at: number, docEnd: number): BsonElement | undefined {
  const type = source[at] as number;
  if (type === 0) {
    if (at !== docEnd - 1) throw damagedBson('the document ends before its length', at);
    return undefined;
  }
  const valueStart = nameEnd(source, at, docEnd);
  return {
    source,
    type,
    start: at,
    valueStart,
    end: valueEnd(source, type, valueStart, docEnd - 1),
  };
}

/** The elements of the document at `at`, in their order. */
export function* elementsOf(bytes: Uint8Array, at = 0): Generator<BsonElement, void, undefined> {
  const source = view(bytes);
  const end = documentEnd(source, at);
  for (let next = elementAt(source, at + 4, end); next; next = elementAt(source, next.end, end)) {
    yield next;
  }
}

/** The first element called `name` (ASCII) of the document at `at`. */
export function findElement(bytes: Uint8Array, name: string, at = 0): BsonElement | undefined {
  const source = view(bytes);
  const end = documentEnd(source, at);
  for (let next = elementAt(source, at + 4, end); next; next = elementAt(source, next.end, end)) {
    if (hasName(next, name)) return next;
  }
  return undefined;
}

/** True when a top-level element of the document has the type. Asked of every record: no object is made. */
export function holdsType(document: Uint8Array, type: number): boolean {
  const source = view(document);
  const end = documentEnd(source, 0);
  for (let at = 4; source[at] !== bsonTypes.end; ) {
    const found = source[at] as number;
    if (found === type) return true;
    at = valueEnd(source, found, nameEnd(source, at, end), end - 1);
  }
  return false;
}

/** True when the element's name is `name`, an ASCII text. */
export function hasName(element: BsonElement, name: string): boolean {
  const length = name.length;
  const from = element.start + 1;
  if (element.valueStart - 1 - from !== length) return false;
  for (let i = 0; i < length; i++) {
    if (element.source[from + i] !== name.charCodeAt(i)) return false;
  }
  return true;
}

/** The name, one character a byte. */
export function nameOf(element: BsonElement): string {
  return element.source.toString('latin1', element.start + 1, element.valueStart - 1);
}

/** The bytes of the value, without type and name. */
export function valueBytes(element: BsonElement): Buffer {
  return element.source.subarray(element.valueStart, element.end);
}

/** Text of a string or symbol element; undefined for other types. */
export function stringOf(element: BsonElement | undefined): string | undefined {
  if (element?.type !== bsonTypes.string && element?.type !== bsonTypes.symbol) return undefined;
  return element.source.toString('utf8', element.valueStart + 4, element.end - 1);
}

/** The nested document's bytes; undefined when the element is absent or no document. */
export function documentOf(element: BsonElement | undefined): Buffer | undefined {
  return element?.type === bsonTypes.document ? valueBytes(element) : undefined;
}

/**
 * The documents that an array holds, as views; other values are left out. On the path of every record: no
 * object is made beside the views.
 */
export function documentsOf(array: Buffer): Buffer[] {
  const documents: Buffer[] = [];
  const arrayEnd = documentEnd(array, 0);
  let at = 4;
  while (array[at] !== bsonTypes.end) {
    const type = array[at] as number;
    const valueStart = nameEnd(array, at, arrayEnd);
    at = valueEnd(array, type, valueStart, arrayEnd - 1);
    if (type === bsonTypes.document) documents.push(array.subarray(valueStart, at));
  }
  if (at !== arrayEnd - 1) throw damagedBson('the document ends before its length', at);
  return documents;
}

/** The nested array's bytes (a document with the names 0, 1, …); undefined when it is none. */
export function arrayOf(element: BsonElement | undefined): Buffer | undefined {
  return element?.type === bsonTypes.array ? valueBytes(element) : undefined;
}

/** A timestamp or 64-bit integer as an unsigned 64-bit number; undefined for other types. */
export function uint64Of(element: BsonElement | undefined): bigint | undefined {
  if (element?.type !== bsonTypes.timestamp && element?.type !== bsonTypes.int64) return undefined;
  return element.source.readBigUInt64LE(element.valueStart);
}

/** A number of any binary type as a JS number; undefined for other types. */
export function numberOf(element: BsonElement | undefined): number | undefined {
  if (element?.type === bsonTypes.int32) return element.source.readInt32LE(element.valueStart);
  if (element?.type === bsonTypes.double) return element.source.readDoubleLE(element.valueStart);
  if (element?.type === bsonTypes.int64) {
    return Number(element.source.readBigInt64LE(element.valueStart));
  }
  return undefined;
}

/** True for `true` and for numbers other than zero: the server's reading of flags. */
export function flagOf(element: BsonElement | undefined): boolean {
  if (element?.type === bsonTypes.bool) return element.source[element.valueStart] === 1;
  return (numberOf(element) ?? 0) !== 0;
}

/** The 16 bytes of a UUID (binary of subtype 3 or 4) as 32 hex digits; undefined for all else. */
export function uuidOf(element: BsonElement | undefined): string | undefined {
  if (element?.type !== bsonTypes.binary) return undefined;
  const at = element.valueStart;
  const subtype = element.source[at + 4];
  if (element.source.readInt32LE(at) !== 16 || (subtype !== 4 && subtype !== 3)) return undefined;
  return element.source.toString('hex', at + 5, at + 21);
}

/** The offset behind the name of the element at `at`. Names are short: a loop beats a native search. */
function nameEnd(source: Buffer, at: number, docEnd: number): number {
  let end = at + 1;
  while (source[end] !== 0 && end < docEnd) end++;
  if (end >= docEnd - 1) throw damagedBson('a field name does not end', at);
  return end + 1;
}

const fixedLengths = new Int8Array(256).fill(-1);
for (const [type, length] of [
  [bsonTypes.double, 8],
  [bsonTypes.undefined, 0],
  [bsonTypes.objectId, 12],
  [bsonTypes.bool, 1],
  [bsonTypes.date, 8],
  [bsonTypes.null, 0],
  [bsonTypes.int32, 4],
  [bsonTypes.timestamp, 8],
  [bsonTypes.int64, 8],
  [bsonTypes.decimal128, 16],
  [bsonTypes.maxKey, 0],
  [bsonTypes.minKey, 0],
] as const) {
  fixedLengths[type] = length;
}

function valueEnd(source: Buffer, type: number, at: number, limit: number): number {
  const fixed = fixedLengths[type] as number;
  const end = fixed >= 0 ? at + fixed : variableEnd(source, type, at, limit);
  if (end > limit) throw damagedBson('a value is longer than its document', at);
  return end;
}

function variableEnd(source: Buffer, type: number, at: number, limit: number): number {
  switch (type) {
    case bsonTypes.document:
    case bsonTypes.array:
      return documentEnd(source, at, limit);
    case bsonTypes.string:
    case bsonTypes.symbol:
    case bsonTypes.code:
      return stringEnd(source, at, limit);
    case bsonTypes.binary:
      return lengthAt(source, at, limit, 0) + at + 5;
    case bsonTypes.regex:
      return cstringEnd(source, cstringEnd(source, at, limit), limit);
    case bsonTypes.dbPointer:
      return stringEnd(source, at, limit) + 12;
    case bsonTypes.codeWithScope: {
      const end = at + lengthAt(source, at, limit, 14);
      if (end > limit) throw damagedBson('a value is longer than its document', at);
      const scope = stringEnd(source, at + 4, end);
      if (documentEnd(source, scope, end) !== end) throw damagedBson('a scope is not whole', scope);
      return end;
    }
    default:
      throw damagedBson(`an element of unknown type ${type}`, at);
  }
}

function lengthAt(source: Buffer, at: number, limit: number, least: number): number {
  if (at + 4 > limit) throw damagedBson('a value ends early', at);
  const length = source.readInt32LE(at);
  if (length < least) throw damagedBson('a value has an impossible length', at);
  return length;
}

function stringEnd(source: Buffer, at: number, limit: number): number {
  const end = at + 4 + lengthAt(source, at, limit, 1);
  if (end > limit) throw damagedBson('a string is longer than its document', at);
  if (source[end - 1] !== 0) throw damagedBson('a string does not end with a zero', end - 1);
  return end;
}

function cstringEnd(source: Buffer, at: number, limit: number): number {
  const zero = source.indexOf(0, at);
  if (zero < 0 || zero >= limit) throw damagedBson('a text does not end', at);
  return zero + 1;
}
