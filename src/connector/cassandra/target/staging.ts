// Where SSTables wait for their import: a folder of the operation beside a node's data, on the same file system,
// since the server moves the files by renaming them. A file is encoded once and written to every replica.
import { join } from 'node:path';
import { assert } from '../../../base/assert.ts';
import { view } from '../../../base/bytes.ts';
import { CodrError } from '../../../base/error.ts';
import type { FileAccess, FilesOf, WrittenFile } from '../../../base/file-access.ts';
import { isMissing } from '../session/node-files.ts';
import { setLevel } from '../sstable/write-level.ts';
import type { SstableComponent, SstableSink } from '../sstable/write-sstable.ts';
import { groupFiles, type ImportGroup } from './import-groups.ts';
import { triedPrefix } from './make-table.ts';
import { fileFault } from './target-fault.ts';
import { roomiest, type TargetNode } from './target-nodes.ts';

/** Begins the names of staging folders. */
export const stagingPrefix = 'codr-import-';
/** A file is begun only where there is room for two of the largest. */
const freeBytesMin = 512 * 1024 * 1024;

/** What waits on one node for one table. */
export interface StagedFolder {
  readonly node: TargetNode;
  /** On the paths of who sees it. */
  readonly folder: string;
}

/** One table of an operation, in the words of folders. */
export interface StagedName {
  readonly operation: string;
  readonly keyspace: string;
  readonly table: string;
}

/** An SSTable that is whole, on the nodes that get it. */
export interface WholeFile {
  /** In the order of the place's folders. */
  readonly hostIds: readonly string[];
  readonly place: StagedPlace;
}

/**
 * The SSTables of one table, in `<data directory>/codr-import-<operation>/<keyspace>/<table>/<attempt>`. Whoever writes
 * has an attempt of its own, so names of files never meet, and what an attempt leaves that nobody names is not imported.
 */
export class StagedTable {
  readonly #path: readonly [string, string, string];
  readonly #attempt: string;
  /** By host id: the table's folder, which another process has made and alone makes. */
  readonly #lent: Readonly<Record<string, string>> | undefined;
  readonly #bases = new Map<string, Promise<string>>();
  /** By host id, the attempt's: decided at the first file. */
  readonly #folders = new Map<string, Promise<StagedFolder>>();
  #count = 0;

  /** `attempt`: a word that no other writer has. `lent`: what {@link bases} gave to another process. */
  constructor(name: StagedName, attempt: string, lent?: Readonly<Record<string, string>>) {
    this.#path = pathOf(name);
    this.#attempt = attempt;
    this.#lent = lent;
  }

