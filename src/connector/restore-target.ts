// The port's other half: a database that a moment is given back to. Calls of one restore come in a fixed order.
import type { CatalogEntry } from '../model/catalog.ts';
import type { KeyRange } from '../model/key-range.ts';
import type { Rename, Scope } from '../model/namespace.ts';
import type { DataRecord, RecordStream } from '../model/record.ts';
import type { SourceIdentity } from './connector.ts';

/** One run of a restore, as the target's marker names it. */
export interface TargetOwner {
  /** Tells this run from all others; opaque. */
  readonly id: string;
  /** For messages: `process 4711 on host-1`. */
  readonly name: string;
  /** Whether the run with this id goes on; `unknown` counts as alive. */
  isAlive(id: string): Promise<'alive' | 'dead' | 'unknown'>;
}

/**
 * `keep`: expiry stays as it is, and starts when all is proven. `hold`: expiring indexes are not made, and
 * listed. `rebase`: expiry is shifted by the age of the point. `freeze`: nothing expires any more.
 */
export type TtlMode = 'keep' | 'hold' | 'rebase' | 'freeze';

export interface TargetOptions {
  /** Names this restore, in the marker that lets it resume. */
  readonly operation: string;
  /** What is given back; opaque. The marker keeps it for {@link RestoreTarget.unfinished}. */
  readonly moment: string;
  /** When the first run of it began, ms since 1970. The marker keeps it; absent: nobody needs it. */
  readonly begunMs?: number;
  /** Who runs it; absent: runs of one operation are not kept apart. */
  readonly owner?: TargetOwner;
  readonly renames: readonly Rename[];
  /** What definitions of the scope define under names of their own; known only where there are renames. */
  readonly defined: readonly GivenName[];
  /** What of the target `drop` may remove. */
  readonly scope: Scope;
  readonly drop: boolean;
  readonly ttl: TtlMode;
  /** Users and roles are restored, those of them that `scope` holds; else they are left alone. */
  readonly usersAndRoles: boolean;
  /** Of kinds that spread copies over data centres: which of the target keep what those of the source kept. */
  readonly datacenters?: readonly GivenName[];
  /** What is loaded has deletions and what has expired in it; a target that cannot hold them refuses its plan. */
  readonly keepsDeletions?: true;
}

/** What is called `from` at the point, and `to` in the target. */
export interface GivenName {
  readonly from: string;
  readonly to: string;
}

/** A restore that has begun in a target, and not ended. */
export interface UnfinishedRestore {
  /** {@link TargetOptions.moment} of the run that began it. */
  readonly moment: string;
  /** {@link TargetOptions.begunMs} of that run, where the marker has it. */
  readonly begunMs?: number;
  /** What its marker is called in the target: for messages. */
  readonly marker: string;
}

/** One dataset of the point, under the name it gets. */
export interface TargetItem {
  readonly entry: CatalogEntry;
  /** Its name in the target. */
  readonly namespace: string;
  /** Of the records of its base copy, all of them; absent where there is none. */
  readonly bytes?: number;
  /** Of what has changed since, as stored: records more, or in place of others. */
  readonly laterBytes?: number;
  /** Only these are wanted; absent: all. */
  readonly within?: readonly KeyRange[];
}

export interface TargetPlan {
  /** Names that exist in the target and stand in the way. Empty when `drop` may remove them. */
  readonly conflicts: readonly string[];
  /** Names that `drop` will remove or replace. */
  readonly dropped: readonly string[];
  /** Things that cannot be given back to this target, and why. */
  readonly skipped: readonly { readonly namespace: string; readonly reason: string }[];
  readonly warnings: readonly string[];
  /** Items that a run before this one had finished, and that still stand as it left them. */
  readonly finished: readonly FinishedItem[];
}

/** How a run finished an item. */
export interface FinishedItem {
  /** Its name in the target. */
  readonly namespace: string;
  /** Hex of the root that was proven; empty without proof, and of what was compared record by record alone. */
  readonly root: string;
  readonly records: number;
  readonly bytes: number;
  /** It was read back and found equal. */
  readonly proven: boolean;
  /** What {@link RestoreTarget.spotReads} gave. */
  readonly reads?: SpotReads;
  readonly changedByTarget: readonly ChangedRecord[];
}

