// Requests and results about the repository as a whole: keys, health, space, status.
import type { Progress, Span } from './call.ts';
import type { Hole } from './source-calls.ts';

export interface InitRequest {
  /** False only for `--no-encryption`. */
  readonly encryption: boolean;
}

export interface InitResult {
  readonly repository: RepositoryDescription;
  /** The first key slot; absent without encryption. */
  readonly key?: KeySlot;
}

export interface RepositoryDescription {
  /** Without secrets. */
  readonly url: string;
  readonly id: string;
  readonly encrypted: boolean;
}

/** One way to open the repository. */
export interface KeySlot {
  readonly id: string;
  /** `passphrase`, `key-file`, `open`, or the word of a newer version. */
  readonly kind: string;
  /** For people: `scrypt and AES-256-GCM`. */
  readonly protection: string;
}

export interface KeyList {
  readonly keys: readonly KeySlot[];
}

/** The new secret: a passphrase, or the bytes of a key file as base64. Exactly one is given. */
export interface AddKeyRequest {
  readonly passphrase?: string;
  readonly keyFileBase64?: string;
}

export interface RemoveKeyRequest {
  readonly id: string;
}

export interface CollectRequest {
  readonly dryRun: boolean;
}

export interface CollectResult {
  readonly dryRun: boolean;
  readonly packsExamined: number;
  readonly packsRemoved: number;
  readonly bytesFreed: number;
  /** Readers that hold packs which would go otherwise; absent when there are none. */
  readonly heldBy?: readonly string[];
  readonly seconds: number;
}

export interface CheckRequest {
  /** Share of the packs whose bytes are read and decoded: 0 (names and sizes only) to 100. */
  readonly readDataPercent: number;
  readonly repair: boolean;
}

export interface CheckResult {
  readonly packs: number;
  readonly commits: number;
  readonly bytesRead: number;
  readonly problems: readonly CheckProblem[];
  /** Sources of which times are lost for good, which are holes now. Only with `repair`. */
  readonly givenUp: readonly string[];
  readonly seconds: number;
}

export interface CheckProblem {
  /** Name of the object in the store. */
  readonly object: string;
  readonly problem: string;
  /** What can no longer be restored because of it: sources, datasets, intervals. Empty: nothing. */
  readonly affected: readonly string[];
  /** What to do about it. */
  readonly remedy?: string;
  readonly repaired: boolean;
}

export type StatusRequest = Readonly<Record<string, never>>;

export interface Status {
  readonly repository: RepositoryDescription & {
    readonly packs: number;
    /** Of packs alone. History and indexes come on top: to list them all takes too long where they are many. */
    readonly packBytes: number;
  };
  readonly peers: readonly Peer[];
  /** Name of the peer that coordinates. */
  readonly coordinator?: string;
  readonly epoch?: number;
  readonly sources: readonly SourceStatus[];
  readonly operations: readonly OperationStatus[];
}

export interface Peer {
  readonly name: string;
  readonly state: 'up' | 'down' | 'draining';
  readonly address?: string;
  readonly version: string;
  /** Of 4,096 slots of fingerprints, those that it owns; absent for a cluster of one. */
  readonly slots?: number;
  readonly ownsPercent?: number;
  /** How many it runs. */
  readonly operations?: number;
  /** The largest lag of the sources whose backups it runs; absent when it runs none that has a point. */
  readonly lagSeconds?: number;
}

export interface SourceStatus {
  readonly name: string;
  /**
   * `new`: no restorable point yet. `following`: a live writer holds it. `hole`: the newest interval is closed.
   * `gap`: the source's own log has passed our position, so the next backup records a hole and begins with
   * a new base copy.
   */
  readonly state: 'new' | 'copying' | 'following' | 'idle' | 'hole' | 'gap';
  /** Now minus the newest restorable time. */
  readonly lagSeconds?: number;
  /** Until the source's own log passes our position, 0 when it has; absent when the source was not asked. */
  readonly headroomSeconds?: number;
  /** The newest restorable interval; of kinds that take cuts from the first to the last of them. */
  readonly interval?: Span;
  /** How many cuts can be restored, of kinds that take them: nothing between two of them can. */
  readonly cuts?: number;
  readonly holes: readonly Hole[];
  /** Who writes its history right now: host and process, or peer. */
  readonly writer?: string;
  /** What holds the newest restorable time back: a prepared transaction, a silent shard. */
  readonly heldBackBy?: string;
}

export interface OperationStatus {
  readonly id: string;
  readonly kind: string;
  readonly source?: string;
  readonly state: 'running' | 'done' | 'failed' | 'cancelled';
  readonly progress?: Progress;
}
