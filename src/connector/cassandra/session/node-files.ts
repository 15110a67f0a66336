// SSTables of one node on our paths: table folders, links in `backups/`, files of a snapshot. A file counts only
// when every component of its TOC.txt is there: Cassandra links them one by one. The same name can mean another
// file after a truncate and a restart, so size and digest belong to the identity.
import { type FileHandle, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CodrError } from '../../../base/error.ts';
import type { SstableFiles } from '../sstable/sstable-files.ts';

export interface TableFolder {
  readonly keyspace: string;
  readonly table: string;
  /** UUID with dashes. */
  readonly tableId: string;
  /** Our path. */
  readonly folder: string;
}

/** A file set as found, JSON-safe. */
export interface ListedSstable {
  readonly hostId: string;
  readonly tableId: string;
  readonly keyspace: string;
  readonly table: string;
  /** Our path of the folder that holds the components. */
  readonly folder: string;
  /** `nb-12-big`. */
  readonly name: string;
  /** Two letters. */
  readonly version: string;
  readonly format: 'big' | 'bti';
  /** `Data.db`, `Statistics.db`, … as TOC.txt names them. */
  readonly components: readonly string[];
  readonly dataBytes: number;
  /** Text of Digest.crc32, empty where there is none. */
  readonly digest: string;
  /** When the server wrote Data.db, ms since 1970. */
  readonly modifiedMs: number;
}

/** What a file is known by, within its host and table. */
export function identityOf({ name, dataBytes, digest }: ListedSstable): string {
  return `${name}:${dataBytes}:${digest}`;
}

/** An SSTable held open: unlinking its files does not disturb a reader. */
export type HeldSstable = SstableFiles & AsyncDisposable;

/** Folders of all tables, also of dropped ones and of Cassandra's own keyspaces. */
export async function listTableFolders(dataDirectories: readonly string[]): Promise<TableFolder[]> {
  const found: TableFolder[] = [];
  for (const directory of dataDirectories) {
    for (const keyspace of await foldersIn(directory, true)) {
      for (const name of await foldersIn(join(directory, keyspace))) {
        const match = /^(.+)-([0-9a-f]{32})$/.exec(name);
        if (!match) continue;
        const tableId = dashed(match[2] as string);
        const folder = join(directory, keyspace, name);
        found.push({ keyspace, table: match[1] as string, tableId, folder });
      }
    }
  }
  return found;
}

export interface Listing {
  readonly complete: readonly ListedSstable[];
  /** Names of file sets of which something is missing. */
  readonly partial: readonly string[];
}

/**
 * SSTables in `subfolder` (`backups`, `snapshots/<tag>`) of a table's folder; none when it is not there. `final`:
 * nobody adds to it any more, so a set that lacks components is listed all the same, for the reader to find out.
 */
export async function listSstables(
  hostId: string,
  table: TableFolder,
  subfolder: string,
  { final }: { readonly final: boolean } = { final: false },
): Promise<Listing> {
  const folder = join(table.folder, subfolder);
  const names = await namesIn(folder);
  const sets = new Map<string, Set<string>>();
  for (const file of names) {
    const parts = splitName(file);
    if (!parts) continue;
    const set = sets.get(parts.name) ?? new Set();
    sets.set(parts.name, set.add(parts.component));
  }
  const complete: ListedSstable[] = [];
  const partial: string[] = [];
  for (const [name, there] of sets) {
    const at = { ...table, folder };
    const components = await componentsOf(folder, name, there);
    const isWhole = components.every((component) => there.has(component) || isOfIndex(component));
    const listed = isWhole || final ? await listedOf(hostId, at, name, components) : undefined;
    // Without Data.db it was removed since the listing: somebody else cleans up here too.
    if (listed && (final || listed.modifiedMs > 0)) complete.push(listed);
    if (!isWhole) partial.push(name);
  }
  return { complete, partial };
}

/** Listed in TOC.txt even where no row has a value, so that they are not there; readers need none of them. */
const isOfIndex = (component: string): boolean => /^(?:SAI\b|SI_)/.test(component);

/** Without a TOC.txt nothing tells whether a set is whole, so it never is. */
const needed = ['Data.db', 'Statistics.db', 'TOC.txt'];

/** Opening a component fails with `source-unreachable` when it is not there. */
export function openSstable(listed: ListedSstable): HeldSstable {
  const handles = new Set<FileHandle>();
  return {
    name: listed.name,
    version: listed.version,
    format: listed.format,
    has: (component) => listed.components.includes(component),
    open: async (component) => {
      const path = join(listed.folder, `${listed.name}-${component}`);
      try {
        const handle = await open(path, 'r');
        handles.add(handle);
        const { size } = await handle.stat();
        return {
          size,
          read: (position, length, into) => readAt(handle, path, { position, length, into }),
          close: () => closeOf(handles, [handle]),
        };
      } catch (cause) {
        throw unreadable(path, cause);
      }
    },
    [Symbol.asyncDispose]: () => closeOf(handles, [...handles]),
  };
}

async function closeOf(open: Set<FileHandle>, these: readonly FileHandle[]): Promise<void> {
  await Promise.all(these.map((handle) => open.delete(handle) && handle.close()));
}

