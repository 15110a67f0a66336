// What is removed from the nodes when a cut has ended, and when a source goes. Files are only ever unlinked in
// `backups/`, never a folder: the server may be about to link into it. A failure here is logged, not thrown: what
// stays is found again by the next cut.
import type { Logger } from '../../../base/log.ts';
import { type LinksOwner, linksOwner, unmarkDoubt, unmarkLinks } from './links-owner.ts';
import {
  type CutNode,
  type NodeFiles,
  type NodeTask,
  type PreparedNode,
  tagOf,
  tagPrefixOf,
} from './node-cut.ts';
import { deleteAllLinks, deleteLinks, listSnapshotTags, listTableFolders } from './node-files.ts';

/** A node that died meanwhile may not answer at all. */
const clearMs = 30_000;

/** Clears the snapshots of all nodes of the attempt; once committed, also the links. */
export async function releaseCut(
  { tag, tables, claim, signal }: Pick<NodeTask, 'tag' | 'tables' | 'claim' | 'signal'>,
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
        const { is } = await linksOwner(node, claim.owner);
        if (is !== 'ours') throw new Error('the links are no longer those of this source');
        for (const { folder, names } of own.spent) {
          await deleteLinks(node.files, `${folder.folder}/backups`, names);
        }
        for (const folder of await listTableFolders(node)) {
          await deleteAllLinks(folder, { onlyIndexes: wanted.has(folder.tableId) });
        }
        await unmarkDoubt(node);
      } catch (error) {
        log.warn({ node: node.address, tag, error: String(error) }, 'a cut was not cleaned up');
      }
    }),
  );
}

/**
 * The source goes: its snapshots are cleared, and where the links are its own they are switched off and removed. What
 * is another's stays as it is. Returns nodes that failed, or of which it cannot be told.
 */
export async function stopLinks(
  nodes: readonly CutNode[],
  owner: string,
  signal: AbortSignal,
): Promise<{ address: string; reason: string }[]> {
  const failed: { address: string; reason: string }[] = [];
  await Promise.all(
    nodes.map(async (node) => {
      try {
        const { is } = await stopNode(node, owner, signal);
        if (is !== 'unnamed') return;
        failed.push({ address: node.address, reason: 'the mark there names no owner' });
      } catch (error) {
        signal.throwIfAborted();
        const reason = error instanceof Error ? error.message : String(error);
        failed.push({ address: node.address, reason });
      }
    }),
  );
  return failed;
}

async function stopNode(node: CutNode, owner: string, signal: AbortSignal): Promise<LinksOwner> {
  const { control } = node;
  const found = await linksOwner(node, owner);
  const areOurs = found.is === 'ours';
  if (areOurs) await control.setIncrementalBackups(false, { signal });
  const tags = new Set<string>();
  for (const folder of await listTableFolders(node)) {
    if (areOurs) await deleteAllLinks(folder);
    for (const tag of await listSnapshotTags(folder, tagPrefixOf(owner))) tags.add(tag);
  }
  for (const tag of tags) await control.clearSnapshot(tag, { signal });
  if (areOurs) await unmarkLinks(node);
  return found;
}
