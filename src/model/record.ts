// One document or row: order-preserving key bytes and native value bytes.
import { createHash } from 'node:crypto';
import { concatBytes } from '../base/bytes.ts';

export interface DataRecord {
  /** Byte order is the database's own order. Not empty; at most {@link keyBytesMax} + 32 bytes. */
  readonly key: Uint8Array;
  /** Native bytes, exactly as the database holds them (for capped collections behind an order prefix). */
  readonly value: Uint8Array;
}

/**
 * Records of ascending, distinct keys, at most a few MiB; several may read its memory. What an array of records can do,
 * so that it need not be one (`record-block.ts`).
 */
export interface RecordBatch extends Iterable<DataRecord> {
  readonly length: number;
  /** Raw bytes of all keys and values, where they are known. */
  readonly bytes?: number;
  /** Negative: from the end. */
  at(index: number): DataRecord | undefined;
  map<T>(give: (record: DataRecord, index: number) => T): T[];
  filter(keeps: (record: DataRecord) => boolean): readonly DataRecord[];
  slice(from?: number, to?: number): readonly DataRecord[];
}
/** Batches in ascending key order. */
export type RecordStream = AsyncIterable<RecordBatch>;

/** Raw bytes of all keys and values. */
export function batchBytes(batch: RecordBatch): number {
  if (batch.bytes !== undefined) return batch.bytes;
  let bytes = 0;
  for (const { key, value } of batch) bytes += key.length + value.length;
  return bytes;
}

/** The records one by one, for who asks for each several times. */
export function recordsOf(batch: RecordBatch): readonly DataRecord[] {
  return Array.isArray(batch) ? batch : batch.slice();
}

/** Keys longer than this are cut to it and followed by the SHA-256 of the whole. */
export const keyBytesMax = 1024;

/** The stored form of a key of any length: itself, or its first 1 KiB and the SHA-256 of the whole. */
export function boundedKey(key: Uint8Array): Uint8Array {
  if (key.length <= keyBytesMax) return key;
  return concatBytes([key.subarray(0, keyBytesMax), createHash('sha256').update(key).digest()]);
}
