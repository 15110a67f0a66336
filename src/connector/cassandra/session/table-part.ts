// Merging one part of a table, by the cut that found its files or by another process that was told of them: in a
// thread, or in this one, with no more files open at once than the memory allows.
import { compareBytes } from '../../../base/bytes.ts';
import type { FilesOf } from '../../../base/file-access.ts';
import type { KeyRange } from '../../../model/key-range.ts';
import type { BlockStream } from '../../../model/record-block.ts';
import { mergeStaged } from '../merge/staged-merge.ts';
import { type FileExtents, type FileInput, openLimits } from './file-inputs.ts';
import { type JobFile, JobFileError, type MergeJob, mergeFiles } from './merge-files.ts';
import type { MergePool } from './merge-pool.ts';
import type { ListedSstable } from './node-files.ts';
import type { SortingSpace } from './owned-blocks.ts';

export type PartFile = Omit<JobFile, 'first' | 'last'>;

/** What is read. Plain data; partitions are in the order of records. */
export interface TablePart extends Pick<MergeJob, 'range' | 'clusteringCount'> {
  readonly files: readonly PartFile[];
}

/** Who reads it. */
export interface PartPlace {
  readonly filesOf: FilesOf;
  readonly extents: FileExtents;
  readonly sorting: SortingSpace;
  /** Absent: this thread does it. */
  readonly pool?: MergePool | undefined;
}

/** A file of a part cannot be read: the cause says why. */
export class PartFileError extends Error {
  readonly listed: ListedSstable;

  constructor(listed: ListedSstable, cause: unknown) {
    super('a file cannot be read', { cause });
    this.listed = listed;
  }
}

/** Errors: {@link PartFileError}. */
export async function* partBlocks(
  part: TablePart,
  { filesOf, extents, sorting, pool }: PartPlace,
  signal: AbortSignal,
): BlockStream {
  const { range, clusteringCount } = part;
  const files = new Map(part.files.map((file) => [file.listed, file]));
  const limits = openLimits(partMemory(sorting, pool), files.size);
  const inputs = await extents.inputs([...files.keys()], limits, signal);
  const merged = async function* (some: readonly FileInput[]): BlockStream {
    const own = some.map(({ file, first, last }): JobFile => {
      const part = files.get(file) as PartFile;
      return { ...part, ...(first && { first }), ...(last && { last }) };
    });
    const job = { files: own, range, clusteringCount, bufferBytes: limits.bufferBytes };
    try {
      yield* pool ? pool.merged(job, filesOf, signal) : mergeFiles(job, filesOf, signal);
    } catch (error) {
      if (!(error instanceof JobFileError)) throw error;
      throw new PartFileError((own[error.index] as JobFile).listed, error.cause);
    }
  };
  const { openMax } = limits;
  const stages = { openMax, spill: sorting.spill, clusteringCount, merged, signal };
  yield* mergeStaged(
    inputs.filter((input) => reaches(input, range)),
    stages,
  );
}

/** What one part may hold of its files, where threads read several. */
function partMemory({ memoryBytesMax }: SortingSpace, pool: MergePool | undefined): number {
  if (!pool) return memoryBytesMax;
  return Math.floor((2 * memoryBytesMax) / Math.max(2, pool.threads));
}

function reaches({ last }: FileInput, { from }: KeyRange): boolean {
  return !from || !last || compareBytes(last, from) >= 0;
}