  /** Opens the next SSTable on all nodes. Errors: `target-unfit` when one has too little room. */
  async open(nodes: readonly TargetNode[]): Promise<StagedSstable> {
    this.#count += 1;
    const name = `nb-${this.#count}-big`;
    const folders = await Promise.all(nodes.map((node) => this.#folderOf(node)));
    const places = folders.map(({ node, folder }) => {
      const { address, files } = node;
      return { address, ...(files.peer !== undefined && { peer: files.peer }), folder };
    });
    return new StagedSstable({ folders: places, name }, filesOfNodes(nodes));
  }

  async folders(): Promise<StagedFolder[]> {
    return await Promise.all(this.#folders.values());
  }

  /** The table's folder on each node, made where it is not there; by host id. */
  async bases(nodes: Iterable<TargetNode>): Promise<Record<string, string>> {
    const found: Record<string, string> = {};
    for (const node of nodes) found[node.hostId] = await this.#baseOf(node);
    return found;
  }

  /** Moves whole files into groups, in this order; gives the groups by host id. Attempts that are left go. */
  async groups(
    written: readonly WholeFile[],
    nodes: ReadonlyMap<string, TargetNode>,
    bytesMax: number,
  ): Promise<Record<string, ImportGroup[]>> {
    const found: Record<string, ImportGroup[]> = {};
    const all = written.flatMap(({ hostIds, place: { folders, name } }) =>
      hostIds.map((hostId, i) => ({ hostId, name, folder: folders[i]?.folder ?? '' })),
    );
    for (const [hostId, files] of Map.groupBy(all, (one) => one.hostId)) {
      const node = nodes.get(hostId) as TargetNode;
      const base = await this.#baseOf(node);
      try {
        found[hostId] = await groupFiles(node.files, base, files, bytesMax);
      } catch (cause) {
        throw fileFault(node.address, base, cause);
      }
    }
    return found;
  }

  /** Removes the attempt alone, with all its files; none is open. */
  async discard(): Promise<void> {
    for (const made of this.#folders.values()) {
      const staged = await made.catch(() => undefined);
      if (staged) await staged.node.files.removeFolder(staged.folder);
    }
    this.#folders.clear();
  }

  async #folderOf(node: TargetNode): Promise<StagedFolder> {
    const known = this.#folders.get(node.hostId) ?? this.#make(node);
    this.#folders.set(node.hostId, known);
    const staged = await known;
    const { free } = await roomiest({ ...node, dataDirectories: [staged.folder] });
    if (free < freeBytesMin) throw tooFull(node.address, staged.folder, free);
    return staged;
  }

  async #make(node: TargetNode): Promise<StagedFolder> {
    const base = await this.#baseOf(node);
    const folder = join(base, this.#attempt);
    try {
      // Not its parents: where another process has removed them, or is on another machine, nothing is made.
      await node.files.makeFolder(folder);
      if (this.#lent) await refuseOtherOwner(node.files, base, folder);
    } catch (cause) {
      if (!this.#lent) throw fileFault(node.address, folder, cause);
      const message = `${base} of ${node.address}, where files are to wait, is not to be used from here`;
      throw new CodrError('peer-lost', message, { object: base, cause });
    }
    return { node, folder };
  }

  #baseOf(node: TargetNode): Promise<string> {
    const known = this.#bases.get(node.hostId) ?? this.#makeBase(node);
    this.#bases.set(node.hostId, known);
    return known;
  }

  async #makeBase(node: TargetNode): Promise<string> {
    const lent = this.#lent?.[node.hostId];
    if (this.#lent) {
      assert(lent, 'a table is lent with the folders of all its nodes');
      return lent;
    }
    const { directory } = await roomiest(node);
    const base = join(directory, ...this.#path);
    try {
      await node.files.makeFolders(base);
    } catch (cause) {
      throw fileFault(node.address, base, cause);
    }
    return base;
  }
}

/** Whoever made `base` has been found to make files that the server may move. Removes what it refuses. */
async function refuseOtherOwner(files: FileAccess, base: string, folder: string): Promise<void> {
  const [theirs, ours] = await Promise.all([files.stat(base), files.stat(folder)]);
  if (theirs.userId === ours.userId) return;
  await files.removeFolder(folder);
  throw new Error(`files are made as user ${ours.userId}, not ${theirs.userId}`);
}

/** Names of Cassandra are words, so they are names of folders. */
function pathOf({ operation, keyspace, table }: StagedName): readonly [string, string, string] {
  return [`${stagingPrefix}${operation}`, keyspace, table];
}

/** Removes all attempts of a table, and what an import leaves: indexes and filters that the server made itself. */
export async function removeStagedTable(
  name: StagedName,
  nodes: Iterable<TargetNode>,
): Promise<void> {
  for (const { files, dataDirectories } of nodes) {
    for (const directory of dataDirectories) {
      await files.removeFolder(join(directory, ...pathOf(name)));
    }
  }
}

/** Where one SSTable is made, on all of its replicas; plain data. */
export interface StagedPlace {
  readonly folders: readonly PlacedFolder[];
  readonly name: string;
}

interface PlacedFolder {
  readonly address: string;
  /** Who sees it; absent: whoever has the paths of the target. */
  readonly peer?: string;
  readonly folder: string;
}

/** By the peers that the nodes name. */
export function filesOfNodes(
  nodes: ReadonlyMap<string, TargetNode> | Iterable<TargetNode>,
): FilesOf {
  const all = nodes instanceof Map ? [...nodes.values()] : [...(nodes as Iterable<TargetNode>)];
  return (peer) => {
    const found = all.find(({ files }) => files.peer === peer)?.files;
    if (found) return found;
    throw new CodrError('target-unfit', `no node of the target is seen by peer ${peer}`);
  };
}

/** What tells a file from another. */
export interface FileFacts {
  /** Of Data.db as stored. */
  readonly bytes: number;
  /** Text of Digest.crc32, which is of all of Data.db. */
  readonly digest: string;
}

/** One SSTable in the making, on all of its replicas. */
export class StagedSstable implements SstableSink {
  readonly place: StagedPlace;
  readonly #filesOf: FilesOf;
  readonly #files = new Map<SstableComponent, Promise<readonly WrittenFile[]>>();

  constructor(place: StagedPlace, filesOf: FilesOf) {
    this.place = place;
    this.#filesOf = filesOf;
  }

  /** All its files are those of this machine. */
  get isHere(): boolean {
    return this.place.folders.every(({ peer }) => this.#filesOf(peer).isHere);
  }

  async write(component: SstableComponent, bytes: Uint8Array): Promise<void> {
    const known = this.#files.get(component) ?? this.#create(component);
    this.#files.set(component, known);
    const handles = await known;
    await this.#each(component, (_, i) => (handles[i] as WrittenFile).write(bytes));
  }

  /** The bytes are on disk when this returns: the server only renames the files. */
  async close(): Promise<void> {
    for (const [component, opened] of this.#files) {
      const handles = await opened;
      await this.#each(component, async (_, i) => {
        await handles[i]?.sync();
        await handles[i]?.close();
      });
    }
    this.#files.clear();
  }

  /** After {@link close}: of the file on each of its nodes. */
  async facts(): Promise<FileFacts[]> {
    const digests = await this.#each('Digest.crc32', async (path, _, files) =>
      view(await files.readWhole(path)).toString('utf8'),
    );
    const sizes = await this.#each('Data.db', (path, _, files) => files.stat(path));
    return sizes.map(({ bytes }, i) => ({ bytes, digest: (digests[i] as string).trim() }));
  }

  /** After {@link close}: for a server that is told to keep levels. */
  async setLevel(level: number): Promise<void> {
    await this.#each('Statistics.db', async (path, _, files) => {
      const statistics = Buffer.from(await files.readWhole(path));
      setLevel(statistics, level);
      const handle = await files.create(path, { over: true });
      try {
        await handle.write(statistics);
        await handle.sync();
      } finally {
        await handle.close();
      }
    });
  }

  /** After an error: nothing of it stays. */
  async discard(): Promise<void> {
    for (const [component, opened] of this.#files) {
      for (const handle of await opened.catch(() => [])) await handle.close().catch(() => {});
      for (const { folder, peer } of this.place.folders) {
        const path = join(folder, `${this.place.name}-${component}`);
        await this.#filesOf(peer)
          .remove(path)
          .catch(() => {});
      }
    }
    this.#files.clear();
  }

  #create(component: SstableComponent): Promise<readonly WrittenFile[]> {
    return this.#each(component, (path, _, files) => files.create(path));
  }

  #each<T>(
    component: SstableComponent,
    work: (path: string, index: number, files: FileAccess) => Promise<T>,
  ): Promise<T[]> {
    return Promise.all(
      this.place.folders.map(async ({ address, folder, peer }, i) => {
        const path = join(folder, `${this.place.name}-${component}`);
        try {
          return await work(path, i, this.#filesOf(peer));
        } catch (cause) {
          throw fileFault(address, path, cause);
        }
      }),
    );
  }
}

