// One merged row to what is wanted of it: without what dropped columns held, with other expiries, and in the
// live form without tombstones and what has expired. A row that loses nothing is said to be the same, so that
// its bytes are taken over.

import { cellFlags, rowFlags } from '../record/record-layout.ts';
import { RowBuilder } from '../record/row-builder.ts';
import { columnKinds, RowReader } from '../record/row-reader.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import { ColumnGate, type GateColumn, isDropped, isOpen } from './column-gate.ts';

/** What becomes of times to live: as they are, all later by so many seconds, or none any more. */
export type TtlMode = 'keep' | 'freeze' | { readonly rebaseSeconds: number };

export interface RowFilterOptions {
  readonly schema: TableSchema;
  readonly ttl: TtlMode;
  /** What expires by then has expired: seconds since 1970, after rebasing. */
  readonly nowSeconds: number;
  /** For `freeze`: what expires after this becomes plain; what expires by then has expired. */
  readonly liveAtSeconds: number;
  /** Tombstones, deletions and what has expired stay. */
  readonly keepTombstones: boolean;
  /** Expiry beyond it, after rebasing, is cut to it. */
  readonly expirySecondsMax?: number | undefined;
}

export type RowVerdict = 'same' | 'changed' | 'gone';

const expiryMax = 0xffffffff;

export class RowFilter {
  /** Holds the row after `changed`. */
  readonly builder = new RowBuilder();
  readonly #options: RowFilterOptions;
  readonly #reader: RowReader;
  readonly #statics: ColumnGate;
  readonly #regulars: ColumnGate;
  readonly #shiftSeconds: number;
  readonly #expiryMax: number;
  /** Flags that call for a closer look. */
  readonly #rowMask: number;
  readonly #cellMask: number;
  /** The column of the schema for each column of the row. */
  readonly #gates: GateColumn[] = [];
  /** Cells of the column at hand that stay. */
  readonly #kept: number[] = [];

  constructor(options: RowFilterOptions) {
    const { schema, ttl, keepTombstones } = options;
    this.#options = options;
    this.#reader = new RowReader(schema.clustering.length);
    this.#statics = new ColumnGate(schema, true);
    this.#regulars = new ColumnGate(schema, false);
    this.#shiftSeconds = typeof ttl === 'object' ? ttl.rebaseSeconds : 0;
    this.#expiryMax = options.expirySecondsMax ?? expiryMax;
    const untouched = keepTombstones && ttl === 'keep';
    this.#rowMask = (untouched ? 0 : rowFlags.expiring) | (keepTombstones ? 0 : rowFlags.deletion);
    this.#cellMask =
      (untouched ? 0 : cellFlags.expiring) | (keepTombstones ? 0 : cellFlags.tombstone);
  }

  filter(bytes: Uint8Array, start: number, end: number, isStatic: boolean): RowVerdict {
    const reader = this.#reader;
    reader.read(bytes, start, end, isStatic);
    const gate = isStatic ? this.#statics : this.#regulars;
    gate.restart();
    let same = (reader.flags & this.#rowMask) === 0;
    for (let column = 0; column < reader.columnCount; column++) {
      const found = gate.find(reader, column);
      this.#gates[column] = found;
      if (!isOpen(found)) same = false;
      if (reader.columnKind[column] === columnKinds.complexDeleted) {
        same = same && this.#options.keepTombstones;
      }
    }
    for (let cell = 0; same && cell < reader.cellCount; cell++) {
      same = ((reader.cellFlags[cell] as number) & this.#cellMask) === 0;
    }
    if (same) return 'same';
    return this.#rebuild() ? 'changed' : 'gone';
  }

  #rebuild(): boolean {
    const { builder } = this;
    const reader = this.#reader;
    builder.reset();
    builder.originals(reader.bytes, reader.originalsStart, reader.originalsEnd);
    this.#liveness();
    if ((reader.flags & rowFlags.deletion) !== 0 && this.#options.keepTombstones) {
      builder.deletion(reader.deletionHi, reader.deletionLo, reader.deletionTime);
    }
    for (let column = 0; column < reader.columnCount; column++) this.#column(column);
    return builder.finish();
  }

  #liveness(): void {
    const { flags, timestampHi, timestampLo, ttl, expiry } = this.#reader;
    if ((flags & rowFlags.timestamp) === 0) return;
    const expiring = (flags & rowFlags.expiring) !== 0;
    if (expiring && !this.#stays(expiry)) return;
    this.builder.timestamp(timestampHi, timestampLo);
    if (expiring && !this.#freezes(expiry)) this.builder.expiring(ttl, this.#shifted(expiry));
  }

  #column(column: number): void {
    const { builder } = this;
    const reader = this.#reader;
    const gate = this.#gates[column] as GateColumn;
    const kept = this.#kept;
    kept.length = 0;
    const end = reader.firstCell[column + 1] as number;
    for (let cell = reader.firstCell[column] as number; cell < end; cell++) {
      if (isDropped(gate, reader.cellHi[cell] as number, reader.cellLo[cell] as number)) continue;
      const flags = reader.cellFlags[cell] as number;
      if ((flags & cellFlags.tombstone) !== 0 && !this.#options.keepTombstones) continue;
      const expiry = reader.cellExpiry[cell] as number;
      if ((flags & cellFlags.expiring) !== 0 && !this.#stays(expiry)) continue;
      kept.push(cell);
    }
    const hi = reader.columnHi[column] as number;
    const lo = reader.columnLo[column] as number;
    const deleted =
      reader.columnKind[column] === columnKinds.complexDeleted &&
      this.#options.keepTombstones &&
      !isDropped(gate, hi, lo);
    if (kept.length === 0 && !deleted) return;
    const { bytes } = reader;
    builder.column(bytes, reader.nameStart[column] as number, reader.nameEnd[column] as number);
    const complex = reader.columnKind[column] !== columnKinds.simple;
    if (deleted) {
      builder.complexDeleted(hi, lo, reader.columnTime[column] as number, kept.length);
    } else if (complex) builder.complex(kept.length);
    for (let i = 0; i < kept.length; i++) this.#cell(kept[i] as number, complex);
  }

  #cell(cell: number, complex: boolean): void {
    const reader = this.#reader;
    let flags = reader.cellFlags[cell] as number;
    let expiry = reader.cellExpiry[cell] as number;
    if ((flags & cellFlags.expiring) !== 0) {
      if (this.#freezes(expiry)) flags &= ~cellFlags.expiring;
      else expiry = this.#shifted(expiry);
    }
    const hi = reader.cellHi[cell] as number;
    const lo = reader.cellLo[cell] as number;
    this.builder.cell(flags, hi, lo, expiry, reader.cellTtl[cell] as number);
    this.builder.cellParts(reader, cell, complex);
  }

  /** Whether what expires then is still wanted. */
  #stays(expiry: number): boolean {
    if (this.#options.keepTombstones) return true;
    if (this.#options.ttl === 'freeze') return this.#freezes(expiry);
    return this.#shifted(expiry) > this.#options.nowSeconds;
  }

  #freezes(expiry: number): boolean {
    return this.#options.ttl === 'freeze' && expiry > this.#options.liveAtSeconds;
  }

  #shifted(expiry: number): number {
    return Math.max(0, Math.min(this.#expiryMax, expiry + this.#shiftSeconds));
  }
}
