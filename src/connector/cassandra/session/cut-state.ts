// What a cut remembers for the next one, by host: which files are captured already, which spans of its commit log
// they cover, and what would show that something could have slipped in between. JSON in the repository.
import { z } from 'zod';
import { CodrError } from '../../../base/error.ts';
import type { Truncation } from './truncation.ts';

const interval = z.tuple([z.number(), z.number(), z.number(), z.number()]);

const knownTable = z.object({
  /** `identityOf` of every captured file that was still there. */
  files: z.array(z.string()),
  /** Joined spans of all captured files. */
  intervals: z.array(interval),
  /** Of `files`, each its `floorSeconds`; null: it cannot be told, or is asked for no more. */
  floors: z.array(z.number().nullable()).optional(),
  /**
   * Of `files`, how many rows of each may be in a file that comes later: 0 of those that were compacted already; null: it
   * cannot be told.
   */
  rows: z.array(z.number().nullable()).optional(),
  /** The least floor of all live files; absent: one of them cannot tell. */
  floor: z.number().optional(),
  /** When the keyspace was told last to write its commit log, by the servers' clock; absent: it does not, or is not known. */
  durableAt: z.number().optional(),
  /** A file could not be read: our clock at the cut that read all of the table there, or began it. */
  hurtSinceMs: z.number().optional(),
  /** Names of files that could not be read where nothing was known before: what they delete is in no cut, however old it is. */
  unread: z.array(z.string()).optional(),
});

/** Tokens (from, to]: decimal text, ascending, neighbours joined. */
const tokens = z.array(z.tuple([z.string(), z.string()]));

const hostState = z.object({
  address: z.string(),
  /** Number of the cut that captured this host last. */
  cut: z.number(),
  /** When that cut began, by our clock; absent in what an older version remembered. */
  atMs: z.number().optional(),
  /** Changes at every start of the server. */
  runId: z.string(),
  /** Undefined: the control cannot tell, which proves nothing. */
  streamedBytes: z.number().optional(),
  truncations: z.record(
    z.string(),
    z.object({ segment: z.number(), position: z.number(), atMs: z.number() }),
  ),
  /** What it owned at that cut: ownership.ts; absent in what an older version remembered. */
  owned: z.array(z.object({ keyspaces: z.array(z.string()), ranges: tokens })).optional(),
  /** By table id. */
  tables: z.record(z.string(), knownTable),
});

/** Which deletions no replica holds any more: horizon.ts. */
const horizon = z.object({
  /** Our wall clock before the first flush. */
  beginMs: z.number(),
  /** By keyspace, those of which every replica was captured. */
  ranges: z.record(z.string(), tokens),
  /** By table id: the least floor of all replicas, in seconds. Absent: it is not known. */
  floors: z.record(z.string(), z.number()),
});

/** table-past.ts */
const tablePast = z.object({
  /** µs by a server's clock. */
  madeAt: z.number(),
  toldAt: z.number(),
  /** Our clock at the first cut that saw these options, and at the last one that saw no links made. */
  sinceMs: z.number(),
  linklessMs: z.number().optional(),
});

const state = z.object({
  version: z.literal(1),
  cut: z.number(),
  hosts: z.record(z.string(), hostState),
  /**
   * Members that no cut has captured yet, with our clock at the cut before the first that saw them; null: the first cut
   * did, and no other host has owned less since. Absent in what an older version remembered.
   */
  strangers: z.record(z.string(), z.number().nullable()).optional(),
  /** By table id: the latest truncation, by a node's clock, that opened an epoch. */
  epochs: z.record(z.string(), z.number()),
  /** By table id; absent in what an older version remembered. */
  pasts: z.record(z.string(), tablePast).optional(),
  ringDigest: z.string(),
  schemaDigest: z.string(),
  horizon: horizon.optional(),
});

export type CutHorizon = z.infer<typeof horizon>;
export type KnownTable = z.infer<typeof knownTable>;
export type HostState = z.infer<typeof hostState>;
export type CutState = z.infer<typeof state>;

export const firstState: CutState = {
  version: 1,
  cut: 0,
  hosts: {},
  strangers: {},
  epochs: {},
  ringDigest: '',
  schemaDigest: '',
};

/** Reads what an earlier cut gave; undefined is the state before the first. Errors: `format-unknown`. */
export function parseCutState(value: unknown): CutState {
  if (value === undefined || value === null) return firstState;
  const read = state.safeParse(value);
  if (read.success) return read.data;
  throw new CodrError('format-unknown', 'what the last cut remembered is not understood', {
    object: read.error.issues[0]?.path.join('.') ?? 'state',
  });
}

/** True as well when there is none. */
export function isSameTruncation(a: Truncation | undefined, b: Truncation | undefined): boolean {
  return a?.segment === b?.segment && a?.position === b?.position && a?.atMs === b?.atMs;
}

/** TRUNCATE reaches all replicas within its own timeout of 60 s: later ones are other truncates. */
const sameTruncateMs = 60_000;

/**
 * Tables that were truncated since the cut before. A host that was captured then and has a new record is a
 * witness; one that was away may tell of a truncate that opened an epoch already, unless it is later than that.
 */
export function truncatedTables(
  before: CutState,
  marks: ReadonlyMap<string, ReadonlyMap<string, Truncation>>,
): Map<string, number> {
  const found = new Map<string, number>();
  for (const [hostId, truncations] of marks) {
    const known = before.hosts[hostId];
    if (!known) continue;
    for (const [tableId, { segment, position, atMs }] of truncations) {
      if (isSameTruncation(known.truncations[tableId], { segment, position, atMs })) continue;
      const epoch = before.epochs[tableId];
      const told =
        known.cut !== before.cut && epoch !== undefined && atMs <= epoch + sameTruncateMs;
      if (!told) found.set(tableId, Math.max(atMs, found.get(tableId) ?? 0));
    }
  }
  return found;
}
