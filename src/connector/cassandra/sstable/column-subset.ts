// Which of the header's columns a row has (db/Columns.java). Of fewer than 64 columns: a vint in
// which bit i says that column i is missing. Of more: how many are missing, then the indexes of
// those present if these are fewer than half, else of those missing.
import type { ByteCursor } from './vint.ts';

const bitmapColumns = 64;

/** `indexes[0, count)` are the columns of the row, ascending, until the next `read`. */
export class ColumnSubset {
  indexes = new Uint32Array(bitmapColumns);
  count = 0;

  /** False for bytes that name columns beyond `total`. */
  read(cursor: ByteCursor, total: number): boolean {
    if (this.indexes.length < total) this.indexes = new Uint32Array(total);
    this.count = 0;
    if (total < bitmapColumns) {
      cursor.vint64();
      for (let i = 0; i < total; i++) {
        const half = i < 32 ? cursor.lo : cursor.hi;
        if (((half >>> (i & 31)) & 1) === 0) this.indexes[this.count++] = i;
      }
      return true;
    }
    const present = total - cursor.vint();
    if (present < 0) return false;
    return present < total >> 1
      ? this.#present(cursor, present, total)
      : this.#missing(cursor, total - present, total);
  }

  #present(cursor: ByteCursor, present: number, total: number): boolean {
    for (let i = 0; i < present; i++) {
      const index = cursor.vint();
      if (index >= total) return false;
      this.indexes[i] = index;
    }
    this.count = present;
    return true;
  }

  #missing(cursor: ByteCursor, missing: number, total: number): boolean {
    let next = 0;
    for (let i = 0; i <= missing; i++) {
      const index = i < missing ? cursor.vint() : total;
      if (index > total) return false;
      while (next < index) this.indexes[this.count++] = next++;
      next = index + 1;
    }
    return true;
  }
}
