// What a cut found of one table, as records: all files merged, as a whole in this thread, or in parts side by side in
// threads, and on other peers, which are told what they need for it. A file that cannot be read is noted and left out from then on.
import { createHash } from 'node:crypto';
import { assert } from '../../../base/assert.ts';
import { CodrError, isCodrError } from '../../../base/error.ts';
import type { FilesOf } from '../../../base/file-access.ts';
import type { Logger } from '../../../base/log.ts';
import { type KeyRange, wholeRange } from '../../../model/key-range.ts';
import type { RecordStream } from '../../../model/record.ts';
import { type BlockStream, batchesOf } from '../../../model/record-block.ts';
import { mergeBlocks } from '../merge/merge-blocks.ts';
import { mergeStaged } from '../merge/staged-merge.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import { notBefore } from '../sstable/key-extent.ts';
import { openSstable } from '../sstable/open-sstable.ts';
import { FileExtents, type FileInput, openLimits } from './file-inputs.ts';
import type { MergePool } from './merge-pool.ts';
import { identityOf, type ListedSstable, openSstable as openFiles } from './node-files.ts';
import { ownedBlocks, ownedTokens, type SortingSpace, shareOf } from './owned-blocks.ts';
import { type PartPlan, planParts } from './part-plan.ts';
import { partToText } from './part-text.ts';
import type { Replication } from './replica-placement.ts';
import { partitionerOf, type Ring, ringDigest } from './ring.ts';
import { type PartFile, PartFileError, partBlocks, type TablePart } from './table-part.ts';

/** Stored bytes of a table from which on threads, and other peers, cost less than they save. */
const threadedBytesDefault = 8 * 1024 * 1024;
/** Rises with whatever changes the records that are read of the same files. */
const recordsVersion = 1;
/** Parts for each that is read at a time, so that all end at about the same time. */
const partsPerPlace = 4;

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

  /** What may be read side by side, in `places` at a time; ascending, all of it. */
  async ranges(partBytes: number, signal: AbortSignal, places = 1): Promise<readonly KeyRange[]> {
    const { pool, filesOf, threadedBytesMin = threadedBytesDefault } = this.#options;
    this.#plan = undefined;
    if (!this.#isLarge() || (!pool && places < 2)) return [wholeRange];
    const count = partsPerPlace * Math.max(pool?.threads ?? 1, places);
    const size = { partBytes, count, partBytesMin: threadedBytesMin / 2 };
    this.#plan = await planParts(this.#whole(), size, filesOf, signal);
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
    const isPart = this.#plan !== undefined || (this.#options.pool && this.#isLarge());
    assert(isPart || (!range.from && !range.to), 'parts are those that were asked for');
    const blocks = isPart ? this.#partBlocks(range, signal) : this.#wholeBlocks(signal);
    yield* batchesOf(blocks);
  }

  /** For a `CassandraPartReader`; undefined where it could not tell these files from others. */
  described(range: KeyRange): unknown {
    const isRecordOrder = partitionerOf(this.#options.ring).isRecordOrder;
    if (!isRecordOrder || this.#whole().some(({ digest }) => digest === '')) return undefined;
    return partToText(this.#part(range));
  }

  /** By the peer that sees the files. */
  near(range: KeyRange): ReadonlyMap<string, number> {
    const near = new Map<string, number>();
    for (const file of this.#whole()) {
      if (file.peer === undefined) continue;
      const bytes = this.#plan?.bytesOf(file, range) ?? file.dataBytes;
      if (bytes > 0) near.set(file.peer, (near.get(file.peer) ?? 0) + bytes);
    }
    return near;
  }

  #whole(): ListedSstable[] {
    return this.#options.files.filter((file) => !this.#damaged.some((one) => one.file === file));
  }

  /** Worth parts. */
  #isLarge(): boolean {
    const { ring, threadedBytesMin: least = threadedBytesDefault } = this.#options;
    if (!partitionerOf(ring).isRecordOrder) return false;
    return this.#whole().reduce((sum, file) => sum + file.dataBytes, 0) >= least;
  }

  #part(range: KeyRange): TablePart {
    const { ring, replication, schema } = this.#options;
    const owned = new Map<string, PartFile['owned']>();
    const files = this.#whole().flatMap((listed): PartFile[] => {
      const place = this.#plan ? this.#plan.placeOf(listed, range) : {};
      if (place === undefined) return [];
      const { hostId } = listed;
      const tokens = owned.get(hostId) ?? ownedTokens(ring, replication, hostId);
      owned.set(hostId, tokens);
      return [{ listed, owned: tokens, ...place }];
    });
    return { files, range, clusteringCount: schema.clustering.length };
  }

  async *#partBlocks(range: KeyRange, signal: AbortSignal): BlockStream {
    const { filesOf, sorting, pool } = this.#options;
    const place = { filesOf, sorting, pool, extents: this.#extents };
    try {
      yield* partBlocks(this.#part(range), place, signal);
    } catch (error) {
      throw error instanceof PartFileError ? this.#lost(error.listed, error.cause) : error;
    }
  }

  async *#wholeBlocks(signal: AbortSignal): BlockStream {
    const { sorting, schema } = this.#options;
    const files = this.#whole();
    const { openMax, bufferBytes } = openLimits(sorting.memoryBytesMax, files.length);
    const inputs = await this.#extents.inputs(files, { openMax, bufferBytes }, signal);
    const merged = (some: readonly FileInput[]): BlockStream =>
      this.#here(some, bufferBytes, signal);
    const { length: clusteringCount } = schema.clustering;
    const stages = { openMax, spill: sorting.spill, clusteringCount, merged, signal };
    yield* mergeStaged(inputs, stages);
  }

  async *#here(
    inputs: readonly FileInput[],
    bufferBytes: number,
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
