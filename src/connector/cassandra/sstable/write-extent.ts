// The least and the greatest clustering of a file, for STATS: of rows and starts of range deletions, and of rows
// and their ends (MetadataCollector of 5.0). Keys compare as the table's comparator does, DESC included.
import { compareRanges } from '../record/record-key.ts';
import type { ClusteringWriter } from './write-clustering.ts';

interface Extreme {
  bytes: Buffer;
  length: number;
  values: readonly Uint8Array[];
}

/** Asks for values only at the end where keys give them back, else each time one is kept. */
export class ClusteringExtent {
  readonly #clustering: ClusteringWriter;
  readonly #min: Extreme = { bytes: Buffer.alloc(256), length: 0, values: [] };
  readonly #max: Extreme = { bytes: Buffer.alloc(256), length: 0, values: [] };

  constructor(clustering: ClusteringWriter) {
    this.#clustering = clustering;
  }

  /** A row with the clustering `key[at, end)`, which the clustering writer holds. */
  row(key: Uint8Array, at: number, end: number): void {
    this.start(key, at, end);
    this.end(key, at, end);
  }

  /** The start of a range deletion where none held. */
  start(key: Uint8Array, at: number, end: number): void {
    const { bytes, length } = this.#min;
    if (length === 0 || compareRanges(key, at, end, bytes, 0, length) < 0) {
      this.#keep(this.#min, key, at, end);
    }
  }

  /** The end of one after which none holds. */
  end(key: Uint8Array, at: number, end: number): void {
    const { bytes, length } = this.#max;
    if (length === 0 || compareRanges(key, at, end, bytes, 0, length) > 0) {
      this.#keep(this.#max, key, at, end);
    }
  }

  /** Copies of the values of both; empty when the file has neither rows nor range deletions. */
  values(): { min: readonly Uint8Array[]; max: readonly Uint8Array[] } {
    return { min: this.#valuesOf(this.#min), max: this.#valuesOf(this.#max) };
  }

  #valuesOf(of: Extreme): readonly Uint8Array[] {
    if (of.length === 0 || !this.#clustering.lossless) return of.values;
    this.#clustering.fromKey(of.bytes, 0, of.length);
    return this.#clustering.values();
  }

  #keep(to: Extreme, key: Uint8Array, at: number, end: number): void {
    const length = end - at;
    if (length > to.bytes.length) to.bytes = Buffer.alloc(2 * length);
    for (let i = 0; i < length; i++) to.bytes[i] = key[at + i] as number;
    to.length = length;
    if (!this.#clustering.lossless) to.values = this.#clustering.values();
  }
}
