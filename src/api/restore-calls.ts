// Requests and results about giving data back: restore, proof, looking inside.
import type { Moment } from './call.ts';

export interface RestoreRequest {
  readonly source: string;
  /** A driver URI, or what a URI cannot say as in the `config` of `AddSourceRequest`. */
  readonly to: string;
  /** WHEN. */
  readonly at: string;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** `db.coll=db2.coll2` or `db.*=db2.*`. */
  readonly renames: readonly string[];
  /** Cassandra: `FROM..TO`, only rows whose token lies in one of them. */
  readonly ranges?: readonly string[];
  /** Cassandra: `ks.table=CONDITION` on the primary key: only these rows of the table. */
  readonly queries?: readonly string[];
  /** Cassandra: `OLD=NEW`, data centres of the source by those of the target. */
  readonly datacenters?: readonly string[];
  readonly drop: boolean;
  readonly ttl: 'keep' | 'hold' | 'rebase' | 'freeze';
  /** Cassandra: `keep` gives deletions and expired cells back too; `drop` unless said. */
  readonly tombstones?: 'keep' | 'drop';
  /** Read everything back and compare roots. */
  readonly verify: boolean;
  /** Loads and reads back no more than this, all peers together; absent or 0: no limit. */
  readonly bytesPerSecond?: number;
}

export interface RestorePlan {
  readonly source: string;
  readonly at: Moment;
  /** It goes on with what an earlier run of the same restore has left unfinished. */
  readonly resumes: boolean;
  readonly datasets: readonly PlannedDataset[];
  /** What else would be made. */
  readonly definitions: readonly Definition[];
  /** Names in the target that stand in the way. */
  readonly conflicts: readonly string[];
  /** Names that `drop` will remove or replace, views too. */
  readonly dropped: readonly string[];
  /** What of the scope would not be made, and why. */
  readonly skipped: readonly Skipped[];
  readonly warnings: readonly string[];
  readonly estimate: RestoreEstimate;
}

/** About how long it takes: a guess by a rate that is assumed for the kind of target. */
export interface RestoreEstimate {
  /** Of records of all datasets, as their base copies hold them; of what is wanted in part, all. */
  readonly bytes: number;
  /** The rate: proof and limit are reckoned in. */
  readonly bytesPerSecond: number;
  readonly seconds: number;
}

export interface Definition {
  /** `views`, `users`, `roles`. */
  readonly kind: string;
  /** Its name in the target: of a view `db.view`, of a user or role `db.name`. */
  readonly name: string;
}

export interface PlannedDataset {
  /** Name at the point, and in the target. */
  readonly from: string;
  readonly to: string;
  /** What the base copy holds. */
  readonly records: number;
  readonly bytes: number;
  /** The dataset has changed since, has no base copy, or is wanted in part: there is another number. */
  readonly estimated?: boolean;
  /**
   * Records (of a time series: buckets) that are past their expiry now and go when it begins; absent for
   * datasets without expiry, and with `ttl: hold`.
   */
  readonly expiring?: number;
  /** With `expiring`; false: a TTL index has a filter, and fewer may go. */
  readonly expiringExact?: boolean;
  /** Ranges of keys, of Cassandra of tokens, that are folded one by one, side by side; a target may want fewer. */
  readonly ranges: number;
}

export interface RestoreResult {
  readonly source: string;
  readonly at: Moment;
  readonly datasets: readonly RestoredDataset[];
  /** Views, users and roles that the target has now as they were. */
  readonly definitions: readonly Definition[];
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
  /** Hex; of the records as folded. Empty where a target can only be compared record by record. */
  readonly root: string;
  /** What was read back has the same root, or is the same record by record. False only when no proof was asked for. */
  readonly proven: boolean;
  /** Absent where a kind's targets keep one copy, and where no proof was asked for. */
  readonly reads?: SpotReads;
}

/** Reads of single records and of short ranges by which each copy in the target was asked; all were right. */
export interface SpotReads {
  readonly made: number;
  /** Of them those that the very copy answered that was asked, and no other for it. */
  readonly own: number;
  /** Not compared: what they were of expired meanwhile. */
  readonly expired: number;
}

export interface Skipped {
  readonly namespace: string;
  readonly reason: string;
}

export interface ChangedRecord {
  readonly namespace: string;
  /** The key as `codr get` takes it; MongoDB: canonical Extended JSON of the `_id`. */
  readonly key: string;
}

export interface VerifyRequest {
  readonly source: string;
  /** WHEN. */
  readonly at: string;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** As the `to` of a restore: compare with this live cluster. Absent: look at the repository alone. */
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
  readonly verdict:
    | 'whole'
    | 'damaged'
    | 'equal'
    | 'different'
    | 'absent'
    | 'surplus'
    | 'unreadable';
  readonly records: number;
  readonly bytes: number;
  /** Nothing was folded, and the dataset has changed since its base copy, which is what is counted. */
  readonly estimated?: boolean;
  /** Hex; absent where nothing was folded. */
  readonly root?: string;
  /** What is damaged or differs: an object, the first differing key. */
  readonly detail?: string;
}

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
  /** The dataset has changed since, or has no base copy: the moment holds another number. */
  readonly estimated?: boolean;
}

export interface GetRequest {
  readonly source: string;
  readonly namespace: string;
  /**
   * As users write it. MongoDB: Extended JSON of the `_id`. Cassandra: the primary key, or a partition key alone, as
   * a JSON object or as `k = 1 AND c = 'x'`.
   */
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
  /**
   * JSON text (MongoDB: canonical Extended JSON), an array when the key names several rows; absent when the record
   * did not exist at that time.
   */
  readonly value?: string;
  /** There are more rows than `value` holds. */
  readonly more?: true;
  /** Newest last; only when asked for. */
  readonly history?: readonly RecordVersion[];
}

export interface RecordVersion extends Moment {
  readonly change: 'base' | 'put' | 'patch' | 'delete' | 'clear';
  /** As in {@link RecordResult}, after the change. */
  readonly value?: string;
  readonly more?: true;
}
