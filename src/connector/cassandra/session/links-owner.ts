// A mark in a node's data directories that says: CODR switched the links on. It outlives restarts of the server
// and of CODR, so that links which are on can be told apart from somebody else's.
import { access, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Of the mark's file, in each data directory. */
export const markName = '.codr-links';

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
