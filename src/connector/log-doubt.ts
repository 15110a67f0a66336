// What a log may hold that nobody can say more of yet: transactions that are prepared and not decided, and entries of
// a newer version of the database.
import type { DatasetId, StreamId } from '../model/id.ts';
import type { Position, SourceTime } from '../model/time.ts';

/** Prepared, and neither committed nor aborted: nothing from `preparedAt` on is settled. */
export interface UndecidedTransaction {
  /** As the database's own tools find it. */
  readonly name: string;
  readonly preparedAt: SourceTime;
}

export interface UnknownEntry {
  readonly time: SourceTime;
  readonly position: Position;
  /** The dataset it names; absent: the whole stream is in doubt. */
  readonly dataset?: DatasetId;
  /** What it is called: `op "xx"`, `command "frobnicate"`. */
  readonly name: string;
  readonly body: Uint8Array;
}

/** An {@link UnknownEntry} as it was stored. */
export type StoredEntry = UnknownEntry & { readonly stream: StreamId };
