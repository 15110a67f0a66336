// A mark in a node's data directories that says: CODR switched the links on. It outlives restarts of the server
// and of CODR, so that links which are on can be told apart from somebody else's. A second one says that there was
// a time without links, until a cut that knows of it is stored: the switch itself has no memory.
import { access, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Of the mark's file, in each data directory. */
export const markName = '.codr-links';

/** Of the file that says why links are not whole. */
export const doubtName = '.codr-links-doubt';

/** Before the switch goes on: a mark without links does no harm, links without a mark are refused. */
export async function markLinks(dataDirectories: readonly string[]): Promise<void> {
  for (const directory of dataDirectories) {
    await writeFile(
      join(directory, markName),
      'CODR removes the links in the backups folders here.\n',
    );
  }
}

export async function unmarkLinks(dataDirectories: readonly string[]): Promise<void> {
  for (const directory of dataDirectories) await rm(join(directory, markName), { force: true });
  await unmarkDoubt(dataDirectories);
}

/** The first reason stays. Before links go, and before they go on again. */
export async function markDoubt(
  dataDirectories: readonly string[],
  reason: string,
): Promise<string> {
  const known = (await readDoubt(dataDirectories)) ?? reason;
  for (const directory of dataDirectories) await writeFile(join(directory, doubtName), known);
  return known;
}

/** Once a cut is stored that took the doubt into account. */
export async function unmarkDoubt(dataDirectories: readonly string[]): Promise<void> {
  for (const directory of dataDirectories) await rm(join(directory, doubtName), { force: true });
}

export async function readDoubt(dataDirectories: readonly string[]): Promise<string | undefined> {
  for (const directory of dataDirectories) {
    try {
      return await readFile(join(directory, doubtName), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
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
