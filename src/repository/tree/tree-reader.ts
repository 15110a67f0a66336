// Reads records back from a tree, in key order, asking the source for many blobs at a time so that it can
// read them in the order of its packs. Subtrees outside the range are never asked for.
import { compareBytes, toHex } from '../../base/bytes.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import { type KeyRange, rangesBetween } from '../../model/key-range.ts';
import type { RecordBatch, RecordStream } from '../../model/record.ts';
import { BlockBatch } from '../../model/record-block.ts';
import { blockWithin, type LeafBlock, LeafBlockBuilder, leafRecords } from '../leaf/leaf-block.ts';
import { type LeafRecord, valueLength } from '../leaf/leaf-codec.ts';
import type { LeafSource } from '../leaf/leaf-store.ts';
import { bringLargeValuesIn } from './large-values.ts';
import { decodeNode, type NodeEntry } from './node-codec.ts';
import type { TreeRoot } from './tree-root.ts';

export interface ReadOptions {
  /** Raw bytes of leaves and values asked for before they are wanted; default 4 MiB. */
  readonly readAheadBytes?: number;
  readonly signal?: AbortSignal;
}

const readAheadBytesDefault = 4 * 1024 * 1024;
/** Nodes of one level asked for in one call. */
const nodesPerGet = 64;

/**
 * The records of `range`, ascending. A batch holds a leaf or more and at most about a quarter of
 * `readAheadBytes`, or one record. Errors: those of the source, `object-damaged`.
 */
export function readTree(
  source: LeafSource,
  root: TreeRoot,
  range: KeyRange,
  options: ReadOptions = {},
): RecordStream {
  const batchBytes = Math.max(1, (options.readAheadBytes ?? readAheadBytesDefault) / 4);
  const leaves = oneAhead(readLeaves(source, root, range, batchBytes, options.signal));
  return oneAhead(withLargeValues(leaves, source, batchBytes));
}

/** The root as an entry, as if a node stood above it. An empty tree has none. */
export function rootEntries(root: TreeRoot): NodeEntry[] {
  const { id, records, bytes } = root;
  return records === 0 ? [] : [{ key: new Uint8Array(0), id, records, bytes }];
}

/** Children of entries at `level` (≥ 1), in order. Errors: those of the source, `object-damaged`. */
export async function readNodes(
  source: LeafSource,
  level: number,
  entries: readonly NodeEntry[],
): Promise<NodeEntry[]> {
  const ids = entries.map((entry) => entry.id);
  const blobs = await source.get('node', ids);
  return blobs.flatMap((blob, i) => named('node', ids[i]!, () => decodeNode(level, blob)));
}

/** Records of leaves, in order, large values still outside. Errors as {@link readNodes}. */
export async function readLeafRecords(
  source: LeafSource,
  entries: readonly NodeEntry[],
): Promise<LeafRecord[]> {
  return leafRecords(await readLeafBlock(source, entries));
}

async function readLeafBlock(
  source: LeafSource,
  entries: readonly NodeEntry[],
): Promise<LeafBlock> {
  const ids = entries.map((entry) => entry.id);
  const blobs = await source.get('leaf', ids);
  // Large values count in an entry, and are not in its leaf; keys are longer than there.
  const sum = (lengths: readonly number[]): number => lengths.reduce((all, one) => all + one, 0);
  const inLeaves = sum(blobs.map(({ length }) => length));
  const whole = sum(entries.map(({ bytes }) => bytes));
  const builder = new LeafBlockBuilder(Math.min(whole, 2 * inLeaves));
  for (const [i, blob] of blobs.entries()) named('leaf', ids[i]!, () => builder.add(blob));
  return builder.finish();
}

/**
 * At most `parts` adjacent ranges that cover all keys and hold about equally many raw bytes. Reads a few
 * nodes and no leaf; fewer ranges when the tree has fewer leaves.
 */
