// Everything that can be asked of CODR, as one interface. An embedded node implements it in this process,
// a client for remote peers implements it over the wire: so requests and results are plain objects that
// survive JSON, and `progress` is the only callback. Results are the `--json` output of the command line,
// field by field; docs/reference/commands.md lists them. An absent field is one that has no value.
//
// Every method may reject with a CodrError whose code is in `src/base/error-catalogue.ts`, or with the
// reason of the signal. Texts named WHEN (`latest`, RFC 3339, a source's own form, a point id) are read by
// whoever implements this, since only a connector knows the forms of its source.

/** A moment of a source in its own form and as a wall clock shows it. */
export interface Moment {
  /** The source's own form: `1763816700:42` for MongoDB. */
  readonly time: string;
  /** RFC 3339 in UTC. */
  readonly wall: string;
}

/** Every moment between both, both included. */
export interface Span {
  readonly from: Moment;
  readonly to: Moment;
}

/** What long work reports. Counts never fall within one phase. */
export interface Progress {
  /** One or two words for people: `base copy`, `following`, `loading`, `indexes`, `proof`. */
  readonly phase: string;
  readonly records: number;
  readonly bytes: number;
  readonly recordsTotal?: number;
  readonly bytesTotal?: number;
  /** Since the phase began; bytes / seconds is the rate. */
  readonly seconds: number;
  readonly etaSeconds?: number;
  /** What happens right now: a namespace, a commit, a warning. */
  readonly note?: string;
}

/** Passed beside every request. */
export interface Call {
  /** Ends the work at the next safe place; what was committed stays, the same request resumes it. */
  readonly signal: AbortSignal;
  /** Called at most a few times a second; must not throw. */
  readonly progress?: (progress: Progress) => void;
}

/** CODR as the command line, the demo and other programs see it. */
export interface CodrApi extends AsyncDisposable {
  /** Errors: `repository-exists`, `store-unfit`, `key-missing`. */
  init(request: InitRequest, call: Call): Promise<InitResult>;
  status(request: StatusRequest, call: Call): Promise<Status>;

  /** Connects to learn the identity, stores nothing else of the source. Errors: `source-exists`, `source-*`. */
  addSource(request: AddSourceRequest, call: Call): Promise<SourceCheck>;
  /** Faults are findings of the result; only a source that does not answer at all is an error. */
  checkSource(request: SourceRequest, call: Call): Promise<SourceCheck>;
  listSources(call: Call): Promise<SourceList>;
  showSource(request: SourceRequest, call: Call): Promise<SourceDescription>;
  /** Accepts the cluster that now answers at the source's address; history closes with a hole. */
  rebaseSource(request: SourceRequest, call: Call): Promise<SourceRebased>;
  /** Drops the source and its history; `collect` frees the space. */
  removeSource(request: SourceRequest, call: Call): Promise<SourceRemoved>;

  /**
   * Base copy where one is missing, then the log up to now. With `follow`, goes on until the signal
   * aborts, commits once more, and resolves; an abort before the first restorable point rejects.
   * Errors: `busy`, `gap`, `source-*`.
   */
  backup(request: BackupRequest, call: Call): Promise<BackupResult>;
  points(request: SourceRequest, call: Call): Promise<Points>;
  /** What `restore` would do; changes nothing. */
  planRestore(request: RestoreRequest, call: Call): Promise<RestorePlan>;
  /** Errors: `time-not-restorable`, `target-*`, `proof-failed`, `namespace-unknown`. */
  restore(request: RestoreRequest, call: Call): Promise<RestoreResult>;
  /** What is damaged or differs is in the result, not an error. */
  verify(request: VerifyRequest, call: Call): Promise<VerifyResult>;
  listDatasets(request: ListRequest, call: Call): Promise<DatasetList>;
  /** Errors: `record-unknown`, `namespace-unknown`, `usage` (the key cannot be read). */
  getRecord(request: GetRequest, call: Call): Promise<RecordResult>;

