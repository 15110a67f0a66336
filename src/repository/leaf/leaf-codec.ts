// A leaf as bytes: a sorted run of records, keys without the prefix they share with their predecessor.
// Written straight into a caller's buffer; `leaf-block.ts` reads it. Layout: docs/format/leaf.md.

import { assert } from '../../base/assert.ts';
import { ByteReader, commonPrefixLength, TruncatedBytesError, view } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import { leafIdBytes } from '../../model/id.ts';
import type { DataRecord } from '../../model/record.ts';

/** A record as a leaf holds it. Small values are inline; of large ones the leaf keeps the chunks' ids. */
export interface LeafRecord extends DataRecord {
  /** Inline: the value. External: the ids of its chunks, 32 bytes each. */
  readonly value: Uint8Array;
  /** Length of the whole value when it is external; absent when it is inline. */
  readonly externalBytes?: number | undefined;
}

/** First byte of every leaf and node: version of the format. */
export const blobVersion = 1;
/** Second byte: what the blob is. */
export const blobTypes = { leaf: 1, node: 2 } as const;

/** Length of a record inside its leaf as the cut rule counts it: key, in-leaf value bytes, and 8. */
export function recordCutLength(record: LeafRecord): number {
  return record.key.length + record.value.length + 8;
}

/** Length of the record's value as the database holds it. */
export function valueLength(record: LeafRecord): number {
  return record.externalBytes ?? record.value.length;
}

/** Bytes that `count` items of `cutBytes` cut length in all take at most when encoded. */
export function encodedBytesMax(count: number, cutBytes: number): number {
  return 16 + cutBytes + count * 12;
}

/**
 * Writes `records[from..to)` as a leaf at `at` and returns the offset after it; `target` must have room
 * for {@link encodedBytesMax}. Keys must ascend strictly, else this is a broken promise of the caller.
 */
export function encodeLeafInto(
  target: Buffer,
  at: number,
  records: readonly LeafRecord[],
  from: number,
  to: number,
): number {
  target[at] = blobVersion;
  target[at + 1] = blobTypes.leaf;
  let end = putVarint(target, at + 2, to - from);
  let previous: Uint8Array | undefined;
  for (let i = from; i < to; i++) {
    const record = records[i]!;
    const { key, value, externalBytes } = record;
    end = putKey(target, end, previous, key);
    end =
      externalBytes === undefined
        ? putVarint(target, end, value.length * 2)
        : putVarint(target, end, externalBytes * 2 + 1);
    if (externalBytes !== undefined) end = putVarint(target, end, value.length / leafIdBytes);
    target.set(value, end);
    end += value.length;
    previous = key;
  }
  return end;
}

/** One leaf in memory of its own. */
export function encodeLeaf(records: readonly LeafRecord[]): Uint8Array {
  let cutBytes = 0;
  for (const record of records) cutBytes += recordCutLength(record);
  const target = Buffer.allocUnsafe(encodedBytesMax(records.length, cutBytes));
  return target.subarray(0, encodeLeafInto(target, 0, records, 0, records.length));
}

/** Checks the header, runs `read` on the rest, and refuses bytes left over. Errors: `object-damaged`. */
export function decoding<T>(
  type: keyof typeof blobTypes,
  blob: Uint8Array,
  read: (reader: ByteReader) => T,
): T {
  try {
    const reader = new ByteReader(blob);
    const version = reader.u8();
    if (version !== blobVersion) {
      throw new CodrError('format-unknown', `a ${type} has format version ${version}`);
    }
    const found = reader.u8();
    if (found !== blobTypes[type]) {
      throw new CodrError(
        'object-damaged',
        `a blob of type ${found} stands where a ${type} should`,
      );
    }
    const result = read(reader);
    if (reader.remaining === 0) return result;
    throw new CodrError('object-damaged', `a ${type} has ${reader.remaining} bytes too many`);
  } catch (error) {
    if (!(error instanceof TruncatedBytesError)) throw error;
    throw new CodrError('object-damaged', `a ${type} ends early`, { cause: error });
  }
}

/** Shared length, rest length, rest. Asserts that `key` comes after `previous`. */
export function putKey(
  target: Buffer,
  at: number,
  previous: Uint8Array | undefined,
  key: Uint8Array,
): number {
  const shared = previous === undefined ? 0 : commonPrefixLength(previous, key);
  const ascends =
    previous === undefined || shared === previous.length || key[shared]! > previous[shared]!;
  assert(ascends && key.length > shared, 'keys of a dataset are not empty and ascend strictly');
  let end = putVarint(target, at, shared);
  end = putVarint(target, end, key.length - shared);
  for (let i = shared; i < key.length; i++) target[end++] = key[i]!;
  return end;
}

/** The key that {@link putKey} wrote; refuses an order or a prefix that it would not have written. */
export function readKey(reader: ByteReader, previous: Uint8Array | undefined): Uint8Array {
  const shared = reader.varint();
  const rest = reader.prefixed();
  const sharedMax = previous?.length ?? 0;
  const ascends = shared === sharedMax || (shared < sharedMax && rest[0]! > previous![shared]!);
  if (rest.length === 0 || !ascends) {
    throw damagedOrder();
  }
  if (shared === 0) return rest;
  const key = Buffer.allocUnsafe(shared + rest.length);
  view(previous!).copy(key, 0, 0, shared);
  key.set(rest, shared);
  return key;
}

export function damagedOrder(): CodrError {
  return new CodrError('object-damaged', 'keys of a leaf or node are out of order');
}

/** Unsigned LEB128 of a safe integer; returns the offset after it. */
export function putVarint(target: Buffer, at: number, value: number): number {
  let rest = value;
  let end = at;
  while (rest >= 128) {
    target[end++] = (rest % 128) + 128;
    rest = Math.floor(rest / 128);
  }
  target[end++] = rest;
  return end;
}
