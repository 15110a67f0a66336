// Cuts the records of one key range into leaves and nodes, as far as the range alone decides it. What
// depends on the neighbours stays undecided at the edges of each level, and `join.ts` decides it.
import { assert } from '../../base/assert.ts';
import { compareBytes } from '../../base/bytes.ts';
import type { RecordStream } from '../../model/record.ts';
import type { Keyed } from '../leaf/cut-hashing.ts';
import { CutWindow } from '../leaf/cutter.ts';
import { BlobWriter } from './blob-writer.ts';
import { moveLargeValuesOut } from './large-values.ts';
import type { NodeEntry } from './node-codec.ts';
import { cutAgain, cutBytesOf } from './run-cutter.ts';
import { leafLevel, nodeLevel, type TreeContext, type TreeLevel } from './tree-level.ts';
import type { PartLevel, TreePart } from './tree-part.ts';

/** Items hashed in one call. */
const groupCount = 512;

/**
 * Reads `records` (ascending, distinct keys; else `BrokenPromiseError`) to their end and puts all leaves,
 * chunks and nodes that they decide. Memory: a batch, the puts in flight, and the undecided edges.
 */
export async function buildRange(records: RecordStream, context: TreeContext): Promise<TreePart> {
  const leaves = new LevelBuilder(leafLevel, context);
  for await (const batch of records) {
    context.signal?.throwIfAborted();
    await leaves.add(await moveLargeValuesOut(batch, context));
  }
  const nodes: PartLevel<NodeEntry>[] = [];
  const edges = await leaves.finish();
  let upper = leaves.upper;
  while (upper) {
    nodes.push(await upper.finish());
    upper = upper.upper;
  }
  return {
    cut: context.cut.id,
    records: leaves.records,
    bytes: leaves.bytes,
    leaves: edges,
    nodes,
  };
}

/** One level of one range: holds what is not decided yet, writes what is. */
class LevelBuilder<I extends Keyed> {
  records = 0;
  bytes = 0;
  /** The level above, once this one has written anything. */
  upper: LevelBuilder<NodeEntry> | undefined;
  readonly #level: TreeLevel<I>;
  readonly #context: TreeContext;
  readonly #writer: BlobWriter<I>;
  readonly #window: CutWindow;
  readonly #hashes = new Float64Array(groupCount);
  // Items since the last cut (before the first: since the start), and the index of the first of them.
  #pending: I[] = [];
  #pendingIndex = 0;
  #from = 0;
  #lastCutStart = 0;
  #head: I[] | undefined;

  constructor(level: TreeLevel<I>, context: TreeContext) {
    this.#level = level;
    this.#context = context;
    this.#window = new CutWindow({ halfBytes: context.cut.leafBytes / 2, startsAtCut: false });
    this.#writer = new BlobWriter(level, context, async (entries) => {
      this.upper ??= new LevelBuilder(nodeLevel(level.level + 1), context);
      await this.upper.add(entries);
    });
  }

  async add(items: readonly I[]): Promise<void> {
    const place = { level: this.#level.level, salt: 0 };
    for (let start = 0; start < items.length; start += groupCount) {
      const end = Math.min(items.length, start + groupCount);
      this.#context.hashing.hash(place, items, start, end, this.#hashes);
      for (let i = start; i < end; ) {
        i = this.#addUntilFull(items, i, end, start);
        if (this.#writer.full) await this.#writer.settle();
      }
    }
  }

  /** What stays undecided. The level above is complete, but not finished, after it. */
  async finish(): Promise<PartLevel<I>> {
    await this.#writer.finish();
    const rest = this.#pending.map(this.#level.owned);
    if (!this.#head) return { split: false, head: rest, tail: [] };
    return { split: true, head: this.#head, tail: rest };
  }

  /** Takes `items[from..end)`, hashed from `start` on; stops early when too many puts are in flight. */
  #addUntilFull(items: readonly I[], from: number, end: number, start: number): number {
    const level = this.#level;
    const pending = this.#pending;
    let i = from;
    while (i < end && !this.#writer.full) {
      const item = items[i]!;
      pending.push(item);
      this.records += level.recordsOf(item);
      this.bytes += level.bytesOf(item);
      const cut = this.#window.push(this.#hashes[i - start]!, level.cutLength(item));
      if (cut >= 0) this.#cutAt(cut - this.#pendingIndex, this.#window.cutStart);
      i++;
    }
    if (this.#from > 0) {
      this.#pending = pending.slice(this.#from);
      this.#pendingIndex += this.#from;
      this.#from = 0;
    }
    return i;
  }

  /** `pending[to]` starts a leaf: what lies before it is a whole leaf, or the head of the range. */
  #cutAt(to: number, toStart: number): void {
    const span = { from: this.#from, to };
    // The codec checks the order inside a leaf. Head, leaves and tail are written apart: this is between.
    const ascends = compareBytes(this.#pending[to - 1]!.key, this.#pending[to]!.key) < 0;
    assert(ascends, 'keys of a dataset are not empty and ascend strictly');
    const cutBytes = toStart - this.#lastCutStart;
    this.#from = to;
    this.#lastCutStart = toStart;
    if (!this.#head) {
      this.#head = this.#pending.slice(0, to).map(this.#level.owned);
    } else if (cutBytes <= this.#context.cut.leafBytesMax) {
      this.#writer.add(this.#pending, span, cutBytes);
    } else {
      for (const piece of cutAgain(this.#level, this.#pending, span, this.#context)) {
        this.#writer.add(this.#pending, piece, cutBytesOf(this.#level, this.#pending, piece));
      }
    }
  }
}
