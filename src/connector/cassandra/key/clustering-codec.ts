// The clustering part of keys: what follows the kind byte (record/record-layout.ts). Rows and the bounds of range
// deletions of a partition sort by it as Cassandra's ClusteringComparator sorts them.
//
// Values come and go without objects: `ranges[2i]` and `ranges[2i + 1]` are start and end of component i in one
// array of bytes. A start of -1 is null, an end that is the start an empty value.
import { assert } from '../../../base/assert.ts';
import { clusteringEnds } from '../record/record-layout.ts';
import type { CassandraType } from '../type/cassandra-type.ts';
import type { ByteSink } from './byte-sink.ts';
import { type ComparableCodec, comparableCodec } from './comparable.ts';

const valueMark = 0x40;
/** Null and empty sort before values, or after them where the order is descending. */
const ascendingMarks = { empty: 0x3f, null: 0x3e } as const;
const descendingMarks = { empty: 0x41, null: 0x42 } as const;

/** One of `clusteringEnds`. */
export type ClusteringEnd = (typeof clusteringEnds)[keyof typeof clusteringEnds];

export interface ClusteringCodec {
  /** Components of a row. */
  readonly size: number;
  /** Decoding gives back all bytes; else records keep the originals. */
  readonly lossless: boolean;
  /** Upper bound of the written length, when all values have `length` bytes together. */
  lengthMax(length: number): number;
  /** Writes the clustering of a row at target[at]; returns the offset after it. */
  encodeRow(values: Uint8Array, ranges: Int32Array, target: Uint8Array, at: number): number;
  /** Writes a bound: the first `count` components, then `end`, `before` or `after`. */
  encodeBound(
    values: Uint8Array,
    ranges: Int32Array,
    bound: { readonly count: number; readonly end: ClusteringEnd },
    target: Uint8Array,
    at: number,
  ): number;
  /**
   * Reads key bytes [at, to) whose last byte is the end. Appends the values to `out`, fills `ranges` with offsets
   * into `out.bytes`, and returns how many components there are: all of them for a row.
   */
  decode(bytes: Uint8Array, at: number, to: number, out: ByteSink, ranges: Int32Array): number;
}

/** For the clustering columns in their order; `reversed` ones are descending. */
export function clusteringCodec(types: readonly CassandraType[]): ClusteringCodec {
  return new TypedClusteringCodec(types);
}

class TypedClusteringCodec implements ClusteringCodec {
  readonly size: number;
  readonly lossless: boolean;
  readonly #codecs: readonly ComparableCodec[];
  readonly #emptyMarks: Uint8Array;
  readonly #nullMarks: Uint8Array;
  readonly #holdsEmpty: readonly boolean[];
  readonly #fixedBound: number;
  readonly #perByteBound: number;

  constructor(types: readonly CassandraType[]) {
    const marks = types.map((each) =>
      each.kind === 'reversed' ? descendingMarks : ascendingMarks,
    );
    this.size = types.length;
    this.#codecs = types.map(comparableCodec);
    this.lossless = this.#codecs.every((each) => each.lossless);
    this.#emptyMarks = Uint8Array.from(marks, (each) => each.empty);
    this.#nullMarks = Uint8Array.from(marks, (each) => each.null);
    this.#holdsEmpty = this.#codecs.map((each) => each.holdsEmpty);
    const far = 1 << 20;
    const bases = this.#codecs.map((each) => each.lengthMax(0));
    this.#fixedBound = bases.reduce((sum, each) => sum + each + 1, 1);
    this.#perByteBound = Math.max(
      0,
      ...this.#codecs.map((each, i) => (each.lengthMax(far) - (bases[i] as number)) / far),
    );
  }

  lengthMax(length: number): number {
    return this.#fixedBound + Math.ceil(this.#perByteBound * length);
  }

  encodeRow(values: Uint8Array, ranges: Int32Array, target: Uint8Array, at: number): number {
    const to = this.#encode(values, ranges, this.size, target, at);
    target[to] = clusteringEnds.row;
    return to + 1;
  }

  encodeBound(
    values: Uint8Array,
    ranges: Int32Array,
    { count, end }: { readonly count: number; readonly end: ClusteringEnd },
    target: Uint8Array,
    at: number,
  ): number {
    const to = this.#encode(values, ranges, count, target, at);
    target[to] = end;
    return to + 1;
  }

  decode(bytes: Uint8Array, at: number, to: number, out: ByteSink, ranges: Int32Array): number {
    const last = to - 1;
    let from = at;
    let count = 0;
    while (from < last) {
      assert(count < this.size, 'a key has no more components than its table');
      const mark = bytes[from++] as number;
      const start = out.length;
      if (mark === valueMark)
        from = (this.#codecs[count] as ComparableCodec).decode(bytes, from, out);
      const isNull = mark === this.#nullMarks[count];
      ranges[2 * count] = isNull ? -1 : start;
      ranges[2 * count + 1] = isNull ? -1 : out.length;
      count++;
    }
    assert(from === last, 'the components of a key end where its last byte is');
    return count;
  }

  #encode(
    values: Uint8Array,
    ranges: Int32Array,
    count: number,
    target: Uint8Array,
    at: number,
  ): number {
    let to = at;
    for (let i = 0; i < count; i++) {
      const start = ranges[2 * i] as number;
      const end = ranges[2 * i + 1] as number;
      if (start < 0) target[to++] = this.#nullMarks[i] as number;
      else if (start === end && !this.#holdsEmpty[i]) target[to++] = this.#emptyMarks[i] as number;
      else {
        target[to] = valueMark;
        const codec = this.#codecs[i] as ComparableCodec;
        to = codec.encode(values, start, end, target, to + 1);
      }
    }
    return to;
  }
}
