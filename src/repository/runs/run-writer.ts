// From sorted changes to a run: cuts blocks, builds the index from below, and decides whether the run is
// small enough to travel inside its lineage entry. Memory: one block, one index block a level, and up to
// `inlineBytesMax` until the run is known to be big.
import { createHash } from 'node:crypto';
import { assert } from '../../base/assert.ts';
import { toHex } from '../../base/bytes.ts';
import {
  type Change,
  type ChangeStream,
  compareChanges,
  isSameChange,
} from '../../model/change.ts';
import type { DatasetId } from '../../model/id.ts';
import { firstTime, lastTime, maxTime, minTime, type SourceTime } from '../../model/time.ts';
import { encodeIndex, indexFits } from './block-index.ts';
import { BlockEncoder } from './run-codec.ts';
import {
  type BlockRef,
  type BlockSink,
  blockDigest,
  InlineBlockSink,
  type RunRef,
} from './run-ref.ts';

/** Data blocks of together at most this many raw bytes stay inline. */
export const inlineBytesMaxDefault = 1024 * 1024;

export interface RunWriterOptions {
  readonly tier: number;
  readonly inlineBytesMax?: number;
}

export interface WrittenRun {
  readonly ref: RunRef;
  /** The blocks themselves when the run is small; they travel beside `ref`. */
  readonly inline?: Uint8Array;
}

/**
 * Writes a run. `changes` ascend by compareChanges; second copies of a change are dropped. Undefined when
 * there is none. Durable once the sink's owner has made its packs so.
 */
export async function writeRun(
  changes: ChangeStream,
  sink: BlockSink,
  options: RunWriterOptions,
): Promise<WrittenRun | undefined> {
  const writer = new RunWriter(sink, options);
  for await (const batch of changes) {
    for (const change of batch) {
      const block = writer.add(change);
      if (block) await block;
    }
  }
  return writer.finish();
}

/** Sorts one tick's changes in place by compareChanges and drops second copies. */
export function sortChanges(changes: Change[]): Change[] {
  changes.sort(compareChanges);
  let kept = 0;
  for (const change of changes) {
    const before = changes[kept - 1];
    if (before && isSameChange(before, change) && compareChanges(before, change) === 0) continue;
    changes[kept++] = change;
  }
  changes.length = kept;
  return changes;
}

/** A block or index block whose place may not be known yet. */
interface PendingEntry {
  readonly dataset: DatasetId;
  readonly key: Uint8Array;
  minTime: SourceTime;
  maxTime: SourceTime;
  readonly digest: string;
  ref: Promise<BlockRef>;
}

class RunWriter {
  readonly #sink: BlockSink;
  readonly #tier: number;
  readonly #inlineBytesMax: number;
  readonly #hash = createHash('sha256');
  readonly #encoder = new BlockEncoder();
  readonly #levels: PendingEntry[][] = [[]];
  #inline: InlineBlockSink | undefined = new InlineBlockSink();
  #open: Omit<PendingEntry, 'ref' | 'digest'> | undefined;
  #last: Change | undefined;
  #records = 0;
  #rawBytes = 0;
  #minTime: SourceTime | undefined;
  #maxTime: SourceTime = 0n;

  constructor(sink: BlockSink, options: RunWriterOptions) {
    const limit = options.inlineBytesMax ?? inlineBytesMaxDefault;
    assert(limit <= 4 * inlineBytesMaxDefault, 'an inline run has one index block at most');
    this.#sink = sink;
    this.#tier = options.tier;
    this.#inlineBytesMax = limit;
  }

