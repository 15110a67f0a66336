// The root of a tree: what a commit stores of a dataset's base copy, and what a proof compares.
import { equalBytes } from '../../base/bytes.ts';
import type { LeafId } from '../../model/id.ts';

/** Equal content, keys of the repository and cut parameters give an equal root. */
export interface TreeRoot {
  /** The root blob: a leaf when `height` is 0 (an empty one when the dataset is empty), else a node. */
  readonly id: LeafId;
  /** Levels of nodes above the leaves. */
  readonly height: number;
  readonly records: number;
  /** Raw key and value bytes of all records. */
  readonly bytes: number;
  /** Id of the cut parameters. */
  readonly cut: string;
}

/** `incomparable`: the roots were cut with other parameters, and their ids say nothing about content. */
export function compareRoots(a: TreeRoot, b: TreeRoot): 'equal' | 'different' | 'incomparable' {
  if (a.cut !== b.cut) return 'incomparable';
  return equalBytes(a.id, b.id) ? 'equal' : 'different';
}
