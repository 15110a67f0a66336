// The port to whatever peers agree through: guarded transactions, leases, lists, and watches as hints.
// `memory/` serves one process; `conformance.ts` is the contract as tests.

export interface CoordinatorEntry {
  readonly key: string;
  readonly value: string;
  /** Revision that created the key: an epoch that never falls. */
  readonly createRevision: number;
  /** Revision that last changed it. */
  readonly modifyRevision: number;
}

/** A condition on one key; revision 0 stands for "there is no such key". */
export type Guard =
  | { readonly key: string; readonly createRevision: number }
  | { readonly key: string; readonly modifyRevision: number };

export type Operation =
  | { readonly put: string; readonly value: string; readonly lease?: Lease }
  | { readonly delete: string };

export type Outcome = { readonly done: true; readonly revision: number } | { readonly done: false };

/** Keys bound to a lease vanish when it ends. */
export interface Lease extends AsyncDisposable {
  readonly id: string;
  /** Aborted with `lease-lost` when this side must stop acting: a margin before the keys vanish. */
  readonly lost: AbortSignal;
}

/**
 * Every method may fail with `coordinator-unreachable` (nobody answers; nothing happened), with
 * `coordinator-refused` (it answers that it will not), and for ever with `coordinator-replaced`: the store
 * behind it began another life, in which revisions of this one mean nothing. Leases are then lost and
 * watches fail; open another coordinator.
 */
export interface Coordinator extends AsyncDisposable {
  /** The life of the store. Within one, revisions never fall: an epoch is this id and a create revision. */
  readonly clusterId: string;
  get(key: string): Promise<CoordinatorEntry | undefined>;
  /** All entries whose key begins with `prefix`, ascending. */
  list(prefix: string): Promise<CoordinatorEntry[]>;
  /**
   * All operations, or none when a guard fails. At most 120 guards, at most 120 operations on distinct keys,
   * values at most 64 KiB, 1 MiB in all. A put without a lease frees the key from the one it had.
   *
   * The answer is the truth: a transaction whose answer was lost on the way is not repeated blindly, nor
   * taken for failed. Errors: `lease-lost` for an ended lease, nothing happened; `transaction-in-doubt`
   * when it cannot be found out in time: it has happened, or may still happen later, or never. Whoever
   * meets that acts as if it had lost what it guards, and reads again before it decides anything.
   */
  transact(guards: readonly Guard[], operations: readonly Operation[]): Promise<Outcome>;
  /** Kept alive until disposed. */
  lease(ttlMs: number): Promise<Lease>;
  /**
   * Yields after something under `prefix` may have changed since the call; list again to know what. It may
   * yield though nothing changed, as after a reconnection. While nobody answers it waits, and yields
   * when somebody does. Ends quietly when the signal is aborted.
   */
  watch(prefix: string, signal: AbortSignal): AsyncIterable<void>;
}