  /** A promise only when a block was sealed, so that most changes cost no turn of the event loop. */
  add(change: Change): Promise<void> | undefined {
    if (this.#last) {
      const order = compareChanges(this.#last, change);
      if (order === 0) return undefined;
      assert(order < 0, 'changes of a run ascend');
    }
    this.#last = change;
    if (this.#encoder.takes(change)) {
      this.#put(change);
      return undefined;
    }
    return this.#seal().then(() => this.#put(change));
  }

  async finish(): Promise<WrittenRun | undefined> {
    if (this.#encoder.count === 0) return undefined;
    await this.#seal();
    let levels = 0;
    while (
      (this.#levels[levels] as PendingEntry[]).length > 1 ||
      this.#levels.length > levels + 1
    ) {
      await this.#raise(levels++);
    }
    await (this.#inline ?? this.#sink).flush();
    const root = (this.#levels[levels] as PendingEntry[])[0] as PendingEntry;
    const ref: RunRef = {
      id: toHex(this.#hash.digest().subarray(0, 16)),
      records: this.#records,
      rawBytes: this.#rawBytes,
      minTime: this.#minTime as SourceTime,
      maxTime: this.#maxTime,
      tier: this.#tier,
      levels,
      root: await root.ref,
      rootDigest: root.digest,
    };
    return this.#inline ? { ref, inline: this.#inline.bytes() } : { ref };
  }

  #put(change: Change): void {
    const { dataset, key, time } = change;
    this.#open ??= { dataset, key, minTime: time, maxTime: time };
    if (time < this.#open.minTime) this.#open.minTime = time;
    if (time > this.#open.maxTime) this.#open.maxTime = time;
    this.#encoder.add(change);
    this.#records++;
  }

  async #seal(): Promise<void> {
    const open = this.#open as Omit<PendingEntry, 'ref' | 'digest'>;
    const block = this.#encoder.finish();
    this.#open = undefined;
    this.#hash.update(block);
    this.#rawBytes += block.length;
    this.#minTime = minTime(this.#minTime ?? open.minTime, open.minTime);
    this.#maxTime = maxTime(this.#maxTime, open.maxTime);
    const length = (this.#inline?.length ?? 0) + block.length;
    if (this.#inline && length > this.#inlineBytesMax) await this.#leaveInline();
    await this.#push(0, { ...open, ...(await this.#store(block)) });
  }

  /** Wrapped, since awaiting a bare promise of a place would wait for the pack to be sealed. */
  async #store(block: Uint8Array): Promise<{ digest: string; ref: Promise<BlockRef> }> {
    const sink = this.#inline ?? this.#sink;
    const digest = blockDigest(block);
    await sink.ready();
    const ref = sink.addBlock(block);
    ref.catch(() => {}); // awaited when the level above is built; until then a failure waits there
    return { digest, ref };
  }

  async #push(level: number, entry: PendingEntry): Promise<void> {
    const entries = this.#levels[level] ?? [];
    this.#levels[level] = entries;
    const keyBytes = entries.reduce((sum, { key }) => sum + key.length, entry.key.length);
    if (!indexFits(entries.length + 1, keyBytes)) await this.#raise(level);
    entries.push(entry);
  }

  /** Turns what is pending at `level` into one index block, an entry of the level above. */
  async #raise(level: number): Promise<void> {
    const entries = this.#levels[level] as PendingEntry[];
    await (this.#inline ?? this.#sink).flush();
    const placed = await Promise.all(
      entries.map(async (entry) => ({ ...entry, ref: await entry.ref })),
    );
    const { dataset, key } = entries[0] as PendingEntry;
    const times = {
      minTime: entries.reduce((time, entry) => minTime(time, entry.minTime), lastTime),
      maxTime: entries.reduce((time, entry) => maxTime(time, entry.maxTime), firstTime),
    };
    entries.length = 0;
    const stored = await this.#store(encodeIndex(placed));
    await this.#push(level + 1, { dataset, key, ...times, ...stored });
  }

  /** The run has grown too big: its blocks so far move to the sink. */
  async #leaveInline(): Promise<void> {
    const blocks = this.#inline?.blocks ?? [];
    this.#inline = undefined;
    for (const [i, block] of blocks.entries()) {
      const entry = (this.#levels[0] as PendingEntry[])[i] as PendingEntry;
      entry.ref = (await this.#store(block)).ref;
    }
  }
}
