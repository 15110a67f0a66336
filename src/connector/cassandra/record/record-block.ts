// Many records in one buffer: what readers, the merge and writers hand on, without an object per record.
import type { RecordBatch } from '../../../model/record.ts';

/**
 * Ascending, distinct keys. The key of record i is `bytes[bounds[2i], bounds[2i + 1])`, its value
 * `bytes[bounds[2i + 1], bounds[2i + 2])`. At most a few MiB, save for a single record that is larger.
 * The memory belongs to the consumer.
 */
export interface RecordBlock {
  readonly bytes: Uint8Array;
  /** 2 × count + 1 offsets. */
  readonly bounds: Uint32Array;
  readonly count: number;
}

export type BlockStream = AsyncIterable<RecordBlock>;

/** What batches were made of, for who wants it as a block again: a record is copied once less. */
const origins = new WeakMap<RecordBatch, RecordBlock>();

/** Views over the block's memory. */
export function batchOf(block: RecordBlock): RecordBatch {
  const { bytes, bounds, count } = block;
  const batch = new Array<{ key: Uint8Array; value: Uint8Array }>(count);
  for (let i = 0; i < count; i++) {
    const middle = bounds[2 * i + 1] as number;
    batch[i] = {
      key: bytes.subarray(bounds[2 * i] as number, middle),
      value: bytes.subarray(middle, bounds[2 * i + 2] as number),
    };
  }
  origins.set(batch, block);
  return batch;
}

/** One buffer with all records of a batch; others may read it too, so its memory is not to be given away. */
export function blockOf(batch: RecordBatch): RecordBlock {
  const origin = origins.get(batch);
  if (origin) return origin;
  const bounds = new Uint32Array(2 * batch.length + 1);
  let at = 0;
  batch.forEach(({ key, value }, i) => {
    bounds[2 * i] = at;
    bounds[2 * i + 1] = at + key.length;
    at += key.length + value.length;
  });
  bounds[2 * batch.length] = at;
  const bytes = new Uint8Array(at);
  batch.forEach(({ key, value }, i) => {
    bytes.set(key, bounds[2 * i] as number);
    bytes.set(value, bounds[2 * i + 1] as number);
  });
  return { bytes, bounds, count: batch.length };
}
