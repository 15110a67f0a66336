// SSTables of one node, on the paths of who sees its files: table folders, links in `backups/`, files of a snapshot. A file counts only
// when every component of its TOC.txt is there: Cassandra links them one by one. The same name can mean another
// file after a truncate and a restart, so size and digest belong to the identity.
import { join } from 'node:path';
import { mapLimit } from '../../../base/async.ts';
import { view } from '../../../base/bytes.ts';
import { CodrError, isCodrError } from '../../../base/error.ts';
import type { FileAccess, FileFacts, OpenFile } from '../../../base/file-access.ts';
import type { SstableFiles } from '../sstable/sstable-files.ts';

/** Where a node keeps its data. */
export interface NodeData {
  readonly files: FileAccess;
  /** On the paths of who sees them. */
  readonly dataDirectories: readonly string[];
}

export interface TableFolder {
  readonly files: FileAccess;
  readonly keyspace: string;
  readonly table: string;
  /** UUID with dashes. */
  readonly tableId: string;
  readonly folder: string;
}

/** A file set as found, JSON-safe. */
export interface ListedSstable {
  readonly hostId: string;
  /** Who sees it; absent: whoever has the paths of the source. */
  readonly peer?: string;
  readonly tableId: string;
  readonly keyspace: string;
  readonly table: string;
  /** The path of the folder, for who sees it, that holds the components. */
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

/** Files that are only read, by the name of the peer that sees them; undefined: this machine's. */
export type ReadsOf = (peer: string | undefined) => Pick<FileAccess, 'open'>;

/** An SSTable held open: unlinking its files does not disturb a reader. */
export type HeldSstable = SstableFiles & AsyncDisposable;

/** Folders of all tables, also of dropped ones and of Cassandra's own keyspaces. */
export async function listTableFolders({
  files,
  dataDirectories,
}: NodeData): Promise<TableFolder[]> {
  const found: TableFolder[] = [];
  for (const directory of dataDirectories) {
    // What else is there is no business of ours, and may not be ours to read: `lost+found` of a disk.
    const keyspaces = (await foldersIn(files, directory, true)).filter((one) => /^\w+$/.test(one));
    const names = await Promise.all(keyspaces.map((one) => foldersIn(files, join(directory, one))));
    for (const [i, keyspace] of keyspaces.entries()) {
      for (const name of names[i] as string[]) {
        const match = /^(.+)-([0-9a-f]{32})$/.exec(name);
        if (!match) continue;
        const tableId = dashed(match[2] as string);
        const folder = join(directory, keyspace, name);
        found.push({ files, keyspace, table: match[1] as string, tableId, folder });
      }
    }
  }
  return found;
}

/** File sets that are looked at side by side. */
const setsAtOnce = 256;

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
  const names = await namesIn(table.files, folder);
  const sets = new Map<string, Set<string>>();
  for (const file of names) {
    const parts = splitName(file);
    if (!parts) continue;
    const set = sets.get(parts.name) ?? new Set();
    sets.set(parts.name, set.add(parts.component));
  }
  const complete: ListedSstable[] = [];
  const partial: string[] = [];
  const at = { ...table, folder };
  const all = [...sets];
  // What another machine is asked side by side costs one question.
  const looked = await mapLimit(all, setsAtOnce, async ([name, there]) => {
    const components = await componentsOf(at, name, there);
    const isWhole = components.every((component) => there.has(component) || isOfIndex(component));
    const listed = isWhole || final ? await listedOf(hostId, at, name, components) : undefined;
    return { name, isWhole, listed };
  });
  for (const { name, isWhole, listed } of looked) {
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
export function openSstable(listed: ListedSstable, filesOf: ReadsOf): HeldSstable {
  const opened = new Set<OpenFile>();
  return {
    name: listed.name,
    version: listed.version,
    format: listed.format,
    has: (component) => listed.components.includes(component),
    open: async (component) => {
      const path = join(listed.folder, `${listed.name}-${component}`);
      try {
        const file = await filesOf(listed.peer).open(path);
        opened.add(file);
        return {
          size: file.facts.bytes,
          read: (position, length, into) =>
            file.read(position, length, into).catch((cause: unknown) => {
              throw unreadable(path, cause);
            }),
          close: () => closeOf(opened, [file]),
        };
      } catch (cause) {
        throw unreadable(path, cause);
      }
    },
    [Symbol.asyncDispose]: () => closeOf(opened, [...opened]),
  };
}

async function closeOf(open: Set<OpenFile>, these: readonly OpenFile[]): Promise<void> {
  await Promise.all(these.map((file) => open.delete(file) && file.close()));
}

/** A small component whole. */
export async function readComponent(
  listed: ListedSstable,
  component: string,
  files: FileAccess,
): Promise<Buffer> {
  const path = join(listed.folder, `${listed.name}-${component}`);
  try {
    return view(await files.readWhole(path));
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** Removes the links of these names, whichever components there are; the live files stay. */
export async function deleteLinks(
  files: FileAccess,
  folder: string,
  names: ReadonlySet<string>,
): Promise<void> {
  const spent = (await namesIn(files, folder)).filter((file) => {
    const parts = splitName(file);
    return parts && names.has(parts.name);
  });
  await removeAll(
    files,
    spent.map((file) => join(folder, file)),
  );
}

/** Errors: those of removing a file, as {@link FileAccess} has them. */
async function removeAll(files: FileAccess, paths: readonly string[]): Promise<void> {
  await mapLimit(paths, setsAtOnce, (path) => files.remove(path));
}

/**
 * Removes all links of a table, or only those of its secondary indexes, which are built anew and never captured.
 * Folders stay: a server that is about to link a file into one would take its absence for a failing disk.
 */
export async function deleteAllLinks(
  table: TableFolder,
  { onlyIndexes }: { readonly onlyIndexes: boolean } = { onlyIndexes: false },
): Promise<void> {
  await removeAll(table.files, await linkPaths(table, { onlyIndexes }));
}

/** Files that are links of a table and of its secondary indexes, or of these alone. */
export async function linkPaths(
  table: TableFolder,
  { onlyIndexes }: { readonly onlyIndexes: boolean } = { onlyIndexes: false },
): Promise<string[]> {
  const folder = join(table.folder, 'backups');
  const { files } = table;
  const indexes = (await foldersIn(files, folder)).filter((name) => name.startsWith('.'));
  const folders = indexes.map((name) => join(folder, name));
  const paths: string[] = [];
  for (const one of onlyIndexes ? folders : [folder, ...folders]) {
    const links = (await namesIn(files, one)).filter((file) => splitName(file));
    paths.push(...links.map((file) => join(one, file)));
  }
  return paths;
}

/** Tags of snapshots of a table that begin so. */
export async function listSnapshotTags(table: TableFolder, prefix: string): Promise<string[]> {
  const tags = await foldersIn(table.files, join(table.folder, 'snapshots'));
  return tags.filter((tag) => tag.startsWith(prefix));
}

/** `nb-1-big-Data.db`; SAI components, `…-SAI+aa+…`, are parts of their SSTable like any other. */
export function splitName(file: string): { name: string; component: string } | undefined {
  const match = /^([a-z]{2}-[0-9a-z_]+-(?:big|bti))-(.+)$/.exec(file);
  return match ? { name: match[1] as string, component: match[2] as string } : undefined;
}

/** As its TOC.txt names them; those that must be there where it is missing itself. */
async function componentsOf(
  { files, folder }: TableFolder,
  name: string,
  there: ReadonlySet<string>,
): Promise<readonly string[]> {
  const toc = there.has('TOC.txt') ? await textOf(files, join(folder, `${name}-TOC.txt`)) : '';
  const named = toc.split('\n').filter((line) => line !== '');
  return [...new Set(named.length > 0 ? [...named, 'Data.db'] : [...there, ...needed])];
}

/** Of a Data.db that is not there, size and time are 0. */
async function listedOf(
  hostId: string,
  { files, keyspace, table, tableId, folder }: TableFolder,
  name: string,
  components: readonly string[],
): Promise<ListedSstable> {
  const [version, , format] = name.split('-');
  const [digest, { bytes, modifiedMs }] = await Promise.all([
    components.includes('Digest.crc32') ? textOf(files, join(folder, `${name}-Digest.crc32`)) : '',
    sizeOf(files, join(folder, `${name}-Data.db`)),
  ]);
  const { peer } = files;
  return {
    hostId,
    ...(peer !== undefined && { peer }),
    ...{ tableId, keyspace, table, folder, name, components },
    version: version as string,
    format: format as 'big' | 'bti',
    dataBytes: bytes,
    digest: digest.trim(),
    modifiedMs,
  };
}

/** Empty when it is not there. */
async function textOf(files: FileAccess, path: string): Promise<string> {
  try {
    return view(await files.readWhole(path)).toString('utf8');
  } catch (error) {
    if (isMissing(error)) return '';
    throw unreadable(path, error);
  }
}

async function sizeOf(
  files: FileAccess,
  path: string,
): Promise<Pick<FileFacts, 'bytes' | 'modifiedMs'>> {
  try {
    return await files.stat(path);
  } catch (error) {
    if (isMissing(error)) return { bytes: 0, modifiedMs: 0 };
    throw unreadable(path, error);
  }
}

async function foldersIn(files: FileAccess, folder: string, must = false): Promise<string[]> {
  try {
    const entries = await files.list(folder);
    return entries.filter(({ isFolder }) => isFolder).map(({ name }) => name);
  } catch (error) {
    if (!must && isMissing(error)) return [];
    throw unreadable(folder, error);
  }
}

async function namesIn(files: FileAccess, folder: string): Promise<string[]> {
  try {
    return (await files.list(folder)).map(({ name }) => name);
  } catch (error) {
    if (isMissing(error)) return [];
    throw unreadable(folder, error);
  }
}

/** The machine says that it is not there; one that does not answer says nothing. */
export function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** What this process lacks is no fault of the node. */
const ourLimits: Readonly<Record<string, string>> = {
  EMFILE: 'allow more open files (`ulimit -n`, LimitNOFILE of the service)',
  ENFILE: 'allow the machine more open files (fs.file-max)',
  ENOMEM: 'give the machine more memory, or this program less of it (memoryMib)',
};

/** What a failed look at a file comes to. */
export function unreadable(path: string, cause: unknown): CodrError {
  if (isCodrError(cause)) return cause;
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
