// Whether this process may do with files what cuts and restores need: write, link, rename, delete, in the place
// where the server keeps its own.
import { join } from 'node:path';
import { isCodrError } from '../../../base/error.ts';
import type { FileAccess } from '../../../base/file-access.ts';

/** Begins the names of folders that are made to try, and removed at once. */
export const probePrefix = '.codr-probe-';

let probes = 0;

/**
 * Undefined when all of it works; else the step that failed and why. Leaves nothing behind. Errors: those of a machine
 * that does not answer, or does not give the directory away.
 */
export async function probeFiles(
  files: FileAccess,
  directory: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const folder = join(directory, `${probePrefix}${process.pid}-${++probes}`);
  const [first, second, third] = ['a', 'b', 'c'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const steps: [string, () => Promise<unknown>][] = [
    ['create a folder', () => files.makeFolder(folder)],
    ['write a file', () => files.writeWhole(first, Buffer.from('codr'))],
    ['link a file', () => files.link(first, second)],
    ['rename a file', () => files.rename(second, third)],
    ['read a file', () => files.readWhole(third)],
    ['delete a file', () => files.remove(first)],
    ["keep the server's owner of files", () => sameOwner(files, directory, third)],
  ];
  // One of an earlier process of this number, which ended in between.
  await files.removeFolder(folder).catch(() => {});
  try {
    for (const [what, step] of steps) {
      signal.throwIfAborted();
      try {
        await step();
      } catch (error) {
        if (isCodrError(error)) throw error;
        const { code, message } = error as NodeJS.ErrnoException;
        return `cannot ${what} in ${directory}: ${code ?? message}`;
      }
    }
    return undefined;
  } finally {
    await files.removeFolder(folder).catch(() => {});
  }
}

/** Files that we write are imported by the server: it must be able to move and delete them. */
async function sameOwner(files: FileAccess, directory: string, file: string): Promise<void> {
  const [server, own] = await Promise.all([files.stat(directory), files.stat(file)]);
  // root as the server reaches every file.
  if (server.userId !== own.userId && server.userId !== 0) {
    const who = `files are made as user ${own.userId}`;
    throw new Error(`${who}, the directory belongs to ${server.userId}`);
  }
}