/** A small component whole. */
export async function readComponent(listed: ListedSstable, component: string): Promise<Buffer> {
  const path = join(listed.folder, `${listed.name}-${component}`);
  try {
    return await readFile(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** Removes the links of these names, whichever components there are; the live files stay. */
export async function deleteLinks(folder: string, names: ReadonlySet<string>): Promise<void> {
  for (const file of await namesIn(folder)) {
    const parts = splitName(file);
    if (parts && names.has(parts.name)) await rm(join(folder, file), { force: true });
  }
}

/**
 * Removes all links of a table, or only those of its secondary indexes, which are built anew and never captured.
 * Folders stay: a server that is about to link a file into one would take its absence for a failing disk.
 */
export async function deleteAllLinks(
  table: TableFolder,
  { onlyIndexes }: { readonly onlyIndexes: boolean } = { onlyIndexes: false },
): Promise<void> {
  for (const path of await linkPaths(table, { onlyIndexes })) await rm(path, { force: true });
}

/** Files that are links of a table and of its secondary indexes, or of these alone. */
export async function linkPaths(
  table: TableFolder,
  { onlyIndexes }: { readonly onlyIndexes: boolean } = { onlyIndexes: false },
): Promise<string[]> {
  const folder = join(table.folder, 'backups');
  const indexes = (await foldersIn(folder)).filter((name) => name.startsWith('.'));
  const folders = indexes.map((name) => join(folder, name));
  const paths: string[] = [];
  for (const one of onlyIndexes ? folders : [folder, ...folders]) {
    const files = (await namesIn(one)).filter((file) => splitName(file));
    paths.push(...files.map((file) => join(one, file)));
  }
  return paths;
}

/** Tags of snapshots of a table that begin so. */
export async function listSnapshotTags(table: TableFolder, prefix: string): Promise<string[]> {
  const tags = await foldersIn(join(table.folder, 'snapshots'));
  return tags.filter((tag) => tag.startsWith(prefix));
}

/** `nb-1-big-Data.db`; SAI components, `…-SAI+aa+…`, are parts of their SSTable like any other. */
export function splitName(file: string): { name: string; component: string } | undefined {
  const match = /^([a-z]{2}-[0-9a-z_]+-(?:big|bti))-(.+)$/.exec(file);
  return match ? { name: match[1] as string, component: match[2] as string } : undefined;
}

/** As its TOC.txt names them; those that must be there where it is missing itself. */
async function componentsOf(
  folder: string,
  name: string,
  there: ReadonlySet<string>,
): Promise<readonly string[]> {
  const toc = there.has('TOC.txt') ? await textOf(join(folder, `${name}-TOC.txt`)) : '';
  const named = toc.split('\n').filter((line) => line !== '');
  return [...new Set(named.length > 0 ? [...named, 'Data.db'] : [...there, ...needed])];
}

/** Of a Data.db that is not there, size and time are 0. */
async function listedOf(
  hostId: string,
  { keyspace, table, tableId, folder }: TableFolder,
  name: string,
  components: readonly string[],
): Promise<ListedSstable> {
  const [version, , format] = name.split('-');
  const digest = components.includes('Digest.crc32')
    ? await textOf(join(folder, `${name}-Digest.crc32`))
    : '';
  const { size, mtimeMs } = await sizeOf(join(folder, `${name}-Data.db`));
  return {
    ...{ hostId, tableId, keyspace, table, folder, name, components },
    version: version as string,
    format: format as 'big' | 'bti',
    dataBytes: size,
    digest: digest.trim(),
    modifiedMs: Math.floor(mtimeMs),
  };
}

/** Empty when it is not there. */
async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return '';
    throw unreadable(path, error);
  }
}

async function sizeOf(path: string): Promise<{ size: number; mtimeMs: number }> {
  try {
    return await stat(path);
  } catch (error) {
    if (isMissing(error)) return { size: 0, mtimeMs: 0 };
    throw unreadable(path, error);
  }
}

async function readAt(
  handle: FileHandle,
  path: string,
  { position, length, into }: { position: number; length: number; into: Uint8Array | undefined },
): Promise<Uint8Array> {
  const bytes = into ?? Buffer.allocUnsafe(length);
  let done = 0;
  try {
    while (done < length) {
      const { bytesRead } = await handle.read(bytes, done, length - done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
  } catch (cause) {
    throw unreadable(path, cause);
  }
  return bytes.subarray(0, done);
}

async function foldersIn(folder: string, must = false): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (!must && isMissing(error)) return [];
    throw unreadable(folder, error);
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw unreadable(folder, error);
  }
}

function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** What this process lacks is no fault of the node. */
const ourLimits: Readonly<Record<string, string>> = {
  EMFILE: 'allow more open files (`ulimit -n`, LimitNOFILE of the service)',
  ENFILE: 'allow the machine more open files (fs.file-max)',
  ENOMEM: 'give the machine more memory, or this program less of it (memoryMib)',
};

function unreadable(path: string, cause: unknown): CodrError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const limit = ourLimits[code ?? ''];
  if (limit !== undefined) {
    const text = `${path} cannot be opened: ${code}, a limit of this machine`;
    return new CodrError('limit-reached', text, { object: path, cause, remedy: limit });
  }
  const rights = code === 'EACCES' || code === 'EPERM';
  const text = `${path} cannot be read: ${code ?? message}`;
  return new CodrError(rights ? 'source-rights' : 'source-unreachable', text, {
    object: path,
    cause,
    remedy: rights ? "run as the server's user" : 'check dataDirectories and paths of the source',
  });
}

function dashed(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
