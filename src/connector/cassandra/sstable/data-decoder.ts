// Decodes Data.db (db/rows/UnfilteredSerializer.java) into records, a window of bytes at a time, so
// that neither a partition nor the file need be in memory: only the largest row.
//
//   partition  := u16, key | deletion | [static row] | (row | marker)* | 0x01
//   row        := flags [ext] [clustering] vint size | vint previous size | body
//   marker     := flags, u8 kind, u16 n, [clustering of n] vint size | vint previous size | body
//   body       := of markers: deletion [deletion], of rows: row-decoder.ts
//   deletion   := n*: int32 local deletion time, int64 timestamp     o*, d*: 0x80, or int64, u32
import { assert } from '../../../base/assert.ts';
import { compareBytes } from '../../../base/bytes.ts';
import type { KeyRange } from '../../../model/key-range.ts';
import type { Partitioner } from '../key/partitioner.ts';
import {
  isLongPartitionKey,
  partitionPrefixBytesMax,
  writePartitionPrefix,
} from '../key/record-key.ts';
import { compareRanges } from '../record/record-key.ts';
import { clusteringEnds, deletionBytes, keyKinds, markerFlags } from '../record/record-layout.ts';
import { type ColumnPlan, planColumns } from './column-plan.ts';
import { ClusteringReader } from './read-clustering.ts';
import type { ReadWindow } from './read-window.ts';
import type { RecordSink } from './record-sink.ts';
import { noDeletionHi, RowDecoder, RowMismatch, sourceFlags } from './row-decoder.ts';
import { damaged, type SstableFiles, unknown } from './sstable-files.ts';
import type { SerializationHeader } from './statistics.ts';
import { ByteCursor } from './vint.ts';

/** Of the byte after the flags. */
const extendedFlags = { static: 0x01, shadowable: 0x02 } as const;
const liveByte = 0x80;

interface MarkerKind {
  readonly end: 0x20 | 0x60;
  /** A deletion ends here, one begins here; a boundary has both, in this order. */
  readonly closes: boolean;
  readonly opens: boolean;
}
const { before, after } = clusteringEnds;
/** By the ordinal of ClusteringPrefix.Kind; 3 and 4 are not of markers. */
const markerKinds: readonly (MarkerKind | undefined)[] = [
  { end: before, closes: true, opens: false },
  { end: before, closes: false, opens: true },
  { end: before, closes: true, opens: true },
  undefined,
  undefined,
  { end: after, closes: true, opens: true },
  { end: after, closes: true, opens: false },
  { end: after, closes: false, opens: true },
];

/** What the range says of a partition: all records are in it, some may be, none is. */
const holds = { all: 0, some: 1, none: 2 } as const;

export interface DecoderOptions {
  /** Whose order the file is in. */
  readonly partitioner: Partitioner;
  /** What the index says is the first partition. */
  readonly expected?: Uint8Array;
}

export class DataDecoder {
  readonly #files: SstableFiles;
  readonly #range: KeyRange;
  readonly #sink: RecordSink;
  readonly #cursor = new ByteCursor(new Uint8Array(0));
  readonly #clustering: ClusteringReader;
  readonly #rows: RowDecoder;
  readonly #statics: readonly ColumnPlan[];
  readonly #regulars: readonly ColumnPlan[];
  readonly #legacyDeletion: boolean;
  #window: ReadWindow | undefined;
  /** Token and escaped key of the partition at hand, and of the one before. */
  #prefix = new Uint8Array(partitionPrefixBytesMax);
  #prefixLength = 0;
  #lastPrefix = new Uint8Array(partitionPrefixBytesMax);
  #lastPrefixLength = 0;
  /** Of a partitioner with another order than records: where the partition at hand lies. */
  #place: Uint8Array = new Uint8Array(0);
  readonly #partitioner: Partitioner;
  #holds: 0 | 1 | 2 = holds.all;
  /** Records of this partition that are in the sink's open block; their keys must ascend. */
  #blockRecords = 0;
  /** The deletion that the last marker opened; `noDeletionHi` and 0 for none. */
  #openHi = noDeletionHi;
  #openLo = 0;
  #openTime = 0;
  /** What the index says is the first partition. */
  #expected: Uint8Array | undefined;
  inPartition = false;
  /** The end of the range was reached. */
  finished = false;