/** Reads of single records and of short ranges, by which every copy that a target keeps was asked. */
export interface SpotReads {
  readonly made: number;
  /** Of them those that the very copy answered that was asked, and no other for it. */
  readonly own: number;
  /** Not compared: what they were of expired meanwhile. */
  readonly expired: number;
  readonly warnings: readonly string[];
}

export interface LoadedRange {
  readonly records: number;
  readonly bytes: number;
  /** Records that the target rewrote by itself and that could not be mended. */
  readonly changedByTarget: readonly ChangedRecord[];
  /** Of a {@link RestoreTarget.borrow borrowed} item: what its lender must {@link RestoreTarget.adopt adopt}. */
  readonly receipt?: unknown;
}

export interface ChangedRecord {
  readonly key: Uint8Array;
  /** As `renderKey` of the connector gives it. */
  readonly text: string;
}

/** What work on one range of an item needs of a target. */
export interface RangeTarget {
  /** Loads final records, ascending; several ranges of an item may load side by side unless `serial`. */
  load(item: TargetItem, records: RecordStream, signal: AbortSignal): Promise<LoadedRange>;
  /** What the target now holds, ascending by key. */
  readBack(item: TargetItem, range: KeyRange, signal: AbortSignal): RecordStream;
  /**
   * Of targets that cannot give back records as they are; comes in place of {@link readBack}, after `freeze`, ranges side
   * by side. Passes on what the range must hold, and ends only when the target holds it, and no more, as far as it can
   * tell. Errors: `proof-failed`.
   */
  compare?(
    item: TargetItem,
    range: KeyRange,
    expected: RecordStream,
    signal: AbortSignal,
    keep?: Keep,
  ): RecordStream;
  /** Passes on what {@link readBack} has to give, and may keep a sample; after `freeze`, ranges side by side. */
  watch?(item: TargetItem, expected: RecordStream, keep?: Keep): RecordStream;
}

/** Of a borrowed item: told, when the stream has ended, what its lender must adopt. */
export type Keep = (receipt: unknown) => void;

/** Bytes of records in a second: what is loaded, and what is folded again, read back and compared. */
export interface Pace {
  readonly load: number;
  readonly proof: number;
}

