// Versions of one row into one: per cell, liveness and deletion the winner by cell-order.ts, what a deletion
// shadows left out, deletions that a greater one encloses left out too. So the result depends on the set of
// versions alone. Rows that come in hold nothing that they themselves delete: Cassandra writes them so.

import { compareRanges } from '../record/record-key.ts';
import { cellFlags, rowFlags } from '../record/record-layout.ts';
import { RowBuilder } from '../record/row-builder.ts';
import { columnKinds, RowReader } from '../record/row-reader.ts';
import { compareCells, compareColumns, compareLiveness, comparePaths } from './cell-order.ts';
import { CounterMerger } from './counter-context.ts';
import { Deletion } from './deletion.ts';

/** Merges the versions of one row at a time: `start`, `add` for each, `finish`. */
export class RowMerger {
  /** Holds the result after `finish`. */
  readonly builder = new RowBuilder();

  readonly #clusteringCount: number;
  readonly #readers: RowReader[] = [];
  #count = 0;
  #isStatic = false;
  /** The greatest deletion over the whole row. */
  readonly #active = new Deletion();
  readonly #scratch = new Deletion();
  readonly #complex = new Deletion();
  readonly #counters = new CounterMerger();
  /** Per reader, the next column, and the next cell of the complex column at hand. */
  #nextColumn = new Uint32Array(8);
  #nextCell = new Uint32Array(8);
  /** The winners of a complex column, by path. */
  #winnerReader = new Uint32Array(64);
  #winnerCell = new Uint32Array(64);

  constructor(clusteringCount: number) {
    this.#clusteringCount = clusteringCount;
  }

  /** `enclosing`: the greater of the partition's deletion and the range deletion that is open there. */
  start(enclosing: Deletion, isStatic: boolean): void {
    this.#active.copy(enclosing);
    this.#isStatic = isStatic;
    this.#count = 0;
  }

