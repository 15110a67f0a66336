// The fold of the replicas database: a streaming merge of normal forms into one, and the live form that a reader
// sees. Inputs begin at a partition's start, so that a range that begins within one knows what holds there.
import { compareBytes, equalBytes } from '../../base/bytes.ts';
import { type KeyRange, rangeHolds } from '../../model/key-range.ts';
import {
  type DataRecord,
  type RecordBatch,
  type RecordStream,
  recordsOf,
} from '../../model/record.ts';
import type { FoldInput, LiveForm } from '../connector.ts';
import { purgedRecords } from './replica-purge.ts';
import {
  compareRows,
  contentOf,
  type Deletion,
  encodeContent,
  isSame,
  leadInOf,
  type Row,
  strongest,
} from './replica-record.ts';
import { isSeen } from './replica-write.ts';

const batchRecords = 20;

export async function* foldReplicas({ range, base, later }: FoldInput): RecordStream {
  const live = later?.live;
  const all = mergeRecords([base, ...(later?.cuts ?? [])]);
  const provenBy = later?.stored?.provenBy;
  const merged = provenBy ? purgedRecords(all, provenBy, later.entry.dataset) : all;
  let batch: DataRecord[] = [];
  for await (const record of merged) {
    if (!rangeHolds(range, record.key)) continue;
    const given = live ? liveRecord(record, live) : record;
    if (given) batch.push(given);
    if (batch.length < batchRecords) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** Merges normal forms; the result is one too, whatever the order and grouping of the inputs. */
export async function* mergeRecords(
  inputs: readonly RecordStream[],
): AsyncGenerator<DataRecord, void, void> {
  const cursors = inputs.map((input) => new Cursor(input));
  const state = new PartitionState(cursors.length);
  try {
    for (;;) {
      for (const cursor of cursors) await cursor.fill();
      const least = leastOf(cursors);
      if (!least) return;
      state.enter(leadInOf(least.key));
      const at = cursors.map((cursor) => cursor.takeAt(least.key));
      const merged = state.merge(least.key, at);
      if (merged) yield merged;
    }
  } finally {
    for (const cursor of cursors) await cursor.close();
  }
}

/** What a reader sees of a merged record; undefined: nothing. */
function liveRecord(record: DataRecord, live: LiveForm): DataRecord | undefined {
  const content = contentOf(record);
  if (content.kind !== 'row') return undefined;
  if (live.within && !live.within.some((range: KeyRange) => rangeHolds(range, record.key))) {
    return undefined;
  }
  const row = rebased(content.row, live);
  if (row === content.row) return record;
  return row && { key: record.key, value: encodeContent({ kind: 'row', row }) };
}

function rebased(row: Row, live: LiveForm): Row | undefined {
  const { nowMs, ttl, rebaseMs, cutMs, expirySecondsMax = Number.POSITIVE_INFINITY } = live;
  const now = Math.floor(nowMs / 1000);
  if (!row.alive) return undefined;
  if (row.expiry === undefined) return row;
  if (ttl === 'freeze') {
    const { expiry: _, ...rest } = row;
    return isSeen(row, Math.floor(cutMs / 1000)) ? rest : undefined;
  }
  const shifted = ttl === 'rebase' ? row.expiry + Math.floor(rebaseMs / 1000) : row.expiry;
  const expiry = Math.min(shifted, expirySecondsMax);
  if (shifted <= now) return undefined;
  return expiry === row.expiry ? row : { ...row, expiry };
}

/** What of a partition has been read so far holds at the place that comes next. */
class PartitionState {
  #partition: Uint8Array = new Uint8Array(0);
  #deletion: Deletion | undefined;
  /** By input. */
  readonly #open: (Deletion | undefined)[];
  #given: Deletion | undefined;

  constructor(inputs: number) {
    this.#open = new Array(inputs).fill(undefined);
  }

  enter(partition: Uint8Array): void {
    if (equalBytes(partition, this.#partition)) return;
    this.#partition = partition;
    this.#deletion = undefined;
    this.#given = undefined;
    this.#open.fill(undefined);
  }

  /** `at`: what each input has there. */
  merge(key: Uint8Array, at: readonly (DataRecord | undefined)[]): DataRecord | undefined {
    let best: Row | undefined;
    let isMarker = false;
    at.forEach((record, i) => {
      if (!record) return;
      const content = contentOf(record);
      if (content.kind === 'partition') {
        this.#deletion = strongest(this.#deletion, content.deletion);
      } else if (content.kind === 'marker') {
        isMarker = true;
        this.#open[i] = content.deletion;
      } else if (!best || compareRows(content.row, best) > 0) best = content.row;
    });
    if (isMarker) return this.#marker(key);
    if (best) return this.#row(key, best);
    const deletion = this.#deletion as Deletion;
    return { key, value: encodeContent({ kind: 'partition', deletion }) };
  }

  #row(key: Uint8Array, row: Row): DataRecord | undefined {
    const covering = strongest(this.#deletion, this.#given);
    if (covering && row.timestamp <= covering.timestamp) return undefined;
    return { key, value: encodeContent({ kind: 'row', row }) };
  }

  #marker(key: Uint8Array): DataRecord | undefined {
    const open = this.#open.reduce<Deletion | undefined>(strongest, undefined);
    const isStronger = open && !isSame(open, this.#deletion);
    const holding = isStronger && strongest(open, this.#deletion) === open ? open : undefined;
    if (isSame(holding, this.#given)) return undefined;
    this.#given = holding;
    const content = { kind: 'marker', ...(holding && { deletion: holding }) } as const;
    return { key, value: encodeContent(content) };
  }
}

function leastOf(cursors: readonly Cursor[]): DataRecord | undefined {
  let least: DataRecord | undefined;
  for (const { current } of cursors) {
    if (current && (!least || compareBytes(current.key, least.key) < 0)) least = current;
  }
  return least;
}

class Cursor {
  readonly #batches: AsyncIterator<RecordBatch>;
  #records: readonly DataRecord[] = [];
  #at = 0;
  #ended = false;

  constructor(records: RecordStream) {
    this.#batches = records[Symbol.asyncIterator]();
  }

  get current(): DataRecord | undefined {
    return this.#records[this.#at];
  }

  async fill(): Promise<void> {
    while (!this.#ended && this.#at >= this.#records.length) {
      const next = await this.#batches.next();
      if (next.done) this.#ended = true;
      else [this.#records, this.#at] = [recordsOf(next.value), 0];
    }
  }

  takeAt(key: Uint8Array): DataRecord | undefined {
    const own = this.current;
    if (!own || compareBytes(own.key, key) !== 0) return undefined;
    this.#at++;
    return own;
  }

  async close(): Promise<void> {
    await this.#batches.return?.();
  }
}
