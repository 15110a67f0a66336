// Writes records, ascending, as an SSTable of version `nb`, which every Cassandra from 4.0 on takes by import.
//
// Rows are encoded into one window that is cut into chunks, compressed and handed to the sink as it fills: no
// partition and no file is held in memory. Filter and Summary are left to the server, which makes them itself.
import { assert } from '../../../base/assert.ts';
import { CodrError } from '../../../base/error.ts';
import type { RecordBlock } from '../../../model/record-block.ts';
import { writeUnescaped } from '../key/escaped.ts';
import { murmur3Partitioner, type Partitioner } from '../key/partitioner.ts';
import { tokenBytes } from '../key/record-key.ts';
import { PartitionTracker, recordKinds } from '../record/record-key.ts';
import { clusteringEnds, markerFlags } from '../record/record-layout.ts';
import { RowReader } from '../record/row-reader.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import { PartitionOrder } from './partition-order.ts';
import { OutBytes, readI32 } from './write-bytes.ts';
import { ChunkWriter } from './write-chunks.ts';
import { ClusteringWriter } from './write-clustering.ts';
import { WrittenColumns } from './write-columns.ts';
import { ClusteringExtent } from './write-extent.ts';
import { IndexWriter, type OpenDeletion } from './write-index.ts';
import { type DeltaBases, RowEncoder } from './write-row.ts';
import { defaultBases, encodeHeader, encodeStatistics } from './write-statistics.ts';
import { StatsCollector } from './write-stats.ts';

/** Where an SSTable's bytes go. */
export interface SstableSink {
  /**
   * Called in the order of the bytes of each component, one call at a time. The bytes are the callee's.
   * `component` is the part of a file's name after `nb-<id>-big-`.
   */
  write(component: SstableComponent, bytes: Uint8Array): Promise<void>;
}

export type SstableComponent =
  | 'Data.db'
  | 'Index.db'
  | 'Statistics.db'
  | 'CompressionInfo.db'
  | 'CRC.db'
  | 'Digest.crc32'
  | 'TOC.txt';

export interface WriterOptions {
  readonly schema: TableSchema;
  /** The keyspace's name in the target: the types of columns name it. */
  readonly keyspace: string;
  readonly compression: 'lz4' | 'none';
  /** Of the target: whose order the partitions come in; Murmur3 unless said. */
  readonly partitioner?: Partitioner;
  /** What times are differences to; the same for all files of a table. */
  readonly bases?: DeltaBases;
  /** Raw bytes per entry of a promoted index; 64 KiB unless said, as Cassandra's `column_index_size`. */
  readonly indexBlockBytes?: number;
}

export interface WrittenSstable {
  readonly partitions: number;
  /** Rows with content, static rows among them. */
  readonly rows: number;
  /** Of Data.db as stored. */
  readonly bytes: number;
  /** Partition keys, raw; empty when nothing was written. */
  readonly firstKey: Uint8Array;
  readonly lastKey: Uint8Array;
  /** What was written, in order; none when there was no partition. */
  readonly components: readonly SstableComponent[];
  /** Expiry and deletion times after 2038 that `nb` cannot hold and that were cut. */
  readonly cappedExpiries: number;
}

/** The window is handed on from here; a row may make it larger. */
const windowBytes = 256 * 1024;
const partitionKeyLengthMax = 65_535;
/** Range tombstone markers: kinds by what holds before and after, and on which side of the bound. */
const markerKinds = {
  before: { start: 1, end: 0, boundary: 2 },
  after: { start: 7, end: 6, boundary: 5 },
} as const;
const endOfPartition = 0x01;
/** No partition deletion: ldt 2^31 - 1, at -2^63. */
const liveDeletion = Buffer.from('7fffffff8000000000000000', 'hex');

