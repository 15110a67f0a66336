// The driver loses its place behind a null in a list: it takes the length -1 for one. Lists in tables
// hold no nulls, but `ttl(a_map)` is one with nulls in it. Importing this file makes the driver read
// them right.
import { createRequire } from 'node:module';
import { types } from 'cassandra-driver';

interface Decoder {
  decode(bytes: Buffer | null, type: ListType): unknown;
}

interface ListType {
  readonly code: number;
  readonly info: ListType;
}

const { prototype } = createRequire(import.meta.url)('cassandra-driver/lib/encoder.js') as {
  readonly prototype: Decoder;
};
const decodeAny = prototype.decode;

/** As the native protocol has it: a count, then each element behind its length, -1 for null. */
prototype.decode = function decode(this: Decoder, bytes, type) {
  if (bytes === null || type.code !== types.dataTypes.list)
    return decodeAny.call(this, bytes, type);
  const elements = new Array<unknown>(bytes.readInt32BE(0));
  let at = 4;
  for (let i = 0; i < elements.length; i++) {
    const length = bytes.readInt32BE(at);
    at += 4;
    if (length < 0) {
      elements[i] = null;
      continue;
    }
    elements[i] = decodeAny.call(this, bytes.subarray(at, at + length), type.info);
    at += length;
  }
  return elements;
};
