// The files of this repository, for the tools and tests that read them.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Absolute path of the repository's folder, with a slash at its end. */
export const rootFolder = fileURLToPath(new URL('..', import.meta.url));

/** Paths below `folder`, relative to the root, ascending. No `folder`, no paths. */
export function filesBelow(folder: string, end: string): string[] {
  const entries = listFolder(folder);
  return entries
    .filter((path) => path.endsWith(end))
    .map((path) => `${folder}/${path}`)
    .sort();
}

export function readSource(path: string): string {
  return readFileSync(rootFolder + path, 'utf8');
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(rootFolder + folder, { recursive: true, encoding: 'utf8' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