/** One SSTable. After an error it must not be used any more, and what the sink has is to be thrown away. */
export class SstableWriter {
  readonly #schema: TableSchema;
  readonly #keyspace: string;
  readonly #bases: DeltaBases;
  readonly #sink: SstableSink;
  readonly #out = new OutBytes(2 * windowBytes);
  readonly #chunks: ChunkWriter;
  readonly #index: IndexWriter;
  readonly #stats = new StatsCollector();
  readonly #statics: WrittenColumns;
  readonly #regulars: WrittenColumns;
  readonly #clustering: ClusteringWriter;
  readonly #extent: ClusteringExtent;
  readonly #rows: RowEncoder;
  readonly #row: RowReader;
  readonly #components: SstableComponent[] = [];
  #pending: Promise<void> = Promise.resolve();

  /** Raw bytes before the window. */
  #before = 0;
  #partitions = 0;
  #firstKey: Uint8Array = new Uint8Array(0);

  readonly #order: PartitionOrder;
  readonly #tracker = new PartitionTracker();
  /** The raw key is `key[0, keyLength)`. */
  #key = new Uint8Array(1024);
  #keyLength = 0;
  /** How much of the partition is written: nothing, its head, its static row. */
  #stage: 'none' | 'head' | 'rows' | 'ended' = 'ended';
  /** Offsets in raw Data.db. */
  #partitionStart = 0;
  #unfilteredStart = 0;
  #headerLength = 0;
  /** As in Data.db: int32 local deletion time, int64 marked for delete at. */
  #deletion: Buffer = liveDeletion;
  readonly #ownDeletion = Buffer.alloc(12);
  /** The range deletion that holds, and another to swap it with. */
  #open: OpenDeletion = { open: false, hi: 0, lo: 0, time: 0 };
  #next: OpenDeletion = { open: false, hi: 0, lo: 0, time: 0 };

  constructor(options: WriterOptions, sink: SstableSink) {
    const { schema, keyspace, compression } = options;
    const table = `${schema.keyspace}.${schema.table}`;
    if (!schema.flags.includes('compound') || schema.flags.includes('dense')) {
      throw new CodrError('target-unfit', `table ${table} is a COMPACT STORAGE table`, {
        object: table,
        remedy: 'restore it by CQL',
      });
    }
    this.#schema = schema;
    this.#keyspace = keyspace;
    this.#bases = options.bases ?? defaultBases;
    this.#sink = sink;
    this.#order = new PartitionOrder(options.partitioner ?? murmur3Partitioner);
    this.#index = new IndexWriter(options.indexBlockBytes);
    this.#chunks = new ChunkWriter(compression);
    this.#statics = new WrittenColumns(schema.statics, table);
    this.#regulars = new WrittenColumns(schema.regulars, table);
    this.#clustering = new ClusteringWriter(schema.clustering);
    this.#extent = new ClusteringExtent(this.#clustering);
    this.#rows = new RowEncoder(this.#out, this.#bases, this.#stats, this.#clustering);
    this.#row = new RowReader(schema.clustering.length);
  }

  /** Bytes of Data.db handed on so far: what to roll over to a new file by, where a partition ends. */
  get dataBytes(): number {
    return this.#chunks.storedBytes;
  }

