// Counters that somebody adds to while their files are imported: a node that counted in the source has two histories of
// its own shard then, and the merge keeps one of them, by its clock: what was restored is lost, or what was added. What
// was written leaves a span of the commit log in a file of the node, through every compaction; files of a restore have none.
import { forEachLimit } from '../../../base/async.ts';
import { CodrError } from '../../../base/error.ts';
import { readProof } from '../session/commit-log-intervals.ts';
import { readComponent } from '../session/node-files.ts';
import { clearSnapshots, type FrozenTable, snapshotFiles, takeSnapshots } from './read-back.ts';
import type { TargetNode } from './target-nodes.ts';

/** A table of counters, and the snapshot in which it is looked at. */
export type CountedTable = Pick<FrozenTable, 'tableId' | 'nodes' | 'tag'> & {
  readonly schema: Pick<FrozenTable['schema'], 'keyspace' | 'table'>;
};

/**
 * After the import: every node counts on from what it has now. Errors: `target-unfit`, where something was written before
 * that.
 */
export async function countOn(table: CountedTable, signal: AbortSignal): Promise<void> {
  for (const { control } of table.nodes) await control.invalidateCounterCache({ signal });
  await clearSnapshots(table, signal);
  try {
    await takeSnapshots(table, signal);
    await refuseCounted(table);
  } catch (error) {
    // One that cannot be cleared now is cleared by the run that goes on.
    await clearSnapshots(table, new AbortController().signal).catch(() => {});
    throw error;
  }
  await clearSnapshots(table, signal);
}

/** Looks at the files of a snapshot that is there. Errors: `target-unfit`. */
export async function refuseCounted(table: CountedTable): Promise<void> {
  const { schema, nodes } = table;
  const found = await snapshotFiles(table);
  const check = async ({ hostId, files }: TargetNode): Promise<void> => {
    for (const listed of found.get(hostId) ?? []) {
      const statistics = await readComponent(listed, 'Statistics.db', files);
      // What cannot be told counts as written.
      const proof = readProof(listed.version, statistics, hostId);
      if (proof?.intervals.length !== 0) throw incremented(`${schema.keyspace}.${schema.table}`);
    }
  };
  await forEachLimit(nodes, nodes.length, check);
}

export function incremented(namespace: string): CodrError {
  const message = `counters of ${namespace} were incremented while it was restored`;
  const remedy = 'stop those who count, and run the same command again';
  return new CodrError('target-unfit', message, { object: namespace, remedy });
}
