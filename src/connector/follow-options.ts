// A part of the port: where following a stream of an ordered log begins.
import type { CatalogEntry } from '../model/catalog.ts';
import type { Position } from '../model/time.ts';

export interface FollowOptions {
  /** Start at `resume`, where the first row must be this very entry (else `gap`). */
  readonly resume: Position;
  /** Give nothing that was consumed before: entries ≤ this, unless their transaction was still open. */
  readonly through: Position;
  /** All that was `CatalogFold.followed` at `through`, dropped since or not; absent: what there is now. */
  readonly entries?: readonly CatalogEntry[];
}
