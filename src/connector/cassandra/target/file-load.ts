// Records of a range become SSTables: one writer for each set of replicas, whose files go to every node of the
// set. Each range is encoded and compressed once. Files wait in a staging folder of each node, on the file system
// of its data, until they are imported together.
import { chown, copyFile, mkdir, open, readdir, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { CodrError } from '../../../base/error.ts';
import type { RecordStream } from '../../../model/record.ts';
import type { LoadedRange } from '../../restore-target.ts';
import { tokenPrefix } from '../key/record-key.ts';
import { blockOf, type RecordBlock } from '../record/record-block.ts';
import { compareRanges, PartitionTracker } from '../record/record-key.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import type { ReplicaRange } from '../session/replica-placement.ts';
import type { DeltaBases } from '../sstable/write-row.ts';
import { type SstableComponent, SstableWriter } from '../sstable/write-sstable.ts';
import type { NamedTable } from './ddl.ts';

/** A node whose files we write. */
export interface LoadNode {
  readonly address: string;
  readonly hostId: string;
  /** Our path of the folder that data of this node is staged in. */
  readonly staging: string;
}

export interface FileLoadOptions {
  readonly schema: TableSchema;
  readonly table: NamedTable;
  readonly ranges: readonly ReplicaRange[];
  readonly nodes: readonly LoadNode[];
  readonly bases: DeltaBases;
}

/** A file is closed once it holds so much, at the end of a partition. */
const fileBytesMax = 256 * 1024 * 1024;
const freeBytesMin = 64 * 1024 * 1024;
const tokenBytes = 8;

/** Makes the files of one table; ranges may be loaded side by side. */
export class FileLoad {
  readonly #options: FileLoadOptions;
  readonly #ends: readonly Uint8Array[];
  #files = 0;
  /** Of all ranges: what `nb` cannot hold of times after 2038. */
  cappedExpiries = 0;

  constructor(options: FileLoadOptions) {
    this.#options = options;
    this.#ends = options.ranges.map(({ to }) => tokenPrefix(to));
  }

  folderOf({ staging }: LoadNode): string {
    const { keyspace, table } = this.#options.table;
    return join(staging, keyspace, table);
  }

  async load(records: RecordStream, signal: AbortSignal): Promise<LoadedRange> {
    const open = new Map<string, OpenSet>();
    const tracker = new PartitionTracker();
    let [range, count, bytes] = [0, 0, 0];
    for await (const batch of records) {
      signal.throwIfAborted();
      if (batch.length === 0) continue;
      const block = blockOf(batch);
      let from = 0;
      for (let i = 0; i < block.count; i++) {
        const start = block.bounds[2 * i] as number;
        if (!tracker.enter(block.bytes, start, block.bounds[2 * i + 1] as number)) continue;
        const next = this.#rangeOf(block.bytes, start, range);
        const roll = this.#set(open, range)?.isFull ?? false;
        if (next === range && !roll) continue;
        await this.#write(open, range, part(block, from, i));
        if (roll) await this.#close(open, range);
        [from, range] = [i, next];
      }
      await this.#write(open, range, part(block, from, block.count));
      count += batch.length;
      bytes += block.bytes.length;
    }
    for (const set of open.values()) await this.#finish(set);
    return { records: count, bytes, changedByTarget: [] };
  }

  /** Ranges ascend and cover the ring. */
  #rangeOf(bytes: Uint8Array, at: number, from: number): number {
    let range = from;
    const isPast = (): boolean => {
      const end = this.#ends[range] as Uint8Array;
      return compareRanges(bytes, at, at + tokenBytes, end, 0, tokenBytes) > 0;
    };
    while (range < this.#ends.length - 1 && isPast()) range++;
    return range;
  }

  #set(open: ReadonlyMap<string, OpenSet>, range: number): OpenSet | undefined {
    return open.get(this.#nameOf(range));
  }

  #nameOf(range: number): string {
    return [...(this.#options.ranges[range]?.replicas ?? [])].sort().join(',');
  }

  async #write(open: Map<string, OpenSet>, range: number, block: RecordBlock): Promise<void> {
    if (block.count === 0) return;
    const name = this.#nameOf(range);
    let set = open.get(name);
    if (!set) {
      set = await this.#open(this.#options.ranges[range] as ReplicaRange);
      open.set(name, set);
    }
    await set.writer.write(block);
  }

  async #close(open: Map<string, OpenSet>, range: number): Promise<void> {
    const name = this.#nameOf(range);
    const set = open.get(name);
    open.delete(name);
    if (set) await this.#finish(set);
  }

  async #open({ replicas }: ReplicaRange): Promise<OpenSet> {
    const { nodes, schema, table, bases } = this.#options;
    const targets = replicas.map((hostId) => {
      const node = nodes.find((one) => one.hostId === hostId);
      if (node) return node;
      throw new CodrError('target-unfit', `the replica ${hostId} is not configured`);
    });
    const number = ++this.#files;
    const [first] = targets;
    if (!first) throw new CodrError('target-unfit', `${table.keyspace} has no replicas`);
    await refuseFullDisk(first);
    const sink = new FileSink(await this.#prepared(first), number);
    const compression = schema.compression.enabled === 'false' ? 'none' : 'lz4';
    const writer = new SstableWriter(
      { schema: { ...schema, ...table }, keyspace: table.keyspace, compression, bases },
      sink,
    );
    return new OpenSet(writer, sink, targets);
  }

  /** The server renames what lies here: the folder belongs to the user who owns its data. */
  async #prepared(node: LoadNode): Promise<string> {
    const folder = this.folderOf(node);
    await mkdir(folder, { recursive: true });
    await ownedAs(join(node.staging, '..'), [node.staging, join(folder, '..'), folder]);
    return folder;
  }

  async #finish({ writer, sink, targets }: OpenSet): Promise<void> {
    const written = await writer.finish();
    await sink.close();
    this.cappedExpiries += written.cappedExpiries;
    const paths = sink.paths;
    await ownedAs(sink.folder, paths);
    for (const node of targets.slice(1)) {
      await refuseFullDisk(node);
      const folder = await this.#prepared(node);
      const copies = sink.names.map((name) => join(folder, name));
      for (const [i, path] of paths.entries()) await copyFile(path, copies[i] as string);
      await ownedAs(folder, copies);
    }
  }
}

