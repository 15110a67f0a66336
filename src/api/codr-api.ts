// Everything that can be asked of CODR, as one interface. An embedded node implements it in this process,
// a client for remote peers implements it over the wire: so requests and results are plain objects that
// survive JSON, and `progress` is the only callback. Results are the `--json` output of the command line,
// field by field; docs/reference/commands.md lists them. An absent field is one that has no value.
//
// Every method may reject with a CodrError whose code is in `src/base/error-catalogue.ts`, or with the
// reason of the signal. Texts named WHEN (`latest`, RFC 3339, a source's own form, a point id) are read by
// whoever implements this, since only a connector knows the forms of its source.

import type { Call } from './call.ts';
import type {
  CancelOperationRequest,
  ListOperationsRequest,
  OperationDescription,
  OperationList,
} from './operation-calls.ts';
import type {
  AddKeyRequest,
  CheckRequest,
  CheckResult,
  CollectRequest,
  CollectResult,
  InitRequest,
  InitResult,
  KeyList,
  KeySlot,
  RemoveKeyRequest,
  Status,
  StatusRequest,
} from './repository-calls.ts';
import type {
  DatasetList,
  GetRequest,
  ListRequest,
  RecordResult,
  RestorePlan,
  RestoreRequest,
  RestoreResult,
  VerifyRequest,
  VerifyResult,
} from './restore-calls.ts';
import type {
  AddSourceRequest,
  BackupRequest,
  BackupResult,
  CheckpointRequest,
  CheckpointResult,
  LimitSourceRequest,
  Points,
  SourceCheck,
  SourceDescription,
  SourceList,
  SourceRebased,
  SourceRemoved,
  SourceRequest,
} from './source-calls.ts';

export type * from './call.ts';
export type * from './operation-calls.ts';
export type * from './repository-calls.ts';
export type * from './restore-calls.ts';
export type * from './source-calls.ts';

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
  /** Counts from the next backup on. Errors: `source-unknown`, `usage`. */
  limitSource(request: LimitSourceRequest, call: Call): Promise<SourceDescription>;
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
  /** New base copies as of a moment, of what is stored. Errors: `busy`, `time-not-restorable`, `object-*`. */
  checkpoint(request: CheckpointRequest, call: Call): Promise<CheckpointResult>;
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

  /** Long work of peers, newest first. A process with its own repository has none: it is its own command. */
  listOperations(request: ListOperationsRequest, call: Call): Promise<OperationList>;
  /** Asks it to end at the next safe place, and answers at once. Errors: `operation-unknown`. */
  cancelOperation(request: CancelOperationRequest, call: Call): Promise<OperationDescription>;
}
