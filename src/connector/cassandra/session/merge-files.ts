// The merge of one part of a table, as a job that a thread can be given: files with what their nodes own, and a range
// of keys that begins and ends between partitions. Parts put one behind another give what the whole gives.
import { compareBytes } from '../../../base/bytes.ts';
import { isCodrError } from '../../../base/error.ts';
import type { KeyRange } from '../../../model/key-range.ts';
import type { BlockStream } from '../../../model/record-block.ts';
import { keepTokens, type TokenRange } from '../merge/foreign-partitions.ts';
import type { MergeInput } from '../merge/input-cursor.ts';
import { mergeBlocks } from '../merge/merge-blocks.ts';
import type { IndexEntry } from '../sstable/index-reader.ts';
import { notBefore } from '../sstable/key-extent.ts';
import { openSstable } from '../sstable/open-sstable.ts';
import { damaged, type SstableFiles } from '../sstable/sstable-files.ts';
import { type ListedSstable, openSstable as openFiles, type ReadsOf } from './node-files.ts';

/** Plain data. Partitions are in the order of records. */
export interface MergeJob {
  readonly files: readonly JobFile[];
  readonly range: KeyRange;
  /** The table's clustering columns. */
  readonly clusteringCount: number;
  /** Of `ReadPlace`. */
  readonly bufferBytes: number;
}

export interface JobFile {
  readonly listed: ListedSstable;
  /** What its node owns. */
  readonly owned: readonly TokenRange[];
  /** A partition at or before the range's start, to begin reading at; the first unless given. */
  readonly start?: IndexEntry;
  /** A place in the data past the range's end: nothing is read ahead of its need from there on. */
  readonly aheadEnd?: number;
  /** No key of the file comes before it: it is opened there. */
  readonly first?: Uint8Array;
  /** Its last partition, by which parts behind leave the file out. */
  readonly last?: Uint8Array;
}

/** A file of a job cannot be read: the cause says why. */
export class JobFileError extends Error {
  /** Index of the file in its job. */
  readonly index: number;

  constructor(index: number, cause: unknown) {
    super('a file cannot be read', { cause });
    this.index = index;
  }
}

/** Errors: {@link JobFileError}. */
export function mergeFiles(job: MergeJob, filesOf: ReadsOf, signal: AbortSignal): BlockStream {
  const inputs = job.files.map(({ first }, index): MergeInput => {
    const blocks = fileBlocks(job, index, filesOf, signal);
    return first ? { from: first, blocks } : blocks;
  });
  return mergeBlocks(inputs, { signal, clusteringCount: job.clusteringCount });
}

async function* fileBlocks(
  { files: all, range, bufferBytes }: MergeJob,
  index: number,
  filesOf: ReadsOf,
  signal: AbortSignal,
): BlockStream {
  const { listed, owned, start, aheadEnd, first, last } = all[index] as JobFile;
  await using files = openFiles(listed, filesOf);
  try {
    const sstable = await openSstable(files);
    const ahead = aheadEnd !== undefined && { aheadEnd };
    const place = { bufferBytes, ...(start && { start }), ...ahead };
    // No checksum covers what is said of the end: where the file is said to end it is read until it does.
    const end = last && (!range.to || compareBytes(last, range.to) < 0) ? last : undefined;
    const { from } = range;
    const records = sstable.records(end ? { ...(from && { from }) } : range, signal, place);
    const begun = first ? notBefore(records, first, files) : records;
    yield* keepTokens(end ? notAfter(begun, end, files) : begun, owned);
  } catch (error) {
    throw isCodrError(error) ? new JobFileError(index, error) : error;
  }
}

/**
 * All of the records, of which it is said that none belongs to a later partition. Errors: `file-damaged` when one does.
 */
async function* notAfter(records: BlockStream, last: Uint8Array, files: SstableFiles): BlockStream {
  for await (const block of records) {
    const { bytes, bounds, count } = block;
    const key = bytes.subarray(bounds[2 * count - 2], bounds[2 * count - 1]);
    if (count > 0 && compareBytes(key.subarray(0, last.length), last) > 0) {
      throw damaged(files, 'Data.db', 'it goes on after the last key that is said of it');
    }
    yield block;
  }
}
