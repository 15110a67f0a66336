// Stages behind the merge: the live form (what a read at one second sees, with its timestamps and times to
// live), and dropped columns alone. Both take a merged stream: what a deletion shadows has gone before.

import type { BlockStream, RecordBlock } from '../../../model/record-block.ts';
import { BlockBuilder } from '../record/block-builder.ts';
import { PartitionTracker, recordKinds } from '../record/record-key.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import { KeyedOutput } from './keyed-output.ts';
import { RowFilter, type TtlMode } from './row-filter.ts';
import { runStage } from './run-stage.ts';

export interface LiveFormOptions {
  /** The table as it was at the point wanted: its columns and its dropped ones. */
  readonly schema: TableSchema;
  /** The second E: what expires at or before it is gone, after rebasing. */
  readonly nowSeconds: number;
  readonly ttl: TtlMode;
  /** The cut, for `freeze`: what has expired by then is gone, the rest becomes plain. E unless said. */
  readonly liveAtSeconds?: number;
  /** Keeps tombstones, deletions, markers and what has expired. */
  readonly keepTombstones?: boolean;
  /** Expiry beyond it is cut to it; none unless said. */
  readonly expirySecondsMax?: number;
}

/**
 * The live form of a merged stream: no tombstones, deletions, markers, expired data or empty rows; liveness,
 * timestamps, times to live and counter shards stay. The stream must not begin or end inside a partition whose
 * key is cut: that key's record goes with the first record that is left.
 * @throws CodrError `source-unfit` for a column that the schema neither has nor dropped.
 */
export async function* liveForm(input: BlockStream, options: LiveFormOptions): BlockStream {
  yield* runStage(input, new LiveStage(options));
}

/**
 * A merged stream without what dropped columns held; all else stays, tombstones too.
 * @throws CodrError as {@link liveForm}.
 */
export function dropColumns(input: BlockStream, schema: TableSchema): BlockStream {
  return liveForm(input, { schema, nowSeconds: 0, ttl: 'keep', keepTombstones: true });
}

class LiveStage {
  readonly out = new BlockBuilder({ givesViews: true });
  readonly #given = new KeyedOutput(this.out);
  readonly #keepTombstones: boolean;
  readonly #rows: RowFilter;
  readonly #tracker = new PartitionTracker();

  constructor({
    schema,
    nowSeconds,
    ttl,
    liveAtSeconds = nowSeconds,
    keepTombstones = false,
    expirySecondsMax,
  }: LiveFormOptions) {
    this.#keepTombstones = keepTombstones;
    this.#rows = new RowFilter({
      ...{ schema, nowSeconds, ttl, liveAtSeconds, keepTombstones, expirySecondsMax },
    });
  }

  record(block: RecordBlock, index: number): void {
    const { bytes, bounds } = block;
    const start = bounds[2 * index] as number;
    const middle = bounds[2 * index + 1] as number;
    const end = bounds[2 * index + 2] as number;
    if (this.#tracker.enter(bytes, start, middle)) this.#given.enter();
    const kind = this.#tracker.kind(bytes, start, middle);
    if (kind === recordKinds.partitionKey) {
      this.#given.hold(block, index);
      return;
    }
    if (kind === recordKinds.marker || kind === recordKinds.partitionDeletion) {
      if (this.#keepTombstones) this.#given.copy(block, index);
      return;
    }
    const verdict = this.#rows.filter(bytes, middle, end, kind === recordKinds.static);
    if (verdict === 'same') this.#given.copy(block, index);
    if (verdict !== 'changed') return;
    const { builder } = this.#rows;
    this.#given.add(bytes, start, middle, builder.bytes, builder.length);
  }
}
