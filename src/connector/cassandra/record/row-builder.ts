// Writes the value of a row in its one canonical form: the flags that say what a cell shares with its row are
// set exactly when it does, a value without bytes is `empty`, a row with nothing in it is no record at all.
// Columns and cells must come in the order of the layout. The memory is used again for the next row.
import { cellFlags, complexFlags, rowFlags } from './record-layout.ts';
import type { RowReader } from './row-reader.ts';

/** One row at a time: `reset`, the head, then per column its name and its cells, then `finish`. */
export class RowBuilder {
  /** The row is `bytes[0, length)` after `finish`. */
  bytes: Buffer = Buffer.allocUnsafe(4096);
  length = 0;

  #flags = 0;
  #hi = 0;
  #lo = 0;
  #ttl = 0;
  #expiry = 0;
  #deletionHi = 0;
  #deletionLo = 0;
  #deletionTime = 0;
  #originals: Uint8Array | undefined;
  #originalsStart = 0;
  #originalsEnd = 0;

  reset(): void {
    this.length = 0;
    this.#flags = 0;
    this.#originals = undefined;
  }

  /** The clustering's originals, encoded; borrowed until the first column or `finish`. */
  originals(bytes: Uint8Array, start: number, end: number): void {
    if (start === end) return;
    this.#originals = bytes;
    this.#originalsStart = start;
    this.#originalsEnd = end;
  }

  /** The row's timestamp: its liveness. */
  timestamp(hi: number, lo: number): void {
    this.#flags |= rowFlags.timestamp;
    this.#hi = hi;
    this.#lo = lo;
  }

  /** Makes the liveness an expiring one. */
  expiring(ttl: number, expiry: number): void {
    this.#flags |= rowFlags.expiring;
    this.#ttl = ttl;
    this.#expiry = expiry;
  }

  deletion(hi: number, lo: number, time: number): void {
    this.#flags |= rowFlags.deletion;
    this.#deletionHi = hi;
    this.#deletionLo = lo;
    this.#deletionTime = time;
  }

  /** Opens a column; a simple one is followed by one cell, a complex one by {@link complex}. */
  column(name: Uint8Array, start: number, end: number): void {
    if (this.length === 0) this.#head();
    this.#bytesWithLength(name, start, end);
  }

  /** The number of cells that follow, for a complex column. */
  complex(count: number): void {
    this.#reserve(16);
    this.bytes[this.length++] = complexFlags.complex;
    this.#varint(count);
  }

  /** As {@link complex}, for a column with a deletion. */
  complexDeleted(hi: number, lo: number, time: number, count: number): void {
    this.#reserve(32);
    this.bytes[this.length++] = complexFlags.complex | complexFlags.deletion;
    this.#u32(hi);
    this.#u32(lo);
    this.#u32(time);
    this.#varint(count);
  }

  /**
   * Opens a cell: of `flags` count tombstone, expiring, empty, counter and path original; the others are set
   * here. Then follow {@link part} for the path, its original and the value, as far as it has them.
   */
  cell(flags: number, hi: number, lo: number, expiry: number, ttl: number): void {
    this.#reserve(32);
    const expiring = (flags & cellFlags.expiring) !== 0;
    const own =
      flags &
      (cellFlags.tombstone |
        cellFlags.expiring |
        cellFlags.empty |
        cellFlags.counter |
        cellFlags.pathOriginal);
    const sameTimestamp =
      (this.#flags & rowFlags.timestamp) !== 0 && hi === this.#hi && lo === this.#lo;
    const sameExpiry =
      expiring &&
      (this.#flags & rowFlags.expiring) !== 0 &&
      ttl === this.#ttl &&
      expiry === this.#expiry;
    this.bytes[this.length++] =
      own | (sameTimestamp ? cellFlags.rowTimestamp : 0) | (sameExpiry ? cellFlags.rowExpiry : 0);
    if (!sameTimestamp) {
      this.#u32(hi);
      this.#u32(lo);
    }
    if (sameExpiry) return;
    if (expiring || (flags & cellFlags.tombstone) !== 0) this.#u32(expiry);
    if (expiring) this.#u32(ttl);
  }

  /** A path, a path's original or a value that is not empty. */
  part(bytes: Uint8Array, start: number, end: number): void {
    this.#bytesWithLength(bytes, start, end);
  }

  /** A cell as it was read, in a row that may be another. */
  copyCell(reader: RowReader, cell: number, complex: boolean): void {
    this.cell(
      reader.cellFlags[cell] as number,
      reader.cellHi[cell] as number,
      reader.cellLo[cell] as number,
      reader.cellExpiry[cell] as number,
      reader.cellTtl[cell] as number,
    );
    this.cellParts(reader, cell, complex);
  }

  /** What follows the head of a cell that was read. */
  cellParts(reader: RowReader, cell: number, complex: boolean): void {
    const { bytes } = reader;
    const flags = reader.cellFlags[cell] as number;
    if (complex) this.part(bytes, reader.pathStart[cell] as number, reader.pathEnd[cell] as number);
    if ((flags & cellFlags.pathOriginal) !== 0) {
      this.part(bytes, reader.originalStart[cell] as number, reader.originalEnd[cell] as number);
    }
    if ((flags & cellFlags.empty) === 0) {
      this.part(bytes, reader.valueStart[cell] as number, reader.valueEnd[cell] as number);
    }
  }

  /** False if there is nothing in the row: then it is no record. */
  finish(): boolean {
    if (this.length > 0) return true;
    if ((this.#flags & (rowFlags.timestamp | rowFlags.deletion)) === 0) return false;
    this.#head();
    return true;
  }

  #head(): void {
    const originals = this.#originals;
    const start = this.#originalsStart;
    const size = originals === undefined ? 0 : this.#originalsEnd - start;
    this.#reserve(size + 64);
    this.bytes[this.length++] = this.#flags | (size > 0 ? rowFlags.originals : 0);
    if (originals !== undefined) {
      this.bytes.set(originals.subarray(start, this.#originalsEnd), this.length);
      this.length += size;
    }
    if ((this.#flags & rowFlags.timestamp) !== 0) {
      this.#u32(this.#hi);
      this.#u32(this.#lo);
    }
    if ((this.#flags & rowFlags.expiring) !== 0) {
      this.#u32(this.#ttl);
      this.#u32(this.#expiry);
    }
    if ((this.#flags & rowFlags.deletion) === 0) return;
    this.#u32(this.#deletionHi);
    this.#u32(this.#deletionLo);
    this.#u32(this.#deletionTime);
  }

  #bytesWithLength(from: Uint8Array, start: number, end: number): void {
    const size = end - start;
    this.#reserve(size + 8);
    this.#varint(size);
    const { bytes } = this;
    const to = this.length;
    this.length = to + size;
    // A short copy in JavaScript costs less than the call and the view of `set`.
    if (size > 48) bytes.set(from.subarray(start, end), to);
    else for (let i = 0; i < size; i++) bytes[to + i] = from[start + i] as number;
  }

  #u32(value: number): void {
    const { bytes } = this;
    const at = this.length;
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
    this.length = at + 4;
  }

  #varint(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.bytes[this.length++] = (rest % 128) + 128;
      rest = Math.floor(rest / 128);
    }
    this.bytes[this.length++] = rest;
  }

  #reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, 2 * this.bytes.length));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }
}
