// Rows and range tombstone markers in the bytes of Data.db (db/rows/UnfilteredSerializer.java, Cell.java), made
// from the values of records. Times are differences to the bases of the HEADER, modulo 2^64.
//
//   row    := flags [0x01 static] [clustering] vint size ‖ vint size of what is before ‖ [ts] [ttl ldt] [ts ldt]
//             [missing columns] column*
//   marker := 0x02 kind ‖ u16 components [clustering] ‖ vint size ‖ vint size of what is before ‖ (ts ldt){1,2}
import { CodrError } from '../../../base/error.ts';
import { ByteSink } from '../key/byte-sink.ts';
import type { ComparableCodec } from '../key/comparable.ts';
import { cellFlags, rowFlags } from '../record/record-layout.ts';
import { columnKinds, type RowReader } from '../record/row-reader.ts';
import { type OutBytes, vintLength } from './write-bytes.ts';
import type { ClusteringWriter } from './write-clustering.ts';
import type { WrittenColumn, WrittenColumns } from './write-columns.ts';
import type { OpenDeletion } from './write-index.ts';
import { noDeletionTime, type StatsCollector } from './write-stats.ts';
import { deletionTimeMax } from './write-tombstones.ts';

/** What the HEADER says differences are to. */
export interface DeltaBases {
  /** Signed and unsigned half of a timestamp, µs. */
  readonly timestampHi: number;
  readonly timestampLo: number;
  /** Seconds. */
  readonly deletionTime: number;
  readonly ttl: number;
}

const rowBits = {
  timestamp: 0x04,
  ttl: 0x08,
  deletion: 0x10,
  allColumns: 0x20,
  complexDeletion: 0x40,
  extended: 0x80,
} as const;
const markerBit = 0x02;
const staticBit = 0x01;
/** Cells have these flags of their records; the others are the record's own. */
const sharedCellFlags =
  cellFlags.tombstone |
  cellFlags.expiring |
  cellFlags.empty |
  cellFlags.rowTimestamp |
  cellFlags.rowExpiry;
/** More than flags, times and lengths of a cell take. */
const cellHeadMax = 64;
/** Counter id, clock, count. */
const shardBytes = 32;

export class RowEncoder {
  /** Expiry and deletion times that `nb` cannot hold, which were cut to what it can. */
  cappedExpiries = 0;
  /** Cells since the caller set it to 0. */
  cells = 0;
  /** The name of the unfiltered written last, for Index.db, is `out.bytes[nameStart, nameEnd)`. */
  nameStart = 0;
  nameEnd = 0;

  readonly #out: OutBytes;
  readonly #bases: DeltaBases;
  readonly #stats: StatsCollector;
  readonly #clustering: ClusteringWriter;
  readonly #path = new ByteSink(256);
  /** Where among the row's own columns the present ones are. */
  #columnAt = new Int32Array(64);
  /** Bytes that the size of the last unfiltered took: the next one's is likely as long. */
  #sizeLength = 1;

  constructor(
    out: OutBytes,
    bases: DeltaBases,
    stats: StatsCollector,
    clustering: ClusteringWriter,
  ) {
    this.#out = out;
    this.#bases = bases;
    this.#stats = stats;
    this.#clustering = clustering;
  }

  /** A row with the clustering that the clustering writer holds. `before`: size of the unfiltered before. */
  row(row: RowReader, columns: WrittenColumns, before: number): void {
    const out = this.#out;
    out.reserve(16);
    const at = out.length++;
    this.nameStart = out.length;
    this.#clustering.write(out);
    this.nameEnd = out.length;
    this.#rowBody(row, columns, before, at, 0);
  }

  /** A static row, which has no clustering. */
  staticRow(row: RowReader, columns: WrittenColumns): void {
    const out = this.#out;
    out.reserve(16);
    const at = out.length;
    out.length += 2;
    out.bytes[at + 1] = staticBit;
    this.#rowBody(row, columns, 0, at, rowBits.extended);
  }

  /** The static row of a partition that has none, in a table with static columns. */
  emptyStaticRow(columns: WrittenColumns): void {
    const out = this.#out;
    out.reserve(32);
    out.u8(rowBits.extended);
    out.u8(staticBit);
    const body = this.#openBody(0);
    columns.presentCount = 0;
    columns.subset(out);
    this.#closeBody(body);
  }