  /** One more version. Its memory is read until `finish` returns. */
  add(bytes: Uint8Array, start: number, end: number): void {
    const index = this.#count++;
    let reader = this.#readers[index];
    if (reader === undefined) {
      reader = new RowReader(this.#clusteringCount);
      this.#readers.push(reader);
    }
    reader.read(bytes, start, end, this.#isStatic);
  }

  /** False if nothing is left of the row. */
  finish(): boolean {
    const { builder } = this;
    builder.reset();
    this.#head();
    if (this.#count > this.#nextColumn.length) {
      this.#nextColumn = new Uint32Array(2 * this.#count);
      this.#nextCell = new Uint32Array(2 * this.#count);
    }
    this.#nextColumn.fill(0, 0, this.#count);
    for (;;) {
      const first = this.#firstColumn();
      if (first < 0) return builder.finish();
      const reader = this.#readers[first] as RowReader;
      const column = this.#nextColumn[first] as number;
      if (reader.columnKind[column] === columnKinds.simple) this.#simple(reader, column);
      else this.#complexColumn(reader, column);
    }
  }

  /** Originals, deletion, liveness. */
  #head(): void {
    const deletion = this.#scratch;
    deletion.clear();
    let live: RowReader | undefined;
    let originals: RowReader | undefined;
    for (let i = 0; i < this.#count; i++) {
      const reader = this.#readers[i] as RowReader;
      if ((reader.flags & rowFlags.timestamp) !== 0) {
        if (live === undefined || compareLiveness(reader, live) > 0) live = reader;
      }
      const { deletionHi, deletionLo, deletionTime } = reader;
      if ((reader.flags & rowFlags.deletion) !== 0 && !this.#isStatic) {
        if (deletion.isBelow(deletionHi, deletionLo, deletionTime)) {
          deletion.set(deletionHi, deletionLo, deletionTime);
        }
      }
      if (originals === undefined || smallerOriginals(reader, originals)) originals = reader;
    }
    if (originals !== undefined) {
      this.builder.originals(originals.bytes, originals.originalsStart, originals.originalsEnd);
    }
    if (deletion.supersedes(this.#active)) {
      this.#active.copy(deletion);
      this.builder.deletion(deletion.hi, deletion.lo, deletion.time);
    }
    if (live === undefined || this.#active.shadows(live.timestampHi, live.timestampLo)) return;
    this.builder.timestamp(live.timestampHi, live.timestampLo);
    if ((live.flags & rowFlags.expiring) !== 0) this.builder.expiring(live.ttl, live.expiry);
  }

  /** The reader with the least of the columns that come next, -1 at the end. */
  #firstColumn(): number {
    let first = -1;
    for (let i = 0; i < this.#count; i++) {
      const reader = this.#readers[i] as RowReader;
      const column = this.#nextColumn[i] as number;
      if (column >= reader.columnCount) continue;
      if (first < 0) {
        first = i;
        continue;
      }
      const least = this.#readers[first] as RowReader;
      if (compareColumns(reader, column, least, this.#nextColumn[first] as number) < 0) first = i;
    }
    return first;
  }

  /** Whether reader i comes to the same column next. */
  #hasColumn(i: number, of: RowReader, column: number): boolean {
    const reader = this.#readers[i] as RowReader;
    const next = this.#nextColumn[i] as number;
    if (reader === of) return true;
    return next < reader.columnCount && compareColumns(reader, next, of, column) === 0;
  }

  #simple(of: RowReader, column: number): void {
    let best: RowReader | undefined;
    let bestCell = 0;
    let counters = 0;
    for (let i = 0; i < this.#count; i++) {
      if (!this.#hasColumn(i, of, column)) continue;
      const reader = this.#readers[i] as RowReader;
      const cell = reader.firstCell[this.#nextColumn[i] as number] as number;
      this.#nextCell[i] = cell;
      if (this.#active.shadows(reader.cellHi[cell] as number, reader.cellLo[cell] as number)) {
        continue;
      }
      if (((reader.cellFlags[cell] as number) & cellFlags.counter) !== 0) counters++;
      if (best === undefined || beats(reader, cell, best, bestCell)) {
        best = reader;
        bestCell = cell;
      }
    }
    if (best !== undefined) {
      this.builder.column(of.bytes, of.nameStart[column] as number, of.nameEnd[column] as number);
      const isCounter = ((best.cellFlags[bestCell] as number) & cellFlags.counter) !== 0;
      if (isCounter && counters > 1) this.#counter(of, column, best, bestCell);
      else this.builder.copyCell(best, bestCell, false);
    }
    this.#pass(of, column);
  }

  /** All shards of all versions; the timestamp is that of the newest, which is `newest`. */
  #counter(of: RowReader, column: number, newest: RowReader, newestCell: number): void {
    const merger = this.#counters;
    let isFirst = true;
    for (let i = 0; i < this.#count; i++) {
      if (!this.#hasColumn(i, of, column)) continue;
      const reader = this.#readers[i] as RowReader;
      const cell = this.#nextCell[i] as number;
      if (this.#active.shadows(reader.cellHi[cell] as number, reader.cellLo[cell] as number)) {
        continue;
      }
      const start = reader.valueStart[cell] as number;
      const end = reader.valueEnd[cell] as number;
      if (isFirst) merger.start(reader.bytes, start, end);
      else if (compareRanges(merger.bytes, 0, merger.length, reader.bytes, start, end) !== 0) {
        merger.add(reader.bytes, start, end);
      }
      isFirst = false;
    }
    const flags = cellFlags.counter | (merger.length === 0 ? cellFlags.empty : 0);
    const hi = newest.cellHi[newestCell] as number;
    this.builder.cell(flags, hi, newest.cellLo[newestCell] as number, 0, 0);
    if (merger.length > 0) this.builder.part(merger.bytes, 0, merger.length);
  }

  #complexColumn(of: RowReader, column: number): void {
    const deletion = this.#complex;
    deletion.copy(this.#active);
    for (let i = 0; i < this.#count; i++) {
      const reader = this.#readers[i] as RowReader;
      const next = this.#nextColumn[i] as number;
      // A cell index past all: this reader has no cells of the column.
      this.#nextCell[i] = 0xffffffff;
      if (!this.#hasColumn(i, of, column)) continue;
      this.#nextCell[i] = reader.firstCell[next] as number;
      if (reader.columnKind[next] !== columnKinds.complexDeleted) continue;
      const hi = reader.columnHi[next] as number;
      const lo = reader.columnLo[next] as number;
      const time = reader.columnTime[next] as number;
      if (deletion.isBelow(hi, lo, time)) deletion.set(hi, lo, time);
    }
    const winners = this.#winners(deletion);
    const deleted = deletion.supersedes(this.#active);
    if (deleted || winners > 0) {
      const { builder } = this;
      builder.column(of.bytes, of.nameStart[column] as number, of.nameEnd[column] as number);
      if (deleted) builder.complexDeleted(deletion.hi, deletion.lo, deletion.time, winners);
      else builder.complex(winners);
      for (let w = 0; w < winners; w++) {
        const reader = this.#readers[this.#winnerReader[w] as number] as RowReader;
        builder.copyCell(reader, this.#winnerCell[w] as number, true);
      }
    }
    this.#pass(of, column);
  }

  /** Merges the cells of a complex column by path; their number goes before them, so they are noted first. */
  #winners(deletion: Deletion): number {
    let count = 0;
    for (;;) {
      let best = -1;
      for (let i = 0; i < this.#count; i++) {
        if (this.#cellsEnd(i)) continue;
        if (best < 0 || this.#order(i, best) < 0) best = i;
      }
      if (best < 0) return count;
      const path = this.#readers[best] as RowReader;
      const pathCell = this.#nextCell[best] as number;
      let winner = -1;
      let winnerCell = 0;
      for (let i = best; i < this.#count; i++) {
        if (this.#cellsEnd(i)) continue;
        const reader = this.#readers[i] as RowReader;
        const cell = this.#nextCell[i] as number;
        if (i !== best && comparePaths(reader, cell, path, pathCell) !== 0) continue;
        this.#nextCell[i] = cell + 1;
        if (deletion.shadows(reader.cellHi[cell] as number, reader.cellLo[cell] as number))
          continue;
        if (winner >= 0) {
          const rival = this.#readers[winner] as RowReader;
          if (compareCells(reader, cell, rival, winnerCell) <= 0) continue;
        }
        winner = i;
        winnerCell = cell;
      }
      if (winner < 0) continue;
      if (count === this.#winnerCell.length) this.#growWinners();
      this.#winnerReader[count] = winner;
      this.#winnerCell[count++] = winnerCell;
    }
  }

  #order(i: number, j: number): number {
    return comparePaths(
      this.#readers[i] as RowReader,
      this.#nextCell[i] as number,
      this.#readers[j] as RowReader,
      this.#nextCell[j] as number,
    );
  }

  #cellsEnd(i: number): boolean {
    const reader = this.#readers[i] as RowReader;
    const next = (this.#nextColumn[i] as number) + 1;
    return (this.#nextCell[i] as number) >= (reader.firstCell[next] ?? 0);
  }

  /** Every reader that is at the column goes on to its next. */
  #pass(of: RowReader, column: number): void {
    for (let i = 0; i < this.#count; i++) {
      if (this.#hasColumn(i, of, column)) this.#nextColumn[i] = (this.#nextColumn[i] as number) + 1;
    }
  }

  #growWinners(): void {
    const readers = new Uint32Array(2 * this.#winnerReader.length);
    readers.set(this.#winnerReader);
    this.#winnerReader = readers;
    const cells = new Uint32Array(2 * this.#winnerCell.length);
    cells.set(this.#winnerCell);
    this.#winnerCell = cells;
  }
}

/** A tombstone beats a counter whatever their timestamps: a deleted counter does not come back. */
function beats(a: RowReader, i: number, b: RowReader, j: number): boolean {
  const flags = (a.cellFlags[i] as number) | (b.cellFlags[j] as number);
  if ((flags & cellFlags.counter) !== 0 && (flags & cellFlags.tombstone) !== 0) {
    const left = (a.cellFlags[i] as number) & cellFlags.tombstone;
    const right = (b.cellFlags[j] as number) & cellFlags.tombstone;
    if (left !== right) return left !== 0;
  }
  return compareCells(a, i, b, j) > 0;
}

function smallerOriginals(a: RowReader, b: RowReader): boolean {
  const order = compareRanges(
    a.bytes,
    a.originalsStart,
    a.originalsEnd,
    b.bytes,
    b.originalsStart,
    b.originalsEnd,
  );
  return order < 0;
}
