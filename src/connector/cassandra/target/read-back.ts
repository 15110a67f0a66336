// The target captured again: a snapshot of one table on every node, read while the table may go on changing.
// What a read at the second of the snapshot would see, and the same on every replica.
import { CodrError } from '../../../base/error.ts';
import type { KeyRange } from '../../../model/key-range.ts';
import type { RecordStream } from '../../../model/record.ts';
import { liveAt } from '../fold-range.ts';
import { keepTokens } from '../merge/foreign-partitions.ts';
import { mergeBlocks } from '../merge/merge-blocks.ts';
import { type BlockStream, batchOf } from '../record/record-block.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import { tokensOf } from '../session/cut-reader.ts';
import type { CutNode } from '../session/node-cut.ts';
import {
  type ListedSstable,
  listSstables,
  listTableFolders,
  openSstable as openFiles,
} from '../session/node-files.ts';
import { type Replication, type RingNode, replicasOf } from '../session/replica-placement.ts';
import { openSstable } from '../sstable/open-sstable.ts';
import { unanimous } from './unanimous.ts';

export interface FrozenTable {
  readonly schema: TableSchema;
  /** UUID of the table in the target. */
  readonly tableId: string;
  readonly nodes: readonly (CutNode & { readonly hostId: string })[];
  readonly members: readonly RingNode[];
  readonly replication: Replication;
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
  { range, nowMs }: { readonly range: KeyRange; readonly nowMs: number },
  signal: AbortSignal,
): RecordStream {
  const { schema, nodes, members, replication } = frozen;
  const replicas = nodes.map(({ hostId, address }) => {
    const owned = tokensOf(members, replication, hostId);
    const inputs = (files.get(hostId) ?? []).map((file) =>
      keepTokens(fileBlocks(file, range, signal), owned),
    );
    const merged = mergeBlocks(inputs, { signal, clusteringCount: schema.clustering.length });
    return { hostId, address, records: batches(liveAt(merged, schema, nowMs)) };
  });
  return unanimous(
    replicas,
    replicasOf(members, replication),
    `${schema.keyspace}.${schema.table}`,
  );
}

async function* fileBlocks(file: ListedSstable, range: KeyRange, signal: AbortSignal): BlockStream {
  await using files = openFiles(file);
  const sstable = await openSstable(files);
  yield* sstable.records(range, signal);
}

async function* batches(blocks: BlockStream): RecordStream {
  for await (const block of blocks) yield batchOf(block);
}