  /** A marker of the kind with the held clustering; `ended` and `begun` are the deletions, one of them at least. */
  marker(kind: number, before: number, ended: OpenDeletion, begun: OpenDeletion): void {
    const out = this.#out;
    out.reserve(64);
    out.u8(markerBit);
    this.nameStart = out.length;
    out.u8(kind);
    out.u16(this.#clustering.count);
    this.#clustering.write(out);
    this.nameEnd = out.length;
    const body = this.#openBody(before);
    out.reserve(64);
    if (ended.open) this.#deletion(ended.hi, ended.lo, ended.time);
    if (begun.open) this.#deletion(begun.hi, begun.lo, begun.time);
    this.#closeBody(body);
  }

  /** A second within what `nb` can hold; counts those that are not. */
  capped(second: number): number {
    if (second <= deletionTimeMax) return second;
    this.cappedExpiries++;
    return deletionTimeMax;
  }

  #rowBody(
    row: RowReader,
    columns: WrittenColumns,
    before: number,
    flagsAt: number,
    extended: number,
  ): void {
    const out = this.#out;
    const complexDeleted = this.#arrange(row, columns);
    let flags = extended | (complexDeleted ? rowBits.complexDeletion : 0);
    if (columns.presentCount === columns.all.length) flags |= rowBits.allColumns;
    const body = this.#openBody(before);
    flags |= this.#rowHead(row);
    if ((flags & rowBits.allColumns) === 0) columns.subset(out);
    for (let i = 0; i < columns.presentCount; i++) {
      const column = columns.all[columns.present[i] as number] as WrittenColumn;
      const at = this.#columnAt[i] as number;
      if (column.complex) this.#complexColumn(row, at, column, complexDeleted);
      else {
        this.#stats.columnsSet++;
        this.#cell(row, row.firstCell[at] as number, column);
      }
    }
    this.#closeBody(body);
    out.bytes[flagsAt] = flags;
    this.#stats.rows++;
  }

  /** Puts the row's columns in the order of the HEADER; whether one of them has a deletion. */
  #arrange(row: RowReader, columns: WrittenColumns): boolean {
    const count = row.columnCount;
    if (count > this.#columnAt.length) this.#columnAt = new Int32Array(2 * count);
    let present = 0;
    let complex = 0;
    for (let i = 0; i < count; i++) {
      if (row.columnKind[i] !== columnKinds.simple) complex++;
      else present = this.#place(row, i, columns, false, present);
    }
    let deleted = false;
    for (let i = 0; i < count && complex > 0; i++) {
      if (row.columnKind[i] === columnKinds.simple) continue;
      if (row.columnKind[i] === columnKinds.complexDeleted) deleted = true;
      present = this.#place(row, i, columns, true, present);
    }
    columns.presentCount = present;
    return deleted;
  }

