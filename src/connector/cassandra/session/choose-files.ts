// Which files of one table on one node a cut reads. Everything live that is not known is read, unless it is
// proven that compaction made it of captured files alone: the server ran on, links were on, no stream came in,
// and the file's spans of the commit log lie within captured ones. In doubt it is read: the merge makes two of
// a row one again.
import {
  endsBy,
  type FileProof,
  joinIntervals,
  type LogInterval,
  liesWithin,
} from './commit-log-intervals.ts';
import type { KnownTable } from './cut-state.ts';
import { identityOf, type ListedSstable } from './node-files.ts';
import type { Truncation } from './truncation.ts';

export interface FileChoice {
  /** Complete file sets in `backups/`. */
  readonly links: readonly ListedSstable[];
  /** Complete file sets of the snapshot: all that is live. */
  readonly live: readonly ListedSstable[];
  /** What the last cut left; undefined before the first, and after a truncate: nothing is captured. */
  readonly known: KnownTable | undefined;
  /** Identities of links that were there before the snapshot of a first cut: it holds what they hold. */
  readonly subsumed: ReadonlySet<string>;
  /** Nothing can have slipped since the last cut. */
  readonly proven: boolean;
  /** The node's record of a truncate, where the table was truncated since. */
  readonly truncation: Truncation | undefined;
  /** What a file's statistics prove; undefined when they cannot be read. */
  readonly proofOf: (file: ListedSstable) => Promise<FileProof | undefined>;
}

export interface ChosenFiles {
  readonly read: readonly ListedSstable[];
  /** Live files that hold nothing new. */
  readonly covered: number;
  /** A live file came of a flush that left no link, though nothing can have slipped. */
  readonly isUnlinked: boolean;
  readonly next: KnownTable;
}

export async function chooseFiles(choice: FileChoice): Promise<ChosenFiles> {
  const { links, live, subsumed, truncation, proofOf } = choice;
  const known = new Set(choice.known?.files);
  const floors = new Map(choice.known?.files.map((one, i) => [one, choice.known?.floors?.[i]]));
  const read = new Map<string, ListedSstable>();
  const spans: LogInterval[] = [...(choice.known?.intervals ?? [])];
  const isLive = new Set(live.map(identityOf));
  for (const link of links) {
    const identity = identityOf(link);
    if (known.has(identity) || (subsumed.has(identity) && !isLive.has(identity))) continue;
    const proof = await proofOf(link);
    const intervals = proof?.intervals;
    floors.set(identity, proof?.floorSeconds);
    if (truncation && !isLive.has(identity) && isBefore(link, intervals, truncation)) continue;
    read.set(identity, link);
    spans.push(...(intervals ?? []));
  }
  const captured = joinIntervals(spans);
  let covered = 0;
  let isUnlinked = false;
  for (const file of live) {
    const identity = identityOf(file);
    // What an older version remembered lacks the floor.
    if (read.has(identity) || (known.has(identity) && floors.get(identity) != null)) continue;
    const proof = await proofOf(file);
    const intervals = proof?.intervals;
    floors.set(identity, proof?.floorSeconds);
    if (known.has(identity)) continue;
    if (choice.proven && intervals && liesWithin(intervals, captured)) {
      covered += 1;
      continue;
    }
    isUnlinked ||= choice.proven && intervals !== undefined && intervals.length > 0;
    read.set(identity, file);
    spans.push(...(intervals ?? []));
  }
  const files = [...new Set([...links, ...live].map(identityOf))].sort();
  const floor = leastFloor([...isLive].map((identity) => floors.get(identity)));
  return {
    read: [...read.values()],
    covered,
    isUnlinked,
    next: {
      files,
      intervals: joinIntervals(spans),
      floors: files.map((identity) => floors.get(identity) ?? null),
      ...(floor !== undefined && { floor }),
    },
  };
}

/** Of all live files; undefined when one of them cannot tell. */
function leastFloor(floors: readonly (number | null | undefined)[]): number | undefined {
  const told = floors.filter((floor) => floor != null);
  return told.length === floors.length ? Math.min(Number.MAX_SAFE_INTEGER, ...told) : undefined;
}

/** Streamed files have no spans: the time at which they were written decides, by the node's clock too. */
function isBefore(
  link: ListedSstable,
  intervals: readonly LogInterval[] | undefined,
  truncation: Truncation,
): boolean {
  if (intervals && intervals.length > 0) return endsBy(intervals, truncation);
  return link.modifiedMs <= truncation.atMs;
}
