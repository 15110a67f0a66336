// Files as inputs of a staged merge: how many may be open at once within a limit of memory, how much is read ahead of
// each then, and where each begins and ends, which is asked only when they are too many to open all of them at once.
import { forEachLimit } from '../../../base/async.ts';
import type { Partitioner } from '../key/partitioner.ts';
import type { InputExtent } from '../merge/staged-merge.ts';
import { type KeyExtent, keyExtent } from '../sstable/key-extent.ts';
import { type ListedSstable, openSstable as openFiles, type ReadsOf } from './node-files.ts';

export interface FileInput extends InputExtent {
  readonly file: ListedSstable;
}

export interface OpenLimits {
  /** Files that are open at once. */
  readonly openMax: number;
  /** Of `ReadPlace`. */
  readonly bufferBytes: number;
}

/** A file that is read holds about so many times what is read at once: two pieces, a window, blocks. */
const buffersPerFile = 6;
const bufferBytesMin = 32 * 1024;
const bufferBytesMax = 1024 * 1024;
/** Whatever the memory: each has a file handle, and several tables are read side by side. */
const filesOpenMax = 96;
const extentsAtOnce = 8;

/** For `count` files side by side. */
export function openLimits(memoryBytesMax: number, count: number): OpenLimits {
  const forOne = buffersPerFile * bufferBytesMin;
  const openMax = Math.max(2, Math.min(filesOpenMax, Math.floor(memoryBytesMax / forOne)));
  const share = Math.floor(memoryBytesMax / (buffersPerFile * Math.min(openMax, count || 1)));
  return { openMax, bufferBytes: Math.max(bufferBytesMin, Math.min(bufferBytesMax, share)) };
}

/** Extents of the files of a table; each is asked once. */
export class FileExtents {
  readonly #known = new Map<ListedSstable, KeyExtent>();
  readonly #isRecordOrder: boolean;
  readonly #filesOf: ReadsOf;

  /** Of files of the partitioner: where they are in another order than records, nothing is known. */
  constructor({ isRecordOrder }: Partitioner, filesOf: ReadsOf) {
    this.#filesOf = filesOf;
    this.#isRecordOrder = isRecordOrder;
  }

  /** Inputs with their extents where it matters. Errors: `limit-reached`. */
  async inputs(
    files: readonly ListedSstable[],
    { bufferBytes }: OpenLimits,
    signal: AbortSignal,
  ): Promise<FileInput[]> {
    const isCrowd = this.#isRecordOrder && bufferBytes < bufferBytesMax;
    const unknown = isCrowd ? files.filter((file) => !this.#known.has(file)) : [];
    await forEachLimit(
      unknown,
      extentsAtOnce,
      async (listed) => {
        await using held = openFiles(listed, this.#filesOf);
        this.#known.set(listed, await keyExtent(held));
      },
      signal,
    );
    return files.map((file) => ({ file, bytes: file.dataBytes, ...this.#known.get(file) }));
  }
}
