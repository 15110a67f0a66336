// Whether a node's files are where the configuration says, all of them, and nobody else's. A directory that is an
// empty mount point, or that leads to another node, looks like a node without rows, or like one that agrees.
import { join } from 'node:path';
import { CodrError } from '../../../base/error.ts';
import type { FileAccess } from '../../../base/file-access.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import type { NodeControl } from './control.ts';
import type { CqlSession } from './cql.ts';
import {
  isMissing,
  listTableFolders,
  type NodeData,
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

/** A server writes a manifest into each snapshot, of a table without rows too. */
export async function refuseMissingSnapshots(
  address: string,
  tables: readonly TableSchema[],
  folders: ReadonlyMap<string, readonly TableFolder[]>,
  tag: string,
): Promise<void> {
  for (const { id, keyspace, table } of tables) {
    const manifests = (folders.get(id) ?? []).map(({ files, folder }) =>
      isThere(files, join(folder, 'snapshots', tag, 'manifest.json')),
    );
    if ((await Promise.all(manifests)).includes(true)) continue;
    const message = `${address}: its snapshot of ${keyspace}.${table} is not below dataDirectories`;
    throw new CodrError('source-unreachable', message, {
      object: address,
      remedy: 'see whether dataDirectories and paths of the source lead to this node',
    });
  }
}

/** Errors: those of a machine that does not answer, or of a file that cannot be looked at. */
async function isThere(files: FileAccess, path: string): Promise<boolean> {
  try {
    await files.stat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw unreadable(path, error);
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
