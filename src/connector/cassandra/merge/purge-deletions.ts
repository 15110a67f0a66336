// A stage behind the merge, for what is stored in place of older trees: deletions and expired values go that have
// gone from every replica. What they shadowed has gone in the merge. Why nothing can come back by that:
// docs/decisions/0014-a-deletion-goes-after-the-cluster-let-go.md.

import type { BlockStream, RecordBlock } from '../../../model/record-block.ts';
import { BlockBuilder } from '../record/block-builder.ts';
import { PartitionTracker, recordKinds } from '../record/record-key.ts';
import { deletionBytes, markerFlags } from '../record/record-layout.ts';
import { Deletion } from './deletion.ts';
import { type TokenRange, TokenRanges } from './foreign-partitions.ts';
import { KeyedOutput } from './keyed-output.ts';
import { type Horizon, isPurgeable, RowPurge } from './row-purge.ts';
import { runStage } from './run-stage.ts';

export interface PurgeOptions {
  /** The table's clustering columns. */
  readonly clusteringCount: number;
  readonly horizon: Horizon;
  /** Where the horizon holds: ascending, disjoint. All other tokens keep everything. */
  readonly ranges: readonly TokenRange[];
}

/** Takes a merged stream that does not begin inside a partition, and gives one in normal form. */
export async function* purgeDeletions(input: BlockStream, options: PurgeOptions): BlockStream {
  yield* runStage(input, new PurgeStage(options));
}

class PurgeStage {
  readonly out = new BlockBuilder();
  readonly #given = new KeyedOutput(this.out);
  readonly #horizon: Horizon;
  readonly #ranges: TokenRanges;
  readonly #rows: RowPurge;
  readonly #tracker = new PartitionTracker();
  /** The horizon holds for the partition at hand. */
  #purges = false;
  /** The range deletion that the last marker given out said. */
  readonly #open = new Deletion();
  readonly #scratch = new Deletion();

  constructor({ clusteringCount, horizon, ranges }: PurgeOptions) {
    this.#horizon = horizon;
    this.#ranges = new TokenRanges(ranges);
    this.#rows = new RowPurge(horizon, clusteringCount);
  }

  record(block: RecordBlock, index: number): void {
    const { bytes, bounds } = block;
    const start = bounds[2 * index] as number;
    const middle = bounds[2 * index + 1] as number;
    const end = bounds[2 * index + 2] as number;
    if (this.#tracker.enter(bytes, start, middle)) {
      this.#given.enter();
      this.#open.clear();
      this.#purges = this.#ranges.find(bytes, start) >= 0;
    }
    if (!this.#purges) {
      this.#given.copy(block, index);
      return;
    }
    const kind = this.#tracker.kind(bytes, start, middle);
    if (kind === recordKinds.partitionKey) this.#given.hold(block, index);
    else if (kind === recordKinds.partitionDeletion) {
      this.#scratch.read(bytes, middle);
      if (!isPurgeable(this.#horizon, this.#scratch.time)) this.#given.copy(block, index);
    } else if (kind === recordKinds.marker) this.#marker(block, index);
    else {
      const verdict = this.#rows.purge(bytes, middle, end, kind === recordKinds.static);
      if (verdict === 'same') this.#given.copy(block, index);
      if (verdict !== 'changed') return;
      const { builder } = this.#rows;
      this.#given.add(bytes, start, middle, builder.bytes, builder.length);
    }
  }

  /** What it opens may be gone: then none is open from here on, which may have been said already. */
  #marker(block: RecordBlock, index: number): void {
    const { bytes, bounds } = block;
    const start = bounds[2 * index] as number;
    const middle = bounds[2 * index + 1] as number;
    const end = bounds[2 * index + 2] as number;
    const state = this.#scratch;
    state.clear();
    const flags = bytes[middle] as number;
    const opens = (flags & markerFlags.opens) !== 0;
    if (opens) state.read(bytes, end - deletionBytes);
    const goes = opens && isPurgeable(this.#horizon, state.time);
    if (goes) state.clear();
    if (state.equals(this.#open)) return;
    this.#open.copy(state);
    if (!goes) {
      this.#given.copy(block, index);
      return;
    }
    const value = Buffer.from(bytes.subarray(middle, end - deletionBytes));
    value[0] = flags & ~markerFlags.opens;
    this.#given.add(bytes, start, middle, value, value.length);
  }
}
