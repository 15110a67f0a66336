// Loads a table: its records, in several streams side by side, become SSTables as the table's compaction strategy
// wants them. Streams that follow one another in key order share files, so that many small ranges do not end in as
// many small files.
import { assert } from '../../../base/assert.ts';
import { compareBytes } from '../../../base/bytes.ts';
import { batchBytes, type RecordStream } from '../../../model/record.ts';
import { type BlockStream, blockOf, type RecordBlock } from '../../../model/record-block.ts';
import type { LoadedRange } from '../../restore-target.ts';
import type { SortingSpace } from '../session/owned-blocks.ts';
import { levelFor } from './file-layout.ts';
import { FileSet, type FileSetOptions } from './file-set.ts';
import { ownedParts } from './owned-parts.ts';
import type { ReplicaSet, ReplicaSets } from './replica-sets.ts';
import { filesOfNodes, StagedSstable, type WholeFile } from './staging.ts';

export interface TableLoadOptions extends Omit<FileSetOptions, 'partitioner' | 'spill'> {
  readonly sets: ReplicaSets;
  /** For a target whose files are in another order than records, and for what waits. */
  readonly sorting: SortingSpace;
}

/** A file, and how large it is. */
export interface LoadedFile extends WholeFile {
  /** Of Data.db as stored. */
  readonly bytes: number;
}

export interface LoadedFiles {
  readonly records: number;
  readonly bytes: number;
  /** Expiries after 2038 that the files cannot hold. */
  readonly capped: number;
  readonly files: readonly LoadedFile[];
}

export interface FinishedLoad extends LoadedFiles {
  /** Files have the level of their place: it is to be kept. */
  readonly hasLevels: boolean;
}

/** Files that go on with the next stream that begins behind `last`. */
interface Lane {
  readonly files: FileSet;
  last: Uint8Array;
}

export class TableLoad {
  readonly #options: TableLoadOptions;
  readonly #counts = { records: 0, bytes: 0, capped: 0 };
  /** Of other processes. */
  readonly #adopted: LoadedFile[] = [];
  readonly #lanes: Lane[] = [];
  readonly #free = new Set<Lane>();
  /** Of a table in levels: each node has files of its own, that none of its others overlaps. */
  readonly #single = new Map<string, ReplicaSet>();

  constructor(options: TableLoadOptions) {
    this.#options = options;
  }

  /** Ascending records of a range that no other load has a part of. */
  async load(records: RecordStream, signal: AbortSignal): Promise<LoadedRange> {
    const { sets, sorting } = this.#options;
    const counts = { records: 0, bytes: 0 };
    const first: Uint8Array[] = [];
    let last: Uint8Array = new Uint8Array(0);
    const blocks = async function* (): BlockStream {
      for await (const batch of records) {
        signal.throwIfAborted();
        const [begin, end] = [batch.at(0), batch.at(-1)];
        if (!begin || !end) continue;
        if (first.length === 0) first.push(begin.key);
        last = end.key;
        const block = blockOf(batch);
        counts.records += block.count;
        counts.bytes += batchBytes(batch);
        yield block;
      }
    };
    let lane: Lane | undefined;
    for await (const { set, block } of ownedParts(blocks(), sets, { ...sorting, signal })) {
      // Known with the first record.
      lane ??= this.#laneBehind(first[0] as Uint8Array);
      await this.#add(lane.files, set, block);
    }
    if (lane) {
      lane.last = Uint8Array.from(last);
      // Files of levels must not span what another stream has.
      if (this.#isLevelled) await lane.files.finish();
      else this.#free.add(lane);
    }
    this.#counts.records += counts.records;
    this.#counts.bytes += counts.bytes;
    return { ...counts, changedByTarget: [] };
  }

  /** What another process has loaded of the table, of ranges that nobody else has. */
  adopt({ records, bytes, capped, files }: LoadedFiles): void {
    this.#counts.records += records;
    this.#counts.bytes += bytes;
    this.#counts.capped += capped;
    this.#adopted.push(...files);
  }

  /** All files are on disk when this returns. No load goes on. */
  async finish(): Promise<FinishedLoad> {
    const files = [...this.#adopted];
    let own = 0;
    for (const lane of this.#lanes) {
      await lane.files.finish();
      own += lane.files.capped;
      for (const { set, files: sstable, bytes } of lane.files.written) {
        files.push({ hostIds: set.hostIds, place: sstable.place, bytes });
      }
    }
    const capped = this.#counts.capped + own / this.#copies;
    return { ...this.#counts, capped, files, hasLevels: this.#isLevelled };
  }

  /** After {@link finish}, when there is no other load of the table: files say the level that holds all of a node's. */
  async setLevels(files: readonly LoadedFile[]): Promise<void> {
    const { layout, nodes } = this.#options;
    const filesOf = filesOfNodes(nodes);
    for (const own of Map.groupBy(files, ({ hostIds }) => hostIds.join()).values()) {
      const level = levelFor(
        own.reduce((sum, { bytes }) => sum + bytes, 0),
        layout,
      );
      for (const { place } of own) await new StagedSstable(place, filesOf).setLevel(level);
    }
  }

  /** After an error, or when nobody goes on: open files are closed and removed. */
  async discard(): Promise<void> {
    for (const { files } of this.#lanes) await files.discard();
    this.#lanes.length = 0;
  }

  /** What is sorted for another partitioner comes set by set, so the files of a node overlap. */
  get #isLevelled(): boolean {
    const { layout, sets } = this.#options;
    return layout.kind === 'levels' && sets.partitioner.isRecordOrder;
  }

  /** Nodes share no files: each record is encoded once for each of its replicas. */
  get #isApart(): boolean {
    return this.#isLevelled && this.#options.sets.all.length > 1;
  }

  get #copies(): number {
    if (!this.#isApart) return 1;
    const { all } = this.#options.sets;
    const sizes = new Set(all.map(({ hostIds }) => hostIds.length));
    assert(sizes.size === 1, 'a strategy gives every token as many replicas');
    return all[0]?.hostIds.length ?? 1;
  }

  #laneBehind(key: Uint8Array): Lane {
    for (const lane of this.#free) {
      if (compareBytes(lane.last, key) >= 0) continue;
      this.#free.delete(lane);
      return lane;
    }
    const { sets, sorting } = this.#options;
    const { partitioner } = sets;
    const files = new FileSet({ ...this.#options, partitioner, spill: sorting.spill });
    const lane: Lane = { files, last: new Uint8Array(0) };
    this.#lanes.push(lane);
    return lane;
  }

  async #add(files: FileSet, set: ReplicaSet, block: RecordBlock): Promise<void> {
    if (!this.#isApart) {
      await files.add(set, block);
      return;
    }
    for (const hostId of set.hostIds) {
      const own = this.#single.get(hostId) ?? { hostIds: [hostId] };
      this.#single.set(hostId, own);
      await files.add(own, block);
    }
  }
}
