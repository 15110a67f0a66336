// Reads frozen tables back: ranges side by side in threads, or in this one where a thread cannot.
import type { FileAccess } from '../../../base/file-access.ts';
import { moduleUrl } from '../../../base/module-url.ts';
import type { KeyRange } from '../../../model/key-range.ts';
import type { RecordStream } from '../../../model/record.ts';
import { batchesOf } from '../../../model/record-block.ts';
import type { FrozenMoment } from '../../restore-target.ts';
import { BlockPool } from '../session/block-pool.ts';
import { localFiles } from '../session/local-files.ts';
import type { ListedSstable } from '../session/node-files.ts';
import type { FrozenTable } from './read-back.ts';
import { type FrozenRead, frozenBlocks, isReadAtOnce } from './read-frozen.ts';

/** Of a table. */
export interface FrozenPart {
  /** By host id. */
  readonly files: ReadonlyMap<string, readonly ListedSstable[]>;
  readonly moment: FrozenMoment;
  readonly range: KeyRange;
}

export class FrozenReader implements AsyncDisposable {
  readonly #pool: BlockPool<FrozenRead> | undefined;

  /** Threads are started when they are first needed. */
  constructor(threads: number | undefined) {
    const module = moduleUrl('./read-frozen-worker.ts', import.meta.url);
    this.#pool = threads ? new BlockPool(threads, module) : undefined;
  }

  /** Records that live, each the same on all its replicas. Errors: `proof-failed`. */
  async *read(
    { schema, ring, replication, nodes, sorting }: FrozenTable,
    { files, moment, range }: FrozenPart,
    signal: AbortSignal,
  ): RecordStream {
    const { memoryBytesMax, spill } = sorting;
    const replicas = nodes.map(({ hostId, address }) => {
      return { hostId, address, files: files.get(hostId) ?? [] };
    });
    const plainRing = { nodes: ring.nodes, partitioner: ring.partitioner };
    const of = { schema, ring: plainRing, replication, replicas };
    const read: FrozenRead = { ...of, moment, range, memoryBytesMax };
    const access = new Map(nodes.map((node) => [node.hostId, node.files]));
    const filesOf = (hostId: string): FileAccess => access.get(hostId) as FileAccess;
    // A thread has no connection to the peer that sees a node.
    const fitsThread = nodes.every((node) => node.files.isHere) && isReadAtOnce(read);
    const blocks =
      this.#pool && fitsThread
        ? this.#pool.run(read, () => localFiles, signal)
        : frozenBlocks(read, { filesOf, spill }, signal);
    yield* batchesOf(blocks);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool?.[Symbol.asyncDispose]();
  }
}
