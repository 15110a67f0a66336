// The log of who changed what. Append-only; a call whose entry cannot be written is not carried out.

export interface AuditEntry {
  /** RFC 3339. */
  readonly at: string;
  /** Name of the caller; absent when nobody was proven. */
  readonly by?: string;
  /** Network address that the call came from. */
  readonly from: string;
  /** The command's words: `backup`, `key-add`, `cancel`. */
  readonly action: string;
  readonly source?: string;
  /** Id of the operation, once it is known. */
  readonly operation?: string;
  readonly idempotencyKey?: string;
  /**
   * `begun`: about to be done. `done`, `failed`: how it ended; of an operation that it was accepted or not.
   * `refused`: the caller may not.
   */
  readonly outcome: 'begun' | 'done' | 'failed' | 'refused';
  /** Of the error that it ended with. */
  readonly code?: string;
}

export interface AuditLog {
  /** Resolves when the entry is kept for good. */
  append(entry: AuditEntry): Promise<void>;
}
