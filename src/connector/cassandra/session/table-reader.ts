// What a cut found of one table, as records: all files merged, as a whole in this thread, or in parts side by side in
// threads. A file that cannot be read is noted and left out from then on.
import { createHash } from 'node:crypto';
import { assert } from '../../../base/assert.ts';
import { compareBytes } from '../../../base/bytes.ts';
import { CodrError, isCodrError } from '../../../base/error.ts';
import type { FilesOf } from '../../../base/file-access.ts';
import type { Logger } from '../../../base/log.ts';
import { type KeyRange, wholeRange } from '../../../model/key-range.ts';
import type { RecordStream } from '../../../model/record.ts';
import { mergeBlocks } from '../merge/merge-blocks.ts';
import { mergeStaged } from '../merge/staged-merge.ts';
import { type BlockStream, batchOf } from '../record/record-block.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import { notBefore } from '../sstable/key-extent.ts';
import { openSstable } from '../sstable/open-sstable.ts';
import { FileExtents, type FileInput, type OpenLimits, openLimits } from './file-inputs.ts';
import { type JobFile, JobFileError } from './merge-files.ts';
import type { MergePool } from './merge-pool.ts';
import { identityOf, type ListedSstable, openSstable as openFiles } from './node-files.ts';
import { ownedBlocks, ownedTokens, type SortingSpace, shareOf } from './owned-blocks.ts';
import { type PartPlan, planParts } from './part-plan.ts';
import type { Replication } from './replica-placement.ts';
import { partitionerOf, type Ring, ringDigest } from './ring.ts';

/** Stored bytes of a table from which on threads cost less than they save. */
const threadedBytesDefault = 8 * 1024 * 1024;
/** Rises with whatever changes the records that are read of the same files. */
const recordsVersion = 1;
/** Parts for each thread, so that all end at about the same time. */
const partsPerThread = 4;

export interface DamagedFile {
  readonly file: ListedSstable;
  readonly message: string;
}

export interface TableReaderOptions {
  readonly schema: TableSchema;
  readonly files: readonly ListedSstable[];
  readonly ring: Ring;
  readonly replication: Replication;
  /** For files that are in another order than records. */
  readonly sorting: SortingSpace;
  readonly filesOf: FilesOf;
  /** Absent: this thread does all. */
  readonly pool?: MergePool | undefined;
  /** Smaller tables are read in this thread, and parts have half of it at least; 8 MiB unless given. */
  readonly threadedBytesMin?: number;
  readonly log: Logger;
}

export class TableReader {
  readonly #options: TableReaderOptions;
  /** Of all tables of the cut. */
  readonly #damaged: DamagedFile[];
  #plan: PartPlan | undefined;
  readonly #extents: FileExtents;

  constructor(options: TableReaderOptions, damaged: DamagedFile[]) {
    this.#options = options;
    this.#extents = new FileExtents(partitionerOf(options.ring), options.filesOf);
    this.#damaged = damaged;
  }

  /** What may be read side by side; ascending, all of it. */
  async ranges(partBytes: number, signal: AbortSignal): Promise<readonly KeyRange[]> {
    const { pool, threadedBytesMin = threadedBytesDefault } = this.#options;
    this.#plan = undefined;
    if (!pool || !this.#isThreaded()) return [wholeRange];
    const partBytesMin = threadedBytesMin / 2;
    const size = { partBytes, count: partsPerThread * pool.threads, partBytesMin };
    this.#plan = await planParts(this.#whole(), size, this.#options.filesOf, signal);
    return this.#plan.ranges;
  }

  /** Names what is read, and what of it counts: which files, and what their hosts own. */
  content(): string {
    const { schema, ring, replication } = this.#options;
    const files = this.#whole().map((file) => [file.hostId, identityOf(file), file.modifiedMs]);
    const { length: clusteringCount } = schema.clustering;
    const owned = [ring.partitioner, ringDigest(ring), Object.entries(replication).sort()];
    const all = [recordsVersion, clusteringCount, owned, files.map(String).sort()];
    return createHash('sha256').update(JSON.stringify(all)).digest('hex');
  }

  /** `range`: one of `ranges`. Errors: `file-damaged`; read again, it is there without the file. */
  async *records(range: KeyRange, signal: AbortSignal): RecordStream {
    const { schema, sorting } = this.#options;
    const isThreaded = this.#isThreaded();
    assert(isThreaded || (!range.from && !range.to), 'parts are merged in threads');
    const files = this.#whole().filter((file) => !this.#plan || this.#plan.placeOf(file, range));
    const limits = openLimits(this.#memoryBytesMax(isThreaded), files.length);
    const inputs = await this.#inputs(files, limits, range, signal);
    const { length: clusteringCount } = schema.clustering;
    const merged = (some: readonly FileInput[]): BlockStream =>
      isThreaded ? this.#inThread(some, limits, range, signal) : this.#here(some, limits, signal);
    const { spill } = sorting;
    const stages = { openMax: limits.openMax, spill, clusteringCount, merged, signal };
    for await (const block of mergeStaged(inputs, stages)) yield batchOf(block);
  }

  #whole(): ListedSstable[] {
    return this.#options.files.filter((file) => !this.#damaged.some((one) => one.file === file));
  }

  #isThreaded(): boolean {
    const { pool, ring, threadedBytesMin: least = threadedBytesDefault } = this.#options;
    if (!pool || !partitionerOf(ring).isRecordOrder) return false;
    return this.#whole().reduce((sum, file) => sum + file.dataBytes, 0) >= least;
  }