class OpenSet {
  readonly writer: SstableWriter;
  readonly sink: FileSink;
  readonly targets: readonly LoadNode[];

  constructor(writer: SstableWriter, sink: FileSink, targets: readonly LoadNode[]) {
    this.writer = writer;
    this.sink = sink;
    this.targets = targets;
  }

  get isFull(): boolean {
    return this.writer.dataBytes >= fileBytesMax;
  }
}

/** Components as files of one folder, each opened at its first bytes. */
class FileSink {
  readonly folder: string;
  readonly names: string[] = [];
  readonly #prefix: string;
  readonly #files = new Map<SstableComponent, Awaited<ReturnType<typeof open>>>();

  constructor(folder: string, number: number) {
    this.folder = folder;
    this.#prefix = `nb-${number}-big-`;
  }

  get paths(): string[] {
    return this.names.map((name) => join(this.folder, name));
  }

  async write(component: SstableComponent, bytes: Uint8Array): Promise<void> {
    let file = this.#files.get(component);
    if (!file) {
      const name = this.#prefix + component;
      file = await open(join(this.folder, name), 'w');
      this.names.push(name);
      this.#files.set(component, file);
    }
    await file.write(bytes);
  }

  async close(): Promise<void> {
    for (const file of this.#files.values()) await file.close();
    this.#files.clear();
  }
}

/** Records [from, to) of a block; no copy of their bytes. */
function part({ bytes, bounds }: RecordBlock, from: number, to: number): RecordBlock {
  return { bytes, bounds: bounds.subarray(2 * from, 2 * to + 1), count: to - from };
}

/** As far as we may: one who is not root writes as himself, and the server says what it cannot move. */
async function ownedAs(folder: string, paths: readonly string[]): Promise<void> {
  const { uid, gid } = await stat(folder);
  if (process.getuid?.() !== 0) return;
  for (const path of paths) await chown(path, uid, gid);
}

async function refuseFullDisk({ address, staging }: LoadNode): Promise<void> {
  const { bavail, bsize } = await statfs(join(staging, '..'));
  if (bavail * bsize > freeBytesMin + fileBytesMax) return;
  throw new CodrError('target-unfit', `the disk of ${address} is full`, {
    object: staging,
    remedy: 'free space on the node; the same command goes on',
  });
}

/** Files that an import left: it took nothing of them, whatever it said. */
export async function leftOver(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => name.endsWith('-Data.db'));
}

export async function removeStaging({ staging }: LoadNode): Promise<void> {
  await rm(staging, { recursive: true, force: true });
}
