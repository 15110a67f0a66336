// Whether this process may do with files what cuts and restores need: write, link, rename, delete, in the place
// where the server keeps its own.
import { link, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

let probes = 0;

/** Undefined when all of it works; else the step that failed and why. Leaves nothing behind. */
export async function probeFiles(
  directory: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const folder = join(directory, `.codr-probe-${process.pid}-${++probes}`);
  const [first, second, third] = ['a', 'b', 'c'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const steps: [string, () => Promise<unknown>][] = [
    ['create a folder', () => mkdir(folder)],
    ['write a file', () => writeFile(first, 'codr')],
    ['link a file', () => link(first, second)],
    ['rename a file', () => rename(second, third)],
    ['read a file', () => readFile(third)],
    ['delete a file', () => rm(first)],
    ["keep the server's owner of files", () => sameOwner(directory, third)],
  ];
  // One of an earlier process of this number, which ended in between.
  await rm(folder, { recursive: true, force: true }).catch(() => {});
  try {
    for (const [what, step] of steps) {
      signal.throwIfAborted();
      try {
        await step();
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        return `cannot ${what} in ${directory}: ${code ?? message}`;
      }
    }
    return undefined;
  } finally {
    await rm(folder, { recursive: true, force: true }).catch(() => {});
  }
}

/** Files that we write are imported by the server: it must be able to move and delete them. */
async function sameOwner(directory: string, file: string): Promise<void> {
  const [server, own] = await Promise.all([stat(directory), stat(file)]);
  // root as the server reaches every file.
  if (server.uid !== own.uid && server.uid !== 0) {
    throw new Error(`files are made as user ${own.uid}, the directory belongs to ${server.uid}`);
  }
}