  /** Writes the records of a block, which follow those before. The block must not change any more. */
  async write(block: RecordBlock): Promise<void> {
    const { bytes, bounds, count } = block;
    for (let i = 0; i < count; i++) {
      const start = bounds[2 * i] as number;
      const middle = bounds[2 * i + 1] as number;
      if (this.#tracker.enter(bytes, start, middle)) this.#newPartition();
      this.#record(bytes, start, middle, bounds[2 * i + 2] as number);
      if (this.#out.length >= windowBytes) await this.#drain(false);
    }
  }

  /** Writes what is left and the small components. */
  async finish(): Promise<WrittenSstable> {
    this.#endPartition();
    if (this.#partitions > 0) {
      await this.#drain(true);
      await this.#writeRest();
    }
    await this.#pending;
    return {
      partitions: this.#partitions,
      rows: this.#stats.rows,
      bytes: this.#chunks.storedBytes,
      firstKey: this.#firstKey,
      lastKey: this.#key.slice(0, this.#keyLength),
      components: this.#components,
      cappedExpiries: this.#rows.cappedExpiries,
    };
  }

  #newPartition(): void {
    this.#endPartition();
    const { partition } = this.#tracker;
    const { length } = partition;
    if (length > this.#key.length) this.#key = new Uint8Array(2 * length);
    this.#keyLength = writeUnescaped(partition, tokenBytes, length, this.#key, 0);
    this.#stage = 'none';
    this.#rows.cells = 0;
    this.#open.open = false;
    this.#deletion = liveDeletion;
  }

  /** A record with the key `bytes[start, middle)` and the value `bytes[middle, end)`. */
  #record(bytes: Uint8Array, start: number, middle: number, end: number): void {
    const clustering = start + this.#tracker.partition.length + 1;
    switch (this.#tracker.kind(bytes, start, middle)) {
      case recordKinds.partitionKey:
        assert(end - middle <= partitionKeyLengthMax, 'a partition key has at most 65535 bytes');
        // Not `slice`: of a Buffer that is a view, and the next key would be written over the record.
        this.#key = new Uint8Array(bytes.subarray(middle, end));
        this.#keyLength = end - middle;
        return;
      case recordKinds.partitionDeletion:
        this.#partitionDeletion(bytes, middle);
        return;
      case recordKinds.static:
        this.#staticRow(bytes, middle, end);
        return;
      case recordKinds.row:
        this.#regularRow(bytes, clustering, middle, end);
        return;
      default:
        this.#marker(bytes, clustering, middle);
    }
  }

  #partitionDeletion(bytes: Uint8Array, at: number): void {
    assert(this.#stage === 'none', 'a partition deletion comes before all rows');
    const hi = readI32(bytes, at);
    const lo = readI32(bytes, at + 4) >>> 0;
    const second = this.#rows.capped(readI32(bytes, at + 8) >>> 0);
    this.#deletion = this.#ownDeletion;
    this.#deletion.writeInt32BE(second, 0);
    this.#deletion.writeInt32BE(hi, 4);
    this.#deletion.writeUInt32BE(lo, 8);
    this.#stats.timestamp(hi, lo);
    this.#stats.deletionTime(second);
    this.#startPartition();
  }

  #staticRow(bytes: Uint8Array, middle: number, end: number): void {
    this.#startPartition();
    assert(this.#stage === 'head', 'a static row comes before all other rows');
    this.#row.read(bytes, middle, end, true);
    this.#rows.staticRow(this.#row, this.#statics);
    this.#startedRows();
  }

  #regularRow(bytes: Uint8Array, at: number, middle: number, end: number): void {
    this.#startRows();
    this.#row.read(bytes, middle, end);
    const { originalsStart, originalsEnd } = this.#row;
    if (originalsEnd === originalsStart) this.#clustering.fromKey(bytes, at, middle);
    else this.#clustering.fromOriginals(bytes, originalsStart, this.#schema.clustering.length);
    const start = this.#position();
    this.#rows.row(this.#row, this.#regulars, start - this.#unfilteredStart);
    this.#extent.row(bytes, at, middle);
    this.#indexed(true, start);
  }