/** One restore into one target. Calls per item, in this order: create, load…, index, readBack…, done; then finish. */
export interface RestoreTarget extends RangeTarget, AsyncDisposable {
  readonly identity: SourceIdentity;
  /** Why nothing here can be read back as it was loaded; absent: it can, and is. Said in the plan's warnings. */
  readonly unprovable?: string;
  /** Of this kind of target as it was measured, for estimates; absent: nobody knows. */
  readonly pace?: Pace;
  /** Later expiry is cut to this second since 1970, counted and told by {@link finish}; absent: all is held. */
  readonly expirySecondsMax?: number;
  /**
   * Ranges of one item may be loaded and read back through several targets, each in a process of its own that only
   * planned, or borrowed the item where items are lent; what is loaded twice then stands once.
   */
  readonly sharesRanges?: true;
  /**
   * What a target of another process must know to load ranges of an item that is created, or to read back ranges of one
   * that is frozen. Survives JSON. Undefined: all ranges of it stay here.
   */
  lend?(item: TargetItem, signal: AbortSignal): Promise<unknown>;
  /**
   * In another process, in place of the plan and of all else: a target for ranges of the item that was lent. It makes,
   * checks and removes nothing but what it loads. Errors: `peer-lost`, where it cannot be used from here.
   */
  borrow?(item: TargetItem, lent: unknown): RangeTarget;
  /**
   * What a borrower gave for a range that nobody else has done, before `index` or `spotReads`. Errors: `peer-lost`, when
   * it does not hold here.
   */
  adopt?(item: TargetItem, receipt: unknown): Promise<void>;
  /**
   * Into how many ranges the load of so many bytes may be cut; undefined: into any number. `apart`: ranges go to several
   * processes.
   */
  loadRangesMax?(item: TargetItem, bytes: number, apart: boolean): number | undefined;
  /**
   * By the name of a peer, how many copies of the range it has on its own machine, written or read: 1 for each whole
   * one. Absent or empty: all peers reach them alike.
   */
  near?(item: TargetItem, range: KeyRange): ReadonlyMap<string, number>;
  /** What an earlier run of the operation left here. Looks, changes nothing; comes before the plan. */
  unfinished(operation: string, signal: AbortSignal): Promise<UnfinishedRestore | undefined>;
  /** Looks, changes nothing. Errors: `usage` (a name that no target takes), `target-rights`, `target-unfit`. */
  plan(
    items: readonly TargetItem[],
    options: TargetOptions,
    signal: AbortSignal,
  ): Promise<TargetPlan>;
  /** Writes the marker. Errors: `busy`, when a living run holds it, or one began meanwhile. */
  begin(signal: AbortSignal): Promise<void>;
  /**
   * What an earlier run has loaded of the item in full, after `begin`: it is neither created nor loaded again, and goes
   * on with `index`. Absent: no item is kept so.
   */
  loaded?(item: TargetItem): LoadedRange | undefined;
  /** Makes the dataset with all its options but expiry; one that an earlier run began is made anew. */
  create(item: TargetItem, signal: AbortSignal): Promise<void>;
  /** True when the item's records must be loaded and read back by one call each, as one stream. */
  serial(item: TargetItem): boolean;
  /** Builds all indexes but expiring ones. */
  index(item: TargetItem, signal: AbortSignal): Promise<void>;
  /**
   * For targets that hold more than what lives: fixes what {@link readBack} will give, and says as of which
   * moment it gives what is live. Absent: what was loaded is what is read back.
   */
  freeze?(item: TargetItem, signal: AbortSignal): Promise<FrozenMoment>;
  /**
   * After what was read back is found equal: asks every copy, as its users do, for the sample. Errors: `proof-failed`.
   */
  spotReads?(item: TargetItem, signal: AbortSignal): Promise<SpotReads>;
  /** Remembers in the marker how the item was finished: a resumed restore passes over what still stands so. */
  done(item: TargetItem, finished: FinishedItem, signal: AbortSignal): Promise<void>;
  /** The proof of the item has failed: the same command loads it anew, whatever it left. Absent: it does so anyway. */
  disproven?(item: TargetItem, signal: AbortSignal): Promise<void>;
  /** What `define` and the finish would make of it. Looks, changes nothing; comes after the plan. */
  planDefinitions(
    item: TargetItem,
    records: readonly DataRecord[],
    signal: AbortSignal,
  ): Promise<PlannedDefinitions>;
  /** Gives a dataset of role `definitions` to the target: views, users, roles. */
  define(
    item: TargetItem,
    records: readonly DataRecord[],
    signal: AbortSignal,
  ): Promise<DefineResult>;
  /** After the proof of all items: swaps names, lets expiry begin, removes what `drop` names, and the marker. */
  finish(items: readonly TargetItem[], signal: AbortSignal): Promise<FinishResult>;
  /** After an error since `begin`. Undefined: nothing was made, and the marker is removed. */
  leftBehind(signal: AbortSignal): Promise<LeftBehind | undefined>;
}

/** As of when a target that goes on changing by itself is read back. */
export interface FrozenMoment {
  /** What expires by then has expired; ms since 1970. */
  readonly nowMs: number;
  /** The target may have removed deletions before this: none of them is given. Where deletions are kept. */
  readonly deletionsSinceMs?: number;
}

/** What a restore that did not end has made: for messages. */
export interface LeftBehind {
  /** What its marker is called in the target. */
  readonly marker: string;
  /** Where it stands, in the target. */
  readonly names: readonly string[];
}

export interface DefineResult {
  readonly defined: readonly string[];
  readonly skipped: readonly { readonly namespace: string; readonly reason: string }[];
}

export interface PlannedDefinitions extends DefineResult {
  readonly warnings: readonly string[];
}

export interface FinishResult {
  readonly dropped: readonly string[];
  /** Definitions that could not be made at the end, and why. */
  readonly skipped: readonly { readonly namespace: string; readonly reason: string }[];
  readonly warnings: readonly string[];
}
