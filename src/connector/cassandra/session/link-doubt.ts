// When a table has to begin anew. A row that is deleted, flushed and purged again while no links were made leaves
// nothing to find: what was captured of it before would come back. Purging waits for gc_grace_seconds, so this can
// have happened only where links were in doubt for as long as that.
import type { TableSchema } from '../schema/table-schema.ts';
import type { CutState } from './cut-state.ts';

/** A host of which the links since its last capture may not tell all. */
export interface LinkDoubt {
  readonly hostId: string;
  readonly reason: string;
}

/** Clocks of servers may run before ours by less than this. */
const clockSlackMs = 600_000;

export interface DoubtfulTables {
  readonly tables: readonly TableSchema[];
  readonly state: CutState;
  readonly doubts: readonly LinkDoubt[];
  /** Ids of tables of which the servers are told to make no links. */
  readonly withoutLinks: ReadonlySet<string>;
  readonly captured: readonly string[];
  /** Host ids of the ring: one that was captured and has left took with it what it had not been asked for. */
  readonly members: ReadonlySet<string>;
  /** Our wall clock before the first flush. */
  readonly beginMs: number;
}

/** Ids of tables of which nothing that was captured before may count, with the reason. */
export function tablesAnew(given: DoubtfulTables): Map<string, string> {
  const { tables, state, doubts, withoutLinks, captured, members, beginMs } = given;
  const anew = new Map<string, string>();
  const left = Object.keys(state.hosts).filter((hostId) => !members.has(hostId));
  const gone = left.map((hostId) => ({ hostId, reason: 'a host left the ring' }));
  for (const { id, gcGraceSeconds } of tables) {
    if (!isKnown(state, id)) continue;
    const unlinked = withoutLinks.has(id)
      ? captured.map((hostId) => ({ hostId, reason: 'no links are made of it' }))
      : [];
    for (const { hostId, reason } of [...doubts, ...gone, ...unlinked]) {
      if (mayHavePurged(state, hostId, gcGraceSeconds, beginMs)) anew.set(id, reason);
    }
  }
  return anew;
}

/** True when what was deleted at the host since its last capture may have been purged by now. */
export function mayHavePurged(
  state: CutState,
  hostId: string,
  gcGraceSeconds: number,
  beginMs: number,
): boolean {
  // A host that is new took part since the last cut, at the earliest.
  const last = Math.max(...Object.values(state.hosts).map(({ atMs }) => atMs ?? 0));
  const sinceMs = state.hosts[hostId] ? (state.hosts[hostId].atMs ?? 0) : last;
  return beginMs - sinceMs >= gcGraceSeconds * 1000 - clockSlackMs;
}

function isKnown({ hosts }: CutState, tableId: string): boolean {
  return Object.values(hosts).some(({ tables }) => tables[tableId] !== undefined);
}
