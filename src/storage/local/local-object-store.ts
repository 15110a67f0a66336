// Objects as files of one folder. An object is written under a temporary name beside its place, synced,
// and then linked to its name: `link` fails where a name is taken, so there is never an overwrite, and no
// reader ever sees part of an object. A crash leaves temporary files at most, which are never listed.
// The folder itself is made by `prepare` alone: a disk that is not mounted must not be written beside.
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { assert } from '../../base/assert.ts';
import { toHex } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import type { Random } from '../../base/random.ts';
import {
  assertFolderPrefix,
  assertObjectName,
  resolveRange,
  temporaryPrefix,
} from '../object-name.ts';
import type { ByteRange, ObjectStore, StoredObject } from '../object-store.ts';
import { DurableFolders } from './durable-folders.ts';
import {
  type FileSystem,
  nodeFileSystem,
  storeError,
  systemCode,
  unfitError,
} from './file-system.ts';
import { readFully, writeFully } from './file-transfer.ts';
import { foldersWithin, leftoversWithin, objectsWithin } from './folder-walk.ts';
import { RootGuard } from './root-guard.ts';

/** Tries to make a folder that somebody else removes each time. */
const folderAttemptsMax = 3;
/** What `link` answers on file systems without hard links (FAT, some FUSE and network mounts). */
const noLinkCodes = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);
const missingCodes = new Set(['ENOENT', 'ENOTDIR', 'EISDIR']);

export class LocalObjectStore implements ObjectStore {
  readonly url: string;
  readonly #root: string;
  readonly #random: Random;
  readonly #fs: FileSystem;
  readonly #folders: DurableFolders;
  readonly #guard: RootGuard;

  /** `root`: absolute path. `random` names temporary files; a name met twice costs another try. */
  constructor(root: string, random: Random, fs: FileSystem = nodeFileSystem) {
    this.url = `file://${root}`;
    this.#root = root;
    this.#random = random;
    this.#fs = fs;
    this.#folders = new DurableFolders(root, fs);
    this.#guard = new RootGuard(root, fs);
  }

