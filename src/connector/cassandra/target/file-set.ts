// The SSTables of one ascending stream that are being written: one for each set of nodes, of a table in windows one
// for each window of each. Only some are open at once: what is for others waits in scratch space, in order, and is
// written when these are done, so memory and open files are bounded whatever the number of sets and windows.
import { assert } from '../../../base/assert.ts';
import type { Spill, SpillFile } from '../../../base/spill.ts';
import type { RecordBlock } from '../../../model/record-block.ts';
import type { Partitioner } from '../key/partitioner.ts';
import { PartitionTracker } from '../record/record-key.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import { type Encoding, type FileEncoder, ownEncoding } from './file-encoder.ts';
import type { FileLayout } from './file-layout.ts';
import { partOf, type ReplicaSet } from './replica-sets.ts';
import type { StagedSstable, StagedTable } from './staging.ts';
import type { TargetNode } from './target-nodes.ts';
import { WindowSplit } from './window-split.ts';

/** Each takes some MiB and, on each of its nodes, some handles. */
const openFilesMax = 32;
/** Of a set, a window, a count and a length before the bounds and bytes of what waits. */
const frameHeadBytes = 20;
const spillBufferBytes = 1024 * 1024;

export interface FileSetOptions {
  readonly schema: TableSchema;
  /** The keyspace in the target. */
  readonly keyspace: string;
  readonly layout: FileLayout;
  readonly partitioner: Partitioner;
  readonly nodes: ReadonlyMap<string, TargetNode>;
  readonly staged: StagedTable;
  readonly spill: Spill;
  /** Threads that write the files; absent: this one. */
  readonly encoding?: Encoding;
  /** For tests. */
  readonly openMax?: number;
}

/** A finished SSTable. */
export interface WrittenFile {
  readonly files: StagedSstable;
  readonly set: ReplicaSet;
  /** Of Data.db. */
  readonly bytes: number;
}

/** Some blocks more than asked for do not matter in files of this size. */
const toldLateBytes = 64 * 1024 * 1024;

interface OpenFile {
  readonly set: ReplicaSet;
  readonly encoder: FileEncoder;
  readonly files: StagedSstable;
  /** Knows the partition that was written last. */
  readonly tracker: PartitionTracker;
}

/** After an error it is good for nothing but {@link discard}. */
export class FileSet {
  readonly written: WrittenFile[] = [];
  /** Expiries after 2038 that the files cannot hold. */
  capped = 0;
  readonly #options: FileSetOptions;
  readonly #splits = new Map<ReplicaSet, WindowSplit>();
  /** By set and window. */
  readonly #open = new Map<string, OpenFile>();
  /** Sets by their numbers in what waits. */
  readonly #sets: ReplicaSet[] = [];
  #waiting: WaitingBlocks | undefined;

  constructor(options: FileSetOptions) {
    this.#options = options;
  }

  /** Records of one set, which follow those before. */
  async add(set: ReplicaSet, block: RecordBlock): Promise<void> {
    const { schema, layout } = this.#options;
    if (layout.windowUnits === undefined) {
      await this.#give(set, 0, block);
      return;
    }
    const split =
      this.#splits.get(set) ?? new WindowSplit(schema.clustering.length, layout.windowUnits);
    this.#splits.set(set, split);
    for (const part of split.parts(block)) await this.#give(set, part.window, part.block);
  }

  /** All files are whole and on disk when this returns. */
  async finish(): Promise<void> {
    for (;;) {
      for (const name of [...this.#open.keys()]) await this.#close(name);
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (!waiting) return;
      try {
        for await (const { set, window, block } of waiting.blocks()) {
          await this.#give(this.#sets[set] as ReplicaSet, window, block);
        }
      } finally {
        await waiting[Symbol.asyncDispose]();
      }
    }
  }

  /** Nothing that is not finished stays. */
  async discard(): Promise<void> {
    for (const { encoder } of this.#open.values()) await encoder.discard();
    this.#open.clear();
    await this.#waiting?.[Symbol.asyncDispose]();
    this.#waiting = undefined;
  }

  async #give(set: ReplicaSet, window: number, block: RecordBlock): Promise<void> {
    const number = this.#numberOf(set);
    const name = `${number} ${window}`;
    const known = this.#open.get(name);
    if (!known && this.#open.size >= (this.#options.openMax ?? openFilesMax)) {
      this.#waiting ??= await WaitingBlocks.open(this.#options.spill);
      await this.#waiting.add(number, window, block);
      return;
    }
    if (known && known.encoder.dataBytes >= this.#options.layout.fileBytes) {
      const begin = partitionBegin(known.tracker, block);
      if (begin > 0) await this.#write(name, set, partOf(block, 0, begin));
      if (begin === block.count) return;
      await this.#close(name);
      await this.#write(name, set, partOf(block, begin, block.count));
      return;
    }
    await this.#write(name, set, block);
  }

  #numberOf(set: ReplicaSet): number {
    const known = this.#sets.indexOf(set);
    return known >= 0 ? known : this.#sets.push(set) - 1;
  }

  async #write(name: string, set: ReplicaSet, block: RecordBlock): Promise<void> {
    const file = this.#open.get(name) ?? (await this.#begin(name, set));
    await file.encoder.write(block);
    const { bytes, bounds, count } = block;
    file.tracker.enter(bytes, bounds[2 * count - 2] as number, bounds[2 * count - 1] as number);
  }

