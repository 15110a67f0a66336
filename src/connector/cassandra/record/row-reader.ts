// Reads the value of a row into typed arrays that are used again for the next row: offsets into the row's bytes
// for names, paths and values, 32-bit halves for timestamps. What a cell takes over from its row is resolved.
// Reading checks that the value ends where it should, so a damaged one is found and not misread.
import { TruncatedBytesError } from '../../../base/bytes.ts';
import { cellFlags, complexFlags, rowFlags } from './record-layout.ts';

/** The kinds of a column in {@link RowReader.columnKind}. */
export const columnKinds = { simple: 0, complex: 1, complexDeleted: 2 } as const;

/** One row at a time; the arrays are valid until the next `read`. */
export class RowReader {
  bytes: Uint8Array = new Uint8Array(0);
  /** The row's flags, as stored. */
  flags = 0;
  /** The liveness timestamp, valid with `rowFlags.timestamp`: signed and unsigned half. */
  timestampHi = 0;
  timestampLo = 0;
  ttl = 0;
  expiry = 0;
  /** The row deletion, valid with `rowFlags.deletion`. */
  deletionHi = 0;
  deletionLo = 0;
  deletionTime = 0;
  /** The clustering's originals as encoded, without a length; empty without `rowFlags.originals`. */
  originalsStart = 0;
  originalsEnd = 0;

  columnCount = 0;
  columnKind = new Uint8Array(16);
  nameStart = new Uint32Array(16);
  nameEnd = new Uint32Array(16);
  /** The deletion of a `complexDeleted` column. */
  columnHi = new Int32Array(16);
  columnLo = new Uint32Array(16);
  columnTime = new Uint32Array(16);
  /** Cells of column c are [firstCell[c], firstCell[c + 1]). */
  firstCell = new Uint32Array(17);

  cellCount = 0;
  /** As stored: whoever writes the cell again sets what it shares with its row anew. */
  cellFlags = new Uint8Array(16);
  cellHi = new Int32Array(16);
  cellLo = new Uint32Array(16);
  /** Expiry, or a tombstone's local deletion time. */
  cellExpiry = new Uint32Array(16);
  cellTtl = new Uint32Array(16);
  pathStart = new Uint32Array(16);
  pathEnd = new Uint32Array(16);
  originalStart = new Uint32Array(16);
  originalEnd = new Uint32Array(16);
  valueStart = new Uint32Array(16);
  valueEnd = new Uint32Array(16);

  readonly #clusteringCount: number;
  #at = 0;

  /** `clusteringCount`: the table's clustering columns; originals say nothing of their number. */
  constructor(clusteringCount: number) {
    this.#clusteringCount = clusteringCount;
  }