export async function splitTree(
  source: LeafSource,
  root: TreeRoot,
  parts: number,
): Promise<KeyRange[]> {
  const entriesPerPart = 16;
  let entries = rootEntries(root);
  for (let level = root.height; level > 0 && entries.length < parts * entriesPerPart; level--) {
    entries = await readNodes(source, level, entries);
  }
  const bounds: Uint8Array[] = [];
  let before = 0;
  for (const [i, entry] of entries.entries()) {
    const wanted = (root.bytes * (bounds.length + 1)) / parts;
    // The bound goes where the sum is nearer to what is wanted.
    if (i > 0 && bounds.length < parts - 1 && before + entry.bytes / 2 > wanted) {
      bounds.push(entry.key);
    }
    before += entry.bytes;
  }
  return rangesBetween(bounds);
}

/** Entries of `level` − 1 and below, as far as they may hold keys of the range, down to leaves. */
export async function* leafEntries(
  source: LeafSource,
  root: TreeRoot,
  range: KeyRange,
): AsyncGenerator<readonly NodeEntry[]> {
  yield* descend(source, rootEntries(root), root.height, range);
}

async function* descend(
  source: LeafSource,
  entries: readonly NodeEntry[],
  level: number,
  range: KeyRange,
): AsyncGenerator<readonly NodeEntry[]> {
  const wanted = entriesWithin(entries, range);
  if (level === 0) {
    yield wanted;
    return;
  }
  for (let i = 0; i < wanted.length; i += nodesPerGet) {
    const children = await readNodes(source, level, wanted.slice(i, i + nodesPerGet));
    yield* descend(source, children, level - 1, range);
  }
}

/** An entry reaches from its key to the key of the next; what the last one holds is not bounded here. */
export function entriesWithin(
  entries: readonly NodeEntry[],
  range: KeyRange,
): readonly NodeEntry[] {
  const { from, to } = range;
  let first = 0;
  let end = entries.length;
  if (from) {
    while (first + 1 < end && compareBytes(entries[first + 1]!.key, from) <= 0) first++;
  }
  if (to) while (end > first && compareBytes(entries[end - 1]!.key, to) >= 0) end--;
  return first === 0 && end === entries.length ? entries : entries.slice(first, end);
}

async function* readLeaves(
  source: LeafSource,
  root: TreeRoot,
  range: KeyRange,
  batchBytes: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<LeafBlock> {
  for await (const entries of leafEntries(source, root, range)) {
    for (const group of groupsOf(entries, batchBytes, (entry) => entry.bytes)) {
      signal?.throwIfAborted();
      const block = blockWithin(await readLeafBlock(source, group), range);
      if (block.count > 0) yield block;
    }
  }
}

async function* withLargeValues(
  blocks: AsyncIterable<LeafBlock>,
  source: LeafSource,
  batchBytes: number,
): AsyncGenerator<RecordBatch> {
  for await (const block of blocks) {
    if (block.externalBytes.size === 0) {
      yield new BlockBatch(block);
      continue;
    }
    for (const group of groupsOf(leafRecords(block), batchBytes, valueLength)) {
      yield await bringLargeValuesIn(group, source);
    }
  }
}

/** Adjacent items in groups of at most `bytesMax`, or of one item. */
function* groupsOf<T>(
  items: readonly T[],
  bytesMax: number,
  bytesOf: (item: T) => number,
): Generator<T[]> {
  let group: T[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = bytesOf(item);
    if (group.length > 0 && bytes + size > bytesMax) {
      yield group;
      group = [];
      bytes = 0;
    }
    group.push(item);
    bytes += size;
  }
  if (group.length > 0) yield group;
}

/** The same items, the next always being made while the consumer works on the last. */
async function* oneAhead<T>(items: AsyncGenerator<T>): AsyncGenerator<T> {
  let next = items.next();
  try {
    for (let item = await next; !item.done; item = await next) {
      next = items.next();
      // Awaited by the loop; a consumer that leaves early must not leave a failure unhandled.
      next.catch(() => {});
      yield item.value;
    }
  } finally {
    await next.catch(() => {});
    await items.return(undefined);
  }
}

function named<T>(kind: string, id: Uint8Array, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (!isCodrError(error)) throw error;
    const object = `${kind} ${toHex(id)}`;
    throw new CodrError(error.code, `${object}: ${error.message}`, { object, cause: error });
  }
}
