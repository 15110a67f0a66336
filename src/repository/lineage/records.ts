// What stands in the state of a source's lineage, key by key. Times are 16 hex digits, positions
// `<time>.<term>`, bytes base64. docs/format/lineage.md describes every field.
import type { DatasetId } from '../../model/id.ts';

/** `stream/<stream>`: how far a log has been stored. */
export interface StreamRecord {
  /** First entry of the oldest transaction still open. */
  readonly resume: string;
  /** Last entry consumed. */
  readonly through: string;
  /** Every effect at or before this time is stored. */
  readonly settled: string;
  /** The prepared transaction that holds `settled` back. */
  readonly undecided?: { readonly name: string; readonly preparedAt: string };
}

/**
 * `epoch/<n>`: a stretch of unbroken history, opened by a survey. `exactFrom` is the newest of the first
 * restorable times of its base copies; while `initial` datasets still want theirs, nothing is restorable.
 */
export interface EpochRecord {
  /** The catalog is exact from here. */
  readonly catalogFrom: string;
  readonly exactFrom: string;
  /** Last restorable time; absent while history goes on. */
  readonly closedAt?: string;
}

/** `want/<dataset>`: in scope, without a base copy. */
export interface WantRecord {
  readonly epoch: number;
  /** Not restorable from here until the base copy's `exactFrom`. */
  readonly from: string;
  /** True when it was there at the survey; false when it entered the scope later, or is doubtful. */
  readonly initial: boolean;
  /** Why there is a hole, unless `initial`. */
  readonly reason?: string;
  /** As in {@link HoleRecord}. */
  readonly unknown?: string;
  /** A copy that is older is of no use: there was a doubt at this time. */
  readonly notBefore?: string;
  /** Estimates of the survey. */
  readonly records: number;
  readonly bytes: number;
}

/** `segment/<dataset>/<hex of from>`: one finished range of a base copy that is being built. */
export interface SegmentRecord {
  /** Base64; absent where the key space ends. */
  readonly from?: string;
  readonly to?: string;
  readonly after: string;
  readonly exactFrom: string;
  readonly records: number;
  readonly bytes: number;
  /** Base64 of the undecided edges and definite nodes: docs/format/tree.md. */
  readonly part: string;
  readonly packs: string;
}

/**
 * `segment/<dataset>/<hex of from>` of a source without an ordered log: a finished part of a cut that is not committed
 * yet. It holds for the next attempt when that reads the same.
 */
export interface CutPartRecord {
  /** Base64; absent where the key space ends. */
  readonly to?: string;
  /** What was read, as the connector names it. */
  readonly content: string;
  readonly records: number;
  readonly bytes: number;
  /** As in {@link SegmentRecord}. */
  readonly part: string;
  readonly packs: string;
}

export interface TreeRecord {
  /** Hex leaf id. */
  readonly root: string;
  readonly height: number;
  readonly records: number;
  readonly bytes: number;
  /** Name of the cut parameters: roots of others are not comparable. */
  readonly parameters: string;
}

/** `base/<dataset>/<exactFrom>`: a base copy. Without `tree` the dataset was created empty at that time. */
export interface BaseRecord {
  readonly epoch: number;
  readonly exactFrom: string;
  readonly tree?: TreeRecord;
  /** From each key on (base64), changes later than `after` apply. */
  readonly steps: readonly { readonly from: string; readonly after: string }[];
  /** Folded of the base copy before it and what came after that, which are there still: without it nothing is lost. */
  readonly folded?: true;
  readonly packs: string;
}

/**
 * `delta/<dataset>/<to>.<after>`: what one cut, or several, added to a dataset, as a tree: later than `after`,
 * up to `to`. A source without an ordered log has these in place of runs. `after` is the `to` of the delta
 * before, or the `exactFrom` of the base copy: a gap in the chain is a loss.
 */
export interface DeltaRecord {
  readonly epoch: number;
  readonly after: string;
  /** Absent: one cut alone. A merge of such is of tier 1, a merge of these of tier 2. */
  readonly tier?: number;
  readonly tree: TreeRecord;
  readonly packs: string;
}

/** `cut/<time>`: a cut, which is all that can be restored of a source without an ordered log. */
export interface CutRecord {
  readonly epoch: number;
  /** Counts from 1. */
  readonly number: number;
  readonly grade: 'complete' | 'quorum-safe' | 'best-effort';
  /** What is worse than `complete`, and why. */
  readonly notes: readonly string[];
}

/**
 * `cutstate/<name>`: what the connector has to know for the next cut; opaque texts under its own names. Earlier versions
 * wrote one value, `cutstate/current`, in base64.
 */
export type CutMemoryRecord = string | { readonly state: string };

/** `run/<id>`: a sorted run of changes, inline in an entry or in change packs. */
export interface RunRecord {
  /** Runs of other epochs may tell of a history that was rolled back: they are never mixed. */
  readonly epoch: number;
  /** Base64 of the descriptor: docs/format/run.md. */
  readonly ref: string;
  /** For policies without decoding `ref`. */
  readonly tier: number;
  /** Effective times in it. */
  readonly minTime: string;
  readonly maxTime: string;
  /** Atomic groups of changes over several datasets: which datasets, and how many groups. */
  readonly groups: readonly { readonly datasets: readonly DatasetId[]; readonly count: number }[];
  /** The entry whose attachments hold it; absent when it is in packs. */
  readonly seq?: number;
  /** Place in the attachments. */
  readonly offset?: number;
  readonly length?: number;
  readonly packs: string;
}

/** `catalog/<epoch>/<time>.<position>.<index>.<stream>`. */
export interface CatalogRecord {
  readonly dataset?: DatasetId;
  /** The dataset begins with it, empty. */
  readonly creates?: true;
  readonly kind: string;
  readonly body: string;
}

/** `hole/<n>`: see model/point.ts. */
export interface HoleRecord {
  readonly stream: string;
  readonly dataset?: DatasetId;
  readonly from: string;
  readonly to?: string;
  readonly reason: string;
  /** The unknown entry that made it (the rest of its key): a version that knows the entry ends the hole. */
  readonly unknown?: string;
}

/** `unknown/<position>`: an entry that this version does not know, raw. */
export interface UnknownRecord {
  readonly epoch: number;
  readonly stream: string;
  /** Effective time. */
  readonly time: string;
  /** Of its unknown operations; one that names none has a hole of its own. */
  readonly datasets: readonly DatasetId[];
  readonly name: string;
  readonly body: string;
}

/** `point/<id>`: a moment that a backup named. */
export interface PointRecord {
  readonly time: string;
  readonly wallMs: number;
  readonly datasets: number;
  /** What the base copies that serve the point hold. */
  readonly records: number;
  readonly bytes: number;
  /** Changes after those copies may be stored: the moment holds another number. */
  readonly estimated?: boolean;
  /** Of a cut: how sure it is that every acknowledged write is in it. */
  readonly grade?: CutRecord['grade'];
}

/** `stored/current`: the packs of the newest stored state. */
export interface StoredStateRecord {
  readonly packs: string;
}
