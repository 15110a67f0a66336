// Decodes the body of a row of Data.db (db/rows/UnfilteredSerializer.java, Cell.java) and writes it
// as the value of a record, in the canonical form of record/record-layout.ts, straight into the
// block.
//
//   row   := [timestamp] [ttl, ldt] [deletion] [columns] (cell | [deletion] vint count cell*)*
//   cell  := flags [timestamp] [ldt] [ttl] [path] [value]
//
// Times are differences to the header's minima, modulo 2^64 and 2^32; so pairs of 32-bit halves are
// all it takes.
import { cellFlags, complexFlags, rowFlags } from '../record/record-layout.ts';
import type { ColumnPlan } from './column-plan.ts';
import { ColumnSubset } from './column-subset.ts';
import type { ClusteringReader } from './read-clustering.ts';
import type { RecordSink } from './record-sink.ts';
import type { SerializationHeader } from './statistics.ts';
import type { ByteCursor } from './vint.ts';

/** The first byte of a row or marker in Data.db. */
export const sourceFlags = {
  endOfPartition: 0x01,
  marker: 0x02,
  timestamp: 0x04,
  expiring: 0x08,
  deletion: 0x10,
  allColumns: 0x20,
  complexDeletion: 0x40,
  extended: 0x80,
} as const;

const sourceCell = {
  tombstone: 0x01,
  expiring: 0x02,
  empty: 0x04,
  rowTimestamp: 0x08,
  rowExpiry: 0x10,
} as const;
/** The high half of the timestamp of a deletion that is none: Long.MIN_VALUE. */
export const noDeletionHi = -0x80000000;
/** Flags, timestamp, two times, and the lengths of path, original and value. */
const cellBytesMax = 17 + 3 * 5;
const rowHeadBytesMax = 64;

/** The row does not fit its size; the caller knows where it is. */
export class RowMismatch extends Error {}

export class RowDecoder {
  readonly #cursor: ByteCursor;
  readonly #sink: RecordSink;
  readonly #clustering: ClusteringReader;
  readonly #minHi: number;
  readonly #minLo: number;
  readonly #minLdt: number;
  readonly #minTtl: number;
  readonly #subset = new ColumnSubset();
  /** The timestamp that was read last. */
  hi = 0;
  lo = 0;
  #hasTimestamp = false;
  #rowHi = 0;
  #rowLo = 0;
  #isExpiring = false;
  #rowTtl = 0;
  #rowLdt = 0;
  /** Where each written column begins, and its rank. */
  #starts = new Uint32Array(64);
  #ranks = new Uint32Array(64);
  #written = 0;
  #disordered = false;

  constructor(
    header: SerializationHeader,
    cursor: ByteCursor,
    sink: RecordSink,
    clustering: ClusteringReader,
  ) {
    this.#cursor = cursor;
    this.#sink = sink;
    this.#clustering = clustering;
    this.#minHi = Number(BigInt.asIntN(32, header.minTimestamp >> 32n));
    this.#minLo = Number(BigInt.asUintN(32, header.minTimestamp));
    this.#minLdt = header.minLocalDeletionTime;
    this.#minTtl = header.minTtl;
  }

