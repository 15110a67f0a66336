// A mark in a node's data directories that says whose the links are: which source of which CODR switched them on, and
// alone deletes them. It outlives restarts of the server and of CODR. A second one says that there was a time
// without links, until a cut that knows of it is stored: the switch itself has no memory.
import { join } from 'node:path';
import { view } from '../../../base/bytes.ts';
import { CodrError, isCodrError } from '../../../base/error.ts';
import type { FileAccess } from '../../../base/file-access.ts';
import type { NodeData } from './node-files.ts';

/** Of the mark's file, in each data directory. */
export const markName = '.codr-links';

/** Of the file that says why links are not whole. */
export const doubtName = '.codr-links-doubt';

/** By the marks of a node. `unnamed`: a mark of a version that wrote no owner. */
export type LinksOwner =
  | { readonly is: 'ours' | 'nobody' }
  | { readonly is: 'unnamed'; readonly path: string }
  | { readonly is: 'other'; readonly path: string; readonly owner: string };

/** A directory without a mark beside one that is ours is new: its disk was replaced. */
export async function linksOwner(
  { files, dataDirectories }: NodeData,
  owner: string,
): Promise<LinksOwner> {
  const found = await Promise.all(
    dataDirectories.map((one) => readMark(files, join(one, markName), owner)),
  );
  const of = (kind: LinksOwner['is']): LinksOwner | undefined =>
    found.find(({ is }) => is === kind);
  return of('other') ?? of('unnamed') ?? of('ours') ?? { is: 'nobody' };
}

async function readMark(files: FileAccess, path: string, owner: string): Promise<LinksOwner> {
  const text = await readIfThere(files, path);
  if (text === undefined) return { is: 'nobody' };
  const named = /^owner: (\S+)$/m.exec(text)?.[1];
  if (named === undefined) return { is: 'unnamed', path };
  return named === owner ? { is: 'ours' } : { is: 'other', path, owner: named };
}

/**
 * Before the switch goes on: a mark without links does no harm, links without a mark are refused. `takeOver`: whatever
 * mark is there goes; else of two who come at once the first has it. Returns what hinders: undefined when all are ours.
 */
export async function markLinks(
  { files, dataDirectories }: NodeData,
  owner: string,
  { takeOver }: { readonly takeOver: boolean } = { takeOver: false },
): Promise<LinksOwner | undefined> {
  for (const directory of dataDirectories) {
    const path = join(directory, markName);
    const text = `CODR removes the links in the backups folders here.\nowner: ${owner}\n`;
    // Whole or not there: half a mark would be one without owner.
    const draft = `${path}.${owner}`;
    await mark(draft, (one) => files.writeWhole(one, Buffer.from(text)));
    await mark(path, (one) => (takeOver ? files.rename(draft, one) : linkOnce(files, draft, one)));
    await mark(draft, (one) => files.remove(one));
    const found = await readMark(files, path, owner);
    if (found.is !== 'ours') return found;
  }
  return undefined;
}

/** What is there stays. */
async function linkOnce(files: FileAccess, from: string, to: string): Promise<void> {
  try {
    await files.link(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

export async function unmarkLinks({ files, dataDirectories }: NodeData): Promise<void> {
  for (const directory of dataDirectories) {
    await mark(join(directory, markName), (path) => files.remove(path));
  }
  await unmarkDoubt({ files, dataDirectories });
}

/** The first reason stays. Before links go, and before they go on again. */
export async function markDoubt(
  { files, dataDirectories }: NodeData,
  reason: string,
): Promise<string> {
  const known = (await readDoubt({ files, dataDirectories })) ?? reason;
  for (const directory of dataDirectories) {
    await mark(join(directory, doubtName), (path) => files.writeWhole(path, Buffer.from(known)));
  }
  return known;
}

/** Once a cut is stored that took the doubt into account. */
export async function unmarkDoubt({ files, dataDirectories }: NodeData): Promise<void> {
  for (const directory of dataDirectories) {
    await mark(join(directory, doubtName), (path) => files.remove(path));
  }
}

export async function readDoubt({ files, dataDirectories }: NodeData): Promise<string | undefined> {
  for (const directory of dataDirectories) {
    const read = await readIfThere(files, join(directory, doubtName));
    if (read !== undefined) return read;
  }
  return undefined;
}

async function readIfThere(files: FileAccess, path: string): Promise<string | undefined> {
  return await mark(path, async (one) => {
    try {
      return view(await files.readWhole(one)).toString('utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  });
}

/** A disk that is full, read-only or not ours costs this node its part of a cut, and is named. */
async function mark<T>(path: string, work: (path: string) => Promise<T>): Promise<T> {
  try {
    return await work(path);
  } catch (cause) {
    if (isCodrError(cause)) throw cause;
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
