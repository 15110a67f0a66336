// The port to every kind of database: datasets, segments, ordered logs, a fold, and a target to load.
// All user data is native bytes; nothing outside a connector knows what they mean.
// `conformance.ts` beside this file is the contract as tests.
import type { Clock } from '../base/clock.ts';
import type { FileAccess } from '../base/file-access.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { Spill } from '../base/spill.ts';
import type { CatalogChange, CatalogEntry } from '../model/catalog.ts';
import type { Change } from '../model/change.ts';
import type { StreamId } from '../model/id.ts';
import type { KeyRange } from '../model/key-range.ts';
import type { Scope } from '../model/namespace.ts';
import type { DataRecord, RecordStream } from '../model/record.ts';
import type { Position, SourceTime } from '../model/time.ts';
import type { CutDataset, CutPartReader } from './cut-dataset.ts';
import type { ExpiryRule } from './expiry-rule.ts';
import type { FollowOptions } from './follow-options.ts';
import type { StoredEntry, UndecidedTransaction, UnknownEntry } from './log-doubt.ts';
import type { RestoreTarget, TtlMode } from './restore-target.ts';

/** How to reach one database cluster. Secrets are resolved; the whole is never logged. */
export interface SourceConfig {
  readonly kind: string;
  /** A URI of the database's own driver, password included. */
  readonly uri: string;
  /** What a URI cannot say: the fields of the user's file, checked by the connector. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** For kinds whose URI holds no password. */
  readonly password?: string;
}

/** The outside world as a connector sees it. */
export interface ConnectorContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly spill: Spill;
  /** Upper bound of what one session may buffer. */
  readonly memoryBytesMax: number;
  /** Threads that a session may use beside this one; none unless given. */
  readonly workers?: number;
  /**
   * What keeps the source apart from every other one, of other repositories too: what a session leaves there for later
   * bears this name. Short, no spaces; absent: nothing is left. `check`, `cut`, `tend` and `release` want it.
   */
  readonly owner?: string;
  /** Files that another peer sees; undefined: this process is that peer. Absent: it has no peers. */
  peerFiles?(peer: string): FileAccess | undefined;
}

