// Folders that survive a power loss. A new file is durable only once the folder that names it is synced,
// and that folder only once its own parent is, up to the root. Another process may have made a folder and
// not synced it yet, so each process syncs every folder once itself. No folder is ever removed.
// A system reports a failed fsync once and may say yes to the next one, though the bytes are lost. So a
// folder whose fsync failed takes no more objects of this process.
import { dirname } from 'node:path';
import { type FileSystem, notDurableError, systemCode, unfitError } from './file-system.ts';

/** Folders remembered as synced; beyond it all are forgotten and synced again when met. */
const rememberedMax = 16_384;
/** What fsync of a folder answers where it is not supported. */
const noSyncCodes = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EBADF']);

export class DurableFolders {
  readonly #root: string;
  readonly #fs: FileSystem;
  /** Folders that exist and whose entry in their parent is durable. */
  readonly #durable = new Set<string>();
  /** What the first failed fsync of a folder threw. */
  readonly #failed = new Map<string, Error>();

  constructor(root: string, fs: FileSystem) {
    this.#root = root;
    this.#fs = fs;
  }

  /** Makes the root and its parents. */
  async makeRoot(): Promise<void> {
    await this.#makeWithParents(this.#root);
  }

  /** Not by a recursive mkdir, which never ends where a parent refuses with ENOENT (/proc). */
  async #makeWithParents(folder: string): Promise<void> {
    try {
      await this.#fs.mkdir(folder);
    } catch (error) {
      if (systemCode(error) === 'EEXIST') return;
      const parent = dirname(folder);
      if (systemCode(error) !== 'ENOENT' || parent === folder) throw error;
      await this.#makeWithParents(parent);
      await this.#fs.mkdir(folder);
    }
    await this.sync(dirname(folder));
  }

  /** Makes `folder`, which is the root or inside it, durably. Rejects with ENOENT without a root. */
  async make(folder: string): Promise<void> {
    this.#assertTrusted(folder);
    if (folder === this.#root || this.#durable.has(folder)) return;
    const parent = dirname(folder);
    await this.make(parent);
    await this.#fs.mkdir(folder).catch((error: unknown) => {
      if (systemCode(error) !== 'EEXIST') throw error;
    });
    await this.sync(parent);
    if (this.#durable.size >= rememberedMax) this.#durable.clear();
    this.#durable.add(folder);
  }

  /** `folder` was not there: it and its parents are made anew when next asked for. */
  forget(folder: string): void {
    for (let gone = folder; gone.length > this.#root.length; gone = dirname(gone)) {
      this.#durable.delete(gone);
    }
  }

  /** Makes the entries of `folder` durable. Fails for good once it failed, see above. */
  async sync(folder: string): Promise<void> {
    this.#assertTrusted(folder);
    const handle = await this.#fs.open(folder, 'r');
    try {
      await handle.sync();
    } catch (error) {
      if (noSyncCodes.has(systemCode(error) ?? '')) {
        throw unfitError(error, 'make a folder durable (fsync)', folder);
      }
      const failure = notDurableError(error, folder);
      this.#failed.set(folder, failure);
      throw failure;
    } finally {
      await handle.close();
    }
  }

  #assertTrusted(folder: string): void {
    const failed = this.#failed.get(folder);
    if (failed) throw failed;
  }
}
