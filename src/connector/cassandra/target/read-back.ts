// The target captured again: a snapshot of one table on every node, read while the table may go on changing.
// What a read at the second of the snapshot would see, and the same on every replica.
import { createHash } from 'node:crypto';
import { CodrError } from '../../../base/error.ts';
import type { KeyRange } from '../../../model/key-range.ts';
import type { RecordStream } from '../../../model/record.ts';
import { type BlockStream, batchOf } from '../../../model/record-block.ts';
import type { FrozenMoment } from '../../restore-target.ts';
import { liveAt } from '../fold-range.ts';
import { keptAt } from '../kept-records.ts';
import type { Partitioner } from '../key/partitioner.ts';
import { dropColumns } from '../merge/live-form.ts';
import { mergeBlocks } from '../merge/merge-blocks.ts';
import { mergeStaged } from '../merge/staged-merge.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import { FileExtents, type FileInput, openLimits } from '../session/file-inputs.ts';
import {
  identityOf,
  type ListedSstable,
  listSstables,
  listTableFolders,
  openSstable as openFiles,
  type ReadsOf,
} from '../session/node-files.ts';
import { ownedBlocks, type SortingSpace, shareOf } from '../session/owned-blocks.ts';
import type { Replication } from '../session/replica-placement.ts';
import { partitionerOf, type Ring } from '../session/ring.ts';
import { notBefore } from '../sstable/key-extent.ts';
import { openSstable } from '../sstable/open-sstable.ts';
import { recordOwners } from './record-owners.ts';
import type { TargetNode } from './target-nodes.ts';
import { unanimous } from './unanimous.ts';

export interface FrozenTable {
  readonly schema: TableSchema;
  /** UUID of the table in the target. */
  readonly tableId: string;
  readonly nodes: readonly TargetNode[];
  readonly ring: Pick<Ring, 'nodes' | 'partitioner'>;
  readonly replication: Replication;
  /** For files that are in another order than records. */
  readonly sorting: SortingSpace;
  readonly tag: string;
}

/** Flushes and snapshots the table on every node. */
export async function takeSnapshots(
  { schema, nodes, tag }: FrozenTable,
  signal: AbortSignal,
): Promise<void> {
  const table = `${schema.keyspace}.${schema.table}`;
  const options = { skipFlush: false };
  await Promise.all(
    nodes.map(({ control }) => control.takeSnapshot(tag, [table], options, { signal })),
  );
}

/** The files of the snapshots by host. Errors: `proof-failed` when one is not whole. */
export async function snapshotFiles({
  tableId,
  nodes,
  tag,
}: FrozenTable): Promise<Map<string, ListedSstable[]>> {
  const found = new Map<string, ListedSstable[]>();
  await Promise.all(
    nodes.map(async (node) => {
      const { hostId } = node;
      const files: ListedSstable[] = [];
      for (const folder of await listTableFolders(node)) {
        if (folder.tableId !== tableId) continue;
        const { complete, partial } = await listSstables(hostId, folder, `snapshots/${tag}`);
        if (partial.length > 0) {
          throw new CodrError('proof-failed', `${folder.folder}: ${partial[0]} is not whole`);
        }
        files.push(...complete);
      }
      found.set(hostId, files);
    }),
  );
  return found;
}

/** The same for whoever sees the same files. */
export function filesDigest(files: ReadonlyMap<string, readonly ListedSstable[]>): string {
  const lines = [...files].flatMap(([hostId, own]) =>
    own.map((file) => `${hostId} ${file.folder} ${identityOf(file)}`),
  );
  return createHash('sha256').update(lines.sort().join('\n')).digest('hex');
}

/** Live records of a range as of `nowMs`, each the same on all its replicas. Errors: `proof-failed`. */
export function readFrozen(
  frozen: FrozenTable,
  files: ReadonlyMap<string, readonly ListedSstable[]>,
  { range, ...moment }: { readonly range: KeyRange } & FrozenMoment,
  signal: AbortSignal,
): RecordStream {
  const { schema, nodes, ring, replication } = frozen;
  const replicas = nodes.map(({ hostId, address, files: access }) => {
    const own = { hostId, files: files.get(hostId) ?? [], filesOf: () => access, range };
    const merged = replicaBlocks(frozen, own, signal);
    return { hostId, address, records: batches(formAt(merged, schema, moment)) };
  });
  const ownersOf = recordOwners(ring, replication);
  return unanimous(replicas, ownersOf, `${schema.keyspace}.${schema.table}`);
}

interface ReplicaFiles {
  readonly hostId: string;
  readonly files: readonly ListedSstable[];
  readonly filesOf: ReadsOf;
  readonly range: KeyRange;
}

/** However many files there are: all replicas together keep within the limit of memory. */
async function* replicaBlocks(
  { schema, nodes, ring, replication, sorting }: FrozenTable,
  { hostId, files, filesOf, range }: ReplicaFiles,
  signal: AbortSignal,
): BlockStream {
  const partitioner = partitionerOf(ring);
  const limits = openLimits(Math.floor(sorting.memoryBytesMax / nodes.length), files.length);
  const { openMax, bufferBytes } = limits;
  const space = shareOf(sorting, nodes.length * Math.min(files.length, openMax));
  const { length: clusteringCount } = schema.clustering;
  const options = { signal, clusteringCount };
  const merged = (some: readonly FileInput[]): BlockStream => {
    const streams = some.map(({ file, first }) => {
      const records = fileBlocks(file, { partitioner, range, bufferBytes, first, filesOf }, signal);
      const blocks = ownedBlocks(records, { ring, replication, hostId }, space, signal);
      return first ? { from: first, blocks } : blocks;
    });
    return mergeBlocks(streams, options);
  };
  const inputs = await new FileExtents(partitioner, filesOf).inputs(files, limits, signal);
  yield* mergeStaged(inputs, { openMax, spill: sorting.spill, merged, ...options });
}

interface FileReading {
  readonly partitioner: Partitioner;
  readonly range: KeyRange;
  readonly bufferBytes: number;
  readonly first: Uint8Array | undefined;
  readonly filesOf: ReadsOf;
}

async function* fileBlocks(
  file: ListedSstable,
  { partitioner, range, bufferBytes, first, filesOf }: FileReading,
  signal: AbortSignal,
): BlockStream {
  await using files = openFiles(file, filesOf);
  const sstable = await openSstable(files, partitioner);
  const records = sstable.records(range, signal, { bufferBytes });
  yield* first ? notBefore(records, first, files) : records;
}

/** What lives, and with kept deletions those that no compaction may have dropped. */
function formAt(
  merged: BlockStream,
  schema: TableSchema,
  { nowMs, deletionsSinceMs: sinceMs }: FrozenMoment,
): BlockStream {
  return sinceMs === undefined
    ? liveAt(merged, schema, nowMs)
    : keptAt(dropColumns(merged, schema), schema, { nowMs, sinceMs });
}

async function* batches(blocks: BlockStream): RecordStream {
  for await (const block of blocks) yield batchOf(block);
}
