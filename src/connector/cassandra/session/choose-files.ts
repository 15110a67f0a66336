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
  /** Of live files that are known a part was dropped that counts now: they are read again. */
  readonly rereads: boolean;
  /** Identities of links that were there before the snapshot of a first cut: it holds what they hold. */
  readonly subsumed: ReadonlySet<string>;
  /** Identities of all links that were there before the snapshot: one that is not live now was compacted already. */
  readonly early: ReadonlySet<string>;
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
  /** Something came without a link, though nothing can have slipped: a flush, or files that were imported. */
  readonly isUnlinked: boolean;
  readonly next: KnownTable;
}

export async function chooseFiles(choice: FileChoice): Promise<ChosenFiles> {
  const { links, live, subsumed, truncation, proven, rereads } = choice;
  const facts = new KnownFiles(choice);
  const read = new Map<string, ListedSstable>();
  const spans: LogInterval[] = [...(choice.known?.intervals ?? [])];
  const isLive = new Set(live.map(identityOf));
  for (const link of links) {
    const identity = identityOf(link);
    if (facts.isKnown(identity) || (subsumed.has(identity) && !isLive.has(identity))) continue;
    const intervals = (await facts.prove(link))?.intervals;
    if (truncation && !isLive.has(identity) && isBefore(link, intervals, truncation)) continue;
    read.set(identity, link);
    spans.push(...(intervals ?? []));
  }
  const captured = joinIntervals(spans);
  const unlinked: { file: ListedSstable; proof: FileProof | undefined }[] = [];
  for (const file of live) {
    const identity = identityOf(file);
    if (read.has(identity)) continue;
    if (rereads && facts.isKnown(identity)) read.set(identity, file);
    if (facts.isTold(identity)) continue;
    const proof = await facts.prove(file);
    if (!facts.isKnown(identity)) unlinked.push({ file, proof });
  }
  const made = unlinked.map(({ file }) => identityOf(file));
  const more = facts.moreRows(made, { links, isLive });
  let covered = 0;
  let isUnlinked = false;
  for (const { file, proof } of unlinked) {
    const isWithin = proof !== undefined && liesWithin(proof.intervals, captured);
    if (proven && !rereads && isWithin && more === 'no') {
      covered += 1;
      continue;
    }
    const hasUnlinkedSpan = !isWithin && (proof?.intervals.length ?? 0) > 0;
    isUnlinked ||= proven && (more === 'surely' || hasUnlinkedSpan);
    read.set(identityOf(file), file);
    spans.push(...(proof?.intervals ?? []));
  }
  const next = facts.next({ links, isLive }, joinIntervals(spans));
  return { read: [...read.values()], covered, isUnlinked, next };
}

type Told = number | null | undefined;

interface There {
  readonly links: readonly ListedSstable[];
  /** Identities. */
  readonly isLive: ReadonlySet<string>;
}

/** What the cut before knew of files, and what their statistics say now. */
class KnownFiles {
  readonly #choice: FileChoice;
  readonly #known: ReadonlySet<string>;
  readonly #floors: Map<string, Told>;
  readonly #rows: Map<string, Told>;

  constructor(choice: FileChoice) {
    const { files = [], floors, rows } = choice.known ?? {};
    this.#choice = choice;
    this.#known = new Set(files);
    this.#floors = new Map(files.map((one, i) => [one, floors?.[i]]));
    this.#rows = new Map(files.map((one, i) => [one, rows?.[i]]));
  }

  isKnown(identity: string): boolean {
    return this.#known.has(identity);
  }

  /** What an older version remembered lacks some of it. */
  isTold(identity: string): boolean {
    return this.#floors.get(identity) != null && this.#rows.get(identity) != null;
  }

  async prove(file: ListedSstable): Promise<FileProof | undefined> {
    const proof = await this.#choice.proofOf(file);
    this.#floors.set(identityOf(file), proof?.floorSeconds);
    this.#rows.set(identityOf(file), proof?.rows);
    return proof;
  }

  /**
   * Compaction makes no rows: files that came of it hold no more of them than those that went. More came from
   * elsewhere, as an import does whose spans are lost or lie within captured ones. A link that came since the preparation
   * and is not live went into a compaction, or was flushed after the snapshot. `no` where it cannot be told.
   */
  moreRows(made: readonly string[], { links, isLive }: There): 'no' | 'perhaps' | 'surely' {
    const gone = [...this.#known].filter((one) => !isLive.has(one));
    const fresh = links.map(identityOf).filter((one) => !this.#known.has(one) && !isLive.has(one));
    const found = this.#sum(made);
    const least = this.#sum([...gone, ...fresh.filter((one) => this.#isDead(one, isLive))]);
    const most = this.#sum([...gone, ...fresh]);
    if (found === undefined || least === undefined || most === undefined) return 'no';
    if (found <= least) return 'no';
    return found > most ? 'surely' : 'perhaps';
  }

  next({ links, isLive }: There, intervals: LogInterval[]): KnownTable {
    const files = [...new Set([...links.map(identityOf), ...isLive])].sort();
    const floor = leastFloor([...isLive].map((identity) => this.#floors.get(identity)));
    const isSpent = (one: string): boolean =>
      !isLive.has(one) && (this.#known.has(one) || this.#isDead(one, isLive));
    return {
      files,
      intervals,
      floors: files.map((identity) => this.#floors.get(identity) ?? null),
      rows: files.map((identity) => (isSpent(identity) ? 0 : (this.#rows.get(identity) ?? null))),
      ...(floor !== undefined && { floor }),
    };
  }

  /** Flushed before the snapshot and not in it. One that came since is no part of what is live. */
  #isDead(identity: string, isLive: ReadonlySet<string>): boolean {
    return this.#choice.early.has(identity) && !isLive.has(identity);
  }

  #sum(identities: readonly string[]): number | undefined {
    const told = identities.map((one) => this.#rows.get(one)).filter((rows) => rows != null);
    return told.length === identities.length
      ? told.reduce((sum, rows) => sum + rows, 0)
      : undefined;
  }
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
