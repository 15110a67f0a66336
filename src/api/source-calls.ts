// Requests and results about sources: registering, backing up, what can be restored.
import type { Moment, Span } from './call.ts';

/** Names of sources stand in figures, lists and commands. */
export const sourceNameForm = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

export interface SourceRequest {
  readonly source: string;
}

export interface AddSourceRequest {
  readonly source: string;
  /** A URI of the database's own driver. Its password is kept encrypted in the repository. */
  readonly uri?: string | undefined;
  /** In place of the URI: what a URI cannot say, as JSON with absolute paths, or the path of such a file at the peer. */
  readonly config?: string | undefined;
  /** Namespace globs; empty means all. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** The password stays outside: read from this file, or this environment variable, at each use. */
  readonly passwordFile?: string;
  readonly passwordEnv?: string;
  /** As of {@link LimitSourceRequest}. */
  readonly readers?: number | undefined;
  readonly bytesPerSecond?: number | undefined;
}

/** What a base copy asks of the source at most, whoever reads it. 0: no limit; absent: as before. */
export interface LimitSourceRequest {
  readonly source: string;
  /** Pieces that all peers together read at a time. */
  readonly readers?: number | undefined;
  /** Raw bytes that all peers together read. */
  readonly bytesPerSecond?: number | undefined;
}

export interface SourceDescription {
  readonly name: string;
  readonly id: string;
  readonly kind: string;
  /** Without its password. */
  readonly uri: string;
  /** What the cluster calls itself: replica set id, cluster id. */
  readonly identity: string;
  readonly version: string;
  readonly streams: readonly string[];
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** RFC 3339. */
  readonly added: string;
  /** Pieces that are read at a time at most; absent: no limit. */
  readonly readers?: number;
  /** Read at most; absent: no limit. */
  readonly bytesPerSecond?: number;
}

export interface SourceCheck {
  readonly source: SourceDescription;
  readonly findings: readonly SourceFinding[];
}

export interface SourceFinding {
  readonly level: 'error' | 'warning' | 'fine';
  readonly message: string;
  readonly remedy?: string;
}

export interface SourceList {
  readonly sources: readonly SourceDescription[];
}

export interface SourceRebased {
  readonly source: SourceDescription;
  /** The identity that the source had before. */
  readonly identityBefore: string;
}

export interface SourceRemoved {
  readonly source: string;
  readonly id: string;
  /** What was left at the cluster, and how to remove it by hand. */
  readonly warnings: readonly string[];
}

export interface BackupRequest {
  readonly source: string;
  readonly follow: boolean;
  /** Longest time between two commits while following. */
  /** Unless said: 5 s, and of kinds that take cuts 15 min. */
  readonly rpoSeconds?: number | undefined;
  /** Of kinds that take cuts: one that is less sure gives no point; `quorum-safe` unless said. */
  readonly minGrade?: CutGrade | undefined;
}

/** How sure a cut holds every acknowledged write: best first. */
export type CutGrade = 'complete' | 'quorum-safe' | 'best-effort';

export interface BackupResult {
  readonly source: string;
  /** The newest point of this run. */
  readonly point: PointName;
  /** The restorable interval that holds the point. */
  readonly interval: Span;
  /** Datasets in scope at the point. */
  readonly datasets: number;
  /** Records read for base copies, and changes read from logs, in this run. */
  readonly records: number;
  readonly changes: number;
  readonly bytesRead: number;
  /** Written to the repository meanwhile, objects of every kind: it has grown by that much. */
  readonly bytesStored: number;
  /** Read but held by the repository already. */
  readonly bytesDeduplicated: number;
  /** Holes that this run found or left open. */
  readonly holes: readonly Hole[];
  /** Of kinds that take cuts. */
  readonly grade?: CutGrade;
  /** That nothing is in scope, or what is less sure than `complete`. */
  readonly warnings: readonly string[];
  readonly seconds: number;
}

export interface CheckpointRequest {
  readonly source: string;
  /** WHEN. */
  readonly to: string;
}

export interface CheckpointResult {
  readonly source: string;
  readonly at: Moment;
  /** Those that have a new base copy. */
  readonly datasets: readonly CheckpointedDataset[];
  /** Datasets to which nothing was added since their last base copy. */
  readonly unchanged: number;
  /** Written to the repository meanwhile, objects of every kind. */
  readonly bytesStored: number;
  /** Folded but held by the repository already. */
  readonly bytesDeduplicated: number;
  readonly seconds: number;
}

export interface CheckpointedDataset {
  readonly namespace: string;
  /** Of the new base copy. */
  readonly records: number;
  readonly bytes: number;
  /** Of kinds that take cuts: records that a restore has read so far in its place. */
  readonly recordsBefore?: number;
}

export interface PointName extends Moment {
  readonly id: string;
}

export interface Point extends PointName {
  readonly datasets: number;
  /** What the base copies that serve the point hold; changes after them are not counted. */
  readonly records: number;
  readonly bytes: number;
  /** There may be such changes: the moment itself may hold another number. */
  readonly estimated?: boolean;
  /** Of kinds that take cuts. */
  readonly grade?: CutGrade;
}

export interface Hole {
  readonly stream: string;
  /** Namespace, when the hole is of one dataset only. */
  readonly dataset?: string;
  /** Last moment before it. */
  readonly from: Moment;
  /** First moment after it; absent while it is open. */
  readonly to?: Moment;
  readonly reason: string;
}

export interface Points {
  readonly source: string;
  readonly intervals: readonly Span[];
  readonly holes: readonly Hole[];
  readonly points: readonly Point[];
  /** Now minus the newest restorable time; absent when nothing is restorable. */
  readonly lagSeconds?: number;
}
