// A piece of the decoded Data.db that moves over it and holds at least what is being decoded: it
// grows to the size of the largest row.
import type { ChunkReader } from './chunk-reader.ts';
import { damaged, type SstableFiles } from './sstable-files.ts';

/** Decoded bytes that are put into the window at once: more would leave the processor's cache. */
const fillBytesMax = 256 * 1024;

/** The bytes [at, end) of `bytes` are there to be decoded; the decoder moves `at`. */
export class ReadWindow {
  bytes: Uint8Array;
  at = 0;
  end = 0;
  /** How many bytes from `at` on the decoder wants to see. */
  needed = 1;
  /** Position in the decoded data of `bytes[0]`. */
  #base: number;
  readonly #files: SstableFiles;
  readonly #chunks: ChunkReader;
  readonly #dataLength: number;
  readonly #fillBytes: number;

  constructor(
    files: SstableFiles,
    chunks: ChunkReader,
    dataLength: number,
    bufferBytes = fillBytesMax,
  ) {
    this.#fillBytes = Math.min(fillBytesMax, bufferBytes);
    this.bytes = new Uint8Array(Math.min(2 * this.#fillBytes, dataLength + 1));
    this.#files = files;
    this.#chunks = chunks;
    this.#dataLength = dataLength;
    this.#base = chunks.position;
  }

  /** Position of `at` in the decoded data. */
  get position(): number {
    return this.#base + this.at;
  }

  /** Nothing is left. */
  get exhausted(): boolean {
    return this.at === this.end && this.#chunks.done;
  }

  /** Goes to a position within the first chunk. */
  async seek(position: number): Promise<void> {
    await this.fill();
    this.at = position - this.#base;
  }

  /**
   * Moves what is left to the front and puts chunks behind it, until `needed` bytes and a good deal
   * more are there.
   * @throws CodrError `file-damaged` when the file ends before.
   */
  async fill(): Promise<void> {
    const left = this.end - this.at;
    if (this.position + this.needed > this.#dataLength) {
      throw damaged(this.#files, 'Data.db', `the data ends within what begins at ${this.position}`);
    }
    const wanted = Math.max(this.needed, left + 1, this.#fillBytes);
    const target = Math.min(wanted, this.#dataLength - this.position);
    this.#makeRoom(left, target);
    const chunks = this.#chunks;
    while (this.end < target && !chunks.done) {
      if (!chunks.ready) await chunks.load();
      const length = chunks.nextLength;
      if (this.end + length > this.bytes.length) this.#grow(this.end + length);
      chunks.next(this.bytes, this.end);
      this.end += length;
    }
  }

  #makeRoom(left: number, target: number): void {
    this.bytes.copyWithin(0, this.at, this.end);
    this.#base += this.at;
    this.at = 0;
    this.end = left;
    if (target > this.bytes.length) this.#grow(target);
  }

  #grow(size: number): void {
    const grown = new Uint8Array(Math.max(size, 2 * this.bytes.length));
    grown.set(this.bytes.subarray(0, this.end));
    this.bytes = grown;
  }
}