  async #begin(name: string, set: ReplicaSet): Promise<OpenFile> {
    const { schema, keyspace, staged, nodes, partitioner } = this.#options;
    const files = await staged.open(set.hostIds.map((hostId) => nodes.get(hostId) as TargetNode));
    const compression = schema.compression.class === undefined ? 'none' : 'lz4';
    const options = { schema, keyspace, compression, partitioner } as const;
    const { encoding = ownEncoding, layout } = this.#options;
    // A thread tells late how large its file is: where files are small that would be too late.
    const where = layout.fileBytes < toldLateBytes ? ownEncoding : encoding;
    const encoder = where.open(options, files);
    const file = { set, encoder, files, tracker: new PartitionTracker() };
    this.#open.set(name, file);
    return file;
  }

  async #close(name: string): Promise<void> {
    const { set, encoder, files } = this.#open.get(name) as OpenFile;
    const { cappedExpiries, bytes } = await encoder.finish();
    this.capped += cappedExpiries;
    this.#open.delete(name);
    this.written.push({ files, set, bytes });
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

/** Blocks in scratch space, given back in the order in which they came. */
class WaitingBlocks implements AsyncDisposable {
  readonly #file: SpillFile;
  readonly #buffer: Buffer[] = [];
  #bytes = 0;

  private constructor(file: SpillFile) {
    this.#file = file;
  }

  static async open(spill: Spill): Promise<WaitingBlocks> {
    return new WaitingBlocks(await spill.open());
  }

  async add(set: number, window: number, { bytes, bounds, count }: RecordBlock): Promise<void> {
    const from = bounds[0] as number;
    const to = bounds[2 * count] as number;
    const head = Buffer.alloc(frameHeadBytes + 4 * bounds.length);
    head.writeUInt32BE(set, 0);
    head.writeDoubleBE(window, 4);
    head.writeUInt32BE(count, 12);
    head.writeUInt32BE(to - from, 16);
    bounds.forEach((bound, i) => {
      head.writeUInt32BE(bound - from, frameHeadBytes + 4 * i);
    });
    this.#buffer.push(head, Buffer.from(bytes.subarray(from, to)));
    this.#bytes += head.length + to - from;
    if (this.#bytes >= spillBufferBytes) await this.#flush();
  }

  async *blocks(): AsyncGenerator<{ set: number; window: number; block: RecordBlock }> {
    await this.#flush();
    let at = 0;
    while (at < this.#file.length) {
      const head = Buffer.from(await this.#file.read(at, frameHeadBytes));
      const count = head.readUInt32BE(12);
      const length = head.readUInt32BE(16);
      const boundBytes = 4 * (2 * count + 1);
      const body = Buffer.from(await this.#file.read(at + frameHeadBytes, boundBytes + length));
      assert(body.length === boundBytes + length, 'scratch space gives back what it was given');
      at += frameHeadBytes + body.length;
      const bounds = new Uint32Array(2 * count + 1);
      for (let i = 0; i < bounds.length; i++) bounds[i] = body.readUInt32BE(4 * i);
      const bytes = body.subarray(boundBytes);
      const block = { bytes, bounds, count };
      yield { set: head.readUInt32BE(0), window: head.readDoubleBE(4), block };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file[Symbol.asyncDispose]();
  }

  async #flush(): Promise<void> {
    const all = Buffer.concat(this.#buffer);
    this.#buffer.length = 0;
    this.#bytes = 0;
    if (all.length > 0) await this.#file.append(all);
  }
}
