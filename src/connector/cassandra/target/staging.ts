// Where SSTables wait for their import: a folder of the operation beside a node's data, on the same file system,
// since the server moves the files by renaming them. A file is encoded once and written to every replica.
import { type FileHandle, mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '../../../base/assert.ts';
import { CodrError } from '../../../base/error.ts';
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
  /** On our paths. */
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
    const places = folders.map(({ node: { address }, folder }) => ({ address, folder }));
    return new StagedSstable({ folders: places, name });
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
        found[hostId] = await groupFiles(base, files, bytesMax);
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
      if (staged) await removeFolder(staged.folder);
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
      await mkdir(folder);
    } catch (cause) {
      if (this.#lent && (cause as NodeJS.ErrnoException).code === 'ENOENT') {
        const message = `${base} of ${node.address}, where files are to wait, is not seen from here`;
        throw new CodrError('peer-lost', message, { object: base, cause });
      }
      throw fileFault(node.address, folder, cause);
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
      await mkdir(base, { recursive: true });
    } catch (cause) {
      throw fileFault(node.address, base, cause);
    }
    return base;
  }
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
  for (const { dataDirectories } of nodes) {
    for (const directory of dataDirectories) {
      await removeFolder(join(directory, ...pathOf(name)));
    }
  }
}

/** Where one SSTable is made, on all of its replicas; plain data. */
export interface StagedPlace {
  readonly folders: readonly { readonly address: string; readonly folder: string }[];
  readonly name: string;
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
  readonly #files = new Map<SstableComponent, Promise<readonly FileHandle[]>>();

  constructor(place: StagedPlace) {
    this.place = place;
  }

  async write(component: SstableComponent, bytes: Uint8Array): Promise<void> {
    const known = this.#files.get(component) ?? this.#create(component);
    this.#files.set(component, known);
    const handles = await known;
    await this.#each(component, async (path, i) => {
      await writeAll(handles[i] as FileHandle, bytes);
      return path;
    });
  }

  /** The bytes are on disk when this returns: the server only renames the files. */
  async close(): Promise<void> {
    for (const [component, opened] of this.#files) {
      const handles = await opened;
      await this.#each(component, async (_, i) => {
        await handles[i]?.datasync();
        await handles[i]?.close();
      });
    }
    this.#files.clear();
  }

  /** After {@link close}: of the file on each of its nodes. */
  async facts(): Promise<FileFacts[]> {
    const digests = await this.#each('Digest.crc32', (path) => readFile(path, 'utf8'));
    const sizes = await this.#each('Data.db', (path) => stat(path));
    return sizes.map(({ size }, i) => ({ bytes: size, digest: (digests[i] as string).trim() }));
  }

  /** After {@link close}: for a server that is told to keep levels. */
  async setLevel(level: number): Promise<void> {
    await this.#each('Statistics.db', async (path) => {
      const statistics = await readFile(path);
      setLevel(statistics, level);
      const handle = await open(path, 'r+');
      try {
        await writeAll(handle, statistics);
        await handle.datasync();
      } finally {
        await handle.close();
      }
    });
  }

  /** After an error: nothing of it stays. */
  async discard(): Promise<void> {
    for (const [component, opened] of this.#files) {
      for (const handle of await opened.catch(() => [])) await handle.close().catch(() => {});
      for (const { folder } of this.place.folders) {
        await rm(join(folder, `${this.place.name}-${component}`), { force: true }).catch(() => {});
      }
    }
    this.#files.clear();
  }

  #create(component: SstableComponent): Promise<readonly FileHandle[]> {
    return this.#each(component, (path) => open(path, 'w'));
  }

  #each<T>(
    component: SstableComponent,
    work: (path: string, index: number) => Promise<T>,
  ): Promise<T[]> {
    return Promise.all(
      this.place.folders.map(async ({ address, folder }, i) => {
        const path = join(folder, `${this.place.name}-${component}`);
        try {
          return await work(path, i);
        } catch (cause) {
          throw fileFault(address, path, cause);
        }
      }),
    );
  }
}

/** SSTables that are still in a staging folder: the server has not taken them. */
export async function leftover(folder: string): Promise<string[]> {
  return (await namesIn(folder)).filter((name) => name.endsWith('-Data.db')).sort();
}

async function namesIn(folder: string): Promise<string[]> {
  return await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}

/** Removes the operation's staging folders on these nodes; those of `kept` tables, as `keyspace.table`, stay. */
export async function removeStaging(
  operation: string,
  nodes: Iterable<TargetNode>,
  kept: ReadonlySet<string> = new Set(),
): Promise<void> {
  for (const { dataDirectories } of nodes) {
    for (const directory of dataDirectories) {
      const root = join(directory, `${stagingPrefix}${operation}`);
      for (const keyspace of kept.size > 0 ? await namesIn(root) : []) {
        for (const table of await namesIn(join(root, keyspace))) {
          if (kept.has(`${keyspace}.${table}`)) continue;
          await removeFolder(join(root, keyspace, table));
        }
      }
      if (kept.size === 0) await removeFolder(root);
    }
  }
}

/**
 * Removes the folders that dropped keyspaces leave on a node: those of throw-away keyspaces of the operation, which the
 * schema has no more. The names are the operation's own.
 */
export async function removeTried(operation: string, nodes: Iterable<TargetNode>): Promise<void> {
  for (const { address, dataDirectories } of nodes) {
    for (const directory of dataDirectories) {
      try {
        const names = await readdir(directory);
        for (const name of names.filter((one) => one.startsWith(triedPrefix(operation)))) {
          await rm(join(directory, name), { recursive: true, force: true });
        }
      } catch (cause) {
        throw fileFault(address, directory, cause);
      }
    }
  }
}

/** Another process that has not heard of the end may still add to it. */
async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done);
    done += bytesWritten;
  }
}

function tooFull(address: string, folder: string, free: number): CodrError {
  const mib = Math.floor(free / 1024 / 1024);
  return new CodrError('target-unfit', `${address}: only ${mib} MiB are free in ${folder}`, {
    object: address,
    remedy: 'free space there, then run the same command again',
  });
}
