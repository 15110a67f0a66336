// When a table has to begin anew. A row that is deleted, flushed and purged again while no links were made leaves
// nothing to find: what was captured of it before would come back. Purging waits for gc_grace_seconds, so this can
// have happened only where links were in doubt for as long as that, or the option was another one for a while.
import type { TableSchema } from '../schema/table-schema.ts';
import type { CutState } from './cut-state.ts';
import { graceSince, type TableNow, wasLinkless } from './table-past.ts';

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
  /** By table id, now. */
  readonly now: ReadonlyMap<string, TableNow>;
  readonly captured: readonly string[];
  /** Host ids of the ring: one that has left took with it what it had not been asked for. */
  readonly members: ReadonlySet<string>;
  /** Of `haveLost`. */
  readonly haveLost: boolean;
  /** Our wall clock before the first flush. */
  readonly beginMs: number;
}

/** Ids of tables of which nothing that was captured before may count, with the reason. */
export function tablesAnew(given: DoubtfulTables): Map<string, string> {
  const { tables, state, doubts, now, captured, members, beginMs } = given;
  const anew = new Map<string, string>();
  const were = [...Object.keys(state.hosts), ...Object.keys(state.strangers ?? {})];
  const left = were.filter((hostId) => !members.has(hostId));
  const gone = left.map((hostId) => ({ hostId, reason: 'a host left the ring' }));
  const sinceOf = (hostId: string): number => lastCaptureMs(state, hostId, given.haveLost);
  for (const { id } of tables) {
    const [was, is] = [state.pasts?.[id], now.get(id)];
    if (!is || !isKnown(state, id)) continue;
    if (was && was.madeAt !== is.madeAt) {
      anew.set(id, 'it was dropped, and made again with the same id');
      continue;
    }
    const unlinked = captured
      .filter((hostId) => wasLinkless(was, is, sinceOf(hostId)))
      .map((hostId) => ({ hostId, reason: 'no links are made of it' }));
    const found = [...doubts, ...gone, ...unlinked];
    const spans: (readonly [reason: string, fromMs: number])[] = [
      ...found.map(({ reason, hostId }) => [reason, sinceOf(hostId)] as const),
      ...hurtSince(state, id).map((ms) => [unread, ms] as const),
    ];
    for (const [reason, fromMs] of spans) {
      if (mayHavePurged(fromMs, graceSince(was, is, fromMs), beginMs)) anew.set(id, purged(reason));
    }
  }
  return anew;
}

const unread = 'a file of it could not be read';

function hurtSince({ hosts }: CutState, tableId: string): number[] {
  return Object.values(hosts).flatMap(({ tables }) => tables[tableId]?.hurtSinceMs ?? []);
}

export const purged = (reason: string): string => `${reason}, and deletions may have been purged`;

/**
 * When what a host deleted was surely captured for the last time. One that is new took part since the last cut, at the
 * earliest; one that earlier cuts saw and did not capture, since before these. What it deleted and purged came from
 * hosts that had the rows: as long as these own what they did, they have them still, and nothing can be missed.
 */
export function lastCaptureMs(
  { hosts, strangers }: CutState,
  hostId: string,
  haveLost: boolean,
): number {
  if (hosts[hostId]) return hosts[hostId].atMs ?? 0;
  if (!strangers) return 0;
  const since = strangers[hostId];
  if (since === null) return haveLost ? 0 : Number.POSITIVE_INFINITY;
  return since ?? Math.max(...Object.values(hosts).map(({ atMs }) => atMs ?? 0));
}

/** Members that no cut has captured, for the state after a cut. */
export function strangersAfter(
  state: CutState,
  members: readonly string[],
  haveLost: boolean,
): NonNullable<CutState['strangers']> {
  const since = members.map((hostId) => {
    const sinceMs = lastCaptureMs(state, hostId, haveLost);
    return [hostId, state.cut > 0 && Number.isFinite(sinceMs) ? sinceMs : null] as const;
  });
  return Object.fromEntries(since);
}

/** True when what was deleted at a host since its last capture may have been purged by now. */
export function mayHavePurged(sinceMs: number, gcGraceSeconds: number, beginMs: number): boolean {
  // Our clock was set back since: nobody can say how long it is.
  if (beginMs < sinceMs && Number.isFinite(sinceMs)) return true;
  return beginMs - sinceMs >= gcGraceSeconds * 1000 - clockSlackMs;
}

function isKnown({ hosts }: CutState, tableId: string): boolean {
  return Object.values(hosts).some(({ tables }) => tables[tableId] !== undefined);
}
