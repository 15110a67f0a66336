// The clustering of a row or marker in Data.db (db/ClusteringPrefix.java): before each 32
// components a vint with two bits for each, 1 empty and 2 null, then the values of the others.
import { type ClusteringCodec, clusteringCodec } from '../key/clustering-codec.ts';
import type { CassandraType } from '../type/cassandra-type.ts';
import { fixedValueLength } from '../type/value-layout.ts';
import type { RecordSink } from './record-sink.ts';
import type { ByteCursor } from './vint.ts';

const componentsPerHeader = 32;

/** Holds where the components of one clustering are in the bytes that it was read from. */
export class ClusteringReader {
  readonly codec: ClusteringCodec;
  /** Start and end of each component; a start of -1 is null. */
  readonly ranges: Int32Array;
  /** Components that were read, and an upper bound of the bytes of their values. */
  count = 0;
  length = 0;
  readonly #lengths: Int32Array;

  constructor(types: readonly CassandraType[]) {
    this.codec = clusteringCodec(types);
    this.ranges = new Int32Array(2 * types.length);
    this.#lengths = Int32Array.from(types, fixedValueLength);
  }

  /**
   * Reads the first `count` components, at most all. What lies past the window's end makes
   * no sense yet.
   */
  read(cursor: ByteCursor, count: number): void {
    const { ranges } = this;
    const lengths = this.#lengths;
    const first = cursor.at;
    let hi = 0;
    let lo = 0;
    for (let i = 0; i < count; i++) {
      if (i % componentsPerHeader === 0) {
        cursor.vint64();
        hi = cursor.hi;
        lo = cursor.lo;
      }
      const at = 2 * i;
      const marks = ((i & 16) === 0 ? lo : hi) >>> (at & 31);
      if ((marks & 3) !== 0) {
        const isNull = (marks & 2) !== 0;
        ranges[at] = isNull ? -1 : cursor.at;
        ranges[at + 1] = isNull ? -1 : cursor.at;
        continue;
      }
      const fixed = lengths[i] as number;
      const length = fixed < 0 ? cursor.vint() : fixed;
      ranges[at] = cursor.at;
      cursor.at += length;
      ranges[at + 1] = cursor.at;
    }
    this.count = count;
    this.length = cursor.at - first;
  }

  /**
   * Writes the values as they are, each behind its length + 1, or 0 for null. Makes room
   * for them.
   */
  writeOriginals(bytes: Uint8Array, sink: RecordSink): void {
    sink.reserve(this.length + 5 * this.count);
    for (let i = 0; i < this.count; i++) {
      const start = this.ranges[2 * i] as number;
      const end = this.ranges[2 * i + 1] as number;
      sink.varint(start < 0 ? 0 : end - start + 1);
      if (start >= 0) sink.copy(bytes, start, end);
    }
  }
}