  collect(request: CollectRequest, call: Call): Promise<CollectResult>;
  /** What is damaged is in the result, not an error. */
  check(request: CheckRequest, call: Call): Promise<CheckResult>;
  addKey(request: AddKeyRequest, call: Call): Promise<KeySlot>;
  /** Errors: `key-last`, `usage` (no such slot). */
  removeKey(request: RemoveKeyRequest, call: Call): Promise<KeySlot>;
  listKeys(call: Call): Promise<KeyList>;
}

// ---- repository, keys ----

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
  readonly kind: 'passphrase' | 'key-file';
  /** For people: `scrypt, N = 2^17, r = 8, p = 1`. */
  readonly protection: string;
  readonly label?: string;
  /** RFC 3339. */
  readonly created: string;
}

export interface KeyList {
  readonly keys: readonly KeySlot[];
}

/** The new secret: a passphrase, or the bytes of a key file as base64. Exactly one is given. */
export interface AddKeyRequest {
  readonly passphrase?: string;
  readonly keyFileBase64?: string;
  readonly label?: string;
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
  readonly seconds: number;
}

export interface CheckProblem {
  /** Name of the object in the store. */
  readonly object: string;
  readonly problem: string;
  /** What can no longer be restored because of it: sources, datasets, intervals. Empty: nothing. */
  readonly affected: readonly string[];
  readonly repaired: boolean;
}

export type StatusRequest = Readonly<Record<string, never>>;

