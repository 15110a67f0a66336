// Where two streams of records differ first. Both ascend by key. The bytes are compared a run of records at once.
import { compareBytes, view } from '../../base/bytes.ts';
import type { DataRecord, RecordBatch, RecordStream } from '../../model/record.ts';
import { batchOf, blockOf, type RecordBlock } from '../../model/record-block.ts';

export interface FirstDifference {
  /** As the stream that has it holds it; of two, the first's. */
  readonly record: DataRecord;
  /** The record is only in the first, only in the second, or in both with other bytes. */
  readonly kind: 'missing' | 'surplus' | 'changed';
}

/** Undefined when both hold the same records. Reads no further than the first difference. */
export async function firstDifference(
  wanted: RecordStream,
  found: RecordStream,
): Promise<FirstDifference | undefined> {
  let first: FirstDifference | undefined;
  const tell = (difference: FirstDifference): void => {
    first = difference;
  };
  for await (const _ of comparedWith(wanted, found, tell)) if (first) break;
  return first;
}

/**
 * All of `wanted` as it comes. `tell` hears where `found` differs first, before that batch is given: no more of `found` is
 * read then.
 */
export async function* comparedWith(
  wanted: RecordStream,
  found: RecordStream,
  tell: (difference: FirstDifference) => void,
): RecordStream {
  const [left, right] = [new Place(wanted), new Place(found)];
  let isEqual = true;
  try {
    right.ask();
    for (;;) {
      await left.fill();
      if (isEqual) await right.fill();
      if (!left.block && (!isEqual || !right.block)) return;
      if (isEqual) isEqual = passSame(left, right, tell);
      if (!isEqual) left.index = left.block?.count ?? 0;
      if (left.batch && left.left === 0) yield left.batch;
    }
  } finally {
    await Promise.all([left.close(), right.close()]);
  }
}

/** Goes on in both as far as one of them ends; false when they differ before. */
function passSame(left: Place, right: Place, tell: (difference: FirstDifference) => void): boolean {
  const count = Math.min(left.left, right.left);
  const same = count > 0 ? sameRun(left, right, count) : 0;
  left.index += same;
  right.index += same;
  if (count === 0 || same < count) {
    tell(difference(left.record, right.record));
    return false;
  }
  if (right.left === 0) right.ask();
  return true;
}

/** How many of the next `count` records are the same. */
function sameRun(a: Place, b: Place, count: number): number {
  const [one, other] = [a.block, b.block] as [RecordBlock, RecordBlock];
  const [from, otherFrom] = [2 * a.index, 2 * b.index];
  const start = one.bounds[from] as number;
  const otherStart = other.bounds[otherFrom] as number;
  const shift = otherStart - start;
  let bounds = 1;
  while (
    bounds <= 2 * count &&
    (other.bounds[otherFrom + bounds] as number) - (one.bounds[from + bounds] as number) === shift
  ) {
    bounds++;
  }
  // Records whose bounds agree; their bytes are compared at once, and one by one where they are not the same.
  const alike = Math.floor((bounds - 1) / 2);
  const isSame = (first: number, end: number): boolean => {
    const low = one.bounds[from + 2 * first] as number;
    const high = one.bounds[from + 2 * end] as number;
    const its = other.bytes.subarray(low + shift, high + shift);
    return view(one.bytes.subarray(low, high)).equals(its);
  };
  if (isSame(0, alike)) return alike;
  let same = 0;
  while (isSame(same, same + 1)) same++;
  return same;
}

/** Of places that are not the same; one at most is at its end. */
function difference(
  wanted: DataRecord | undefined,
  found: DataRecord | undefined,
): FirstDifference {
  const order = wanted && found ? compareBytes(wanted.key, found.key) : wanted ? -1 : 1;
  if (wanted && order <= 0) return { record: wanted, kind: order < 0 ? 'missing' : 'changed' };
  return { record: found as DataRecord, kind: 'surplus' };
}

/** A place in a stream; at its end there is no block. */
class Place {
  /** As it came. */
  batch: RecordBatch | undefined;
  block: RecordBlock | undefined;
  index = 0;
  readonly #batches: AsyncIterator<RecordBatch>;
  #next: Promise<IteratorResult<RecordBatch>> | undefined;

  constructor(records: RecordStream) {
    this.#batches = records[Symbol.asyncIterator]();
  }

  /** Asks for what follows, so that the other side may take its time. */
  ask(): void {
    this.#next ??= this.#batches.next();
    this.#next.catch(() => {}); // heard by whoever awaits it
  }

  /** Goes to the next block that holds records, where the one at hand is read. */
  async fill(): Promise<void> {
    while (!this.block || this.index >= this.block.count) {
      this.ask();
      const result = await (this.#next as Promise<IteratorResult<RecordBatch>>);
      this.#next = undefined;
      this.batch = result.done ? undefined : result.value;
      this.block = this.batch && blockOf(this.batch);
      this.index = 0;
      if (!this.block) return;
    }
  }

  get left(): number {
    return this.block ? this.block.count - this.index : 0;
  }

  get record(): DataRecord | undefined {
    return this.block && batchOf(this.block).at(this.index);
  }

  async close(): Promise<void> {
    await this.#next?.catch(() => {});
    await this.#batches.return?.();
  }
}
