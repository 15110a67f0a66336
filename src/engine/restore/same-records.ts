// What a target gives back beside what it must give back, record by record: both ascending. The bytes are compared, a
// run of records at once, so that only one of the two needs to be cut for its root.
import { toHex, view } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import type { DataRecord, RecordBatch, RecordStream } from '../../model/record.ts';
import { batchOf, blockOf, type RecordBlock } from '../../model/record-block.ts';

/** A place in a stream; at its end there is no block. */
class Place {
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
      this.block = result.done ? undefined : blockOf(result.value);
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

/**
 * Passes on `expected`, as far as `actual` is the same. Errors: `proof-failed`, with the first key at which they differ;
 * those of both streams.
 */
export async function* sameRecords(
  expected: RecordStream,
  actual: RecordStream,
  namespace: string,
): RecordStream {
  const [wanted, given] = [new Place(expected), new Place(actual)];
  try {
    given.ask();
    for (;;) {
      await wanted.fill();
      await given.fill();
      if (!wanted.block && !given.block) return;
      const count = Math.min(wanted.left, given.left);
      const same = count > 0 ? sameRun(wanted, given, count) : 0;
      if (same < count || count === 0) {
        wanted.index += same;
        given.index += same;
        throw difference(wanted.record, given.record, namespace);
      }
      const { block } = wanted;
      const isRead = wanted.index + count === block?.count;
      wanted.index += count;
      given.index += count;
      if (given.left === 0) given.ask();
      if (block && isRead) yield batchOf(block);
    }
  } finally {
    await Promise.all([wanted.close(), given.close()]);
  }
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

function difference(
  wanted: DataRecord | undefined,
  given: DataRecord | undefined,
  namespace: string,
): CodrError {
  const order = !wanted ? 1 : !given ? -1 : Buffer.compare(wanted.key, given.key);
  const record = order <= 0 ? wanted : given;
  const key = toHex(record?.key ?? new Uint8Array());
  const what = order < 0 ? 'is not there' : order > 0 ? 'should not be there' : 'is another';
  return new CodrError(
    'proof-failed',
    `${namespace}: what was read back differs: the record ${key} ${what}`,
    {
      object: namespace,
      facts: { key },
    },
  );
}
