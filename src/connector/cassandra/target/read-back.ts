// The target captured again: a snapshot of one table on every node, read while the table may go on changing.
// What a read at the second of the snapshot would see, and the same on every replica.
import { CodrError } from '../../../base/error.ts';
import type { KeyRange } from '../../../model/key-range.ts';
import type { RecordStream } from '../../../model/record.ts';
import type { FrozenMoment } from '../../restore-target.ts';
import { liveAt } from '../fold-range.ts';
import { keptAt } from '../kept-records.ts';
import type { Partitioner } from '../key/partitioner.ts';
import { dropColumns } from '../merge/live-form.ts';
import { mergeBlocks } from '../merge/merge-blocks.ts';
import { type BlockStream, batchOf } from '../record/record-block.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import type { CutNode } from '../session/node-cut.ts';
import {
  type ListedSstable,
  listSstables,
  listTableFolders,
  openSstable as openFiles,
} from '../session/node-files.ts';
import { ownedBlocks, type SortingSpace, shareOf } from '../session/owned-blocks.ts';
import type { Replication } from '../session/replica-placement.ts';
import { partitionerOf, type Ring } from '../session/ring.ts';
import { openSstable } from '../sstable/open-sstable.ts';
import { recordOwners } from './record-owners.ts';
import { unanimous } from './unanimous.ts';

export interface FrozenTable {
  readonly schema: TableSchema;
  /** UUID of the table in the target. */
  readonly tableId: string;
  readonly nodes: readonly (CutNode & { readonly hostId: string })[];
  readonly ring: Pick<Ring, 'nodes' | 'partitioner'>;
  readonly replication: Replication;
  /** For files that are in another order than records. */
  readonly sorting: SortingSpace;
  readonly tag: string;
}

/** Flushes and snapshots the table on every node; gives its files by host. */
export async function snapshotTable(
  { schema, tableId, nodes, tag }: FrozenTable,
  signal: AbortSignal,
): Promise<Map<string, ListedSstable[]>> {
  const found = new Map<string, ListedSstable[]>();
  await Promise.all(
    nodes.map(async ({ control, dataDirectories, hostId }) => {
      const table = `${schema.keyspace}.${schema.table}`;
      await control.takeSnapshot(tag, [table], { skipFlush: false }, { signal });
      const files: ListedSstable[] = [];
      for (const folder of await listTableFolders(dataDirectories)) {
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

/** Live records of a range as of `nowMs`, each the same on all its replicas. Errors: `proof-failed`. */
export function readFrozen(
  frozen: FrozenTable,
  files: ReadonlyMap<string, readonly ListedSstable[]>,
  { range, ...moment }: { readonly range: KeyRange } & FrozenMoment,
  signal: AbortSignal,
): RecordStream {
  const { schema, nodes, ring, replication } = frozen;
  const fileCount = nodes.reduce((sum, { hostId }) => sum + (files.get(hostId)?.length ?? 0), 0);
  const space = shareOf(frozen.sorting, fileCount);
  const replicas = nodes.map(({ hostId, address }) => {
    const owner = { ring, replication, hostId };
    const inputs = (files.get(hostId) ?? []).map((file) =>
      ownedBlocks(fileBlocks(file, partitionerOf(ring), range, signal), owner, space, signal),
    );
    const merged = mergeBlocks(inputs, { signal, clusteringCount: schema.clustering.length });
    return { hostId, address, records: batches(formAt(merged, schema, moment)) };
  });
  const ownersOf = recordOwners(ring, replication);
  return unanimous(replicas, ownersOf, `${schema.keyspace}.${schema.table}`);
}

async function* fileBlocks(
  file: ListedSstable,
  partitioner: Partitioner,
  range: KeyRange,
  signal: AbortSignal,
): BlockStream {
  await using files = openFiles(file);
  const sstable = await openSstable(files, partitioner);
  yield* sstable.records(range, signal);
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
