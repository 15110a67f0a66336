// The listings of all nodes of a cut, and which tables begin anew in it. What shows only in a listing, a file that
// left no link, may make a table begin anew: then the nodes are listed once more.
import type { CutState } from './cut-state.ts';
import { type LinkDoubt, lastCaptureMs, mayHavePurged, purged, tablesAnew } from './link-doubt.ts';
import {
  type CutNode,
  linksDoubt,
  listNode,
  type NodeFiles,
  type NodeTask,
  type PreparedNode,
} from './node-cut.ts';
import { graceSince, type TableNow } from './table-past.ts';
import type { NodeMarks } from './truncation.ts';

export interface CutListing {
  /** Ascending by host. */
  readonly files: readonly NodeFiles[];
  /** By id, with the reason: nothing that was captured before counts. */
  readonly anew: ReadonlyMap<string, string>;
  readonly doubts: readonly LinkDoubt[];
}

export interface ListingRequest {
  readonly task: NodeTask;
  /** By table id. */
  readonly now: ReadonlyMap<string, TableNow>;
  readonly state: CutState;
  /** Tables truncated since the cut before. */
  readonly truncated: ReadonlyMap<string, number>;
  /** By configured address. */
  readonly prepared: ReadonlyMap<string, PreparedNode>;
  /** A host that was captured has left, or owns less. */
  readonly haveLost: boolean;
  readonly after: ReadonlyMap<string, NodeMarks>;
  readonly beginMs: number;
  /** Runs on all nodes that have not failed, side by side. */
  readonly each: (work: (node: CutNode) => Promise<void>) => Promise<void>;
}

export async function listCut(request: ListingRequest): Promise<CutListing> {
  const { task, state, prepared, after, now, beginMs, haveLost, each } = request;
  const doubts: LinkDoubt[] = [];
  await each(async ({ address }) => {
    const [own, marks] = [prepared.get(address), after.get(address)];
    if (!own || !marks) return;
    const reason = await linksDoubt(task, own, marks);
    const isNew = state.cut > 0 && !state.hosts[own.hostId];
    const told = reason ?? (isNew ? 'it was not captured before' : undefined);
    if (told !== undefined) doubts.push({ hostId: own.hostId, reason: told });
  });
  const withoutLinks = new Set(linkless(request.now));
  const captured = [...after.values()].map(({ hostId }) => hostId);
  const members = new Set(task.ring.nodes.map(({ hostId }) => hostId));
  const { tables } = task;
  const where = { tables, state, doubts, captured, members, haveLost };
  const anew = tablesAnew({ ...where, now, beginMs });
  for (;;) {
    const files = await listAll(request, { anew, doubts, withoutLinks });
    const late = files.flatMap(({ hostId, unlinked }) => {
      const sinceMs = lastCaptureMs(state, hostId, haveLost);
      return unlinked.filter((id) => {
        const is = now.get(id);
        return is && mayHavePurged(sinceMs, graceSince(state.pasts?.[id], is, sinceMs), beginMs);
      });
    });
    const lost = files.flatMap((own) => own.lost);
    if (late.length + lost.length === 0) return { files, anew, doubts };
    for (const id of lost) anew.set(id, purged('a file that could never be read is gone'));
    for (const id of late) anew.set(id, purged('something was flushed without a link'));
  }
}

async function listAll(
  { task, truncated, prepared, after, each }: ListingRequest,
  {
    anew,
    doubts,
    withoutLinks,
  }: Pick<CutListing, 'anew' | 'doubts'> & {
    readonly withoutLinks: ReadonlySet<string>;
  },
): Promise<NodeFiles[]> {
  const files: NodeFiles[] = [];
  await each(async ({ address }) => {
    const [own, marks] = [prepared.get(address), after.get(address)];
    if (!own || !marks) return;
    const doubt = doubts.find(({ hostId }) => hostId === own.hostId)?.reason;
    const history = { truncated, withoutLinks, anew, doubt, after: marks };
    files.push(await listNode(task, own, history));
  });
  return files.sort((a, b) => (a.hostId < b.hostId ? -1 : 1));
}

function linkless(now: ListingRequest['now']): string[] {
  return [...now].filter(([, { hasLinks }]) => !hasLinks).map(([id]) => id);
}
