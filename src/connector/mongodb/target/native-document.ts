// Small documents (options, index specifications, views) as values that the driver writes back to the same
// bytes: Maps keep the order of names that look like numbers, wrappers keep the types of numbers.
import { BSON } from 'mongodb';
import { concatBytes } from '../../../base/bytes.ts';
import { type BsonElement, bsonTypes, elementsOf, valueBytes } from '../bson/raw-bson.ts';

export type NativeDocument = Map<string, unknown>;

/** Fields of `bytes`, in their order. */
export function nativeDocument(bytes: Uint8Array): NativeDocument {
  const document: NativeDocument = new Map();
  for (const element of elementsOf(bytes)) {
    const { source, start, valueStart } = element;
    document.set(source.toString('utf8', start + 1, valueStart - 1), nativeValue(element));
  }
  return document;
}

function nativeValue(element: BsonElement): unknown {
  if (element.type === bsonTypes.document) return nativeDocument(valueBytes(element));
  if (element.type === bsonTypes.array) {
    return [...elementsOf(valueBytes(element))].map(nativeValue);
  }
  const { source, type, valueStart, end } = element;
  const head = Buffer.alloc(7);
  head.writeInt32LE(end - valueStart + 8, 0);
  head[4] = type;
  head[5] = 0x76;
  const single = concatBytes([head, source.subarray(valueStart, end), new Uint8Array(1)]);
  return BSON.deserialize(single, { promoteValues: false, bsonRegExp: true }).v;
}