/** SSTables that are still in a staging folder: the server has not taken them. */
export async function leftover(files: FileAccess, folder: string): Promise<string[]> {
  return (await namesIn(files, folder)).filter((name) => name.endsWith('-Data.db')).sort();
}

async function namesIn(files: FileAccess, folder: string): Promise<string[]> {
  try {
    return (await files.list(folder)).map(({ name }) => name);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** Removes the operation's staging folders on these nodes; those of `kept` tables, as `keyspace.table`, stay. */
export async function removeStaging(
  operation: string,
  nodes: Iterable<TargetNode>,
  kept: ReadonlySet<string> = new Set(),
): Promise<void> {
  for (const { files, dataDirectories } of nodes) {
    for (const directory of dataDirectories) {
      const root = join(directory, `${stagingPrefix}${operation}`);
      for (const keyspace of kept.size > 0 ? await namesIn(files, root) : []) {
        for (const table of await namesIn(files, join(root, keyspace))) {
          if (kept.has(`${keyspace}.${table}`)) continue;
          await files.removeFolder(join(root, keyspace, table));
        }
      }
      if (kept.size === 0) await files.removeFolder(root);
    }
  }
}

/**
 * Removes the folders that dropped keyspaces leave on a node: those of throw-away keyspaces of the operation, which the
 * schema has no more. The names are the operation's own.
 */
export async function removeTried(operation: string, nodes: Iterable<TargetNode>): Promise<void> {
  for (const { address, files, dataDirectories } of nodes) {
    for (const directory of dataDirectories) {
      try {
        const names = await namesIn(files, directory);
        for (const name of names.filter((one) => one.startsWith(triedPrefix(operation)))) {
          await files.removeFolder(join(directory, name));
        }
      } catch (cause) {
        throw fileFault(address, directory, cause);
      }
    }
  }
}

function tooFull(address: string, folder: string, free: number): CodrError {
  const mib = Math.floor(free / 1024 / 1024);
  return new CodrError('target-unfit', `${address}: only ${mib} MiB are free in ${folder}`, {
    object: address,
    remedy: 'free space there, then run the same command again',
  });
}
