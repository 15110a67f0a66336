// Scratch space on disk. A scratch file loses its name as soon as it is open: the system frees it with
// the process, however that ends, and nothing is ever left to clean up.
import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { CodrError } from '../base/error.ts';
import type { Spill, SpillFile } from '../base/spill.ts';

export class TemporarySpill implements Spill {
  readonly #folder: string;

  /** `folder` is made when it is missing. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Errors: `failed` when the folder cannot be written. */
  async open(): Promise<SpillFile> {
    const path = join(this.#folder, `codr-${randomUUID()}`);
    try {
      await mkdir(this.#folder, { recursive: true });
      const handle = await open(path, 'wx+', 0o600);
      await unlink(path);
      return new TemporaryFile(handle);
    } catch (cause) {
      throw new CodrError('failed', `no scratch file can be made in ${this.#folder}`, {
        object: this.#folder,
        remedy: 'free space there, or name another folder with --temp-dir',
        cause,
      });
    }
  }
}

class TemporaryFile implements SpillFile {
  readonly #handle: FileHandle;
  #length = 0;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  get length(): number {
    return this.#length;
  }

  async append(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#handle.write(
        bytes,
        done,
        bytes.length - done,
        this.#length,
      );
      done += bytesWritten;
      this.#length += bytesWritten;
    }
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const wanted = Math.max(0, Math.min(length, this.#length - offset));
    const out = Buffer.allocUnsafe(wanted);
    for (let done = 0; done < wanted; ) {
      const { bytesRead } = await this.#handle.read(out, done, wanted - done, offset + done);
      if (bytesRead === 0) return out.subarray(0, done);
      done += bytesRead;
    }
    return out;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}
