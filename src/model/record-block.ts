// Many records in one buffer: what trees, readers, the merge and writers hand on, without an object per record. As a
// batch it is read in place; views of its records are made when somebody asks for them.
import { batchBytes, type DataRecord, type RecordBatch, type RecordStream } from './record.ts';

/**
 * Ascending, distinct keys. The key of record i is `bytes[bounds[2i], bounds[2i + 1])`, its value
 * `bytes[bounds[2i + 1], bounds[2i + 2])`. At most a few MiB, save for a single record that is larger.
 * Others may read its memory too: it is neither written nor given away.
 */
export interface RecordBlock {
  readonly bytes: Uint8Array;
  /** 2 × count + 1 offsets. */
  readonly bounds: Uint32Array;
  readonly count: number;
}

export type BlockStream = AsyncIterable<RecordBlock>;

/** A block's records, in its memory. */
export class BlockBatch implements RecordBatch {
  readonly block: RecordBlock;
  #records: readonly DataRecord[] | undefined;

  constructor(block: RecordBlock) {
    this.block = block;
  }

  get length(): number {
    return this.block.count;
  }

  /** Raw bytes of all keys and values. */
  get bytes(): number {
    const { bounds, count } = this.block;
    return (bounds[2 * count] as number) - (bounds[0] as number);
  }

  at(index: number): DataRecord | undefined {
    const { bytes, bounds, count } = this.block;
    const i = index < 0 ? index + count : index;
    if (i < 0 || i >= count) return undefined;
    const middle = bounds[2 * i + 1] as number;
    return {
      key: bytes.subarray(bounds[2 * i], middle),
      value: bytes.subarray(middle, bounds[2 * i + 2]),
    };
  }

  [Symbol.iterator](): Iterator<DataRecord> {
    return this.records.values();
  }

  map<T>(give: (record: DataRecord, index: number) => T): T[] {
    return this.records.map(give);
  }

  filter(keeps: (record: DataRecord) => boolean): readonly DataRecord[] {
    return this.records.filter(keeps);
  }

  slice(from?: number, to?: number): readonly DataRecord[] {
    return this.records.slice(from, to);
  }

  /** Made once: several may read the batch. */
  get records(): readonly DataRecord[] {
    this.#records ??= Array.from({ length: this.length }, (_, i) => this.at(i) as DataRecord);
    return this.#records;
  }
}

export function batchOf(block: RecordBlock): BlockBatch {
  return new BlockBatch(block);
}

/** Each block as a batch. */
export async function* batchesOf(blocks: BlockStream): RecordStream {
  for await (const block of blocks) yield batchOf(block);
}

/** One buffer with all records of a batch. */
export function blockOf(batch: RecordBatch): RecordBlock {
  if (batch instanceof BlockBatch) return batch.block;
  const bounds = new Uint32Array(2 * batch.length + 1);
  const bytes = new Uint8Array(batchBytes(batch));
  let [at, i] = [0, 0];
  for (const { key, value } of batch) {
    bytes.set(key, at);
    bytes.set(value, at + key.length);
    bounds[i++] = at;
    bounds[i++] = at + key.length;
    at += key.length + value.length;
  }
  bounds[i] = at;
  return { bytes, bounds, count: batch.length };
}

/** A copy in memory that nobody else reads: it may be given away, with nothing else in it. */
export function ownBlock({ bytes, bounds, count }: RecordBlock): RecordBlock {
  const start = bounds[0] as number;
  const own = bounds.slice(0, 2 * count + 1);
  for (let i = 0; i < own.length; i++) own[i] = (own[i] as number) - start;
  // Not `slice`: of a Buffer that is a view, and its memory would go along with all else in it.
  return { bytes: new Uint8Array(bytes.subarray(start, bounds[2 * count])), bounds: own, count };
}