  #place(
    row: RowReader,
    i: number,
    columns: WrittenColumns,
    complex: boolean,
    present: number,
  ): number {
    const guess = present === 0 ? 0 : (columns.present[present - 1] as number) + 1;
    const [start, end] = [row.nameStart[i] as number, row.nameEnd[i] as number];
    columns.present[present] = columns.find(row.bytes, start, end, complex, guess);
    this.#columnAt[present] = i;
    return present + 1;
  }

  /** Liveness and deletion of a row; the flags that say which of them are there. */
  #rowHead(row: RowReader): number {
    const out = this.#out;
    let flags = 0;
    out.reserve(64);
    if ((row.flags & rowFlags.timestamp) !== 0) {
      flags |= rowBits.timestamp;
      this.#stats.timestamp(row.timestampHi, row.timestampLo);
      this.#timestamp(row.timestampHi, row.timestampLo);
      if ((row.flags & rowFlags.expiring) !== 0) {
        flags |= rowBits.ttl;
        const expiry = this.capped(row.expiry);
        this.#stats.ttl(row.ttl);
        this.#stats.deletionTime(expiry);
        out.vint32(row.ttl - this.#bases.ttl);
        out.vint32(expiry - this.#bases.deletionTime);
      } else this.#stats.plain();
    }
    if ((row.flags & rowFlags.deletion) !== 0) {
      flags |= rowBits.deletion;
      this.#deletion(row.deletionHi, row.deletionLo, row.deletionTime);
    }
    return flags;
  }

  #complexColumn(row: RowReader, at: number, column: WrittenColumn, deletions: boolean): void {
    const out = this.#out;
    const first = row.firstCell[at] as number;
    const end = row.firstCell[at + 1] as number;
    out.reserve(cellHeadMax);
    if (row.columnKind[at] === columnKinds.complexDeleted) {
      const hi = row.columnHi[at] as number;
      this.#deletion(hi, row.columnLo[at] as number, row.columnTime[at] as number);
    } else if (deletions) {
      // No deletion, in the form that 4.x writes and both take.
      this.#timestamp(-0x80000000, 0);
      out.vint32(noDeletionTime - this.#bases.deletionTime);
    }
    out.vint(end - first);
    if (end > first) this.#stats.columnsSet++;
    for (let cell = first; cell < end; cell++) this.#cell(row, cell, column);
  }

  #cell(row: RowReader, cell: number, column: WrittenColumn): void {
    const out = this.#out;
    const stats = this.#stats;
    const flags = row.cellFlags[cell] as number;
    this.cells++;
    out.reserve(cellHeadMax);
    out.bytes[out.length++] = flags & sharedCellFlags;
    if ((flags & cellFlags.rowTimestamp) === 0) {
      const hi = row.cellHi[cell] as number;
      const lo = row.cellLo[cell] as number;
      stats.timestamp(hi, lo);
      this.#timestamp(hi, lo);
    }
    if ((flags & (cellFlags.tombstone | cellFlags.expiring)) === 0) stats.plain();
    else this.#cellTimes(flags, row.cellExpiry[cell] as number, row.cellTtl[cell] as number);
    if (column.complex) this.#cellPath(row, cell, flags, column.path);
    if ((flags & cellFlags.empty) !== 0) return;
    const start = row.valueStart[cell] as number;
    const end = row.valueEnd[cell] as number;
    if (column.fixedLength < 0) {
      out.vint(end - start);
      if ((flags & cellFlags.counter) !== 0 && hasLegacyShards(row.bytes, start, end)) {
        stats.legacyCounterShards = true;
      }
    } else if (end - start !== column.fixedLength) {
      const message = `a value of column ${column.column.name} has ${end - start} bytes`;
      throw new CodrError('source-unfit', message, { object: column.column.name });
    }
    out.copy(row.bytes, start, end);
  }

  #cellTimes(flags: number, expiry: number, ttl: number): void {
    const second = this.capped(expiry);
    this.#stats.deletionTime(second);
    this.#stats.ttl(ttl);
    if ((flags & cellFlags.rowExpiry) !== 0) return;
    this.#out.vint32(second - this.#bases.deletionTime);
    if ((flags & cellFlags.expiring) !== 0) this.#out.vint32(ttl - this.#bases.ttl);
  }

  #cellPath(row: RowReader, cell: number, flags: number, codec: ComparableCodec | undefined): void {
    const out = this.#out;
    const isOriginal = (flags & cellFlags.pathOriginal) !== 0;
    let { bytes } = row;
    let start = (isOriginal ? row.originalStart : row.pathStart)[cell] as number;
    let end = (isOriginal ? row.originalEnd : row.pathEnd)[cell] as number;
    if (!isOriginal && codec !== undefined) {
      // Decoding looks for an end up to the end of the array: it must be the path's own.
      const form = bytes.subarray(start, end);
      this.#path.length = 0;
      if (form.length > 0) codec.decode(form, 0, this.#path);
      start = 0;
      end = this.#path.length;
      bytes = this.#path.bytes;
    }
    out.vint(end - start);
    out.copy(bytes, start, end);
    out.reserve(16);
  }

  #timestamp(hi: number, lo: number): void {
    const low = lo - this.#bases.timestampLo;
    this.#out.vint64(hi - this.#bases.timestampHi - (low < 0 ? 1 : 0), low);
  }

  #deletion(hi: number, lo: number, time: number): void {
    const second = this.capped(time);
    this.#stats.timestamp(hi, lo);
    this.#stats.deletionTime(second);
    this.#timestamp(hi, lo);
    this.#out.vint32(second - this.#bases.deletionTime);
  }

  /** Leaves room for the size and writes what the size counts first: the size of the unfiltered before. */
  #openBody(before: number): number {
    this.#out.reserve(32);
    this.#out.length += this.#sizeLength;
    const body = this.#out.length;
    this.#out.vint(before);
    return body;
  }

  #closeBody(body: number): void {
    const out = this.#out;
    const size = out.length - body;
    const needed = vintLength(size);
    const sizeAt = body - this.#sizeLength;
    let end = out.length;
    if (needed !== this.#sizeLength) {
      out.reserve(9);
      out.bytes.copyWithin(sizeAt + needed, body, end);
      end = sizeAt + needed + size;
      this.#sizeLength = needed;
    }
    out.length = sizeAt;
    out.vint(size);
    out.length = end;
  }
}

/** Whether a counter context has local or remote shards, which versions before 2.1 wrote. */
function hasLegacyShards(bytes: Uint8Array, start: number, end: number): boolean {
  const marked = ((bytes[start] as number) << 8) | (bytes[start + 1] as number);
  if (marked * 2 + 2 + marked * shardBytes < end - start) return true;
  for (let i = 0; i < marked; i++) {
    if ((bytes[start + 2 + 2 * i] as number) < 0x80) return true;
  }
  return false;
}
