// The trees of one fold as streams. Where a later tree holds the same leaves as the largest one, it is not read:
// a merge of equal records is that of one of them. Ranges that are left out begin and end where nothing from
// before bears upon what follows, so each stream says the same of all that it holds.
import { compareBytes, equalBytes } from '../../base/bytes.ts';
import type { Connector } from '../../connector/connector.ts';
import { intersectRanges, type KeyRange } from '../../model/key-range.ts';
import type { RecordStream } from '../../model/record.ts';
import type { LeafSource } from '../../repository/leaf/leaf-store.ts';
import { sharedRanges } from '../../repository/tree/shared-ranges.ts';
import { readTree } from '../../repository/tree/tree-reader.ts';
import type { TreeRoot } from '../../repository/tree/tree-root.ts';

export interface TreeInputsOptions {
  readonly range: KeyRange;
  /** Of all trees together. */
  readonly readAheadBytes: number;
  readonly signal?: AbortSignal;
  /** Smaller trees are read as they are, and smaller ranges with what lies around them. */
  readonly sharedBytesMin?: number;
}

/** Below it a look at the nodes costs as much as it saves. */
const sharedBytesMinDefault = 512 * 1024;

/**
 * One stream for each tree, in their order: for a connector whose fold is a merge. An absent tree is empty.
 * Errors: those of the source, `object-damaged`.
 */
export function treeInputs(
  { source, leadIn }: { readonly source: LeafSource; readonly leadIn: Connector['leadIn'] },
  trees: readonly (TreeRoot | undefined)[],
  options: TreeInputsOptions,
): RecordStream[] {
  const { range, signal, sharedBytesMin = sharedBytesMinDefault } = options;
  const bytes = trees.map((tree) => tree?.bytes ?? 0);
  const largestAt = bytes.indexOf(Math.max(...bytes));
  const largest = trees[largestAt];
  const count = trees.filter((tree) => tree !== undefined && tree.records > 0).length;
  const readAheadBytes = Math.floor(options.readAheadBytes / Math.max(1, count));
  const read = (tree: TreeRoot, part: KeyRange): RecordStream =>
    readTree(source, tree, part, { readAheadBytes, ...(signal && { signal }) });
  return trees.map(async function* (tree, i): RecordStream {
    if (!tree || tree.records === 0) return;
    const isAlone = !largest || i === largestAt || tree.cut !== largest.cut;
    if (isAlone || tree.bytes < sharedBytesMin) {
      yield* read(tree, range);
      return;
    }
    if (equalBytes(tree.id, largest.id)) return;
    const pair = { left: largest, right: tree };
    let from = range.from;
    for await (const shared of sharedRanges(source, pair, { range, bytesMin: sharedBytesMin })) {
      const begin = afterAll(leadIn(shared.first));
      const end = leadIn(shared.last);
      if (!begin || compareBytes(begin, end) >= 0) continue;
      const before = intersectRanges({ ...(from && { from }), to: begin }, range);
      if (before) yield* read(tree, before);
      if (!from || compareBytes(from, end) < 0) from = end;
    }
    const rest = intersectRanges(from ? { from } : {}, range);
    if (rest) yield* read(tree, rest);
  });
}

/** The first key behind all that begin with `prefix`; undefined when there is none. */
function afterAll(prefix: Uint8Array): Uint8Array | undefined {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length--;
  if (length === 0) return undefined;
  const next = Uint8Array.from(prefix.subarray(0, length));
  next[length - 1] = (next[length - 1] as number) + 1;
  return next;
}
