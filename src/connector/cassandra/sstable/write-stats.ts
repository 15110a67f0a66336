// Gathers what the STATS component of Statistics.db says of an SSTable, and encodes it for version `nb`: the
// same fields with the same values as Cassandra's MetadataCollector (5.0) has for the same rows. Commit log
// positions, pending repair and host id are absent: the rows come from no log of the target.
import { view } from '../../../base/bytes.ts';
import type { OutBytes } from './write-bytes.ts';
import { TombstoneHistogram } from './write-tombstones.ts';

/** Where Cassandra has "no deletion time". */
export const noDeletionTime = 0x7fffffff;

/** Sizes or counts in buckets that grow by a fifth (utils/EstimatedHistogram.java). */
export class EstimatedHistogram {
  readonly #offsets: Float64Array;
  readonly #counts: Float64Array;

  constructor(buckets: number) {
    this.#offsets = new Float64Array(buckets);
    this.#counts = new Float64Array(buckets + 1);
    let last = 0;
    for (let i = 0; i < buckets; i++) {
      last = Math.max(last + 1, Math.round(last * 1.2));
      this.#offsets[i] = last;
    }
  }

  add(value: number): void {
    let low = 0;
    let high = this.#offsets.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#offsets[middle] as number) < value) low = middle + 1;
      else high = middle;
    }
    this.#counts[low] = (this.#counts[low] as number) + 1;
  }

  /** int32 n, then n × (int64 offset of the bucket before, int64 count). */
  encode(out: OutBytes): void {
    out.reserve(4 + 16 * this.#counts.length);
    out.i32(this.#counts.length);
    this.#counts.forEach((count, i) => {
      out.long(this.#offsets[Math.max(0, i - 1)] as number);
      out.long(count);
    });
  }
}

/** Statistics of the file so far. Timestamps come as a signed high and an unsigned low half. */
export class StatsCollector {
  /** As many buckets as 5.0 has; 4.x has 150 and reads any number. */
  readonly partitionSizes = new EstimatedHistogram(155);
  readonly cellsPerPartition = new EstimatedHistogram(118);
  readonly tombstones = new TombstoneHistogram();
  /** Rows that are not empty, static ones among them. */
  rows = 0;
  /** Columns with cells, summed over rows. */
  columnsSet = 0;
  legacyCounterShards = false;

  #minHi = 0x7fffffff;
  #minLo = 0xffffffff;
  #maxHi = -0x80000000;
  #maxLo = 0;
  #hasTimestamp = false;
  /** Something without a deletion time and TTL was there: most cells. */
  #plain = false;
  #minDeletionTime = noDeletionTime;
  #maxDeletionTime = -1;
  #minTtl = 0x7fffffff;
  #maxTtl = 0;

  timestamp(hi: number, lo: number): void {
    this.#hasTimestamp = true;
    if (hi < this.#minHi || (hi === this.#minHi && lo < this.#minLo)) {
      this.#minHi = hi;
      this.#minLo = lo;
    }
    if (hi > this.#maxHi || (hi === this.#maxHi && lo > this.#maxLo)) {
      this.#maxHi = hi;
      this.#maxLo = lo;
    }
  }

  /** A liveness or a cell that neither expires nor is a tombstone. */
  plain(): void {
    this.#plain = true;
  }

  /** A deletion, a tombstone's or an expiring cell's second. */
  deletionTime(second: number): void {
    if (second < this.#minDeletionTime) this.#minDeletionTime = second;
    if (second > this.#maxDeletionTime) this.#maxDeletionTime = second;
    this.tombstones.add(second);
  }

  /** A cell's or liveness's; tombstones have 0, deletions none. */
  ttl(seconds: number): void {
    if (seconds < this.#minTtl) this.#minTtl = seconds;
    if (seconds > this.#maxTtl) this.#maxTtl = seconds;
  }

  /** The component. `ratio` is compressed / raw size, -1 without compression; clusterings are values in order. */
  encode(
    out: OutBytes,
    ratio: number,
    minClustering: readonly Uint8Array[],
    maxClustering: readonly Uint8Array[],
  ): void {
    this.partitionSizes.encode(out);
    this.cellsPerPartition.encode(out);
    out.reserve(128);
    logPositionNone(out);
    if (this.#hasTimestamp) {
      out.i64(this.#minHi, this.#minLo);
      out.i64(this.#maxHi, this.#maxLo);
    } else {
      out.i64(-0x80000000, 0);
      out.i64(0x7fffffff, -1);
    }
    out.i32(this.#minDeletionTime);
    out.i32(this.#plain || this.#maxDeletionTime < 0 ? noDeletionTime : this.#maxDeletionTime);
    out.i32(this.#plain || this.#minTtl === 0x7fffffff ? 0 : this.#minTtl);
    out.i32(this.#maxTtl);
    out.double(ratio);
    this.#encodeTombstones(out);
    // Level 0, never repaired.
    out.reserve(12);
    out.i32(0);
    out.long(0);
    encodeClustering(out, minClustering);
    encodeClustering(out, maxClustering);
    out.reserve(48);
    out.u8(this.legacyCounterShards ? 1 : 0);
    out.long(this.columnsSet);
    out.long(this.rows);
    logPositionNone(out);
    // No intervals of the commit log, no pending repair, not transient, no host.
    out.i32(0);
    out.u8(0);
    out.u8(0);
    out.u8(0);
  }

  #encodeTombstones(out: OutBytes): void {
    const { points, counts } = this.tombstones.finish();
    out.reserve(8 + 16 * points.length);
    out.i32(points.length);
    out.i32(points.length);
    points.forEach((point, i) => {
      out.double(point);
      out.long(counts[i] as number);
    });
  }
}

/** A position that is none: segment -1, offset 0. */
function logPositionNone(out: OutBytes): void {
  out.i64(-1, -1);
  out.i32(0);
}

function encodeClustering(out: OutBytes, values: readonly Uint8Array[]): void {
  out.reserve(4);
  out.i32(values.length);
  for (const value of values) {
    out.reserve(2);
    out.u16(Math.min(value.length, 0xffff));
    out.copy(view(value), 0, Math.min(value.length, 0xffff));
  }
}
