// The memory database's fold: base and changes to records at one time, catalog changes to datasets. Pure.
import { compareBytes } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import type { CatalogChange, CatalogEntry } from '../../model/catalog.ts';
import { type Change, changeKinds, compareOrder } from '../../model/change.ts';
import type { DatasetId } from '../../model/id.ts';
import type { DataRecord, RecordBatch } from '../../model/record.ts';
import { firstTime, type SourceTime } from '../../model/time.ts';
import type { FoldInput } from '../connector.ts';
import { applyPatch } from './memory-patch.ts';

const batchCountMax = 256;

export async function* foldMemoryRange(input: FoldInput): AsyncGenerator<RecordBatch, void, void> {
  const base = new Heads(input.base);
  const changes = new Heads(input.changes);
  let batch: DataRecord[] = [];
  for (;;) {
    const [record, change] = [await base.head(), await changes.head()];
    const key = leastKey(record, change);
    if (key === undefined) break;
    let value: Uint8Array | undefined;
    if (record && compareBytes(record.key, key) === 0) {
      value = record.value;
      base.step();
    }
    const own: Change[] = [];
    for (
      let next = change;
      next && compareBytes(next.key, key) === 0;
      next = await changes.head()
    ) {
      own.push(next);
      changes.step();
    }
    value = foldRecord(input, key, value, own);
    if (value === undefined) continue;
    batch.push({ key, value });
    if (batch.length < batchCountMax) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

function foldRecord(
  input: FoldInput,
  key: Uint8Array,
  base: Uint8Array | undefined,
  changes: readonly Change[],
): Uint8Array | undefined {
  const after = baseAfter(input, key);
  const events = [...changes, ...input.clears].filter(
    ({ time }) => time > after && time <= input.at,
  );
  events.sort(compareOrder);
  let value = base;
  for (const event of events) {
    const fits = event.kind !== changeKinds.patch && event.kind !== changeKinds.delete;
    if (!fits && value === undefined && event.time > input.exactFrom) throw unfit(event);
    if (event.kind === changeKinds.put) value = event.value;
    else if (event.kind !== changeKinds.patch) value = undefined;
    else if (value !== undefined) {
      const patched = applyPatch(value, event.value);
      if (patched === undefined && event.time > input.exactFrom) throw unfit(event);
      value = patched ?? value;
    }
  }
  return value;
}

function unfit(change: Change): CodrError {
  return new CodrError('object-damaged', `a change at ${change.time} does not fit what is stored`, {
    object: change.dataset,
  });
}

function baseAfter({ baseAfter }: FoldInput, key: Uint8Array): SourceTime {
  const step = baseAfter.findLast(({ from }) => compareBytes(from, key) <= 0);
  return step?.after ?? firstTime;
}

function leastKey(
  record: DataRecord | undefined,
  change: Change | undefined,
): Uint8Array | undefined {
  if (!record || !change) return record?.key ?? change?.key;
  return compareBytes(record.key, change.key) <= 0 ? record.key : change.key;
}

type Indexed<T> = Pick<readonly T[], 'length' | 'at'>;

/** Reads a stream of batches item by item. */
class Heads<T> {
  readonly #batches: AsyncIterator<Indexed<T>>;
  #batch: Indexed<T> | undefined = [];
  #at = 0;

  constructor(stream: AsyncIterable<Indexed<T>>) {
    this.#batches = stream[Symbol.asyncIterator]();
  }

  async head(): Promise<T | undefined> {
    while (this.#batch && this.#at === this.#batch.length) {
      const step = await this.#batches.next();
      this.#batch = step.done ? undefined : step.value;
      this.#at = 0;
    }
    return this.#batch?.at(this.#at);
  }

  step(): void {
    this.#at++;
  }
}

/** Each change carries the whole definition, so the last one of a dataset counts. */
export function foldMemoryCatalog(changes: Iterable<CatalogChange>): CatalogEntry[] {
  const entries = new Map<DatasetId, CatalogEntry>();
  for (const { dataset, kind, body } of changes) {
    if (dataset === undefined) continue;
    if (kind === 'drop') entries.delete(dataset);
    else entries.set(dataset, catalogEntry(dataset, body));
  }
  return [...entries.values()];
}

export function catalogEntry(dataset: DatasetId, body: Uint8Array): CatalogEntry {
  const { namespace, role } = definitionOf(body);
  return { dataset, namespace, role, kind: 'collection', body };
}

export function definitionOf(body: Uint8Array): {
  readonly namespace: string;
  readonly role: 'data' | 'definitions';
  readonly indexes: readonly string[];
} {
  return JSON.parse(Buffer.from(body).toString());
}
