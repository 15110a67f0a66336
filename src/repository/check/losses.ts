// What a check found lost for good, by lineage: what marks it as given up is not the repository's to know.
import { type CodrError, isCodrError } from '../../base/error.ts';
import type { PackId } from '../../model/id.ts';

/** Keys of state values without their kind. */
export interface LineageLosses {
  readonly lineage: string;
  /** Base copies that lack a leaf, chunk or node. */
  readonly bases: ReadonlySet<string>;
  /** What cuts added, and lacks a leaf, chunk or node. */
  readonly deltas: ReadonlySet<string>;
  /** Runs that lack a block. */
  readonly runs: ReadonlySet<string>;
  /** Unfinished ranges of base copies that rely on a damaged pack. */
  readonly segments: ReadonlySet<string>;
}

export interface Losses {
  /** Missing, or with a part that cannot be read: nothing new may rely on them. */
  readonly packs: readonly PackId[];
  readonly lineages: readonly LineageLosses[];
}

/** True when what was read is gone for good. A store that fails for a moment, or a newer format, loses nothing. */
export function isLoss(error: unknown): error is CodrError {
  return isCodrError(error, 'object-missing') || isCodrError(error, 'object-damaged');
}

export class FoundLosses implements LineageLosses {
  readonly lineage: string;
  readonly bases = new Set<string>();
  readonly deltas = new Set<string>();
  readonly runs = new Set<string>();
  readonly segments = new Set<string>();

  constructor(lineage: string) {
    this.lineage = lineage;
  }
}