/** One kind of database. */
export interface Connector {
  /** The URI scheme and the `kind` in files: `mongodb`. */
  readonly kind: string;
  readonly capabilities: Capabilities;
  connect(
    config: SourceConfig,
    context: ConnectorContext,
    signal: AbortSignal,
  ): Promise<SourceSession>;
  openTarget(
    config: SourceConfig,
    context: ConnectorContext,
    signal: AbortSignal,
  ): Promise<RestoreTarget>;
  /** For parts of cuts that a session has described; opening it costs nothing. Absent: whoever takes a cut reads it. */
  openPartReader?(config: SourceConfig, context: ConnectorContext): CutPartReader;
  /** What a peer gives away to others below folders of its machine, by the rules of this kind. Absent: it has no files. */
  serveFiles?(roots: readonly string[]): FileAccess;
  /**
   * Live records of one key range at one time, in key order: a streaming merge. Pure. Splitting a range
   * anywhere never changes the bytes that come out.
   */
  foldRange(input: FoldInput): RecordStream;
  /**
   * The first key whose record may bear upon what a fold gives at `key`: an interval that begins before it.
   * A fold reads from there; ranges that are cut there need nothing from before.
   */
  leadIn(key: Uint8Array): Uint8Array;
  /**
   * What an entry that an older version did not know comes to: its changes of records; undefined when this
   * version cannot say it either, or when the entry also changes the catalog. `entries`: what is followed
   * now. Pure.
   */
  reread(stored: StoredEntry, entries: readonly CatalogEntry[]): readonly Change[] | undefined;
  /** What there was at a time: a pure fold of all catalog changes up to it, in ascending order. */
  foldCatalog(changes: Iterable<CatalogChange>): CatalogEntry[];
  /** The same fold, held open for changes that are still to come. */
  openCatalog(): CatalogFold;
  /** The fold's records as a reader of the live database would see them: order prefixes and the like gone. */
  nativeValue(entry: CatalogEntry, record: DataRecord): Uint8Array;
  /** True when `nativeValue` gives every record of the entry back as it is. */
  storesNative(entry: CatalogEntry): boolean;
  /** `latest` is handled by the engine; this reads the database's own form: `1763816700:42`. */
  parseTime(text: string): SourceTime | undefined;
  formatTime(time: SourceTime): string;
  /** Wall clock of a source time, ms since 1970. */
  wallMs(time: SourceTime): number;
  /**
   * The last source time that a wall-clock moment means, ms since 1970, with a fraction where it has one. A
   * clock of seconds: a whole second means all of it, a moment within one the end of the second before, so
   * that nothing later is meant.
   */
  timeOfWall(ms: number): SourceTime;
  /** What a key means, as users write it on the command line. Throws `usage`. */
  parseKey(entry: CatalogEntry, text: string): NamedRecords;
  /**
   * The records that a condition on keys means, as ascending, disjoint ranges. Throws `usage`, which names what is
   * wrong. Absent: the kind has no such conditions.
   */
  parseQuery?(entry: CatalogEntry, text: string): KeyRange[];
  /** The same for a part of every dataset: `FROM..TO`, tokens of the ring. */
  parseRange?(text: string): KeyRange[];
  /**
   * Native records in key order as readable JSON text, one each (MongoDB: canonical Extended JSON); of kinds where
   * several records make one row, one a row.
   */
  renderValue(entry: CatalogEntry, records: readonly DataRecord[]): string[];
  /** The key of a native record as users write it: `parseKey` gives the key back (MongoDB: the `_id`). */
  renderKey(entry: CatalogEntry, record: DataRecord): string;
  /**
   * Tells the folded records of `entry` that the database would delete by itself at `nowMs`, ms since 1970;
   * undefined when it never deletes one. Pure.
   */
  expiry(entry: CatalogEntry, nowMs: number): ExpiryRule | undefined;
  /** What a record of role `definitions` defines, when users know it by a name of its own: a view. */
  definedName(entry: CatalogEntry, record: DataRecord): string | undefined;
  /**
   * What {@link SourceSession.release} leaves where nobody answers; undefined: it has nothing to release. A password is
   * not among what it gets.
   */
  leftUnreleased?(config: Omit<SourceConfig, 'password'>): Finding | undefined;
  /** Text of the URI without its password, for lists and messages. */
  redact(uri: string): string;
}

/** What a key names: one record, or with the first part of a key all that begin so. */
export interface NamedRecords {
  /** Ascending, disjoint. */
  readonly ranges: readonly KeyRange[];
  /** One record at most is meant. The last range holds it; what the others hold is told with it. */
  readonly isOne: boolean;
}

/** A fold of catalog changes in ascending order, up to now. */
export interface CatalogFold {
  apply(change: CatalogChange): void;
  /** What is restorable. */
  entries(): CatalogEntry[];
  /** That, and what is followed without being restorable, since it may become so: temporary datasets. */
  followed(): CatalogEntry[];
}

/** What a kind can promise; chooses conformance tests and the engine's path. */
export interface Capabilities {
  /** Has an ordered log (`follow`); otherwise `cut`, and only cuts can be given back. */
  readonly orderedLog: boolean;
  /** Reads a key range as of one exact time. */
  readonly snapshotReads: boolean;
  /** What a restore can do about expiry. */
  readonly ttlModes: readonly TtlMode[];
  /** Copies are spread over data centres that have names; absent: there are none to map. */
  readonly datacenters?: true;
  /** A restore can give deletions back too, for data that comes to it later. */
  readonly keepsDeletions?: true;
}

/** Reads base and changes of one key range. */
export interface FoldInput {
  readonly range: KeyRange;
  /** The base copy's records in the range, ascending; they begin at the {@link Connector.leadIn} of its start. */
  readonly base: RecordStream;
  /** Of kinds without an ordered log; they have no changes. */
  readonly later?: LaterCuts;
  /** Base records of `key` already contain every change with time ≤ this. Steps ascend by `from`. */
  readonly baseAfter: readonly { readonly from: Uint8Array; readonly after: SourceTime }[];
  /**
   * Before this time the base may already contain some of the changes (a fuzzy copy), so a change that
   * does not fit is passed over; after it, one that does not fit is an error.
   */
  readonly exactFrom: SourceTime;
  /** Changes of this dataset and range with time ≤ at, merged over all runs, in (key, order), no copies. */
  readonly changes: AsyncIterable<readonly Change[]>;
  /** The dataset's `clear` changes ≤ at, ascending. */
  readonly clears: readonly Change[];
  readonly at: SourceTime;
}