  /**
   * Makes the folder where it is missing and proves that `link` refuses a taken name and that folders
   * can be synced. Leaves nothing behind. Errors: `store-unfit`, `store-unreachable`.
   */
  async prepare(signal?: AbortSignal): Promise<void> {
    await this.#folders.makeRoot().catch((error: unknown) => {
      throw storeError(error, 'make the folder', this.#root);
    });
    const name = `probe-${toHex(this.#random.bytes(8))}`;
    const body = this.#random.bytes(32);
    try {
      const first = await this.create(name, [body], signal);
      const second = await this.create(name, [this.#random.bytes(32)], signal);
      const bytes = await this.get(name, undefined, signal);
      if (first !== 'created' || second !== 'exists' || toHex(bytes) !== toHex(body)) {
        throw unfitError(undefined, 'refuse to take a name twice', this.#root);
      }
    } finally {
      await this.remove(name);
    }
  }

  async create(
    name: string,
    body: readonly Uint8Array[],
    signal?: AbortSignal,
  ): Promise<'created' | 'exists'> {
    assertObjectName(name);
    signal?.throwIfAborted();
    const target = this.#path(name);
    let temporary: string | undefined;
    await this.#guard.check();
    try {
      const opened = await this.#openTemporary(dirname(target));
      temporary = opened.path;
      try {
        await writeFully(opened.file, body, signal);
        await opened.file.sync();
      } finally {
        await opened.file.close();
      }
      signal?.throwIfAborted();
      const outcome = await this.#link(temporary, target);
      // An existing object too may be a moment old: whoever is told of it must find it after a power loss.
      await this.#folders.sync(dirname(target));
      return outcome;
    } catch (error) {
      throw storeError(error, 'write', target);
    } finally {
      // The outcome stands by now; what cannot be removed here is swept later.
      if (temporary !== undefined) await this.#fs.unlink(temporary).catch(() => {});
    }
  }

  async get(name: string, range?: ByteRange, signal?: AbortSignal): Promise<Uint8Array> {
    assertObjectName(name);
    signal?.throwIfAborted();
    const path = this.#path(name);
    try {
      const file = await this.#fs.open(path, 'r');
      try {
        const stat = await file.stat();
        if (!stat.isFile()) throw missingError(name);
        const { offset, length } = resolveRange(range, stat.size);
        const bytes = await readFully(file, offset, length, signal);
        await this.#guard.read(path);
        return bytes;
      } finally {
        await file.close();
      }
    } catch (error) {
      if (!missingCodes.has(systemCode(error) ?? '')) throw storeError(error, 'read', path);
      await this.#guard.check();
      throw missingError(name);
    }
  }

  async stat(name: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    assertObjectName(name);
    signal?.throwIfAborted();
    const path = this.#path(name);
    try {
      const stat = await this.#fs.lstat(path);
      if (!stat.isFile()) return undefined;
      return { name, size: stat.size, modifiedMs: Math.trunc(stat.mtimeMs) };
    } catch (error) {
      if (!missingCodes.has(systemCode(error) ?? '')) throw storeError(error, 'look at', path);
      await this.#guard.check();
      return undefined;
    }
  }

  async *list(prefix: string, signal?: AbortSignal): AsyncIterable<StoredObject> {
    assertFolderPrefix(prefix);
    await this.#guard.check();
    yield* objectsWithin(this.#fs, this.#root, prefix, signal);
    // Unmounted on the way, the rest of the list looked empty.
    await this.#guard.check();
  }

  async listFolders(prefix: string, signal?: AbortSignal): Promise<string[]> {
    assertFolderPrefix(prefix);
    await this.#guard.check();
    const folders = await foldersWithin(this.#fs, this.#root, prefix, signal);
    await this.#guard.check();
    return folders;
  }

  async remove(name: string, signal?: AbortSignal): Promise<void> {
    assertObjectName(name);
    signal?.throwIfAborted();
    const path = this.#path(name);
    try {
      await this.#fs.unlink(path);
      this.#guard.removed(path);
      await this.#folders.sync(dirname(path));
    } catch (error) {
      if (!missingCodes.has(systemCode(error) ?? '')) throw storeError(error, 'remove', path);
      await this.#guard.check();
    }
  }

  async sweep(beforeMs: number, signal?: AbortSignal): Promise<number> {
    let count = 0;
    for await (const name of leftoversWithin(this.#fs, this.#root, '', beforeMs, signal)) {
      await this.#fs.unlink(this.#path(name)).catch((error: unknown) => {
        if (systemCode(error) !== 'ENOENT') throw storeError(error, 'remove', this.#path(name));
      });
      count++;
    }
    return count;
  }

  #path(name: string): string {
    return join(this.#root, ...name.split('/'));
  }

  /** A new empty file in `folder`, which is made where it is missing. */
  async #openTemporary(folder: string): Promise<{ file: FileHandle; path: string }> {
    for (let attempt = 1; ; attempt++) {
      await this.#folders.make(folder);
      const path = join(folder, `${temporaryPrefix}${toHex(this.#random.bytes(12))}`);
      try {
        return { file: await this.#fs.open(path, 'wx', 0o640), path };
      } catch (error) {
        const code = systemCode(error);
        const fileInside = code === 'ENOTDIR' && folder !== this.#root;
        assert(!fileInside, `"${folder}" must not be both an object and a folder`);
        if (code === 'ENOENT') this.#folders.forget(folder);
        else if (code !== 'EEXIST') throw error;
        if (attempt === folderAttemptsMax) throw error;
      }
    }
  }

  async #link(temporary: string, target: string): Promise<'created' | 'exists'> {
    try {
      await this.#fs.link(temporary, target);
      return 'created';
    } catch (error) {
      const code = systemCode(error) ?? '';
      if (noLinkCodes.has(code)) throw unfitError(error, 'link files (hard links)', this.#root);
      if (code !== 'EEXIST') throw error;
      // NFS repeats a call whose reply was lost and then finds its own link: link(2), open(2) of Linux.
      if ((await this.#fs.lstat(temporary)).nlink === 2) return 'created';
      const taken = await this.#fs.lstat(target).catch(() => undefined);
      assert(!taken?.isDirectory(), `"${target}" must not be both an object and a folder`);
      return 'exists';
    }
  }
}

function missingError(name: string): CodrError {
  return new CodrError('object-missing', `there is no object ${name}`, { object: name });
}
