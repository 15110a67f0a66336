// Where SSTables wait for their import: a folder of the operation beside a node's data, on the same file system,
// since the server moves the files by renaming them. A file is encoded once and written to every replica.
import { type FileHandle, mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
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

/** The SSTables of one table, in folders `<data directory>/codr-import-<operation>/<keyspace>/<table>`. */
export class StagedTable {
  readonly #path: readonly [string, string, string];
  /** By host id: decided at the first file. */
  readonly #folders = new Map<string, Promise<StagedFolder>>();
  #count = 0;

  constructor(operation: string, keyspace: string, table: string) {
    // Names of Cassandra are words, so they are names of folders.
    this.#path = [`${stagingPrefix}${operation}`, keyspace, table];
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

  /** By host id. No file is open. */
  async groups(bytesMax: number): Promise<Record<string, ImportGroup[]>> {
    const found: Record<string, ImportGroup[]> = {};
    for (const { node, folder } of await this.folders()) {
      try {
        found[node.hostId] = await groupFiles(folder, bytesMax);
      } catch (cause) {
        throw fileFault(node.address, folder, cause);
      }
    }
    return found;
  }

  /** Removes what an import leaves behind: indexes and filters that the server made itself. */
  async remove(nodes: Iterable<TargetNode>): Promise<void> {
    this.#folders.clear();
    for (const { dataDirectories } of nodes) {
      for (const directory of dataDirectories) {
        await rm(join(directory, ...this.#path), { recursive: true, force: true });
      }
    }
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
    const { directory } = await roomiest(node);
    const folder = join(directory, ...this.#path);
    try {
      await mkdir(folder, { recursive: true });
    } catch (cause) {
      throw fileFault(node.address, folder, cause);
    }
    return { node, folder };
  }
}

/** Where one SSTable is made, on all of its replicas; plain data. */
export interface StagedPlace {
  readonly folders: readonly { readonly address: string; readonly folder: string }[];
  readonly name: string;
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
          await rm(join(root, keyspace, table), { recursive: true, force: true });
        }
      }
      if (kept.size === 0) await rm(root, { recursive: true, force: true });
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