/** What a fold of a kind without an ordered log needs beside the base copy. */
export interface LaterCuts {
  readonly entry: CatalogEntry;
  /** What each later cut added; every stream reads like `base`. */
  readonly cuts: readonly RecordStream[];
  /** Absent: all that is stored comes out, deletions too. */
  readonly live?: LiveForm;
  /**
   * The records are stored in place of these: what only the schema takes away stays. `provenBy` is the memory of the
   * cut `at`, the newest: deletions go of which it proves that no replica holds them; the range begins at a lead-in.
   */
  readonly stored?: { readonly provenBy?: CutMemory };
}

/** What a reader of the database would see, of kinds that keep deletions and expired values as records. */
export interface LiveForm {
  /** What has expired by then is left out; ms since 1970. */
  readonly nowMs: number;
  /** `rebase`: expiry is shifted by `rebaseMs`. `freeze`: what lives at the cut never expires. */
  readonly ttl: 'keep' | 'rebase' | 'freeze';
  readonly rebaseMs: number;
  /** The wall clock of the cut, ms since 1970. */
  readonly cutMs: number;
  /** Later expiry is cut to this second, as in a target that holds no later one. */
  readonly expirySecondsMax?: number;
  /** Only the records in these: ascending, disjoint. What bears upon them from outside is taken into account. */
  readonly within?: readonly KeyRange[];
  /** Deletions and what has expired stay as well; absent: they go. With `within` whole datasets or parts of rings. */
  readonly deletions?: KeptDeletions;
}

/** What stays beside that which lives. */
export interface KeptDeletions {
  /** Older deletions are left out, and what has expired counts as deleted; ms since 1970. Absent: all as it is. */
  readonly sinceMs?: number;
}

/** Who answers at the other end, and what may be asked of it. */
export interface SourceIdentity {
  /** Stays the same over restarts and changes of address: replica set id, cluster id. */
  readonly id: string;
  readonly version: string;
  readonly streams: readonly StreamId[];
}

/** One fault or doubt found before any work. */
export interface Finding {
  readonly level: 'error' | 'warning' | 'fine';
  readonly message: string;
  readonly remedy?: string;
}

/** What there is to protect, read between `before` and `after` of each stream. */
export interface Survey {
  /** Following from here sees every change that the survey may have missed. */
  readonly before: ReadonlyMap<StreamId, Position>;
  /** The catalog's fold is exact from this time on. */
  readonly exactFrom: SourceTime;
  readonly datasets: readonly SurveyedDataset[];
  /** The whole catalog as changes of kind `survey`, at `exactFrom`. */
  readonly catalog: readonly CatalogChange[];
}

export interface SurveyedDataset {
  readonly entry: CatalogEntry;
  /** Estimates, for plans and progress. */
  readonly records: number;
  readonly bytes: number;
}

export interface SegmentReader {
  /** Apply changes later than this. */
  readonly after: SourceTime;
  /** First time at which base and changes together are exact. Known once the batches have ended. */
  exactFrom(): SourceTime;
  /** Ascending by key, all within the range. */
  readonly batches: RecordStream;
}

/** What following has seen since the batch before. */
export interface ChangeBatch {
  readonly changes: readonly Change[];
  readonly catalog: readonly CatalogChange[];
  /** First entry of the oldest transaction still open after this batch, or `through`. */
  readonly resume: Position;
  /** Last entry consumed. */
  readonly through: Position;
  /** Every effect at or before this time has been given: `through`, or less while a prepare is undecided. */
  readonly settled: SourceTime;
  /** The oldest transaction that holds `settled` back. */
  readonly undecided?: UndecidedTransaction;
  /** Entries that this version does not know: they close the interval at their time. */
  readonly unknown: readonly UnknownEntry[];
  /** Bytes of log read. */
  readonly bytes: number;
}

/** How sure a cut holds every acknowledged write: best first. */
export const cutGrades = ['complete', 'quorum-safe', 'best-effort'] as const;
export type CutGrade = (typeof cutGrades)[number];

