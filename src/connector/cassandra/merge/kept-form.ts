// A stage behind the merge: what of deletions a table holds for certain at one second, whatever compactions ran on
// it before. Cassandra turns expired cells into tombstones and drops deletions that are older than gc_grace_seconds
// when it likes (db/rows/AbstractCell.java, BTreeRow.java, db/partitions/PurgeFunction.java); here both are always
// done, so that two copies of one table are equal again. What lives is not touched.

import type { BlockStream, RecordBlock } from '../../../model/record-block.ts';
import { BlockBuilder } from '../record/block-builder.ts';
import { PartitionTracker, recordKinds } from '../record/record-key.ts';
import { cellFlags, deletionBytes, markerFlags, rowFlags } from '../record/record-layout.ts';
import { RowBuilder } from '../record/row-builder.ts';
import { columnKinds, RowReader } from '../record/row-reader.ts';
import { Deletion } from './deletion.ts';
import { KeyedOutput } from './keyed-output.ts';
import { runStage } from './run-stage.ts';

export interface KeptFormOptions {
  readonly clusteringCount: number;
  /** The second E: what expires at or before it is deleted. */
  readonly nowSeconds: number;
  /** Deletions with an earlier local time are left out. */
  readonly sinceSeconds: number;
  /** Later seconds of deletions and expiry are cut to it; none unless said. */
  readonly secondsMax?: number;
}

/** The input is merged: what a deletion shadows has gone before. Ranges are cut between partitions. */
export async function* keptForm(input: BlockStream, options: KeptFormOptions): BlockStream {
  yield* runStage(input, new KeptStage(options));
}

class KeptStage {
  readonly out = new BlockBuilder({ givesViews: true });
  readonly #given = new KeyedOutput(this.out);
  readonly #rows: KeptRows;
  readonly #times: KeptTimes;
  readonly #tracker = new PartitionTracker();
  /** What the last marker that was given out says. */
  readonly #open = new Deletion();
  readonly #next = new Deletion();
  #value = Buffer.alloc(64);

  constructor(options: KeptFormOptions) {
    this.#times = new KeptTimes(options);
    this.#rows = new KeptRows(options.clusteringCount, this.#times);
  }

  record(block: RecordBlock, index: number): void {
    const { bytes, bounds } = block;
    const start = bounds[2 * index] as number;
    const middle = bounds[2 * index + 1] as number;
    const end = bounds[2 * index + 2] as number;
    if (this.#tracker.enter(bytes, start, middle)) {
      this.#given.enter();
      this.#open.clear();
    }
    switch (this.#tracker.kind(bytes, start, middle)) {
      case recordKinds.partitionKey:
        this.#given.hold(block, index);
        return;
      case recordKinds.partitionDeletion:
        this.#next.read(bytes, middle);
        if (!this.#times.keeps(this.#next)) return;
        this.#next.write(this.#value, 0);
        this.#given.add(bytes, start, middle, this.#value, deletionBytes);
        return;
      case recordKinds.marker:
        this.#marker(bytes, start, middle, end);
        return;
      case recordKinds.static:
        this.#row(block, index, true);
        return;
      default:
        this.#row(block, index, false);
    }
  }

