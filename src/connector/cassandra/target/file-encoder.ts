// Who writes an SSTable of a load: this thread, or one of `encode-pool.ts`. Both take blocks in order and write the files
// of all replicas.
import type { RecordBlock } from '../../../model/record-block.ts';
import { SstableWriter, type WriterOptions } from '../sstable/write-sstable.ts';
import type { StagedSstable } from './staging.ts';

/** What is known when the files are closed. */
export interface EncodedFile {
  /** Of Data.db. */
  readonly bytes: number;
  /** Expiries after 2038 that the files cannot hold. */
  readonly cappedExpiries: number;
}

export interface FileEncoder {
  /** Of Data.db, as far as is known. */
  readonly dataBytes: number;
  write(block: RecordBlock): Promise<void>;
  /** All files are whole and on disk when this returns. */
  finish(): Promise<EncodedFile>;
  /** Instead of {@link finish}: nothing stays. */
  discard(): Promise<void>;
}

/** Where SSTables of a load are encoded. */
export interface Encoding {
  open(options: WriterOptions, files: StagedSstable): FileEncoder;
}

class OwnEncoder implements FileEncoder {
  readonly #writer: SstableWriter;
  readonly #files: StagedSstable;

  constructor(options: WriterOptions, files: StagedSstable) {
    this.#writer = new SstableWriter(options, files);
    this.#files = files;
  }

  get dataBytes(): number {
    return this.#writer.dataBytes;
  }

  async write(block: RecordBlock): Promise<void> {
    await this.#writer.write(block);
  }

  async finish(): Promise<EncodedFile> {
    const { bytes, cappedExpiries } = await this.#writer.finish();
    await this.#files.close();
    return { bytes, cappedExpiries };
  }

  async discard(): Promise<void> {
    await this.#files.discard();
  }
}

export const ownEncoding: Encoding = { open: (options, files) => new OwnEncoder(options, files) };
