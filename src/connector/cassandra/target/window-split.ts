// Cuts records by windows of time: each window gets the cells, deletions and liveness whose timestamps lie in it,
// so a row whose cells are of several windows becomes a row in each. Merged again they are what they were.

import type { RecordBlock } from '../../../model/record-block.ts';
import { BlockBuilder } from '../record/block-builder.ts';
import { PartitionTracker, recordKinds } from '../record/record-key.ts';
import { deletionBytes, markerFlags, rowFlags } from '../record/record-layout.ts';
import { RowBuilder } from '../record/row-builder.ts';
import { columnKinds, RowReader } from '../record/row-reader.ts';
import { windowOf } from './file-layout.ts';

export interface WindowPart {
  readonly window: number;
  readonly block: RecordBlock;
}

/** Builders are kept for as many windows; others get new ones. */
const buildersMax = 64;

/** For one ascending stream of records. */
export class WindowSplit {
  readonly #windowUnits: number;
  readonly #reader: RowReader;
  readonly #row = new RowBuilder();
  readonly #tracker = new PartitionTracker();
  readonly #builders = new Map<number, BlockBuilder>();
  /** Windows that have the key record of the partition at hand; its place, where it has one. */
  readonly #keyed = new Set<number>();
  #key: { readonly block: RecordBlock; readonly index: number } | undefined;
  /** The window of the range deletion that holds. */
  #open: number | undefined;
  #marker = Buffer.alloc(64);
  /** The windows of the row at hand. */
  readonly #windows: number[] = [];

  constructor(clusteringCount: number, windowUnits: number) {
    this.#windowUnits = windowUnits;
    this.#reader = new RowReader(clusteringCount);
  }

  /** The block's records by windows, ascending in each. */
  parts(block: RecordBlock): WindowPart[] {
    const { bytes, bounds, count } = block;
    for (let i = 0; i < count; i++) {
      const start = bounds[2 * i] as number;
      const middle = bounds[2 * i + 1] as number;
      const end = bounds[2 * i + 2] as number;
      if (this.#tracker.enter(bytes, start, middle)) {
        this.#keyed.clear();
        this.#key = undefined;
        this.#open = undefined;
      }
      const kind = this.#tracker.kind(bytes, start, middle);
      if (kind === recordKinds.partitionKey) this.#key = { block, index: i };
      else if (kind === recordKinds.partitionDeletion) {
        this.#into(this.#windowAt(bytes, middle)).copy(bytes, start, middle, end);
      } else if (kind === recordKinds.marker) this.#splitMarker(bytes, start, middle, end);
      else this.#splitRow(bytes, start, middle, end, kind === recordKinds.static);
    }
    return this.#taken();
  }

  #taken(): WindowPart[] {
    const parts: WindowPart[] = [];
    for (const [window, builder] of this.#builders) {
      if (builder.count > 0) parts.push({ window, block: builder.take() });
    }
    if (this.#builders.size > buildersMax) this.#builders.clear();
    return parts;
  }

  #splitMarker(bytes: Buffer | Uint8Array, start: number, middle: number, end: number): void {
    const opens = ((bytes[middle] as number) & markerFlags.opens) !== 0;
    const ended = this.#open;
    const begun = opens ? this.#windowAt(bytes, end - deletionBytes) : undefined;
    this.#open = begun;
    if (ended !== undefined && ended !== begun) {
      const size = (opens ? end - deletionBytes : end) - middle;
      if (this.#marker.length < size) this.#marker = Buffer.alloc(2 * size);
      this.#marker.set(bytes.subarray(middle, middle + size));
      this.#marker[0] = (bytes[middle] as number) & ~markerFlags.opens;
      this.#into(ended).add(bytes, start, middle, this.#marker, size);
    }
    if (begun !== undefined) this.#into(begun).copy(bytes, start, middle, end);
  }

