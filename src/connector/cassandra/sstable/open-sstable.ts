// Opens an SSTable of version `na`, `nb`, `oa` or `da` and gives its records in key order, any
// range of them, with all checksums verified. Data.db, Statistics.db and the chunk table are
// needed; Index.db only makes ranges quick.
import { assert } from '../../../base/assert.ts';
import type { KeyRange } from '../../../model/key-range.ts';
import type { RecordBlock } from '../../../model/record-block.ts';
import { murmur3Partitioner, type Partitioner } from '../key/partitioner.ts';
import { ChunkReader } from './chunk-reader.ts';
import { type ChunkTable, readChunkTable } from './compression-info.ts';
import { DataDecoder } from './data-decoder.ts';
import { DataDigest, hasDigest } from './data-digest.ts';
import { entryBefore, type IndexEntry, readIndex } from './index-reader.ts';
import { ReadWindow } from './read-window.ts';
import { RecordSink } from './record-sink.ts';
import { damaged, type RandomAccessFile, type SstableFiles, unknown } from './sstable-files.ts';
import { readStatistics, type SerializationHeader, type Statistics } from './statistics.ts';
import type { SstableStats } from './statistics-stats.ts';

const versions: Readonly<Record<string, SstableFiles['format']>> = {
  na: 'big',
  nb: 'big',
  oa: 'big',
  da: 'bti',
};

export interface OpenSstable {
  readonly header: SerializationHeader;
  readonly stats: SstableStats;
  /** Bytes of Data.db without compression. */
  readonly dataLength: number;
  /**
   * The records whose keys are in the range, ascending; of another partitioner than Murmur3 all of
   * them, its partitions in its order. A marker or a partition's deletion counts
   * as a record like any other: what holds at the range's start is not repeated there.
   * @throws CodrError `file-damaged`, with the records before the damage given.
   */
  records(range: KeyRange, signal: AbortSignal, place?: ReadPlace): AsyncIterable<RecordBlock>;
  /** Each part of the data has a checksum of its own; else only a reading of the whole is checked. */
  readonly hasChunkSums: boolean;
  /**
   * Up to `count` - 1 keys where partitions begin, ascending, that cut the data into like
   * parts; none for BTI and for other orders.
   */
  splitPoints(count: number): Promise<Uint8Array[]>;
  /**
   * Where partitions begin, ascending, the first of about each 256 KiB of the data; none for BTI, for other
   * orders and where Index.db is missing. @throws CodrError `file-damaged`.
   */
  entries(signal?: AbortSignal): Promise<readonly IndexEntry[]>;
}

/** What a reader of a part knows from `entries` already. */
export interface ReadPlace {
  /** A partition at or before the range's start; the index is not read then. */
  readonly start?: IndexEntry;
  /** Data from here on is read only when it is needed: the range ends before. */
  readonly aheadEnd?: number;
  /** What may be read ahead, and given out at once, where many files are read side by side: about six times it is held. */
  readonly bufferBytes?: number;
}

/**
 * `partitioner`: of the cluster it is of.
 * @throws CodrError `file-damaged`; `source-unfit` for versions, compressors, types and
 * partitioners that are others.
 */
export async function openSstable(
  files: SstableFiles,
  partitioner: Partitioner = murmur3Partitioner,
): Promise<OpenSstable> {
  if (versions[files.version] !== files.format) {
    const what = `version ${files.version} (${files.format}) is not one that CODR reads`;
    throw unknown(files, 'Data.db', what);
  }
  if (!files.has('Data.db')) throw damaged(files, 'Data.db', 'the file is missing');
  const statistics = await readStatistics(files);
  if (statistics.partitioner !== partitioner.className) {
    throw unknown(files, 'Statistics.db', `partitioner ${statistics.partitioner}`);
  }
  const data = await files.open('Data.db');
  const table = await readChunkTable(files, data);
  return new OpenedSstable(files, statistics, { data, table }, partitioner);
}

class OpenedSstable implements OpenSstable {
  readonly header: SerializationHeader;
  readonly stats: SstableStats;
  readonly #files: SstableFiles;
  readonly #data: RandomAccessFile;
  readonly #table: ChunkTable;
  readonly #partitioner: Partitioner;
  #index: Promise<IndexEntry[]> | undefined;

  constructor(
    files: SstableFiles,
    statistics: Statistics,
    { data, table }: { readonly data: RandomAccessFile; readonly table: ChunkTable },
    partitioner: Partitioner,
  ) {
    this.#files = files;
    this.header = statistics.header;
    this.stats = statistics.stats;
    this.#data = data;
    this.#table = table;
    this.#partitioner = partitioner;
  }

  get hasChunkSums(): boolean {
    return this.#table.crcInline || this.#table.crcs !== undefined;
  }

  get dataLength(): number {
    return this.#table.dataLength;
  }

  async *records(
    range: KeyRange,
    signal: AbortSignal,
    place: ReadPlace = {},
  ): AsyncIterable<RecordBlock> {
    signal.throwIfAborted();
    const { isRecordOrder } = this.#partitioner;
    assert(isRecordOrder || !(range.from || range.to), 'a part is in the order of records');
    if (this.dataLength === 0) return;
    const entry =
      place.start ?? (range.from ? entryBefore(await this.entries(), range.from) : undefined);
    const position = entry?.position ?? 0;
    const { aheadEnd = this.dataLength, bufferBytes } = place;
    const isWhole = !entry && !range.from && !range.to && hasDigest(this.#files);
    const digest = isWhole ? new DataDigest() : undefined;
    const from = {
      ...{ position, aheadEnd, digest },
      ...(bufferBytes && { readBytes: bufferBytes }),
    };
    const chunks = new ChunkReader(this.#files, this.#data, this.#table, from, signal);
    const window = new ReadWindow(this.#files, chunks, this.dataLength, bufferBytes);
    const sink = new RecordSink(bufferBytes);
    const decoder = new DataDecoder(this.#files, this.header, range, sink, {
      partitioner: this.#partitioner,
      ...(entry && { expected: entry.prefix }),
    });
    await window.seek(position);
    while (!decoder.finished) {
      if (decoder.decode(window)) {
        if (sink.count > 0) yield sink.take();
        signal.throwIfAborted();
      } else {
        if (window.exhausted && !decoder.inPartition) break;
        await window.fill();
      }
    }
    if (sink.count > 0) yield sink.take();
    await digest?.compare(this.#files, this.#data);
  }

  async splitPoints(count: number): Promise<Uint8Array[]> {
    const points: Uint8Array[] = [];
    const entries = await this.entries();
    for (let i = 1, next = 1; i < entries.length && next < count; i++) {
      const { prefix, position } = entries[i] as IndexEntry;
      if (position < (next * this.dataLength) / count) continue;
      points.push(prefix);
      while (next < count && position >= (next * this.dataLength) / count) next++;
    }
    return points;
  }

  entries(signal?: AbortSignal): Promise<readonly IndexEntry[]> {
    const isKnown = this.#files.format === 'big' && this.#files.has('Index.db');
    if (!isKnown || !this.#partitioner.isRecordOrder) return Promise.resolve([]);
    this.#index ??= readIndex(this.#files, this.dataLength, signal);
    return this.#index;
  }
}
