// Opens an SSTable of version `na`, `nb`, `oa` or `da` and gives its records in key order, any
// range of them, with all checksums verified. Data.db, Statistics.db and the chunk table are
// needed; Index.db only makes ranges quick.
import { crc32 } from 'node:zlib';
import type { KeyRange } from '../../../model/key-range.ts';
import type { RecordBlock } from '../record/record-block.ts';
import { ChunkReader } from './chunk-reader.ts';
import { type ChunkTable, readChunkTable } from './compression-info.ts';
import { DataDecoder } from './data-decoder.ts';
import { entryBefore, type IndexEntry, readIndex } from './index-reader.ts';
import { ReadWindow } from './read-window.ts';
import { RecordSink } from './record-sink.ts';
import {
  damaged,
  type RandomAccessFile,
  type SstableFiles,
  unknown,
  wholeFile,
} from './sstable-files.ts';
import { readStatistics, type SerializationHeader, type Statistics } from './statistics.ts';
import type { SstableStats } from './statistics-stats.ts';

const versions: Readonly<Record<string, SstableFiles['format']>> = {
  na: 'big',
  nb: 'big',
  oa: 'big',
  da: 'bti',
};
const partitioner = 'org.apache.cassandra.dht.Murmur3Partitioner';
const digestReadBytes = 1024 * 1024;

export interface OpenSstable {
  readonly header: SerializationHeader;
  readonly stats: SstableStats;
  /** Bytes of Data.db without compression. */
  readonly dataLength: number;
  /**
   * The records whose keys are in the range, ascending. A marker or a partition's deletion counts
   * as a record like any other: what holds at the range's start is not repeated there.
   * @throws CodrError `file-damaged`, with the records before the damage given.
   */
  records(range: KeyRange, signal: AbortSignal): AsyncIterable<RecordBlock>;
  /** Compares Data.db as it is stored with Digest.crc32. @throws CodrError `file-damaged`. */
  digest(signal: AbortSignal): Promise<void>;
  /**
   * Up to `count` - 1 keys where partitions begin, ascending, that cut the data into like
   * parts; none for BTI.
   */
  splitPoints(count: number): Promise<Uint8Array[]>;
}

/**
 * @throws CodrError `file-damaged`; `source-unfit` for versions, compressors and types that
 * nobody knows.
 */
export async function openSstable(files: SstableFiles): Promise<OpenSstable> {
  if (versions[files.version] !== files.format) {
    const what = `version ${files.version} (${files.format}) is not one that CODR reads`;
    throw unknown(files, 'Data.db', what);
  }
  if (!files.has('Data.db')) throw damaged(files, 'Data.db', 'the file is missing');
  const statistics = await readStatistics(files);
  if (statistics.partitioner !== partitioner) {
    throw unknown(files, 'Statistics.db', `partitioner ${statistics.partitioner}`);
  }
  const data = await files.open('Data.db');
  return new OpenedSstable(files, statistics, data, await readChunkTable(files, data));
}

class OpenedSstable implements OpenSstable {
  readonly header: SerializationHeader;
  readonly stats: SstableStats;
  readonly #files: SstableFiles;
  readonly #data: RandomAccessFile;
  readonly #table: ChunkTable;
  #index: Promise<IndexEntry[]> | undefined;

  constructor(
    files: SstableFiles,
    statistics: Statistics,
    data: RandomAccessFile,
    table: ChunkTable,
  ) {
    this.#files = files;
    this.header = statistics.header;
    this.stats = statistics.stats;
    this.#data = data;
    this.#table = table;
  }

  get dataLength(): number {
    return this.#table.dataLength;
  }

  async *records(range: KeyRange, signal: AbortSignal): AsyncIterable<RecordBlock> {
    signal.throwIfAborted();
    if (this.dataLength === 0) return;
    const entry = range.from ? entryBefore(await this.#entries(), range.from) : undefined;
    const position = entry?.position ?? 0;
    const chunks = new ChunkReader(this.#files, this.#data, this.#table, position, signal);
    const window = new ReadWindow(this.#files, chunks, this.dataLength);
    const sink = new RecordSink();
    const decoder = new DataDecoder(this.#files, this.header, range, sink, entry?.prefix);
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
  }

  async digest(signal: AbortSignal): Promise<void> {
    const text = Buffer.from(await wholeFile(this.#files, 'Digest.crc32')).toString('latin1');
    let crc = 0;
    for (let at = 0; at < this.#data.size; at += digestReadBytes) {
      signal.throwIfAborted();
      crc = crc32(await this.#data.read(at, digestReadBytes), crc);
    }
    if (text.trim() !== String(crc)) {
      const what = `its checksum is ${crc}, Digest.crc32 says ${text.trim().slice(0, 20)}`;
      throw damaged(this.#files, 'Data.db', what);
    }
  }

  async splitPoints(count: number): Promise<Uint8Array[]> {
    const points: Uint8Array[] = [];
    const entries = await this.#entries();
    for (let i = 1, next = 1; i < entries.length && next < count; i++) {
      const { prefix, position } = entries[i] as IndexEntry;
      if (position < (next * this.dataLength) / count) continue;
      points.push(prefix);
      while (next < count && position >= (next * this.dataLength) / count) next++;
    }
    return points;
  }

  #entries(): Promise<IndexEntry[]> {
    if (this.#files.format === 'bti' || !this.#files.has('Index.db')) return Promise.resolve([]);
    this.#index ??= readIndex(this.#files, this.dataLength);
    return this.#index;
  }
}