  /** Reads a timestamp into `hi` and `lo`. */
  timestamp(): void {
    const cursor = this.#cursor;
    cursor.vint64();
    const lo = (cursor.lo >>> 0) + this.#minLo;
    this.lo = lo | 0;
    this.hi = (cursor.hi + this.#minHi + (lo > 0xffffffff ? 1 : 0)) | 0;
  }

  localDeletionTime(): number {
    return (this.#cursor.vint32() + this.#minLdt) >>> 0;
  }

  /**
   * Decodes the row up to `end` and writes its value. False, when there is nothing in it: then it
   * is no record. `flags` are its first byte in Data.db, `isStatic` says that it has no clustering.
   */
  row(flags: number, columns: readonly ColumnPlan[], end: number, isStatic: boolean): boolean {
    const hasHead = this.#head(flags, isStatic);
    this.#written = 0;
    this.#disordered = false;
    const first = this.#sink.length;
    const hasComplexDeletion = (flags & sourceFlags.complexDeletion) !== 0;
    if ((flags & sourceFlags.allColumns) !== 0) {
      for (let i = 0; i < columns.length; i++) {
        this.#column(columns[i] as ColumnPlan, end, hasComplexDeletion);
      }
    } else {
      const subset = this.#subset;
      if (!subset.read(this.#cursor, columns.length)) throw new RowMismatch('columns it has not');
      for (let i = 0; i < subset.count; i++) {
        const plan = columns[subset.indexes[i] as number] as ColumnPlan;
        this.#column(plan, end, hasComplexDeletion);
      }
    }
    if (this.#cursor.at !== end) throw new RowMismatch('its length is not what it says');
    if (this.#disordered) this.#orderByName(first, columns.length);
    return hasHead || this.#written > 0;
  }

  #head(flags: number, isStatic: boolean): boolean {
    const cursor = this.#cursor;
    const sink = this.#sink;
    sink.reserve(rowHeadBytesMax);
    const flagsAt = sink.length++;
    let written = 0;
    if (!isStatic && !this.#clustering.codec.lossless) {
      written |= rowFlags.originals;
      this.#clustering.writeOriginals(cursor.bytes, sink);
      sink.reserve(rowHeadBytesMax);
    }
    this.#hasTimestamp = (flags & sourceFlags.timestamp) !== 0;
    this.#isExpiring = (flags & sourceFlags.expiring) !== 0;
    if (this.#hasTimestamp) {
      this.timestamp();
      this.#rowHi = this.hi;
      this.#rowLo = this.lo;
      written |= rowFlags.timestamp;
      sink.u32(this.hi);
      sink.u32(this.lo);
    }
    if (this.#isExpiring) {
      this.#rowTtl = (cursor.vint32() + this.#minTtl) >>> 0;
      this.#rowLdt = this.localDeletionTime();
      written |= rowFlags.expiring;
      sink.u32(this.#rowTtl);
      sink.u32(this.#rowLdt);
    }
    if ((flags & sourceFlags.deletion) !== 0) {
      this.timestamp();
      const time = this.localDeletionTime();
      if (this.hi !== noDeletionHi || this.lo !== 0) {
        written |= rowFlags.deletion;
        sink.u32(this.hi);
        sink.u32(this.lo);
        sink.u32(time);
      }
    }
    sink.bytes[flagsAt] = written;
    return (written & (rowFlags.timestamp | rowFlags.deletion)) !== 0;
  }

  #column(plan: ColumnPlan, end: number, hasDeletion: boolean): void {
    const sink = this.#sink;
    const start = sink.length;
    const { head } = plan;
    sink.reserve(head.length + rowHeadBytesMax);
    sink.copy(head, 0, head.length);
    if (!plan.complex) this.#cell(plan, end);
    else if (!this.#complex(plan, end, hasDeletion)) {
      sink.length = start;
      return;
    }
    const index = this.#written++;
    if (index === this.#starts.length) this.#growStarts();
    this.#starts[index] = start;
    this.#ranks[index] = plan.rank;
    if (index > 0 && (this.#ranks[index - 1] as number) > plan.rank) this.#disordered = true;
  }

  /** False, when the column has neither a deletion nor a cell. */
  #complex(plan: ColumnPlan, end: number, hasDeletion: boolean): boolean {
    const cursor = this.#cursor;
    const sink = this.#sink;
    const flagsAt = sink.length++;
    let flags: number = complexFlags.complex;
    if (hasDeletion) {
      this.timestamp();
      const time = this.localDeletionTime();
      if (this.hi !== noDeletionHi || this.lo !== 0) {
        flags |= complexFlags.deletion;
        sink.u32(this.hi);
        sink.u32(this.lo);
        sink.u32(time);
      }
    }
    sink.bytes[flagsAt] = flags;
    const count = cursor.vint();
    if (count > end - cursor.at) throw new RowMismatch('more cells than it has bytes');
    sink.varint(count);
    for (let i = 0; i < count; i++) this.#cell(plan, end);
    return count > 0 || flags !== complexFlags.complex;
  }

  #cell(plan: ColumnPlan, end: number): void {
    const cursor = this.#cursor;
    const sink = this.#sink;
    const source = cursor.bytes[cursor.at++] as number;
    let hi = this.#rowHi;
    let lo = this.#rowLo;
    if ((source & sourceCell.rowTimestamp) === 0) {
      this.timestamp();
      hi = this.hi;
      lo = this.lo;
    } else if (!this.#hasTimestamp) throw new RowMismatch('a timestamp of the row that it has not');
    const tombstone = (source & sourceCell.tombstone) !== 0;
    let ldt = this.#rowLdt;
    let ttl = this.#rowTtl;
    if ((source & sourceCell.rowExpiry) === 0) {
      if ((source & (sourceCell.tombstone | sourceCell.expiring)) !== 0) {
        ldt = this.localDeletionTime();
      }
      if ((source & sourceCell.expiring) !== 0) ttl = (cursor.vint32() + this.#minTtl) >>> 0;
    } else if (!this.#isExpiring) throw new RowMismatch('an expiry of the row that it has not');
    let pathStart = 0;
    let pathEnd = 0;
    if (plan.complex) {
      const length = cursor.vint();
      pathStart = cursor.at;
      pathEnd = pathStart + length;
      cursor.at = pathEnd;
    }
    let valueStart = cursor.at;
    if ((source & sourceCell.empty) === 0) {
      const length = plan.valueLength < 0 ? cursor.vint() : plan.valueLength;
      valueStart = cursor.at;
      cursor.at += length;
    }
    if (cursor.at > end) throw new RowMismatch('a cell that is longer than the row');
    const expiring = !tombstone && (source & sourceCell.expiring) !== 0;
    const valueEnd = tombstone ? valueStart : cursor.at;
    let flags = tombstone ? cellFlags.tombstone : plan.counter ? cellFlags.counter : 0;
    if (valueEnd === valueStart) flags |= cellFlags.empty;
    if (this.#hasTimestamp && hi === this.#rowHi && lo === this.#rowLo) {
      flags |= cellFlags.rowTimestamp;
    }
    if (expiring) {
      flags |= cellFlags.expiring;
      const same = this.#isExpiring && ttl === this.#rowTtl && ldt === this.#rowLdt;
      if (same) flags |= cellFlags.rowExpiry;
    }
    if (plan.path !== undefined && !plan.path.lossless) flags |= cellFlags.pathOriginal;
    sink.reserve(cellBytesMax + valueEnd - valueStart);
    sink.bytes[sink.length++] = flags;
    if ((flags & cellFlags.rowTimestamp) === 0) {
      sink.u32(hi);
      sink.u32(lo);
    }
    if ((flags & cellFlags.rowExpiry) === 0) {
      if (tombstone || expiring) sink.u32(ldt);
      if (expiring) sink.u32(ttl);
    }
    if (plan.complex) this.#path(plan, pathStart, pathEnd, valueEnd - valueStart);
    if ((flags & cellFlags.empty) !== 0) return;
    sink.varint(valueEnd - valueStart);
    sink.copy(cursor.bytes, valueStart, valueEnd);
  }

  /**
   * Writes the path in comparable form and, where that loses some of it, as it was; room
   * for a value stays.
   */
  #path(plan: ColumnPlan, start: number, end: number, valueLength: number): void {
    const sink = this.#sink;
    const { bytes } = this.#cursor;
    const length = end - start;
    const codec = plan.path;
    if (codec === undefined || (length === 0 && !codec.holdsEmpty)) {
      sink.reserve(cellBytesMax + length + valueLength);
      sink.varint(length);
      sink.copy(bytes, start, end);
    } else {
      const most = codec.lengthMax(length);
      sink.reserve(cellBytesMax + 2 * most + length + valueLength);
      // The length comes first and is known last: the form is written behind its longest length,
      // then moved.
      const scratch = sink.length + 5;
      const formLength = codec.encode(bytes, start, end, sink.bytes, scratch) - scratch;
      sink.varint(formLength);
      sink.bytes.copyWithin(sink.length, scratch, scratch + formLength);
      sink.length += formLength;
    }
    if (codec === undefined || codec.lossless) return;
    sink.varint(length);
    sink.copy(bytes, start, end);
  }

  /** Puts the columns that were written from `first` on into the order of their names. */
  #orderByName(first: number, columnCount: number): void {
    const sink = this.#sink;
    const scratch = Uint8Array.prototype.slice.call(sink.bytes, first, sink.length);
    const indexes = new Int32Array(columnCount).fill(-1);
    for (let i = 0; i < this.#written; i++) indexes[this.#ranks[i] as number] = i;
    const last = this.#written - 1;
    let to = first;
    for (const index of indexes) {
      if (index < 0) continue;
      const from = (this.#starts[index] as number) - first;
      const until = index === last ? scratch.length : (this.#starts[index + 1] as number) - first;
      sink.bytes.set(scratch.subarray(from, until), to);
      to += until - from;
    }
  }

  #growStarts(): void {
    const size = 2 * this.#starts.length;
    const starts = new Uint32Array(size);
    starts.set(this.#starts);
    this.#starts = starts;
    const ranks = new Uint32Array(size);
    ranks.set(this.#ranks);
    this.#ranks = ranks;
  }
}
