// Whether a node's files are where the configuration says, all of them, and nobody else's. A directory that is an
// empty mount point, or that leads to another node, looks like a node without rows, or like one that agrees.
import { join } from 'node:path';
import { z } from 'zod';
import { view } from '../../../base/bytes.ts';
import { CodrError } from '../../../base/error.ts';
import type { FileAccess } from '../../../base/file-access.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import type { NodeControl } from './control.ts';
import type { CqlSession } from './cql.ts';
import {
  isMissing,
  type ListedSstable,
  listTableFolders,
  type NodeData,
  splitName,
  type TableFolder,
  unreadable,
} from './node-files.ts';

interface PlacedNode extends NodeData {
  readonly address: string;
  readonly control: NodeControl;
  /** What the server calls a path → what it is for who sees it; absent: the same. */
  readonly ourPath?: (path: string) => string;
}

interface Asked {
  readonly cql: CqlSession;
  /** The node's native address. */
  readonly host: string;
  readonly signal: AbortSignal;
}

/** By address, why a node cannot be told from another: both lead to one directory. */
export async function sharedDirectories(
  nodes: readonly PlacedNode[],
): Promise<Map<string, string>> {
  const owners = new Map<string, string>();
  const shared = new Map<string, string>();
  for (const { address, files, dataDirectories } of nodes) {
    for (const directory of dataDirectories) {
      // One that is not there, or not to be reached, is told where it is read.
      const found = await files.stat(directory).catch(() => undefined);
      if (!found) continue;
      const place = `${files.isHere ? '' : files.peer}:${found.identity}`;
      const other = owners.get(place) ?? address;
      owners.set(place, other);
      if (other === address) continue;
      shared.set(address, `${address}: ${directory} is also that of ${other}`);
      shared.set(other, shared.get(other) ?? `${other}: ${directory} is also that of ${address}`);
    }
  }
  return shared;
}

/** Directories that the server has and the configuration lacks: what they hold would be captured by nobody. */
export async function missingDirectories(
  { control, files, dataDirectories, ourPath = (path) => path }: PlacedNode,
  { cql, host, signal }: Asked,
): Promise<string[]> {
  const told = await control.dataDirectories({ signal });
  const served = told ?? (await settingOf({ cql, host, signal }));
  const configured = new Set<string>();
  for (const directory of dataDirectories) {
    configured.add(plain(directory));
    // Servers name their directories without symbolic links.
    configured.add(await files.realPath(directory).catch(() => plain(directory)));
  }
  return served.filter((path) => !configured.has(plain(ourPath(path))));
}

/** Errors: `source-unfit` for data where nobody looks, `source-unreachable` for a directory without any table. */
export async function refuseOtherDirectories(node: PlacedNode, asked: Asked): Promise<void> {
  const { address, files, dataDirectories } = node;
  const [missing] = await missingDirectories(node, asked);
  if (missing !== undefined) {
    throw new CodrError('source-unfit', `${address} also keeps data in ${missing}`, {
      object: address,
      remedy: `add it to nodes.${address}.dataDirectories`,
    });
  }
  for (const directory of dataDirectories) {
    // Servers make folders for all of their own tables in each.
    if ((await listTableFolders({ files, dataDirectories: [directory] })).length > 0) continue;
    throw new CodrError('source-unreachable', `${address}: ${directory} has no table of a server`, {
      object: directory,
      remedy: 'see whether it is mounted',
    });
  }
}

interface SnapshotFolders {
  /** Of one table. */
  readonly folders: readonly TableFolder[];
  readonly tag: string;
  /** What was found in them. */
  readonly found: readonly ListedSstable[];
}

/**
 * Holds what was found of a snapshot against what the server says: it writes a manifest into each, of a table without rows
 * too, that names the files which were live. Errors: `source-unreachable` where one is missing.
 */
export async function refuseMissingFiles(
  address: string,
  { keyspace, table }: Pick<TableSchema, 'keyspace' | 'table'>,
  { folders, tag, found }: SnapshotFolders,
): Promise<void> {
  // Which of the disks gets it, the server decides anew each time.
  const manifests = await Promise.all(
    folders.map(({ files, folder }) =>
      readManifest(files, join(folder, 'snapshots', tag, 'manifest.json')),
    ),
  );
  const names = new Set(found.map(({ name }) => name));
  const isFound = (file: string): boolean => names.has(splitName(file)?.name ?? file);
  const lost = manifests.flatMap((files) => files ?? []).find((file) => !isFound(file));
  if (lost === undefined && manifests.some((files) => files !== undefined)) return;
  const what = lost === undefined ? 'its snapshot' : `${lost} in its snapshot`;
  const message = `${address}: ${what} of ${keyspace}.${table} is not below dataDirectories`;
  throw new CodrError('source-unreachable', message, {
    object: address,
    remedy:
      'see whether dataDirectories and paths of the source lead to all disks of this node, and that nobody else ' +
      'clears its snapshots',
  });
}

const manifest = z.object({ files: z.array(z.string()) });

/** Names of Data.db; those of secondary indexes are left out. Undefined where there is no manifest. */
async function readManifest(files: FileAccess, path: string): Promise<string[] | undefined> {
  let text: string;
  try {
    text = view(await files.readWhole(path)).toString('utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw unreadable(path, error);
  }
  try {
    return manifest.parse(JSON.parse(text)).files.filter((file) => !file.includes('/'));
  } catch (cause) {
    throw new CodrError('source-unreachable', `${path} does not say which files there are`, {
      ...{ object: path, cause },
      remedy: 'see whether the version of Cassandra is one that is supported',
    });
  }
}

/** `[/a, /b]`, as a server prints a list of its settings. */
async function settingOf({ cql, host, signal }: Asked): Promise<string[]> {
  const query = "SELECT value FROM system_views.settings WHERE name = 'data_file_directories'";
  const [row] = await cql.rows(query, { signal, host });
  const text = /^\[(.*)\]$/.exec(String(row?.value))?.[1] ?? '';
  return text.split(', ').filter((path) => path !== '');
}

const plain = (path: string): string => path.replace(/\/+$/, '');
