// Clusterings as Data.db, Index.db and STATS hold them, made from the keys of records (db/ClusteringPrefix.java).
// Each 32 columns have a vint header with two bits a column (empty, null); values follow, those of types
// without a fixed length after their length.
import { CodrError } from '../../../base/error.ts';
import { ByteSink } from '../key/byte-sink.ts';
import { type ClusteringCodec, clusteringCodec } from '../key/clustering-codec.ts';
import type { Column } from '../schema/table-schema.ts';
import { fixedValueLength } from '../type/value-layout.ts';
import type { OutBytes } from './write-bytes.ts';

const columnsPerHeader = 32;

/** Holds the clustering of one record at a time, and writes it. */
export class ClusteringWriter {
  /** Components of the clustering taken last: fewer than the columns for bounds. */
  count = 0;
  /** Keys give back all bytes; else the originals are needed. */
  readonly lossless: boolean;

  readonly #codec: ClusteringCodec;
  readonly #fixed: Int32Array;
  readonly #values = new ByteSink(1024);
  /** Start and end of each value; a start of -1 is null. */
  readonly #ranges: Int32Array;

  constructor(columns: readonly Column[]) {
    this.#codec = clusteringCodec(columns.map(({ type }) => type));
    this.lossless = this.#codec.lossless;
    this.#fixed = Int32Array.from(columns, ({ type }) => fixedValueLength(type));
    this.#ranges = new Int32Array(2 * columns.length);
  }

  /** Takes the components of `key[at, end)`: what follows the kind, with the byte that ends it. */
  fromKey(key: Uint8Array, at: number, end: number): void {
    this.#values.length = 0;
    this.count = this.#codec.decode(key, at, end, this.#values, this.#ranges);
  }

  /**
   * Takes `count` originals of a record: LEB128 of length + 1, 0 for null, and the bytes. Returns the offset
   * after them.
   */
  fromOriginals(bytes: Uint8Array, at: number, count: number): number {
    const values = this.#values;
    values.length = 0;
    this.count = count;
    let next = at;
    for (let i = 0; i < count; i++) {
      let length = -1;
      let byte = 0x80;
      for (let scale = 1; byte >= 0x80; scale *= 128) {
        byte = bytes[next++] as number;
        length += (byte & 0x7f) * scale;
      }
      this.#ranges[2 * i] = length < 0 ? -1 : values.length;
      if (length > 0) {
        values.reserve(length);
        values.bytes.set(bytes.subarray(next, next + length), values.length);
        values.length += length;
        next += length;
      }
      this.#ranges[2 * i + 1] = values.length;
    }
    return next;
  }

  /** Appends headers and values. */
  write(out: OutBytes): void {
    const { bytes } = this.#values;
    for (let i = 0; i < this.count; i++) {
      if (i % columnsPerHeader === 0) this.#header(out, i);
      const start = this.#ranges[2 * i] as number;
      const end = this.#ranges[2 * i + 1] as number;
      if (start < 0 || start === end) continue;
      const fixed = this.#fixed[i] as number;
      if (fixed < 0) {
        out.reserve(9);
        out.vint(end - start);
      } else if (fixed !== end - start) {
        throw new CodrError('source-unfit', `clustering value ${i} has ${end - start} bytes`);
      }
      out.copy(bytes, start, end);
    }
  }

  /** Copies of the values up to the first null, for STATS. */
  values(): Uint8Array[] {
    const copies: Uint8Array[] = [];
    for (let i = 0; i < this.count; i++) {
      const start = this.#ranges[2 * i] as number;
      if (start < 0) break;
      copies.push(this.#values.bytes.slice(start, this.#ranges[2 * i + 1]));
    }
    return copies;
  }

  #header(out: OutBytes, first: number): void {
    let hi = 0;
    let lo = 0;
    const end = Math.min(this.count, first + columnsPerHeader);
    for (let i = first; i < end; i++) {
      const start = this.#ranges[2 * i] as number;
      if (start >= 0 && start !== this.#ranges[2 * i + 1]) continue;
      const bit = 2 * (i - first) + (start < 0 ? 1 : 0);
      if (bit < 32) lo |= 1 << bit;
      else hi |= 1 << (bit - 32);
    }
    out.reserve(9);
    out.vint64(hi, lo);
  }
}
