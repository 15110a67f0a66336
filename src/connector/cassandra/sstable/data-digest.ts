// The checksum of a whole Data.db as it is stored, Digest.crc32: summed up while the file is read from its beginning to
// its end, at 3 GB/s, so that nothing is read twice. It is what notices chunks that are each right and not where they
// belong, and all that checks an uncompressed file without CRC.db.
import { crc32 } from 'node:zlib';
import { damaged, type RandomAccessFile, type SstableFiles, wholeFile } from './sstable-files.ts';

const component = 'Digest.crc32';
const readBytes = 1024 * 1024;
/** A decimal number of 32 bits, and what may stand round it. */
const textBytesMax = 64;

export class DataDigest {
  #crc = 0;
  #at = 0;
  /** Where chunks are is not checked by any sum: they may leave bytes out. */
  #hasGap = false;

  /** The next stored bytes, those at `position`. */
  add(bytes: Uint8Array, position: number): void {
    this.#hasGap ||= position !== this.#at;
    this.#crc = crc32(bytes, this.#crc);
    this.#at += bytes.length;
  }

  /** After the last chunk: what the file has behind it counts too. Errors: `file-damaged`. */
  async compare(files: SstableFiles, data: RandomAccessFile): Promise<void> {
    if (this.#hasGap) throw damaged(files, 'Data.db', 'its chunks leave bytes of it out');
    while (this.#at < data.size) {
      const rest = await data.read(this.#at, Math.min(readBytes, data.size - this.#at));
      if (rest.length === 0) throw damaged(files, 'Data.db', 'the file ends early');
      this.add(rest, this.#at);
    }
    const text = Buffer.from(await wholeFile(files, component))
      .toString('latin1')
      .trim();
    if (text === String(this.#crc)) return;
    const said = text.slice(0, textBytesMax);
    const what = `the checksum of the file is ${this.#crc}, and ${component} says ${said}`;
    throw damaged(files, 'Data.db', what);
  }
}

/** Files that streams or other programs made may lack it. */
export const hasDigest = (files: SstableFiles): boolean => files.has(component);
