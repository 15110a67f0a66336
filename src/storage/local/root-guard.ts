// Sees when the folder of a store is another one than before: below a disk that was unmounted lies an empty folder, which
// would take new objects, and where every old one looks deleted. A disk that comes back may have another number, so what
// counts then is whether an object that was read before is there.
import { CodrError } from '../../base/error.ts';
import { type FileSystem, storeError } from './file-system.ts';

interface FolderId {
  readonly dev: number;
  readonly ino: number;
}

export class RootGuard {
  readonly #root: string;
  readonly #fs: FileSystem;
  #known: FolderId | undefined;
  /** Path of an object that was read here. */
  #witness: string | undefined;

  constructor(root: string, fs: FileSystem) {
    this.#root = root;
    this.#fs = fs;
  }

  /** The object at `path` was read. The first one counts: in a repository it is one that stays. */
  async read(path: string): Promise<void> {
    if (this.#witness !== undefined) return;
    const known = await this.#look();
    if (this.#witness !== undefined) return;
    this.#witness = path;
    this.#known = known;
  }

  /** The object at `path` is removed: it shows nothing any more, and the next one that is read counts. */
  removed(path: string): void {
    if (this.#witness === path) this.#witness = undefined;
  }

  /** Errors: `store-unreachable` when the folder is not there, or is another one. Nothing before a first read. */
  async check(): Promise<void> {
    const witness = this.#witness;
    if (witness === undefined || !this.#known) return;
    const { dev, ino } = await this.#look();
    if (dev === this.#known.dev && ino === this.#known.ino) return;
    const there = await this.#fs.lstat(witness).catch(() => undefined);
    if (!there?.isFile()) {
      const message = `${this.#root} is another folder than before, without what was stored`;
      throw new CodrError('store-unreachable', message, {
        object: this.#root,
        remedy: 'mount or restore the folder; the work resumes',
        facts: { transient: false },
      });
    }
    this.#known = { dev, ino };
  }

  /** Where a link leads, if the root is one. */
  async #look(): Promise<FolderId> {
    return await this.#fs.lstat(`${this.#root}/.`).catch((error: unknown) => {
      throw storeError(error, 'look at', this.#root);
    });
  }
}
