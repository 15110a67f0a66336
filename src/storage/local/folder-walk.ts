// Lists of a local store. Folders are read one at a time, so memory is that of the names of the largest
// folder on the path. What cannot be an object (temporary files, links, foreign names) is passed over.
import type { Dirent } from 'node:fs';
import { join } from 'node:path';
import { isNamePart, temporaryPrefix } from '../object-name.ts';
import type { StoredObject } from '../object-store.ts';
import { type FileSystem, storeError, systemCode } from './file-system.ts';

/** Files looked at side by side. */
const statsAtOnce = 32;

/** Every object under `prefix`, ascending by name. What goes away meanwhile is left out. */
export async function* objectsWithin(
  fs: FileSystem,
  root: string,
  prefix: string,
  signal?: AbortSignal,
): AsyncGenerator<StoredObject> {
  signal?.throwIfAborted();
  const entries = await entriesOf(fs, root, prefix, signal);
  // A folder sorts as its name and the slash that follows it: `a-b` comes before `a/b`.
  for (let i = 0; i < entries.length; ) {
    const entry = entries[i] as string;
    if (entry.endsWith('/')) {
      yield* objectsWithin(fs, root, `${prefix}${entry}`, signal);
      i++;
      continue;
    }
    const files: string[] = [];
    while (files.length < statsAtOnce && entries[i]?.endsWith('/') === false) {
      files.push(`${prefix}${entries[i++]}`);
    }
    const objects = await Promise.all(files.map((name) => describe(fs, root, name)));
    for (const object of objects) {
      signal?.throwIfAborted();
      if (object) yield object;
    }
  }
}

/** Names of the folders directly under `prefix` that hold an object at any depth, ascending. */
export async function foldersWithin(
  fs: FileSystem,
  root: string,
  prefix: string,
  signal?: AbortSignal,
): Promise<string[]> {
  signal?.throwIfAborted();
  const folders: string[] = [];
  for (const entry of await entriesOf(fs, root, prefix, signal)) {
    if (!entry.endsWith('/')) continue;
    if (await holdsObject(fs, root, `${prefix}${entry}`, signal)) folders.push(entry.slice(0, -1));
  }
  return folders.sort();
}

/** Temporary files under `prefix` that were last written before `beforeMs` (the store's clock). */
export async function* leftoversWithin(
  fs: FileSystem,
  root: string,
  prefix: string,
  beforeMs: number,
  signal?: AbortSignal,
): AsyncGenerator<string> {
  for await (const entry of readFolder(fs, root, prefix)) {
    signal?.throwIfAborted();
    const name = `${prefix}${entry.name}`;
    if (entry.isDirectory() && isNamePart(entry.name)) {
      yield* leftoversWithin(fs, root, `${name}/`, beforeMs, signal);
    } else if (entry.isFile() && entry.name.startsWith(temporaryPrefix)) {
      const object = await describe(fs, root, name);
      if (object && object.modifiedMs < beforeMs) yield name;
    }
  }
}

async function holdsObject(
  fs: FileSystem,
  root: string,
  prefix: string,
  signal?: AbortSignal,
): Promise<boolean> {
  const entries = await entriesOf(fs, root, prefix, signal);
  if (entries.some((entry) => !entry.endsWith('/'))) return true;
  for (const entry of entries) {
    if (await holdsObject(fs, root, `${prefix}${entry}`, signal)) return true;
  }
  return false;
}

/** Files as `name` and folders as `name/`, ascending. */
async function entriesOf(
  fs: FileSystem,
  root: string,
  prefix: string,
  signal?: AbortSignal,
): Promise<string[]> {
  const entries: string[] = [];
  for await (const entry of readFolder(fs, root, prefix)) {
    signal?.throwIfAborted();
    if (!isNamePart(entry.name)) continue;
    if (entry.isDirectory()) entries.push(`${entry.name}/`);
    else if (entry.isFile()) entries.push(entry.name);
  }
  return entries.sort();
}

/** What a folder holds, unsorted; nothing where there is none. The root itself must be there. */
async function* readFolder(fs: FileSystem, root: string, prefix: string): AsyncGenerator<Dirent> {
  const path = join(root, prefix);
  try {
    yield* await fs.opendir(path, { bufferSize: 256 });
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw storeError(error, 'list', path);
    await fs.lstat(root).catch((rootError: unknown) => {
      throw storeError(rootError, 'list', root);
    });
  }
}

async function describe(
  fs: FileSystem,
  root: string,
  name: string,
): Promise<StoredObject | undefined> {
  const path = join(root, name);
  try {
    const stat = await fs.lstat(path);
    return { name, size: stat.size, modifiedMs: Math.trunc(stat.mtimeMs) };
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw storeError(error, 'look at', path);
  }
}
