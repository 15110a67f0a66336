// Records at a time: a streaming merge of a base copy and the changes after it, in key order. Stretches of
// the base without changes pass as they come, uncopied. Pure: where a range is split changes no byte.
// Page: docs/format/mongodb-changes.md.
import { compareBytes } from '../../../base/bytes.ts';
import { type Change, changeKinds, compareOrder } from '../../../model/change.ts';
import type { DataRecord, RecordBatch, RecordStream } from '../../../model/record.ts';
import { firstTime, type SourceTime } from '../../../model/time.ts';
import type { FoldInput } from '../../connector.ts';
import { applyChange } from './record-folder.ts';

/** A batch that is put together from pieces is given once it has this many bytes or records. */
const batchBytesMax = 1 << 20;
const batchRecordsMax = 4096;

/** Errors: `object-damaged` for a change after `exactFrom` that does not fit its record. */
export async function* foldRange(input: FoldInput): RecordStream {
  const changes = new ChangeCursor(input.changes);
  const rules = new FoldRules(input);
  const out = new BatchBuilder();
  try {
    for await (const batch of input.base) {
      let at = 0;
      while (at < batch.length) {
        const next = changes.current ?? (await changes.fill());
        const end = next ? firstNotBelow(batch, at, next.key) : batch.length;
        if (at === 0 && end === batch.length && rules.keepsAll) {
          if (out.length > 0) yield out.take();
          yield batch;
        } else {
          for (let i = at; i < end; i++) {
            const record = batch.at(i) as DataRecord;
            if (!rules.cleared(record.key)) out.add(record);
          }
        }
        at = end;
        if (next && at < batch.length) {
          const record = batch.at(at) as DataRecord;
          const same = compareBytes(record.key, next.key) === 0;
          await foldKey(changes, rules, out, same ? record : undefined);
          if (same) at++;
        }
        if (out.full) yield out.take();
      }
    }
    while (changes.current ?? (await changes.fill())) {
      await foldKey(changes, rules, out, undefined);
      if (out.full) yield out.take();
    }
    if (out.length > 0) yield out.take();
  } finally {
    await changes.close();
  }
}

/** Applies all changes of the cursor's key to `base`, and adds what is left of the record. */
async function foldKey(
  changes: ChangeCursor,
  rules: FoldRules,
  out: BatchBuilder,
  base: DataRecord | undefined,
): Promise<void> {
  const { key } = changes.current as Change;
  const floor = rules.floor(key);
  let value = base && !rules.cleared(key) ? base.value : undefined;
  for (
    let change = changes.current;
    change && compareBytes(change.key, key) === 0;
    change = changes.advance() ?? (await changes.fill())
  ) {
    if (rules.applies(change, floor)) value = applyChange(value, change, rules.exactFrom);
  }
  if (value === base?.value && base) out.add(base);
  else if (value) out.add({ key, value });
}

/** Which changes and base records count. Keys must be asked for in ascending order. */
class FoldRules {
  readonly exactFrom: SourceTime;
  readonly #steps: FoldInput['baseAfter'];
  readonly #at: SourceTime;
  /** The newest clear; older ones and all before it are void. */
  readonly #clear: Change | undefined;
  #step = -1;

  constructor({ exactFrom, baseAfter, clears, at }: FoldInput) {
    this.exactFrom = exactFrom;
    this.#steps = baseAfter;
    this.#at = at;
    this.#clear = clears.filter(({ time }) => time <= at).at(-1);
  }

  /** No base record can have been cleared. */
  get keepsAll(): boolean {
    return this.#clear === undefined;
  }

  /** The base holds all changes of `key` up to this time. */
  floor(key: Uint8Array): SourceTime {
    for (
      let next = this.#steps[this.#step + 1];
      next && compareBytes(next.from, key) <= 0;
      next = this.#steps[this.#step + 1]
    ) {
      this.#step++;
    }
    return this.#steps[this.#step]?.after ?? firstTime;
  }

  /** The base's record of `key` was removed by a clear after it was read. */
  cleared(key: Uint8Array): boolean {
    return this.#clear !== undefined && this.#clear.time > this.floor(key);
  }

  applies(change: Change, floor: SourceTime): boolean {
    if (change.time <= floor || change.time > this.#at) return false;
    if (change.kind === changeKinds.clear) return false;
    return this.#clear === undefined || compareOrder(change, this.#clear) > 0;
  }
}

/** Changes one by one over batches of them; waiting only at the end of a batch. */
class ChangeCursor {
  readonly #batches: AsyncIterator<readonly Change[]>;
  #batch: readonly Change[] = [];
  #at = 0;
  #ended = false;

  constructor(batches: AsyncIterable<readonly Change[]>) {
    this.#batches = batches[Symbol.asyncIterator]();
  }

  /** Undefined at the end of a batch: then {@link fill} tells whether there are more. */
  get current(): Change | undefined {
    return this.#batch[this.#at];
  }

  advance(): Change | undefined {
    this.#at++;
    return this.current;
  }

  async fill(): Promise<Change | undefined> {
    while (!this.current && !this.#ended) {
      const { done, value } = await this.#batches.next();
      if (done) this.#ended = true;
      else this.#batch = value;
      this.#at = 0;
      if (done) this.#batch = [];
    }
    return this.current;
  }

  async close(): Promise<void> {
    if (!this.#ended) await this.#batches.return?.();
  }
}

class BatchBuilder {
  #records: DataRecord[] = [];
  #bytes = 0;

  get length(): number {
    return this.#records.length;
  }

  get full(): boolean {
    return this.#bytes >= batchBytesMax || this.#records.length >= batchRecordsMax;
  }

  add(record: DataRecord): void {
    this.#records.push(record);
    this.#bytes += record.key.length + record.value.length;
  }

  take(): RecordBatch {
    const records = this.#records;
    this.#records = [];
    this.#bytes = 0;
    return records;
  }
}

/** The first place at or after `from` whose key is not below `key`. */
function firstNotBelow(batch: RecordBatch, from: number, key: Uint8Array): number {
  let high = batch.length;
  if (compareBytes((batch.at(-1) as DataRecord).key, key) < 0) return high;
  let low = from;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBytes((batch.at(middle) as DataRecord).key, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