export interface Status {
  readonly repository: RepositoryDescription & {
    readonly packs: number;
    readonly bytesStored: number;
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
}

export interface SourceStatus {
  readonly name: string;
  /** `new`: no restorable point yet. `following`: a live writer holds it. `hole`: the newest interval is closed. */
  readonly state: 'new' | 'copying' | 'following' | 'idle' | 'hole';
  /** Now minus the newest restorable time. */
  readonly lagSeconds?: number;
  /** Until the source's own log passes our position; absent when the source was not asked. */
  readonly headroomSeconds?: number;
  /** The newest restorable interval. */
  readonly interval?: Span;
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

// ---- sources ----

export interface SourceRequest {
  readonly source: string;
}

export interface AddSourceRequest {
  readonly source: string;
  /** A URI of the database's own driver. Its password is kept encrypted in the repository. */
  readonly uri: string;
  /** Namespace globs; empty means all. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** The password stays outside: read from this file, or this environment variable, at each use. */
  readonly passwordFile?: string;
  readonly passwordEnv?: string;
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
}

// ---- backup, points ----

export interface BackupRequest {
  readonly source: string;
  readonly follow: boolean;
  /** Longest time between two commits while following. */
  readonly rpoSeconds: number;
}

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
  readonly bytesStored: number;
  /** Read but held by the repository already. */
  readonly bytesDeduplicated: number;
  /** Holes that this run found or left open. */
  readonly holes: readonly Hole[];
  readonly seconds: number;
}

export interface PointName extends Moment {
  readonly id: string;
}

export interface Point extends PointName {
  readonly datasets: number;
  /** What the base copies that serve the point hold; changes after them are not counted. */
  readonly records: number;
  readonly bytes: number;
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

// ---- restore, verify ----

export interface RestoreRequest {
  readonly source: string;
  /** A driver URI. */
  readonly to: string;
  /** WHEN. */
  readonly at: string;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** `db.coll=db2.coll2` or `db.*=db2.*`. */
  readonly renames: readonly string[];
  readonly drop: boolean;
  readonly ttl: 'keep' | 'hold';
  /** Read everything back and compare roots. */
  readonly verify: boolean;
}

export interface RestorePlan {
  readonly source: string;
  readonly at: Moment;
  readonly datasets: readonly PlannedDataset[];
  /** Names in the target that stand in the way. */
  readonly conflicts: readonly string[];
  /** Names that `drop` will remove or replace. */
  readonly dropped: readonly string[];
  readonly skipped: readonly Skipped[];
  readonly warnings: readonly string[];
}

export interface PlannedDataset {
  /** Name at the point, and in the target. */
  readonly from: string;
  readonly to: string;
  /** Estimates: what the base copy holds. */
  readonly records: number;
  readonly bytes: number;
}

export interface RestoreResult {
  readonly source: string;
  readonly at: Moment;
  readonly datasets: readonly RestoredDataset[];
  readonly dropped: readonly string[];
  /** What of the scope is not in the target; not empty: done in part (exit code 3). */
  readonly skipped: readonly Skipped[];
  /** Records whose bytes the target changed by itself; not empty: done in part (exit code 3). */
  readonly changedByTarget: readonly ChangedRecord[];
  /** Transactions that the namespace filter cut in two. */
  readonly tornTransactions: number;
  readonly warnings: readonly string[];
  readonly seconds: number;
}

export interface RestoredDataset {
  readonly from: string;
  readonly to: string;
  readonly records: number;
  readonly bytes: number;
  /** Hex; of the records as folded. */
  readonly root: string;
  /** What was read back has the same root. False only when no proof was asked for. */
  readonly proven: boolean;
}

export interface Skipped {
  readonly namespace: string;
  readonly reason: string;
}

export interface ChangedRecord {
  readonly namespace: string;
  /** The key as users write it. */
  readonly key: string;
}

export interface VerifyRequest {
  readonly source: string;
  /** WHEN. */
  readonly at: string;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** A driver URI: compare with this live cluster. Absent: look at the repository alone. */
  readonly against?: string;
  /** Read and decode every byte that the point needs, not only names and sizes. */
  readonly readData: boolean;
}

export interface VerifyResult {
  readonly source: string;
  readonly at: Moment;
  /** The live cluster, without its password. */
  readonly against?: string;
  readonly datasets: readonly VerifiedDataset[];
  readonly bytesRead: number;
  readonly seconds: number;
}

export interface VerifiedDataset {
  readonly namespace: string;
  /**
   * `whole`: every object is there (and was read, with `readData`). `damaged`: some are not. `equal`,
   * `different`: the live cluster holds the same records, or others. `absent`: the live cluster lacks
   * it. `unreadable`: the live cluster cannot show that moment of it.
   */
  readonly verdict: 'whole' | 'damaged' | 'equal' | 'different' | 'absent' | 'unreadable';
  readonly records: number;
  readonly bytes: number;
  /** Hex; absent where nothing was folded. */
  readonly root?: string;
  /** What is damaged or differs: an object, the first differing key. */
  readonly detail?: string;
}

// ---- looking inside ----

export interface ListRequest {
  readonly source: string;
  /** WHEN. */
  readonly at: string;
}

export interface DatasetList {
  readonly source: string;
  readonly at: Moment;
  readonly datasets: readonly DatasetDescription[];
}

export interface DatasetDescription {
  readonly namespace: string;
  readonly id: string;
  /** `collection`, `capped`, `timeseries`, `views`, `users`, … */
  readonly kind: string;
  /** Of the base copy that serves this time. */
  readonly records: number;
  readonly bytes: number;
}

export interface GetRequest {
  readonly source: string;
  readonly namespace: string;
  /** As users write it: Extended JSON of the `_id` for MongoDB. */
  readonly key: string;
  /** WHEN. */
  readonly at: string;
  /** Also every change of the record that the repository holds up to that time. */
  readonly history: boolean;
}

export interface RecordResult {
  readonly source: string;
  readonly namespace: string;
  readonly key: string;
  readonly at: Moment;
  /** JSON text (MongoDB: canonical Extended JSON); absent when the record did not exist at that time. */
  readonly value?: string;
  /** Newest last; only when asked for. */
  readonly history?: readonly RecordVersion[];
}

export interface RecordVersion extends Moment {
  readonly change: 'base' | 'put' | 'patch' | 'delete' | 'clear';
  /** JSON text of the record after the change; absent when it was gone. */
  readonly value?: string;
}
