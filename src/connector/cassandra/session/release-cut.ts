// What is removed from the nodes when a cut has ended, and when a source goes. Files are only ever unlinked in
// `backups/`, never a folder: the server may be about to link into it. A failure here is logged, not thrown: what
// stays is found again by the next cut.
import type { Logger } from '../../../base/log.ts';
import { unmarkDoubt, unmarkLinks } from './links-owner.ts';
import {
  type CutNode,
  type NodeFiles,
  type NodeTask,
  type PreparedNode,
  tagOf,
} from './node-cut.ts';
import { deleteAllLinks, deleteLinks, listSnapshotTags, listTableFolders } from './node-files.ts';

/** A node that died meanwhile may not answer at all. */
const clearMs = 30_000;

/** Clears the snapshots of all nodes of the attempt; once committed, also the links. */
export async function releaseCut(
  { tag, tables, signal }: Pick<NodeTask, 'tag' | 'tables' | 'signal'>,
  prepared: readonly PreparedNode[],
  files: readonly NodeFiles[],
  { committed, log }: { readonly committed: boolean; readonly log: Logger },
): Promise<void> {
  const wanted = new Set(tables.map(({ id }) => id));
  // Cleaning up goes on when the work was cancelled; its calls have deadlines of their own.
  const call = { signal: signal.aborted ? new AbortController().signal : signal };
  await Promise.all(
    prepared.map(async ({ node, hostId }) => {
      try {
        await node.control.clearSnapshot(tagOf({ tag }, hostId), { ...call, deadlineMs: clearMs });
        const own = files.find((one) => one.hostId === hostId);
        if (!committed || !own) return;
        for (const { folder, names } of own.spent) {
          await deleteLinks(`${folder.folder}/backups`, names);
        }
        for (const folder of await listTableFolders(node.dataDirectories)) {
          await deleteAllLinks(folder, { onlyIndexes: wanted.has(folder.tableId) });
        }
        await unmarkDoubt(node.dataDirectories);
      } catch (error) {
        log.warn({ node: node.address, tag, error: String(error) }, 'a cut was not cleaned up');
      }
    }),
  );
}

/** Links off and all of them removed: the source goes. Returns nodes that failed. */
export async function stopLinks(
  nodes: readonly CutNode[],
  tagPrefix: string,
  signal: AbortSignal,
): Promise<{ address: string; reason: string }[]> {
  const failed: { address: string; reason: string }[] = [];
  await Promise.all(
    nodes.map(async ({ address, control, dataDirectories }) => {
      try {
        await control.setIncrementalBackups(false, { signal });
        const tags = new Set<string>();
        for (const folder of await listTableFolders(dataDirectories)) {
          await deleteAllLinks(folder);
          for (const tag of await listSnapshotTags(folder, tagPrefix)) tags.add(tag);
        }
        for (const tag of tags) await control.clearSnapshot(tag, { signal });
        await unmarkLinks(dataDirectories);
      } catch (error) {
        signal.throwIfAborted();
        failed.push({ address, reason: error instanceof Error ? error.message : String(error) });
      }
    }),
  );
  return failed;
}