  constructor(
    files: SstableFiles,
    header: SerializationHeader,
    range: KeyRange,
    sink: RecordSink,
    { partitioner, expected }: DecoderOptions,
  ) {
    this.#partitioner = partitioner;
    this.#expected = expected;
    this.#files = files;
    this.#range = range;
    this.#sink = sink;
    this.#clustering = new ClusteringReader(header.clustering);
    this.#rows = new RowDecoder(header, this.#cursor, sink, this.#clustering);
    this.#statics = planColumns(header.statics);
    this.#regulars = planColumns(header.regulars);
    this.#legacyDeletion = files.version.startsWith('n');
  }

  /** The partition at hand: a view that is valid until the next one. */
  get prefix(): Uint8Array {
    return this.#prefix.subarray(0, this.#prefixLength);
  }

  /**
   * Decodes until the block is full or the range ends, true; or until the window has too little,
   * false: then it says in `needed` how much there should be.
   */
  decode(window: ReadWindow): boolean {
    const cursor = this.#cursor;
    this.#window = window;
    cursor.bytes = window.bytes;
    if (this.#sink.count === 0) this.#blockRecords = 0;
    while (!this.#sink.full && !this.finished) {
      cursor.at = window.at;
      const needed = this.inPartition ? this.#unfiltered(window) : this.#partition(window);
      if (needed > 0) {
        window.needed = needed;
        return false;
      }
      window.at = cursor.at;
    }
    return true;
  }

  /** The partition's head. Returns 0, or how many bytes it takes. */
  #partition(window: ReadWindow): number {
    const cursor = this.#cursor;
    const available = window.end - window.at;
    if (available < 2) return available === 0 ? 1 : 2;
    const keyLength = cursor.u16();
    const keyStart = cursor.at;
    const keyEnd = keyStart + keyLength;
    const size = 2 + keyLength;
    if (available < size + 1) return size + 1;
    const isLive = !this.#legacyDeletion && cursor.bytes[keyEnd] === liveByte;
    if (!isLive && available < size + deletionBytes) return size + deletionBytes;
    this.#enter(keyStart, keyEnd);
    cursor.at = keyEnd + (isLive ? 1 : deletionBytes);
    if (this.finished || this.#holds === holds.none) return 0;
    if (isLongPartitionKey(cursor.bytes, keyStart, keyEnd)) {
      const middle = this.#beginKey(keyKinds.partitionKey, keyLength);
      this.#sink.copy(cursor.bytes, keyStart, keyEnd);
      this.#close(middle);
    }
    if (!isLive) this.#partitionDeletion(keyEnd);
    return 0;
  }

  /** Begins the partition whose key is there: order, and where it stands to the range. */
  #enter(keyStart: number, keyEnd: number): void {
    const last = this.#lastPrefix;
    this.#lastPrefix = this.#prefix;
    this.#lastPrefixLength = this.#prefixLength;
    this.#prefix = last;
    this.#prefixLength = writePartitionPrefix(this.#cursor.bytes, keyStart, keyEnd, last, 0);
    const { prefix } = this;
    const previous = this.#lastPrefix.subarray(0, this.#lastPrefixLength);
    const ascends = this.#partitioner.isRecordOrder
      ? compareBytes(previous, prefix) < 0
      : this.#movesOn(keyStart, keyEnd);
    if (!ascends) throw this.#damaged('partitions are not in the order of their tokens');
    if (this.#expected !== undefined && compareBytes(this.#expected, prefix) !== 0) {
      throw damaged(this.#files, 'Index.db', 'a partition is not where it says');
    }
    this.#expected = undefined;
    this.inPartition = true;
    this.#blockRecords = 0;
    this.#openHi = noDeletionHi;
    this.#openLo = 0;
    this.#openTime = 0;
    this.#holds = holds.all;
    const { from, to } = this.#range;
    if (from !== undefined && compareBytes(prefix, from) < 0) {
      // Keys of the partition begin with the prefix: some are after `from` only if that does, too.
      const begins = compareBytes(prefix, from.subarray(0, prefix.length)) === 0;
      this.#holds = begins ? holds.some : holds.none;
    }
    if (to === undefined) return;
    const order = compareBytes(prefix, to.subarray(0, prefix.length));
    if (compareBytes(prefix, to) >= 0) this.finished = true;
    else if (order === 0 && this.#holds === holds.all) this.#holds = holds.some;
  }

  /** Two keys of one MD5 sum are one key. */
  #movesOn(keyStart: number, keyEnd: number): boolean {
    const last = this.#place;
    this.#place = this.#partitioner.placeOfKey(this.#cursor.bytes.subarray(keyStart, keyEnd));
    return compareBytes(last, this.#place) < 0;
  }

  #partitionDeletion(at: number): void {
    const cursor = this.#cursor;
    cursor.at = at;
    let time = this.#legacyDeletion ? cursor.u32() : 0;
    cursor.long();
    const { hi, lo } = cursor;
    if (!this.#legacyDeletion) time = cursor.u32();
    if (hi === noDeletionHi && lo === 0) return;
    const middle = this.#beginKey(keyKinds.partitionDeletion, deletionBytes);
    this.#deletion(hi, lo, time);
    this.#close(middle);
  }

  /** A row, a marker or the partition's end. Returns 0, or how many bytes it takes. */
  #unfiltered(window: ReadWindow): number {
    const cursor = this.#cursor;
    const clustering = this.#clustering;
    if (window.at === window.end) return 1;
    const flags = cursor.u8();
    if ((flags & sourceFlags.endOfPartition) !== 0) {
      this.inPartition = false;
      return 0;
    }
    const extended = (flags & sourceFlags.extended) !== 0 ? cursor.u8() : 0;
    const isStatic = (extended & extendedFlags.static) !== 0;
    const isMarker = (flags & sourceFlags.marker) !== 0;
    const kind = isMarker ? cursor.u8() : 0;
    const count = isMarker ? cursor.u16() : clustering.codec.size;
    if (!isStatic) clustering.read(cursor, Math.min(count, clustering.codec.size));
    const size = cursor.vint();
    const end = cursor.at + size;
    if (cursor.at > window.end) return window.end - window.at + 1;
    if (count > clustering.codec.size) throw this.#damaged('a marker has too many components');
    if (end > window.end) return end - window.at;
    // The size of what comes before it.
    cursor.vint();
    if ((extended & extendedFlags.shadowable) !== 0) {
      throw unknown(this.#files, 'Data.db', 'it is of a materialized view');
    }
    try {
      if (isMarker) this.#marker(kind, count, end);
      else if (this.#holds === holds.none) cursor.at = end;
      else if (isStatic) this.#row(flags, end, true);
      else this.#row(flags, end, false);
    } catch (error) {
      if (!(error instanceof RowMismatch)) throw error;
      throw this.#damaged(`a row has ${error.message}`);
    }
    return 0;
  }

  #row(flags: number, end: number, isStatic: boolean): void {
    const middle = isStatic ? this.#beginKey(keyKinds.static, 0) : this.#clusteringKey();
    const columns = isStatic ? this.#statics : this.#regulars;
    if (this.#rows.row(flags, columns, end, isStatic)) this.#close(middle);
    else this.#sink.drop();
  }

  #marker(ordinal: number, count: number, end: number): void {
    const kind = markerKinds[ordinal];
    if (kind === undefined) throw this.#damaged(`a marker is of kind ${ordinal}`);
    const rows = this.#rows;
    let time = 0;
    if (kind.closes) {
      rows.timestamp();
      time = rows.localDeletionTime();
      if (rows.hi !== this.#openHi || rows.lo !== this.#openLo || time !== this.#openTime) {
        throw this.#damaged('a marker ends another deletion than is open');
      }
    }
    if (kind.opens) {
      rows.timestamp();
      time = rows.localDeletionTime();
    }
    if (this.#cursor.at !== end) throw new RowMismatch('a marker of another length');
    const hi = kind.opens ? rows.hi : noDeletionHi;
    const lo = kind.opens ? rows.lo : 0;
    const opened = kind.opens ? time : 0;
    const same = hi === this.#openHi && lo === this.#openLo && opened === this.#openTime;
    this.#openHi = hi;
    this.#openLo = lo;
    this.#openTime = opened;
    if (same || this.#holds === holds.none) return;
    this.#markerRecord(kind, count);
  }

  #markerRecord({ end, opens }: MarkerKind, count: number): void {
    const sink = this.#sink;
    const { bytes } = this.#cursor;
    const { codec, ranges, length } = this.#clustering;
    this.#beginKey(keyKinds.clustering, codec.lengthMax(length));
    sink.length = codec.encodeBound(bytes, ranges, { count, end }, sink.bytes, sink.length);
    const middle = sink.length;
    const originals = codec.lossless || count === 0 ? 0 : markerFlags.originals;
    sink.reserve(64);
    sink.bytes[sink.length++] = (opens ? markerFlags.opens : 0) | originals;
    if (originals !== 0) {
      this.#clustering.writeOriginals(bytes, sink);
      sink.reserve(64);
    }
    if (opens) this.#deletion(this.#openHi, this.#openLo, this.#openTime);
    this.#close(middle);
  }

  /** Writes the key of the row whose clustering was read; returns its end. */
  #clusteringKey(): number {
    const sink = this.#sink;
    const { codec, ranges, length } = this.#clustering;
    this.#beginKey(keyKinds.clustering, codec.lengthMax(length));
    sink.length = codec.encodeRow(this.#cursor.bytes, ranges, sink.bytes, sink.length);
    return sink.length;
  }

  /** Writes partition and kind, with room for `more` bytes behind them; returns where these go. */
  #beginKey(kind: number, more: number): number {
    const sink = this.#sink;
    sink.reserve(this.#prefixLength + 1 + more);
    sink.copy(this.#prefix, 0, this.#prefixLength);
    sink.bytes[sink.length++] = kind;
    return sink.length;
  }

  #deletion(hi: number, lo: number, time: number): void {
    const sink = this.#sink;
    sink.u32(hi);
    sink.u32(lo);
    sink.u32(time);
  }

  /** Ends the open record, if the range has its key. */
  #close(middle: number): void {
    const sink = this.#sink;
    const { bytes, bounds, count } = sink;
    const start = bounds[2 * count] as number;
    if (this.#blockRecords > 0) {
      const from = (bounds[2 * count - 2] as number) + this.#prefixLength;
      const to = bounds[2 * count - 1] as number;
      if (compareRanges(bytes, from, to, bytes, start + this.#prefixLength, middle) >= 0) {
        throw this.#damaged('rows are not in the order of their clustering');
      }
    }
    if (this.#holds === holds.some && !this.#inRange(bytes.subarray(start, middle))) {
      sink.drop();
      return;
    }
    sink.close(middle);
    this.#blockRecords++;
  }

  #inRange(key: Uint8Array): boolean {
    const { from, to } = this.#range;
    if (from !== undefined && compareBytes(key, from) < 0) return false;
    return to === undefined || compareBytes(key, to) < 0;
  }

  #damaged(what: string): Error {
    assert(this.#window !== undefined, 'decoding has begun');
    return damaged(this.#files, 'Data.db', `${what}, at byte ${this.#window.position} of the data`);
  }
}
