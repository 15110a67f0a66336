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

export interface Coordinator extends AsyncDisposable {
  get(key: string): Promise<CoordinatorEntry | undefined>;
  /** All entries whose key begins with `prefix`, ascending. */
  list(prefix: string): Promise<CoordinatorEntry[]>;
  /**
   * All operations, or none when a guard fails. At most 128 operations on distinct keys, values at most 64
   * KiB. A put without a lease frees the key from the one it had. Errors: `lease-lost` for an ended lease.
   */
  transact(guards: readonly Guard[], operations: readonly Operation[]): Promise<Outcome>;
  /** Kept alive until disposed. */
  lease(ttlMs: number): Promise<Lease>;
  /**
   * Yields after something under `prefix` may have changed since the call; list again to know what. Ends
   * quietly when the signal is aborted.
   */
  watch(prefix: string, signal: AbortSignal): AsyncIterable<void>;
}