  #marker(bytes: Uint8Array, start: number, middle: number, end: number): void {
    const next = this.#next;
    const opens = ((bytes[middle] as number) & markerFlags.opens) !== 0;
    const originalsEnd = opens ? end - deletionBytes : end;
    next.clear();
    if (opens) next.read(bytes, originalsEnd);
    if (opens && !this.#times.keeps(next)) next.clear();
    if (next.equals(this.#open)) return;
    this.#open.copy(next);
    const size = originalsEnd - middle - 1;
    if (this.#value.length < size + 16) this.#value = Buffer.alloc(size + 64);
    const value = this.#value;
    value.set(bytes.subarray(middle, originalsEnd), 0);
    value[0] = ((bytes[middle] as number) & ~markerFlags.opens) | (next.isNone ? 0 : 1);
    if (!next.isNone) next.write(value, 1 + size);
    this.#given.add(bytes, start, middle, value, 1 + size + (next.isNone ? 0 : deletionBytes));
  }

  #row(block: RecordBlock, index: number, isStatic: boolean): void {
    const { bytes, bounds } = block;
    const start = bounds[2 * index] as number;
    const middle = bounds[2 * index + 1] as number;
    const end = bounds[2 * index + 2] as number;
    const verdict = this.#rows.filter(bytes, middle, end, isStatic);
    if (verdict === 'gone') return;
    const { builder } = this.#rows;
    if (verdict === 'changed') this.#given.add(bytes, start, middle, builder.bytes, builder.length);
    else this.#given.copy(block, index);
  }
}

/** Which seconds stay, and as what. */
class KeptTimes {
  readonly now: number;
  readonly since: number;
  readonly #max: number;

  constructor({ nowSeconds, sinceSeconds, secondsMax }: KeptFormOptions) {
    this.now = nowSeconds;
    this.since = sinceSeconds;
    this.#max = secondsMax ?? 0xffffffff;
  }

  capped(second: number): number {
    return Math.min(second, this.#max);
  }

  /** Cuts the deletion's time; false when it may have gone. */
  keeps(deletion: Deletion): boolean {
    deletion.time = this.capped(deletion.time);
    return deletion.time >= this.since;
  }

  /** The time of the tombstone that an expired cell becomes; undefined when that may have gone as well. */
  tombstone(expiry: number, ttl: number): number | undefined {
    const time = Math.max(0, expiry - ttl);
    return time >= this.since ? time : undefined;
  }
}

class KeptRows {
  /** Holds the row after `changed`. */
  readonly builder = new RowBuilder();
  readonly #reader: RowReader;
  readonly #times: KeptTimes;
  readonly #kept: number[] = [];

  constructor(clusteringCount: number, times: KeptTimes) {
    this.#reader = new RowReader(clusteringCount);
    this.#times = times;
  }

  filter(
    bytes: Uint8Array,
    start: number,
    end: number,
    isStatic: boolean,
  ): 'same' | 'changed' | 'gone' {
    const reader = this.#reader;
    reader.read(bytes, start, end, isStatic);
    const timed = cellFlags.tombstone | cellFlags.expiring;
    let same = (reader.flags & (rowFlags.expiring | rowFlags.deletion)) === 0;
    for (let i = 0; same && i < reader.columnCount; i++) {
      same = reader.columnKind[i] !== columnKinds.complexDeleted;
    }
    for (let i = 0; same && i < reader.cellCount; i++) {
      same = ((reader.cellFlags[i] as number) & timed) === 0;
    }
    if (same) return 'same';
    return this.#rebuild() ? 'changed' : 'gone';
  }

  #rebuild(): boolean {
    const { builder } = this;
    const reader = this.#reader;
    const times = this.#times;
    builder.reset();
    builder.originals(reader.bytes, reader.originalsStart, reader.originalsEnd);
    if ((reader.flags & rowFlags.timestamp) !== 0) this.#liveness();
    const deleted = times.capped(reader.deletionTime);
    if ((reader.flags & rowFlags.deletion) !== 0 && deleted >= times.since) {
      builder.deletion(reader.deletionHi, reader.deletionLo, deleted);
    }
    for (let column = 0; column < reader.columnCount; column++) this.#column(column);
    return builder.finish();
  }

  /** An expired one stays as it is until it may go: Cassandra makes no tombstone of it. */
  #liveness(): void {
    const { builder } = this;
    const { flags, timestampHi, timestampLo, ttl, expiry } = this.#reader;
    const ends = this.#times.capped(expiry);
    const expiring = (flags & rowFlags.expiring) !== 0;
    if (expiring && ends <= this.#times.now && ends < this.#times.since) return;
    builder.timestamp(timestampHi, timestampLo);
    if (expiring) builder.expiring(ttl, ends);
  }

  #column(column: number): void {
    const { builder } = this;
    const reader = this.#reader;
    const times = this.#times;
    const kept = this.#kept;
    kept.length = 0;
    const end = reader.firstCell[column + 1] as number;
    for (let cell = reader.firstCell[column] as number; cell < end; cell++) {
      if (this.#stays(cell)) kept.push(cell);
    }
    const deletedAt = times.capped(reader.columnTime[column] as number);
    const kind = reader.columnKind[column];
    const deleted = kind === columnKinds.complexDeleted && deletedAt >= times.since;
    if (kept.length === 0 && !deleted) return;
    const { bytes } = reader;
    builder.column(bytes, reader.nameStart[column] as number, reader.nameEnd[column] as number);
    if (deleted) {
      const [hi, lo] = [reader.columnHi[column] as number, reader.columnLo[column] as number];
      builder.complexDeleted(hi, lo, deletedAt, kept.length);
    } else if (kind !== columnKinds.simple) builder.complex(kept.length);
    for (const cell of kept) this.#cell(cell, kind !== columnKinds.simple);
  }

  #stays(cell: number): boolean {
    const reader = this.#reader;
    const times = this.#times;
    const flags = reader.cellFlags[cell] as number;
    const second = times.capped(reader.cellExpiry[cell] as number);
    if ((flags & cellFlags.tombstone) !== 0) return second >= times.since;
    if ((flags & cellFlags.expiring) === 0 || second > times.now) return true;
    return times.tombstone(second, reader.cellTtl[cell] as number) !== undefined;
  }

  #cell(cell: number, complex: boolean): void {
    const { builder } = this;
    const reader = this.#reader;
    const times = this.#times;
    const flags = reader.cellFlags[cell] as number;
    const [hi, lo] = [reader.cellHi[cell] as number, reader.cellLo[cell] as number];
    const ttl = reader.cellTtl[cell] as number;
    const second = times.capped(reader.cellExpiry[cell] as number);
    if ((flags & cellFlags.expiring) === 0 || second > times.now) {
      builder.cell(flags, hi, lo, second, ttl);
      builder.cellParts(reader, cell, complex);
      return;
    }
    const path = flags & cellFlags.pathOriginal;
    const tombstone = path | cellFlags.tombstone | cellFlags.empty;
    builder.cell(tombstone, hi, lo, times.tombstone(second, ttl) ?? 0, 0);
    const { bytes } = reader;
    if (complex) {
      builder.part(bytes, reader.pathStart[cell] as number, reader.pathEnd[cell] as number);
    }
    if (path !== 0) {
      builder.part(bytes, reader.originalStart[cell] as number, reader.originalEnd[cell] as number);
    }
  }
}