  /** What holds from here on, as a start, an end or both in one marker. */
  #marker(bytes: Uint8Array, at: number, middle: number): void {
    this.#startRows();
    const flags = bytes[middle] as number;
    const end = bytes[middle - 1] as number;
    let next = middle + 1;
    this.#clustering.fromKey(bytes, at, middle);
    if ((flags & markerFlags.originals) !== 0) {
      next = this.#clustering.fromOriginals(bytes, next, this.#clustering.count);
    }
    const begun = this.#next;
    const ended = this.#open;
    begun.open = (flags & markerFlags.opens) !== 0;
    if (begun.open) {
      begun.hi = readI32(bytes, next);
      begun.lo = readI32(bytes, next + 4) >>> 0;
      begun.time = readI32(bytes, next + 8) >>> 0;
    }
    assert(begun.open || ended.open, 'a marker ends a deletion only where one holds');
    const kinds = end === clusteringEnds.before ? markerKinds.before : markerKinds.after;
    const kind = !ended.open ? kinds.start : begun.open ? kinds.boundary : kinds.end;
    const start = this.#position();
    this.#rows.marker(kind, start - this.#unfilteredStart, ended, begun);
    if (!ended.open) this.#extent.start(bytes, at, middle);
    else if (!begun.open) this.#extent.end(bytes, at, middle);
    this.#open = begun;
    this.#next = ended;
    this.#indexed(false, start);
  }

  #indexed(isRow: boolean, start: number): void {
    const rows = this.#rows;
    this.#index.unfiltered(
      isRow,
      this.#out.bytes,
      rows.nameStart,
      rows.nameEnd,
      start - this.#partitionStart,
      this.#position() - this.#partitionStart,
      this.#open,
    );
    this.#unfilteredStart = start;
  }

  /** Key and deletion. */
  #startPartition(): void {
    if (this.#stage !== 'none') return;
    this.#stage = 'head';
    this.#order.enter(this.#tracker.partition, this.#key.subarray(0, this.#keyLength));
    this.#partitionStart = this.#position();
    this.#unfilteredStart = this.#partitionStart;
    const out = this.#out;
    out.reserve(64);
    out.u16(this.#keyLength);
    out.copy(this.#key, 0, this.#keyLength);
    out.copy(this.#deletion, 0, this.#deletion.length);
    this.#index.startPartition();
    if (this.#partitions++ === 0) this.#firstKey = this.#key.slice(0, this.#keyLength);
  }

  /** The static row, if none was there. */
  #startRows(): void {
    if (this.#stage === 'rows') return;
    this.#startPartition();
    if (this.#statics.all.length > 0) this.#rows.emptyStaticRow(this.#statics);
    this.#startedRows();
  }

  #startedRows(): void {
    this.#headerLength = this.#position() - this.#partitionStart;
    this.#stage = 'rows';
  }

  #endPartition(): void {
    if (this.#stage === 'ended') return;
    assert(this.#stage !== 'none', 'a partition has more than its key');
    assert(!this.#open.open, 'all range deletions of a partition end in it');
    this.#startRows();
    this.#out.reserve(1);
    this.#out.u8(endOfPartition);
    const size = this.#position() - this.#partitionStart;
    const start = this.#partitionStart;
    this.#index.endPartition(
      this.#key,
      this.#keyLength,
      start,
      this.#headerLength,
      this.#deletion,
      size,
      this.#open,
    );
    this.#stats.partitionSizes.add(size);
    this.#stats.cellsPerPartition.add(this.#rows.cells);
    this.#stage = 'ended';
  }

  /** Offset in raw Data.db. */
  #position(): number {
    return this.#before + this.#out.length;
  }

  /** Hands on what is whole chunks, or at the `end` all. */
  async #drain(end: boolean): Promise<void> {
    const out = this.#out;
    const whole = end ? out.length : out.length - (out.length % this.#chunks.chunkBytes);
    this.#chunks.add(out.bytes, whole);
    out.bytes.copyWithin(0, whole, out.length);
    out.length -= whole;
    this.#before += whole;
    await this.#hand('Data.db', this.#chunks.take());
    const index = this.#index.out;
    if (index.length < windowBytes && !end) return;
    await this.#hand('Index.db', index.taken());
    index.length = 0;
  }

  /** Starts writing; the next call waits for it, so encoding and the file go on side by side. */
  async #hand(component: SstableComponent, bytes: Uint8Array): Promise<void> {
    await this.#pending;
    if (!this.#components.includes(component)) this.#components.push(component);
    this.#pending = this.#sink.write(component, bytes);
    // Whoever waits for it gets the error.
    this.#pending.catch(() => undefined);
  }

  async #writeRest(): Promise<void> {
    const table = this.#chunks.finish();
    await this.#hand(table.name, table.bytes);
    await this.#hand('Digest.crc32', this.#chunks.digest());
    const stats = new OutBytes(8192);
    const { min, max } = this.#extent.values();
    this.#stats.encode(stats, this.#chunks.ratio, min, max);
    const columns = [this.#statics, this.#regulars] as const;
    const header = encodeHeader(this.#schema, this.#keyspace, this.#bases, ...columns);
    await this.#hand(
      'Statistics.db',
      encodeStatistics(this.#order.partitioner, stats.taken(), header),
    );
    const names = [...this.#components, 'TOC.txt'];
    await this.#hand('TOC.txt', Buffer.from(names.map((name) => `${name}\n`).join('')));
  }
}