  /** Reads the row in `bytes[start, end)`, `isStatic` for one without a clustering. */
  read(bytes: Uint8Array, start: number, end: number, isStatic = false): void {
    this.bytes = bytes;
    this.#at = start;
    this.#head(isStatic);
    this.columnCount = 0;
    this.cellCount = 0;
    while (this.#at < end) this.#column();
    this.firstCell[this.columnCount] = this.cellCount;
    if (this.#at !== end || end > bytes.length) {
      throw new TruncatedBytesError(`a row of ${end - start} bytes ends at ${this.#at - start}`);
    }
  }

  #head(isStatic: boolean): void {
    const flags = this.bytes[this.#at++] as number;
    this.flags = flags;
    this.originalsStart = this.#at;
    if ((flags & rowFlags.originals) !== 0 && !isStatic) {
      for (let i = 0; i < this.#clusteringCount; i++) {
        const length = this.#varint();
        if (length > 1) this.#at += length - 1;
      }
    }
    this.originalsEnd = this.#at;
    if ((flags & rowFlags.timestamp) !== 0) {
      this.timestampHi = this.#u32() | 0;
      this.timestampLo = this.#u32();
    }
    if ((flags & rowFlags.expiring) !== 0) {
      this.ttl = this.#u32();
      this.expiry = this.#u32();
    }
    if ((flags & rowFlags.deletion) !== 0) {
      this.deletionHi = this.#u32() | 0;
      this.deletionLo = this.#u32();
      this.deletionTime = this.#u32();
    }
  }

  #column(): void {
    const column = this.columnCount++;
    if (column + 1 >= this.columnKind.length) this.#growColumns();
    const length = this.#varint();
    this.nameStart[column] = this.#at;
    this.#at += length;
    this.nameEnd[column] = this.#at;
    this.firstCell[column] = this.cellCount;
    const flags = this.bytes[this.#at] as number;
    if ((flags & complexFlags.complex) === 0) {
      this.columnKind[column] = columnKinds.simple;
      this.#cell(false);
      return;
    }
    this.#at++;
    this.columnKind[column] = columnKinds.complex;
    if ((flags & complexFlags.deletion) !== 0) {
      this.columnKind[column] = columnKinds.complexDeleted;
      this.columnHi[column] = this.#u32() | 0;
      this.columnLo[column] = this.#u32();
      this.columnTime[column] = this.#u32();
    }
    const count = this.#varint();
    for (let i = 0; i < count && this.#at < this.bytes.length; i++) this.#cell(true);
  }

  #cell(complex: boolean): void {
    const cell = this.cellCount++;
    if (cell >= this.cellFlags.length) this.#growCells();
    const flags = this.bytes[this.#at++] as number;
    this.cellFlags[cell] = flags;
    const shared = (flags & cellFlags.rowTimestamp) !== 0;
    this.cellHi[cell] = shared ? this.timestampHi : this.#u32() | 0;
    this.cellLo[cell] = shared ? this.timestampLo : this.#u32();
    if ((flags & cellFlags.rowExpiry) !== 0) {
      this.cellExpiry[cell] = this.expiry;
      this.cellTtl[cell] = this.ttl;
    } else {
      const dated = (flags & (cellFlags.tombstone | cellFlags.expiring)) !== 0;
      this.cellExpiry[cell] = dated ? this.#u32() : 0;
      this.cellTtl[cell] = (flags & cellFlags.expiring) !== 0 ? this.#u32() : 0;
    }
    this.#span(complex, this.pathStart, this.pathEnd, cell);
    this.#span((flags & cellFlags.pathOriginal) !== 0, this.originalStart, this.originalEnd, cell);
    this.#span((flags & cellFlags.empty) === 0, this.valueStart, this.valueEnd, cell);
  }

  /** Bytes behind their length, or none. */
  #span(present: boolean, starts: Uint32Array, ends: Uint32Array, cell: number): void {
    const length = present ? this.#varint() : 0;
    starts[cell] = this.#at;
    this.#at += length;
    ends[cell] = this.#at;
  }

  #u32(): number {
    const { bytes } = this;
    const at = this.#at;
    this.#at = at + 4;
    return (
      (((bytes[at] as number) << 24) |
        ((bytes[at + 1] as number) << 16) |
        ((bytes[at + 2] as number) << 8) |
        (bytes[at + 3] as number)) >>>
      0
    );
  }

  /** Lengths and counts: at most 32 bits. */
  #varint(): number {
    let byte = this.bytes[this.#at++] as number;
    if (byte < 128) return byte;
    let value = byte & 127;
    for (let scale = 128; scale <= 2 ** 28; scale *= 128) {
      byte = this.bytes[this.#at++] as number;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw new TruncatedBytesError('no length in a row where one must be');
  }

  #growColumns(): void {
    const size = 2 * this.columnKind.length;
    this.columnKind = grown(this.columnKind, new Uint8Array(size));
    this.nameStart = grown(this.nameStart, new Uint32Array(size));
    this.nameEnd = grown(this.nameEnd, new Uint32Array(size));
    this.columnHi = grown(this.columnHi, new Int32Array(size));
    this.columnLo = grown(this.columnLo, new Uint32Array(size));
    this.columnTime = grown(this.columnTime, new Uint32Array(size));
    this.firstCell = grown(this.firstCell, new Uint32Array(size + 1));
  }

  #growCells(): void {
    const size = 2 * this.cellFlags.length;
    this.cellFlags = grown(this.cellFlags, new Uint8Array(size));
    this.cellHi = grown(this.cellHi, new Int32Array(size));
    this.cellLo = grown(this.cellLo, new Uint32Array(size));
    this.cellExpiry = grown(this.cellExpiry, new Uint32Array(size));
    this.cellTtl = grown(this.cellTtl, new Uint32Array(size));
    this.pathStart = grown(this.pathStart, new Uint32Array(size));
    this.pathEnd = grown(this.pathEnd, new Uint32Array(size));
    this.originalStart = grown(this.originalStart, new Uint32Array(size));
    this.originalEnd = grown(this.originalEnd, new Uint32Array(size));
    this.valueStart = grown(this.valueStart, new Uint32Array(size));
    this.valueEnd = grown(this.valueEnd, new Uint32Array(size));
  }
}

function grown<T extends Uint8Array | Int32Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
