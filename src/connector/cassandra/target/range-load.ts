// Loads one ascending stream of records: cut by sets of replicas, each set into SSTables of its own. Several
// such loads of one table run side by side.
import type { RecordStream } from '../../../model/record.ts';
import type { LoadedRange } from '../../restore-target.ts';
import { blockOf, type RecordBlock } from '../record/record-block.ts';
import { PartitionTracker } from '../record/record-key.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import { SstableWriter } from '../sstable/write-sstable.ts';
import { partOf, type ReplicaSet, type ReplicaSets } from './replica-sets.ts';
import type { StagedSstable, StagedTable } from './staging.ts';
import type { TargetNode } from './target-nodes.ts';

/** Bytes of Data.db after which the next partition begins a new file. */
const rollBytes = 256 * 1024 * 1024;
/** Writers open at once: clusters of many small ranges have more sets than memory for buffers. */
const openMax = 48;

export interface LoadTask {
  readonly schema: TableSchema;
  /** The keyspace in the target. */
  readonly keyspace: string;
  readonly sets: ReplicaSets;
  readonly nodes: ReadonlyMap<string, TargetNode>;
  readonly staged: StagedTable;
  readonly signal: AbortSignal;
  /** For tests. */
  readonly rollBytes?: number;
}

export interface LoadCounts extends LoadedRange {
  /** Expiries after 2038 that the files cannot hold. */
  readonly capped: number;
}

export async function loadRange(task: LoadTask, records: RecordStream): Promise<LoadCounts> {
  const load = new RangeLoad(task);
  let [count, bytes] = [0, 0];
  try {
    for await (const batch of records) {
      task.signal.throwIfAborted();
      if (batch.length === 0) continue;
      const block = blockOf(batch);
      await load.add(block);
      count += block.count;
      bytes += block.bytes.length;
    }
    await load.finish();
  } catch (error) {
    await load.discard();
    throw error;
  }
  return { records: count, bytes, changedByTarget: [], capped: load.capped };
}

interface OpenFile {
  readonly writer: SstableWriter;
  readonly files: StagedSstable;
  /** Knows the partition that was written last. */
  readonly tracker: PartitionTracker;
}

class RangeLoad {
  capped = 0;
  readonly #task: LoadTask;
  /** The one that was written last is the last. */
  readonly #open = new Map<ReplicaSet, OpenFile>();

  constructor(task: LoadTask) {
    this.#task = task;
  }

  async add(block: RecordBlock): Promise<void> {
    for (const part of this.#task.sets.parts(block)) await this.#addPart(part.set, part.block);
  }

  async finish(): Promise<void> {
    for (const set of [...this.#open.keys()]) await this.#close(set);
  }

  async discard(): Promise<void> {
    for (const { files } of this.#open.values()) await files.discard();
    this.#open.clear();
  }

  async #addPart(set: ReplicaSet, block: RecordBlock): Promise<void> {
    const limit = this.#task.rollBytes ?? rollBytes;
    const known = this.#open.get(set);
    if (known && known.writer.dataBytes >= limit) {
      const begin = partitionBegin(known.tracker, block);
      if (begin > 0) await this.#write(set, partOf(block, 0, begin));
      if (begin === block.count) return;
      await this.#close(set);
      await this.#write(set, partOf(block, begin, block.count));
      return;
    }
    await this.#write(set, block);
  }

  async #write(set: ReplicaSet, block: RecordBlock): Promise<void> {
    const file = this.#open.get(set) ?? (await this.#begin(set));
    this.#open.delete(set);
    this.#open.set(set, file);
    await file.writer.write(block);
    const { bytes, bounds, count } = block;
    file.tracker.enter(bytes, bounds[2 * count - 2] as number, bounds[2 * count - 1] as number);
  }

  async #begin(set: ReplicaSet): Promise<OpenFile> {
    const [oldest] = this.#open.keys();
    if (oldest && this.#open.size >= openMax) await this.#close(oldest);
    const { schema, keyspace, staged, nodes } = this.#task;
    const replicas = set.hostIds.map((hostId) => nodes.get(hostId) as TargetNode);
    const files = await staged.open(replicas);
    const compression = schema.compression.class === undefined ? 'none' : 'lz4';
    const writer = new SstableWriter({ schema, keyspace, compression }, files);
    return { writer, files, tracker: new PartitionTracker() };
  }

  async #close(set: ReplicaSet): Promise<void> {
    const file = this.#open.get(set);
    if (!file) return;
    const { cappedExpiries } = await file.writer.finish();
    await file.files.close();
    this.capped += cappedExpiries;
    this.#open.delete(set);
  }
}

/** The first record that is not of the tracker's partition. */
function partitionBegin(tracker: PartitionTracker, { bytes, bounds, count }: RecordBlock): number {
  for (let i = 0; i < count; i++) {
    const [start, end] = [bounds[2 * i] as number, bounds[2 * i + 1] as number];
    if (tracker.enter(bytes, start, end)) return i;
  }
  return count;
}
