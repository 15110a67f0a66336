// Joins the parts of adjacent key ranges into one tree. Only what the parts left undecided is cut here;
// the root and all blobs under it are the same wherever the dataset was divided.
import { assert } from '../../base/assert.ts';
import type { Keyed } from '../leaf/cut-hashing.ts';
import { encodeLeaf } from '../leaf/leaf-codec.ts';
import { BlobWriter } from './blob-writer.ts';
import type { NodeEntry } from './node-codec.ts';
import { cutBytesOf, cutRun } from './run-cutter.ts';
import { leafLevel, nodeLevel, type TreeContext, type TreeLevel } from './tree-level.ts';
import type { PartLevel, TreePart } from './tree-part.ts';
import type { TreeRoot } from './tree-root.ts';

/** Levels of nodes that are left of one part, lowest first. */
type Ladder = readonly PartLevel<NodeEntry>[];

/**
 * The root over all records of `parts`, which must be given in key order and were built with the cut
 * parameters of `context`. Memory: the edges of all parts, about 50 KiB each.
 */
export async function joinParts(
  parts: readonly TreePart[],
  context: TreeContext,
): Promise<TreeRoot> {
  for (const part of parts) {
    assert(part.cut === context.cut.id, 'parts are joined with the parameters that cut them');
  }
  const lowest = parts.map((part) => ({ edges: part.leaves, above: part.nodes }));
  let ladders = await joinLevel(leafLevel, lowest, context);
  let height = 0;
  for (; ladders.length > 1 || ladders[0]![0]!.head.length > 1; height++) {
    const next = ladders.map((ladder) => ({
      edges: ladder[0] ?? nothing,
      above: ladder.slice(1),
    }));
    ladders = await joinLevel(nodeLevel(height + 1), next, context);
  }
  const top = ladders[0]![0]!.head[0];
  if (top) {
    return { id: top.id, height, records: top.records, bytes: top.bytes, cut: context.cut.id };
  }
  const [id] = await context.sink.put('leaf', [encodeLeaf([])]);
  assert(id, 'a sink names every blob it is given');
  return { id, height: 0, records: 0, bytes: 0, cut: context.cut.id };
}

const nothing: PartLevel<NodeEntry> = { split: false, head: [], tail: [] };

/** A run between two decided cuts, or between one and an end of the dataset. */
interface Gap<I> {
  readonly items: I[];
  readonly followedBy: 'cut' | 'nothing';
}

/**
 * Cuts what lies between the decided parts of one level. The result is the sequence one level up, in
 * order: the entries of a gap (as an undecided head), the levels above the part that follows it, the
 * next gap, and so on, ending with a gap.
 */
async function joinLevel<I extends Keyed>(
  level: TreeLevel<I>,
  parts: readonly { readonly edges: PartLevel<I>; readonly above: Ladder }[],
  context: TreeContext,
): Promise<Ladder[]> {
  const gaps = gapsOf(parts.map((part) => part.edges));
  const entries: NodeEntry[] = [];
  const writer = new BlobWriter(level, context, async (named) => {
    for (const entry of named) entries.push(entry);
  });
  const pieceCounts: number[] = [];
  for (const { items, followedBy } of gaps) {
    context.signal?.throwIfAborted();
    const pieces = cutRun(level, items, followedBy, context);
    for (const piece of pieces) {
      writer.add(items, piece, cutBytesOf(level, items, piece));
      if (writer.full) await writer.settle();
    }
    pieceCounts.push(pieces.length);
  }
  await writer.finish();
  const between = parts.filter((part) => part.edges.split).map((part) => part.above);
  const ladders: Ladder[] = [];
  let at = 0;
  for (const [i, count] of pieceCounts.entries()) {
    ladders.push([{ split: false, head: entries.slice(at, at + count), tail: [] }]);
    at += count;
    const above = between[i];
    if (above) ladders.push(above);
  }
  return ladders;
}

function gapsOf<I extends Keyed>(parts: readonly PartLevel<I>[]): Gap<I>[] {
  const gaps: Gap<I>[] = [];
  let items: I[] = [];
  for (const part of parts) {
    for (const item of part.head) items.push(item);
    if (!part.split) continue;
    gaps.push({ items, followedBy: 'cut' });
    items = [...part.tail];
  }
  gaps.push({ items, followedBy: 'nothing' });
  return gaps;
}