/** A cut and what is new in it. Disposed: everything that was made at the source for reading it is gone. */
export interface CutReader extends AsyncDisposable {
  /** Later than that of the cut before. Names the cut. */
  readonly time: SourceTime;
  /** Counts from 1. */
  readonly number: number;
  /** Changes of the catalog since the cut before, all at `time`. */
  readonly catalog: readonly CatalogChange[];
  /** Those that have something new, or begin. */
  readonly datasets: readonly CutDataset[];
  /** Known when all records have been read: a damaged file costs its replica. */
  report(): CutReport;
  /** What the next cut has to know. Known when all records have been read. */
  memory(): CutMemory;
  /** The cut is stored for good: what was kept at the source for it may go. */
  committed(signal: AbortSignal): Promise<void>;
}

export interface CutReport {
  /** The worst of all ranges. */
  readonly grade: CutGrade;
  /** Which ranges are worse than `complete`, and why: `ks: 1/3 of the ring quorum-safe`. */
  readonly notes: readonly string[];
}

/**
 * Opaque texts by name. Of each cut those are stored that differ from the cut before, so that what is large and changes
 * little is to be many of them. A name is a path of some parts, never `current`.
 */
export type CutMemory = ReadonlyMap<string, string>;

/** What was known when the last cut was stored. */
export interface CutBefore {
  readonly time: SourceTime;
  readonly number: number;
  /** Absent: nothing that was captured counts any more, and the next cut begins everything anew. */
  readonly memory?: CutMemory;
  /** What the catalog said; empty without `memory`. */
  readonly entries: readonly CatalogEntry[];
}

export interface SourceSession extends AsyncDisposable {
  readonly identity: SourceIdentity;
  /** Rights, reach, settings, and whether `scope` means anything: all that can be known before work begins. */
  check(scope: Scope, signal: AbortSignal): Promise<Finding[]>;
  survey(signal: AbortSignal): Promise<Survey>;
  /** Ranges to read side by side, whole key space together, each about `bytesPerSegment`. */
  plan(
    entry: CatalogEntry,
    hint: { readonly bytesPerSegment: number },
    signal: AbortSignal,
  ): Promise<KeyRange[]>;
  /**
   * Errors: `snapshot-too-old` from the batches: split and read again, or when its cause is
   * `source-unreachable` read again as it is. A dropped dataset gives undefined.
   * `fuzzy`: not by snapshot, but as it changes, so that `exactFrom` lies after `after`.
   */
  readSegment(
    entry: CatalogEntry,
    range: KeyRange,
    signal: AbortSignal,
    options?: { readonly fuzzy: boolean },
  ): Promise<SegmentReader | undefined>;
  /** Yields at least every second, empty batches included. A log that no longer holds `resume`: error `gap`. */
  follow(stream: StreamId, options: FollowOptions, signal: AbortSignal): AsyncIterable<ChangeBatch>;
  /**
   * For kinds without an ordered log: everything acknowledged before now, as far as it is new since `after`.
   * The source is told what to keep for the next cut. `tell` hears what is waited for.
   */
  cut?(
    after: CutBefore | undefined,
    scope: Scope,
    signal: AbortSignal,
    tell?: (what: string) => void,
  ): Promise<CutReader>;
  /** Between two cuts, every minute: what the source keeps for the next one is held within its limits. */
  tend?(signal: AbortSignal): Promise<Finding[]>;
  /**
   * The source is protected no longer: what was switched on or is kept there for cuts goes. What could not be
   * undone is told as warnings, with what to do by hand.
   */
  release?(signal: AbortSignal): Promise<Finding[]>;
  /** A time at or after now that every stream will pass without waiting for user writes. */
  watermark(signal: AbortSignal): Promise<SourceTime>;
  /**
   * Why the source should be read more slowly right now, for people: `40 operations wait for their turn`. Undefined: it
   * has strength left. Asked about every second while much is read. Absent: it is not known of this kind.
   */
  pressure?(signal: AbortSignal): Promise<string | undefined>;
  /** Oldest position the log still holds, and the log's end. */
  logBounds(
    stream: StreamId,
    signal: AbortSignal,
  ): Promise<{ oldest: SourceTime; newest: SourceTime }>;
  /** The live records of a range at one exact time, for audit and `verify --against`; undefined: cannot be read so. */
  readAt(
    entry: CatalogEntry,
    range: KeyRange,
    at: SourceTime,
    signal: AbortSignal,
  ): Promise<RecordStream | undefined>;
}