  /** Of what one part, or the whole, may hold of its files. */
  #memoryBytesMax(isThreaded: boolean): number {
    const { pool, sorting } = this.#options;
    if (!isThreaded || !pool) return sorting.memoryBytesMax;
    return Math.floor((2 * sorting.memoryBytesMax) / Math.max(2, pool.threads));
  }

  /** Those with something in the range. */
  async #inputs(
    files: readonly ListedSstable[],
    limits: OpenLimits,
    { from }: KeyRange,
    signal: AbortSignal,
  ): Promise<FileInput[]> {
    const inputs = await this.#extents.inputs(files, limits, signal);
    return inputs.filter(({ last }) => !from || !last || compareBytes(last, from) >= 0);
  }

  async *#inThread(
    inputs: readonly FileInput[],
    { bufferBytes }: OpenLimits,
    range: KeyRange,
    signal: AbortSignal,
  ): BlockStream {
    const { ring, replication, schema, pool, filesOf } = this.#options;
    assert(pool, 'threads are used where there are some');
    const files = inputs.map(({ file: listed, first }): JobFile => {
      const owned = ownedTokens(ring, replication, listed.hostId);
      return { listed, owned, ...this.#plan?.placeOf(listed, range), ...(first && { first }) };
    });
    const { length: clusteringCount } = schema.clustering;
    try {
      yield* pool.merged({ files, range, clusteringCount, bufferBytes }, filesOf, signal);
    } catch (error) {
      if (!(error instanceof JobFileError)) throw error;
      throw this.#lost((files[error.index] as JobFile).listed, error.cause);
    }
  }

  async *#here(
    inputs: readonly FileInput[],
    { bufferBytes }: OpenLimits,
    signal: AbortSignal,
  ): BlockStream {
    const { ring, replication, schema, sorting } = this.#options;
    const space = shareOf(sorting, inputs.length);
    const streams = inputs.map((input) => {
      const owner = { ring, replication, hostId: input.file.hostId };
      const records = this.#fileBlocks(input, bufferBytes, signal);
      const blocks = ownedBlocks(records, owner, space, signal);
      return input.first ? { from: input.first, blocks } : blocks;
    });
    yield* mergeBlocks(streams, { signal, clusteringCount: schema.clustering.length });
  }

  async *#fileBlocks(
    { file, first }: FileInput,
    bufferBytes: number,
    signal: AbortSignal,
  ): BlockStream {
    await using files = openFiles(file, this.#options.filesOf);
    try {
      const sstable = await openSstable(files, partitionerOf(this.#options.ring));
      const records = sstable.records(wholeRange, signal, { bufferBytes });
      yield* first ? notBefore(records, first, files) : records;
    } catch (error) {
      throw this.#lost(file, error);
    }
  }

  /**
   * A file that went away, a disk that fails, a format that nobody knows: each costs this replica as damage does.
   * Gives what is to be thrown.
   */
  #lost(file: ListedSstable, error: unknown): unknown {
    const isLost = isCodrError(error, 'source-unreachable') || isCodrError(error, 'source-unfit');
    if (!isLost && !isCodrError(error, 'file-damaged')) return error;
    // Parts that are read side by side may find it one after another.
    if (!this.#damaged.some((one) => one.file === file)) {
      this.#damaged.push({ file, message: `node of ${file.folder}: ${error.message}` });
      this.#options.log.error({ file: file.name, error: error.message }, 'a file cannot be read');
    }
    if (!isLost) return error;
    return new CodrError('file-damaged', error.message, { object: file.name, cause: error });
  }
}
