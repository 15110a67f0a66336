// Files of this machine's node for other peers: read below the folders that the operator of this machine has named,
// and changed only where CODR itself makes and removes files: marks, probes, links in `backups`, and what waits for an
// import. A path is judged by where it really leads.
import { basename, dirname, isAbsolute, join, normalize, sep } from 'node:path';
import { CodrError } from '../../base/error.ts';
import type { FileAccess } from '../../base/file-access.ts';
import { markName } from './session/links-owner.ts';
import { localFiles } from './session/local-files.ts';
import { isMissing, splitName } from './session/node-files.ts';
import { probePrefix } from './session/probe-files.ts';
import { triedPrefix } from './target/make-table.ts';
import { stagingPrefix } from './target/staging.ts';

/** Errors of all calls: `source-rights` for what is refused. */
export function servedFiles(roots: readonly string[]): FileAccess {
  const guard = new Guard(roots);
  const { list, stat, realPath, freeBytes, readWhole, open, ...own } = localFiles;
  return {
    peer: undefined,
    isHere: true,
    list: async (folder) => await list(await guard.there(folder)),
    stat: async (path) => await stat(await guard.there(path)),
    realPath: async (path) => await realPath(await guard.there(path)),
    freeBytes: async (path) => await freeBytes(await guard.there(path)),
    readWhole: async (path) => await readWhole(await guard.there(path)),
    open: async (path) => await open(await guard.there(path)),
    writeWhole: async (path, bytes) => await own.writeWhole(await guard.made(path), bytes),
    create: async (path, options) => await own.create(await guard.made(path), options),
    makeFolder: async (path) => await own.makeFolder(await guard.made(path)),
    makeFolders: async (path) => await own.makeFolders(await guard.made(path)),
    link: async (from, to) => await own.link(await guard.made(from), await guard.made(to)),
    rename: async (from, to) => await own.rename(await guard.made(from), await guard.made(to)),
    remove: async (path) => await guard.gone(path, isLink, (real) => own.remove(real)),
    removeFolder: async (path) => await guard.gone(path, isTried, (real) => own.removeFolder(real)),
  };
}

/** Names on the way from a root to a file. */
type Names = readonly string[];

class Guard {
  readonly #roots: readonly string[];

  constructor(roots: readonly string[]) {
    this.#roots = roots.map(trimmed);
  }

  /** Where a file really is that is to be read. */
  async there(path: string): Promise<string> {
    const asked = this.#asked(path);
    const real = await localFiles.realPath(asked);
    await this.#namesOf(path, real);
    return real;
  }

  /** Where a file of our own will be; folders above it may be made with it. */
  async made(path: string): Promise<string> {
    const real = await this.#realParent(this.#asked(path));
    const names = await this.#namesOf(path, real);
    if (!isOwn(names)) throw refused(path, 'it is none of those that CODR makes');
    return real;
  }

  /** Removes what is our own, or else one of `more`; what is not there stays so. */
  async gone(
    path: string,
    more: (names: Names) => boolean,
    remove: (real: string) => Promise<void>,
  ): Promise<void> {
    const real = await this.#realParent(this.#asked(path));
    const names = await this.#namesOf(path, real);
    if (!isOwn(names) && !more(names)) throw refused(path, 'it is none of those that CODR removes');
    await remove(real);
  }

  /** Before anything is looked at, so that nobody learns what there is elsewhere. */
  #asked(path: string): string {
    const plain = isAbsolute(path) && !path.includes('\0') ? trimmed(normalize(path)) : '';
    if (plain !== trimmed(path) || !this.#roots.some((root) => isBelow(root, plain))) {
      throw refused(path, 'it lies outside of the folders that are given away');
    }
    return plain;
  }

  /** The last name itself may be a symbolic link: it is the name that is made or removed. */
  async #realParent(path: string): Promise<string> {
    const parent = dirname(path);
    if (parent === path) return path;
    try {
      return join(await localFiles.realPath(parent), basename(path));
    } catch (error) {
      if (!isMissing(error)) throw error;
      return join(await this.#realParent(parent), basename(path));
    }
  }

  async #namesOf(path: string, real: string): Promise<Names> {
    for (const root of this.#roots) {
      const realRoot = await localFiles.realPath(root).catch(() => undefined);
      if (realRoot === undefined || !isBelow(realRoot, real)) continue;
      return real.slice(trimmed(realRoot).length).split(sep).slice(1);
    }
    throw refused(path, 'it leads out of the folders that are given away');
  }
}

const tableFolder = /-[0-9a-f]{32}$/;

/** Folders of ours with all that is in them, and marks. They never lie within the folder of a table. */
function isOwn(names: Names): boolean {
  const own = names.findIndex((name) =>
    [stagingPrefix, probePrefix].some((one) => name.startsWith(one)),
  );
  const place = own < 0 ? names.length - 1 : own;
  if (names.slice(0, place).some((name) => tableFolder.test(name))) return false;
  return own >= 0 || (names.at(-1)?.startsWith(markName) ?? false);
}

/** `…/TABLE-ID/backups/nb-1-big-Data.db`, also of a secondary index. */
function isLink(names: Names): boolean {
  const table = names.findIndex((name) => tableFolder.test(name));
  const [backups, ...rest] = table < 0 ? [] : names.slice(table + 1);
  const file = rest.at(-1);
  if (backups !== 'backups' || file === undefined || !splitName(file)) return false;
  return rest.length === 1 || (rest.length === 2 && (rest[0]?.startsWith('.') ?? false));
}

/** The folder of a keyspace that was made to try statements. */
const isTried = (names: Names): boolean =>
  names.at(-1)?.startsWith(triedPrefix('').slice(0, -1)) ?? false;

function refused(path: string, why: string): CodrError {
  return new CodrError('source-rights', `${path} is not given away: ${why}`, {
    object: path,
    remedy: 'name the data directories of its node under `files` in the configuration of the peer',
  });
}

const isBelow = (root: string, path: string): boolean =>
  path === root || path.startsWith(root === '/' ? root : `${root}/`);
const trimmed = (path: string): string => path.replace(/(?<=.)\/+$/, '');