  #splitRow(
    bytes: Uint8Array,
    start: number,
    middle: number,
    end: number,
    isStatic: boolean,
  ): void {
    this.#reader.read(bytes, middle, end, isStatic);
    this.#findWindows();
    const [first, ...others] = this.#windows;
    if (first === undefined) return;
    if (others.length === 0) {
      this.#into(first).copy(bytes, start, middle, end);
      return;
    }
    for (const window of this.#windows) {
      this.#buildRow(window);
      const { bytes: value, length } = this.#row;
      this.#into(window).add(bytes, start, middle, value, length);
    }
  }

  #findWindows(): void {
    const reader = this.#reader;
    const windows = this.#windows;
    windows.length = 0;
    const note = (hi: number, lo: number): void => {
      const window = windowOf(hi, lo, this.#windowUnits);
      if (!windows.includes(window)) windows.push(window);
    };
    if ((reader.flags & rowFlags.timestamp) !== 0) note(reader.timestampHi, reader.timestampLo);
    if ((reader.flags & rowFlags.deletion) !== 0) note(reader.deletionHi, reader.deletionLo);
    for (let column = 0; column < reader.columnCount; column++) {
      if (reader.columnKind[column] !== columnKinds.complexDeleted) continue;
      note(reader.columnHi[column] as number, reader.columnLo[column] as number);
    }
    for (let cell = 0; cell < reader.cellCount; cell++) {
      note(reader.cellHi[cell] as number, reader.cellLo[cell] as number);
    }
  }

  #isIn(window: number, hi: number, lo: number): boolean {
    return windowOf(hi, lo, this.#windowUnits) === window;
  }

  /** What of the row at hand is of the window. */
  #buildRow(window: number): void {
    const reader = this.#reader;
    const row = this.#row;
    const { flags, timestampHi, timestampLo, deletionHi, deletionLo } = reader;
    row.reset();
    row.originals(reader.bytes, reader.originalsStart, reader.originalsEnd);
    if ((flags & rowFlags.timestamp) !== 0 && this.#isIn(window, timestampHi, timestampLo)) {
      row.timestamp(timestampHi, timestampLo);
      if ((flags & rowFlags.expiring) !== 0) row.expiring(reader.ttl, reader.expiry);
    }
    if ((flags & rowFlags.deletion) !== 0 && this.#isIn(window, deletionHi, deletionLo)) {
      row.deletion(deletionHi, deletionLo, reader.deletionTime);
    }
    for (let column = 0; column < reader.columnCount; column++) this.#buildColumn(window, column);
    row.finish();
  }

  #buildColumn(window: number, column: number): void {
    const reader = this.#reader;
    const row = this.#row;
    const cells: number[] = [];
    const end = reader.firstCell[column + 1] as number;
    for (let cell = reader.firstCell[column] as number; cell < end; cell++) {
      const [hi, lo] = [reader.cellHi[cell] as number, reader.cellLo[cell] as number];
      if (this.#isIn(window, hi, lo)) cells.push(cell);
    }
    const kind = reader.columnKind[column];
    const [hi, lo] = [reader.columnHi[column] as number, reader.columnLo[column] as number];
    const deleted = kind === columnKinds.complexDeleted && this.#isIn(window, hi, lo);
    if (cells.length === 0 && !deleted) return;
    const { bytes } = reader;
    row.column(bytes, reader.nameStart[column] as number, reader.nameEnd[column] as number);
    if (deleted) {
      row.complexDeleted(hi, lo, reader.columnTime[column] as number, cells.length);
    } else if (kind !== columnKinds.simple) row.complex(cells.length);
    for (const cell of cells) row.copyCell(reader, cell, kind !== columnKinds.simple);
  }

  /** Of a deletion that begins with its mark. */
  #windowAt(bytes: Uint8Array, at: number): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, 8);
    return windowOf(view.getInt32(0), view.getUint32(4), this.#windowUnits);
  }

  /** Where the window's records go; the partition's key first, where it is a record. */
  #into(window: number): BlockBuilder {
    let builder = this.#builders.get(window);
    if (!builder) {
      builder = new BlockBuilder();
      this.#builders.set(window, builder);
    }
    if (this.#key && !this.#keyed.has(window)) {
      this.#keyed.add(window);
      const { block, index } = this.#key;
      const { bytes, bounds } = block;
      const at = 2 * index;
      const [start, middle, end] = [bounds[at], bounds[at + 1], bounds[at + 2]];
      builder.copy(bytes, start as number, middle as number, end as number);
    }
    return builder;
  }
}
