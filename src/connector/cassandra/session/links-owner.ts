// A mark in a node's data directories that says: CODR switched the links on. It outlives restarts of the server
// and of CODR, so that links which are on can be told apart from somebody else's. A second one says that there was
// a time without links, until a cut that knows of it is stored: the switch itself has no memory.
import { access, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CodrError } from '../../../base/error.ts';

/** Of the mark's file, in each data directory. */
export const markName = '.codr-links';

/** Of the file that says why links are not whole. */
export const doubtName = '.codr-links-doubt';

/** Before the switch goes on: a mark without links does no harm, links without a mark are refused. */
export async function markLinks(dataDirectories: readonly string[]): Promise<void> {
  for (const directory of dataDirectories) {
    const text = 'CODR removes the links in the backups folders here.\n';
    await mark(join(directory, markName), (path) => writeFile(path, text));
  }
}

export async function unmarkLinks(dataDirectories: readonly string[]): Promise<void> {
  for (const directory of dataDirectories) {
    await mark(join(directory, markName), (path) => rm(path, { force: true }));
  }
  await unmarkDoubt(dataDirectories);
}

/** The first reason stays. Before links go, and before they go on again. */
export async function markDoubt(
  dataDirectories: readonly string[],
  reason: string,
): Promise<string> {
  const known = (await readDoubt(dataDirectories)) ?? reason;
  for (const directory of dataDirectories) {
    await mark(join(directory, doubtName), (path) => writeFile(path, known));
  }
  return known;
}

/** Once a cut is stored that took the doubt into account. */
export async function unmarkDoubt(dataDirectories: readonly string[]): Promise<void> {
  for (const directory of dataDirectories) {
    await mark(join(directory, doubtName), (path) => rm(path, { force: true }));
  }
}

export async function readDoubt(dataDirectories: readonly string[]): Promise<string | undefined> {
  for (const directory of dataDirectories) {
    const read = await mark(join(directory, doubtName), async (path) => {
      try {
        return await readFile(path, 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    });
    if (read !== undefined) return read;
  }
  return undefined;
}

export async function areLinksOurs(dataDirectories: readonly string[]): Promise<boolean> {
  for (const directory of dataDirectories) {
    try {
      await access(join(directory, markName));
    } catch {
      return false;
    }
  }
  return dataDirectories.length > 0;
}

/** A disk that is full, read-only or not ours costs this node its part of a cut, and is named. */
async function mark<T>(path: string, work: (path: string) => Promise<T>): Promise<T> {
  try {
    return await work(path);
  } catch (cause) {
    const { code = '', message } = cause as NodeJS.ErrnoException;
    const rights = ['EACCES', 'EPERM', 'EROFS'].includes(code);
    const text = `the mark ${path} cannot be kept: ${code || message}`;
    throw new CodrError(rights ? 'source-rights' : 'source-unreachable', text, {
      object: path,
      cause,
      remedy: rights ? "run as the server's user" : 'see the disk of the node',
    });
  }
}
