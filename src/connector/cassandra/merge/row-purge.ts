// One merged row without the deletions and expired values that no replica holds any more (purge-deletions.ts).
// A row that loses nothing is said to be the same, so that its bytes are taken over.
import { cellFlags, rowFlags } from '../record/record-layout.ts';
import { RowBuilder } from '../record/row-builder.ts';
import { columnKinds, RowReader } from '../record/row-reader.ts';
import type { RowVerdict } from './row-filter.ts';

/** What has gone from every replica, in seconds since 1970. */
export interface Horizon {
  /** Everything at or after it may still be needed, whatever replicas hold: begin of the cut − gc_grace_seconds. */
  readonly graceSeconds: number;
  /** No file of a replica holds a deletion that is older, nor a value whose expiry less its time to live is. */
  readonly floorSeconds: number;
}

/** Cassandra's own limit, 20 years; a view's marker of expired rows has more, and stays. */
const ttlMax = 630_720_000;

/** Whether a deletion of this local deletion time has gone everywhere. */
export function isPurgeable({ graceSeconds, floorSeconds }: Horizon, time: number): boolean {
  return time < graceSeconds && time < floorSeconds;
}

/**
 * The same of an expired value. A compaction makes a tombstone of it, whose local deletion time is its expiry less
 * its time to live: what is asked of the floor holds for both.
 */
function isPurgeableValue({ graceSeconds, floorSeconds }: Horizon, expiry: number, ttl: number) {
  return expiry < graceSeconds && expiry - ttl < floorSeconds && ttl <= ttlMax;
}

export class RowPurge {
  /** Holds the row after `changed`. */
  readonly builder = new RowBuilder();
  readonly #horizon: Horizon;
  readonly #reader: RowReader;
  /** Cells of the column at hand that stay. */
  readonly #kept: number[] = [];

  constructor(horizon: Horizon, clusteringCount: number) {
    this.#horizon = horizon;
    this.#reader = new RowReader(clusteringCount);
  }

  purge(bytes: Uint8Array, start: number, end: number, isStatic: boolean): RowVerdict {
    const reader = this.#reader;
    reader.read(bytes, start, end, isStatic);
    if (!this.#losesSome()) return 'same';
    const { builder } = this;
    builder.reset();
    builder.originals(reader.bytes, reader.originalsStart, reader.originalsEnd);
    if ((reader.flags & rowFlags.timestamp) !== 0 && !this.#losesLiveness()) {
      builder.timestamp(reader.timestampHi, reader.timestampLo);
      if ((reader.flags & rowFlags.expiring) !== 0) builder.expiring(reader.ttl, reader.expiry);
    }
    if ((reader.flags & rowFlags.deletion) !== 0 && !this.#losesDeletion()) {
      builder.deletion(reader.deletionHi, reader.deletionLo, reader.deletionTime);
    }
    for (let column = 0; column < reader.columnCount; column++) this.#column(column);
    return builder.finish() ? 'changed' : 'gone';
  }

  #losesSome(): boolean {
    const reader = this.#reader;
    if (this.#losesLiveness() || this.#losesDeletion()) return true;
    for (let column = 0; column < reader.columnCount; column++) {
      if (this.#losesColumnDeletion(column)) return true;
    }
    for (let cell = 0; cell < reader.cellCount; cell++) if (this.#losesCell(cell)) return true;
    return false;
  }

  #losesLiveness(): boolean {
    const { flags, expiry, ttl } = this.#reader;
    return (flags & rowFlags.expiring) !== 0 && isPurgeableValue(this.#horizon, expiry, ttl);
  }

  #losesDeletion(): boolean {
    const { flags, deletionTime } = this.#reader;
    return (flags & rowFlags.deletion) !== 0 && isPurgeable(this.#horizon, deletionTime);
  }

  #losesColumnDeletion(column: number): boolean {
    const { columnKind, columnTime } = this.#reader;
    return (
      columnKind[column] === columnKinds.complexDeleted &&
      isPurgeable(this.#horizon, columnTime[column] as number)
    );
  }

  #losesCell(cell: number): boolean {
    const { cellFlags: flags, cellExpiry, cellTtl } = this.#reader;
    const flag = flags[cell] as number;
    const expiry = cellExpiry[cell] as number;
    if ((flag & cellFlags.tombstone) !== 0) return isPurgeable(this.#horizon, expiry);
    if ((flag & cellFlags.expiring) === 0) return false;
    return isPurgeableValue(this.#horizon, expiry, cellTtl[cell] as number);
  }

  #column(column: number): void {
    const { builder } = this;
    const reader = this.#reader;
    const kept = this.#kept;
    kept.length = 0;
    const end = reader.firstCell[column + 1] as number;
    for (let cell = reader.firstCell[column] as number; cell < end; cell++) {
      if (!this.#losesCell(cell)) kept.push(cell);
    }
    const kind = reader.columnKind[column];
    const deleted = kind === columnKinds.complexDeleted && !this.#losesColumnDeletion(column);
    if (kept.length === 0 && !deleted) return;
    const { bytes, nameStart, nameEnd, columnHi, columnLo, columnTime } = reader;
    builder.column(bytes, nameStart[column] as number, nameEnd[column] as number);
    const complex = kind !== columnKinds.simple;
    if (deleted) {
      const [hi, lo] = [columnHi[column] as number, columnLo[column] as number];
      builder.complexDeleted(hi, lo, columnTime[column] as number, kept.length);
    } else if (complex) builder.complex(kept.length);
    for (const cell of kept) builder.copyCell(reader, cell, complex);
  }
}
