// The merge of ascending streams of records: rows of one key reconciled, deletions over ranges as one step
// function in normal form, shadowed data gone. Any grouping and order of the inputs gives the same bytes; an
// input alone is brought into normal form too. One block per open input and one of output are held, nothing else.
import { assert } from '../../../base/assert.ts';
import type { BlockStream } from '../../../model/record-block.ts';
import { BlockBuilder } from '../record/block-builder.ts';
import { compareRanges, PartitionTracker, recordKinds } from '../record/record-key.ts';
import { deletionBytes, markerFlags, rowFlags } from '../record/record-layout.ts';
import { Deletion } from './deletion.ts';
import { InputCursor, type MergeInput } from './input-cursor.ts';
import { RowMerger } from './reconcile.ts';

export interface MergeOptions {
  readonly signal: AbortSignal;
  /** The table's clustering columns: tells where a row's originals end. */
  readonly clusteringCount: number;
  /**
   * Only records from this key on are given out. The inputs begin where its partition begins: what was deleted
   * before the key counts after it.
   */
  readonly from?: Uint8Array;
  /** Blocks may be views of the inputs' memory: for consumers that give none away. */
  readonly givesViews?: boolean;
}

/**
 * Merges. Inputs are closed when the stream ends, fails or is left. Records of an input have ascending, distinct
 * keys, and its rows hold nothing that their own deletions shadow.
 */
export async function* mergeBlocks(
  inputs: readonly MergeInput[],
  options: MergeOptions,
): BlockStream {
  const cursors = inputs.map((input) => new InputCursor(input));
  try {
    const merge = new Merge(options);
    // Together, so that the inputs' readers start side by side.
    const begun = await Promise.all(cursors.map((cursor) => cursor.waits || cursor.nextBlock()));
    cursors.forEach((cursor, i) => {
      if (begun[i] === true) merge.enter(cursor);
    });
    for (;;) {
      options.signal.throwIfAborted();
      const starved = merge.run();
      if (merge.out.full) yield merge.out.take();
      for (const cursor of starved) if (await cursor.nextBlock()) merge.enter(cursor);
      if (merge.done) break;
    }
    merge.finish();
    if (merge.out.count > 0) yield merge.out.take();
  } finally {
    await Promise.all(cursors.map((cursor) => cursor.close()));
  }
}

/** The part without waiting: runs until an input needs its next block or the output has one. */
class Merge {
  readonly out: BlockBuilder;
  /** Inputs with a record at hand, greatest key first. */
  readonly #waiting: InputCursor[] = [];
  /** Inputs whose record is the least one. */
  readonly #group: InputCursor[] = [];
  readonly #rows: RowMerger;
  readonly #from: Uint8Array | undefined;
  /** Whether `from` has been reached. */
  #emits: boolean;

  readonly #tracker = new PartitionTracker();
  readonly #partitionDeletion = new Deletion();
  /** The range deletion that the last marker said, given out or not. */
  readonly #open = new Deletion();
  /** The greater of both: what shadows rows here. */
  readonly #enclosing = new Deletion();
  /** Inputs with a range deletion open. */
  readonly #marked = new Set<InputCursor>();
  /** The partition's key record, held back until the partition has another. */
  #pending: HeldRecord | undefined;
  readonly #scratch = new Deletion();
  #marker = Buffer.alloc(64);

  constructor({ clusteringCount, from, givesViews = false }: MergeOptions) {
    this.out = new BlockBuilder({ givesViews });
    this.#rows = new RowMerger(clusteringCount);
    this.#from = from;
    this.#emits = from === undefined;
  }

  get done(): boolean {
    return this.#waiting.length === 0;
  }

