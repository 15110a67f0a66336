// The target captured again: a snapshot of one table on every node, read while the table may go on changing.
import { createHash } from 'node:crypto';
import { CodrError } from '../../../base/error.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import {
  identityOf,
  type ListedSstable,
  listSstables,
  listTableFolders,
} from '../session/node-files.ts';
import type { SortingSpace } from '../session/owned-blocks.ts';
import type { Replication } from '../session/replica-placement.ts';
import type { Ring } from '../session/ring.ts';
import type { TargetNode } from './target-nodes.ts';

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

/** Flushes and snapshots the table on every node; no call goes on when this returns. */
export async function takeSnapshots(
  {
    schema,
    nodes,
    tag,
  }: Pick<FrozenTable, 'nodes' | 'tag'> & {
    readonly schema: Pick<TableSchema, 'keyspace' | 'table'>;
  },
  signal: AbortSignal,
): Promise<void> {
  const table = `${schema.keyspace}.${schema.table}`;
  const options = { skipFlush: false };
  const taken = await Promise.allSettled(
    nodes.map(({ control }) => control.takeSnapshot(tag, [table], options, { signal })),
  );
  const failed = taken.find((one) => one.status === 'rejected');
  if (failed) throw failed.reason;
}

/** Every node is asked, whatever another one says. Errors: the first. */
export async function clearSnapshots(
  { nodes, tag }: Pick<FrozenTable, 'nodes' | 'tag'>,
  signal: AbortSignal,
): Promise<void> {
  const cleared = await Promise.allSettled(
    nodes.map(({ control }) => control.clearSnapshot(tag, { signal })),
  );
  const failed = cleared.find((one) => one.status === 'rejected');
  if (failed) throw failed.reason;
}

/** The files of the snapshots by host. Errors: `proof-failed` when one is not whole. */
export async function snapshotFiles({
  tableId,
  nodes,
  tag,
}: Pick<FrozenTable, 'tableId' | 'nodes' | 'tag'>): Promise<Map<string, ListedSstable[]>> {
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