  /** Takes a cursor in at its place; near the end of the list in the usual case. */
  enter(cursor: InputCursor): void {
    const waiting = this.#waiting;
    let low = 0;
    let high = waiting.length;
    if (high > 0 && cursor.compareKey(waiting[high - 1] as InputCursor) <= 0) low = high;
    else high--;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cursor.compareKey(waiting[middle] as InputCursor) > 0) high = middle;
      else low = middle + 1;
    }
    if (high < 0) high = 0;
    waiting.push(cursor);
    if (high === waiting.length - 1) return;
    waiting.copyWithin(high + 1, high, waiting.length - 1);
    waiting[high] = cursor;
  }

  /** The inputs that need their next block; none if it stopped for the output. */
  run(): readonly InputCursor[] {
    const starved: InputCursor[] = [];
    const waiting = this.#waiting;
    const group = this.#group;
    while (waiting.length > 0 && starved.length === 0 && !this.out.full) {
      const first = waiting.pop() as InputCursor;
      if (first.waits) {
        starved.push(first);
        break;
      }
      group.length = 0;
      group.push(first);
      while (waiting.length > 0) {
        const next = waiting[waiting.length - 1] as InputCursor;
        if (next.compareKey(first) !== 0) break;
        group.push(next);
        waiting.pop();
      }
      this.#record(first);
      for (let i = 0; i < group.length; i++) {
        const cursor = group[i] as InputCursor;
        if (cursor.advance()) this.enter(cursor);
        else starved.push(cursor);
      }
    }
    return starved;
  }

  /** At the end: if the inputs were cut after a partition's key record, its other records come elsewhere. */
  finish(): void {
    this.#flushPending();
  }

  #record(first: InputCursor): void {
    const { bytes, start, middle } = first;
    if (this.#tracker.enter(bytes, start, middle)) this.#enterPartition();
    if (!this.#emits && first.isFrom(this.#from as Uint8Array)) this.#emits = true;
    switch (this.#tracker.kind(bytes, start, middle)) {
      case recordKinds.row:
        if (this.#emits) this.#row(first, false);
        return;
      case recordKinds.static:
        if (this.#emits) this.#row(first, true);
        return;
      case recordKinds.marker:
        this.#markers(first);
        return;
      case recordKinds.partitionDeletion:
        this.#deletePartition(first);
        return;
      default:
        this.#pending = this.#emits ? held(first) : undefined;
    }
  }

  #enterPartition(): void {
    this.#partitionDeletion.clear();
    this.#open.clear();
    this.#enclosing.clear();
    this.#pending = undefined;
    if (this.#marked.size === 0) return;
    for (const cursor of this.#marked) cursor.open.clear();
    this.#marked.clear();
  }

  #flushPending(): void {
    if (this.#pending === undefined) return;
    const { bytes, start, middle, end } = this.#pending;
    this.#pending = undefined;
    this.out.copy(bytes, start, middle, end);
  }

  #deletePartition(first: InputCursor): void {
    for (const { bytes, middle, end } of this.#group) {
      assert(end - middle === deletionBytes, 'a partition deletion has 12 bytes');
      this.#scratch.read(bytes, middle);
      this.#partitionDeletion.raise(this.#scratch);
    }
    this.#enclosing.copy(this.#partitionDeletion);
    if (!this.#emits) return;
    this.#flushPending();
    this.#partitionDeletion.write(this.#marker, 0);
    this.out.add(first.bytes, first.start, first.middle, this.#marker, deletionBytes);
  }

  #row(first: InputCursor, isStatic: boolean): void {
    const group = this.#group;
    const shadow = isStatic ? this.#partitionDeletion : this.#enclosing;
    let differing = false;
    for (let i = 1; i < group.length && !differing; i++) {
      differing = !first.hasEqualValue(group[i] as InputCursor);
    }
    if (!differing && shadow.isNone) {
      this.#flushPending();
      this.out.copy(first.bytes, first.start, first.middle, first.end);
      return;
    }
    const rows = this.#rows;
    rows.start(shadow, isStatic);
    for (let i = 0; i < (differing ? group.length : 1); i++) {
      const { bytes, middle, end } = group[i] as InputCursor;
      rows.add(bytes, middle, end);
    }
    if (!rows.finish()) return;
    this.#flushPending();
    const { bytes, length } = rows.builder;
    this.out.add(first.bytes, first.start, first.middle, bytes, length);
  }

  #markers(first: InputCursor): void {
    let originals: InputCursor | undefined;
    for (const cursor of this.#group) {
      const { bytes, middle, end } = cursor;
      const flags = bytes[middle] as number;
      if ((flags & markerFlags.opens) !== 0) {
        cursor.open.read(bytes, end - deletionBytes);
        this.#marked.add(cursor);
      } else {
        cursor.open.clear();
        this.#marked.delete(cursor);
      }
      if (originals === undefined || smallerOriginals(cursor, originals)) originals = cursor;
    }
    const state = this.#scratch;
    state.copy(this.#partitionDeletion);
    for (const cursor of this.#marked) state.raise(cursor.open);
    this.#enclosing.copy(state);
    // A range deletion that does not supersede the partition's says nothing.
    if (!state.supersedes(this.#partitionDeletion)) state.clear();
    if (state.equals(this.#open)) return;
    this.#open.copy(state);
    if (!this.#emits) return;
    this.#flushPending();
    const length = this.#markerValue(originals as InputCursor, state);
    this.out.add(first.bytes, first.start, first.middle, this.#marker, length);
  }

  #markerValue(originals: InputCursor, state: Deletion): number {
    const { bytes, middle } = originals;
    const end = originalsEnd(originals);
    const size = end - middle - 1;
    if (this.#marker.length < size + 16) this.#marker = Buffer.alloc(size + 64);
    const marker = this.#marker;
    marker[0] = size > 0 ? markerFlags.originals : 0;
    bytes.copy(marker, 1, middle + 1, end);
    if (state.isNone) return 1 + size;
    marker[0] |= markerFlags.opens;
    state.write(marker, 1 + size);
    return 1 + size + deletionBytes;
  }
}

/** A record in the memory of its block. */
interface HeldRecord {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly middle: number;
  readonly end: number;
}

function held({ bytes, start, middle, end }: InputCursor): HeldRecord {
  return { bytes, start, middle, end };
}

/** Where a marker's originals end, which begin behind its flags; they have no length of their own. */
function originalsEnd({ bytes, middle, end }: InputCursor): number {
  const flags = bytes[middle] as number;
  if ((flags & rowFlags.originals) === 0) return middle + 1;
  return (flags & markerFlags.opens) !== 0 ? end - deletionBytes : end;
}

function smallerOriginals(a: InputCursor, b: InputCursor): boolean {
  const aEnd = originalsEnd(a);
  const bEnd = originalsEnd(b);
  return compareRanges(a.bytes, a.middle + 1, aEnd, b.bytes, b.middle + 1, bEnd) < 0;
}
