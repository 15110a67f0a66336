// What differs between two trees, in time proportional to the difference: subtrees of equal id are passed
// over unread. Two cursors walk side by side; the one that is behind opens its subtree.
import { assert } from '../../base/assert.ts';
import { compareBytes, equalBytes, toHex } from '../../base/bytes.ts';
import { leafId } from '../../model/id.ts';
import { decodeLeaf } from '../leaf/leaf-block.ts';
import type { LeafRecord } from '../leaf/leaf-codec.ts';
import type { LeafSource } from '../leaf/leaf-store.ts';
import { bringLargeValuesIn } from './large-values.ts';
import { decodeNode, type NodeEntry } from './node-codec.ts';
import { rootEntries } from './tree-reader.ts';
import type { TreeRoot } from './tree-root.ts';

/** A record that is not the same on both sides. An absent value means that there is no such record. */
export interface Difference {
  readonly key: Uint8Array;
  readonly left?: Uint8Array;
  readonly right?: Uint8Array;
}

export interface DiffOptions {
  readonly signal?: AbortSignal;
}

/** Blobs of one kind that are asked for in one call because they are likely to be needed. */
const prefetchCountMax = 64;
/** Blobs held for later; the oldest is forgotten first, and read again if it is needed after all. */
const waitingCountMax = 256;
/** Differences in a batch, and raw value bytes after which a batch is closed. */
const batchCountMax = 256;
const batchBytesMax = 1024 * 1024;

/**
 * Differing records in key order. Both roots must have the same cut parameters (`compareRoots` tells
 * `incomparable` otherwise) and key domain. Errors: those of the source, `object-damaged`.
 */
export async function* diffTrees(
  source: LeafSource,
  left: TreeRoot,
  right: TreeRoot,
  options: DiffOptions = {},
): AsyncGenerator<readonly Difference[]> {
  assert(
    left.cut === right.cut,
    'only roots of the same cut parameters are compared record by record',
  );
  const blobs = new BlobReader(source);
  const a = new Cursor(left, blobs);
  const b = new Cursor(right, blobs);
  let batch = new DifferenceBatch(source);
  while (a.front || b.front) {
    options.signal?.throwIfAborted();
    const done = await step(a, b, blobs, batch);
    if (done || !batch.full) continue;
    yield await batch.load();
    batch = new DifferenceBatch(source);
  }
  if (!batch.empty) yield await batch.load();
}

/** Passes over, opens or compares what is in front. True when nothing can have been found. */
async function step(
  a: Cursor,
  b: Cursor,
  blobs: BlobReader,
  batch: DifferenceBatch,
): Promise<boolean> {
  const order = compareFronts(a, b);
  if (order === 0 && a.level === b.level && a.level >= 0) {
    if (equalBytes(a.entry.id, b.entry.id)) {
      a.pass();
      b.pass();
    } else {
      await blobs.prefetch(a.level, [a.entry, b.entry]);
      await a.open();
      await b.open();
      await prefetchDiffering(a, b, blobs);
    }
    return true;
  }
  // Of two subtrees that begin alike the higher one is opened, else the one that begins first.
  const first = order < 0 || (order === 0 && a.level > b.level) ? a : b;
  if (first.level >= 0) {
    await first.open();
    return true;
  }
  if (order !== 0) {
    batch.add(first === a ? first.record : undefined, first === b ? first.record : undefined);
    first.pass();
    return false;
  }
  if (!sameValue(a.record, b.record)) batch.add(a.record, b.record);
  a.pass();
  b.pass();
  return false;
}

/** Order of the first keys; a side that has ended comes after everything. */
function compareFronts(a: Cursor, b: Cursor): number {
  if (!a.front) return 1;
  if (!b.front) return -1;
  return compareBytes(a.front.key, b.front.key);
}

/** After both sides opened: children without a twin on the other side will be read soon. */
async function prefetchDiffering(a: Cursor, b: Cursor, blobs: BlobReader): Promise<void> {
  if (a.level < 0 || a.level !== b.level) return;
  const ours = new Set(a.siblings.map((entry) => toHex(entry.id)));
  const theirs = new Set(b.siblings.map((entry) => toHex(entry.id)));
  const wanted = [
    ...a.siblings.filter((entry) => !theirs.has(toHex(entry.id))),
    ...b.siblings.filter((entry) => !ours.has(toHex(entry.id))),
  ];
  // Too many to hold: they differ nearly everywhere, and are read as they come.
  if (wanted.length <= prefetchCountMax) await blobs.prefetch(a.level, wanted);
}

/** External values are equal when their chunks are: both were chunked with the same parameters. */
function sameValue(a: LeafRecord, b: LeafRecord): boolean {
  return a.externalBytes === b.externalBytes && equalBytes(a.value, b.value);
}

/** A place in one tree: the subtrees and records that have not been looked at, the next on top. */
class Cursor {
  readonly #blobs: BlobReader;
  // One frame for each level that is open; −1 is the level of records.
  readonly #frames: { level: number; items: readonly (NodeEntry | LeafRecord)[]; at: number }[] =
    [];

  constructor(root: TreeRoot, blobs: BlobReader) {
    this.#blobs = blobs;
    this.#push(root.height, rootEntries(root));
  }

  /** What comes next: a subtree at `level` ≥ 0, or a record at level −1; undefined at the end. */
  get front(): NodeEntry | LeafRecord | undefined {
    const frame = this.#frames.at(-1);
    return frame?.items[frame.at];
  }

  get level(): number {
    return this.#frames.at(-1)?.level ?? -1;
  }

  get entry(): NodeEntry {
    return this.front as NodeEntry;
  }

  get record(): LeafRecord {
    return this.front as LeafRecord;
  }

  /** The subtrees from the front on that lie in the same node. */
  get siblings(): readonly NodeEntry[] {
    const frame = this.#frames.at(-1)!;
    return frame.items.slice(frame.at) as NodeEntry[];
  }

  pass(): void {
    this.#frames.at(-1)!.at++;
    for (
      let top = this.#frames.at(-1);
      top && top.at >= top.items.length;
      top = this.#frames.at(-1)
    ) {
      this.#frames.pop();
    }
  }

  /** Replaces the subtree in front by what it holds. */
  async open(): Promise<void> {
    const { entry, level } = this;
    const blob = await this.#blobs.read(level, entry);
    this.pass();
    if (level === 0) this.#push(-1, decodeLeaf(blob));
    else this.#push(level - 1, decodeNode(level, blob));
  }

  #push(level: number, items: readonly (NodeEntry | LeafRecord)[]): void {
    if (items.length > 0) this.#frames.push({ level, items, at: 0 });
  }
}

/** Reads blobs once each, those that are known to be needed together in one call. */
class BlobReader {
  readonly #source: LeafSource;
  // Fetched and not yet read, oldest first.
  readonly #waiting = new Map<string, Uint8Array>();

  constructor(source: LeafSource) {
    this.#source = source;
  }

  async prefetch(level: number, entries: readonly NodeEntry[]): Promise<void> {
    const missing = new Map<string, NodeEntry>();
    for (const entry of entries) {
      const name = toHex(entry.id);
      if (!this.#waiting.has(name)) missing.set(name, entry);
    }
    if (missing.size === 0) return;
    const ids = [...missing.values()].map((entry) => leafId(entry.id));
    const blobs = await this.#source.get(level === 0 ? 'leaf' : 'node', ids);
    for (const [i, name] of [...missing.keys()].entries()) this.#waiting.set(name, blobs[i]!);
    for (const oldest of this.#waiting.keys()) {
      if (this.#waiting.size <= waitingCountMax) break;
      this.#waiting.delete(oldest);
    }
  }

  async read(level: number, entry: NodeEntry): Promise<Uint8Array> {
    await this.prefetch(level, [entry]);
    const name = toHex(entry.id);
    const blob = this.#waiting.get(name)!;
    this.#waiting.delete(name);
    return blob;
  }
}

/** Differences found, their large values not yet read. */
class DifferenceBatch {
  readonly #source: LeafSource;
  readonly #pairs: { left?: LeafRecord | undefined; right?: LeafRecord | undefined }[] = [];
  #bytes = 0;

  constructor(source: LeafSource) {
    this.#source = source;
  }

  get empty(): boolean {
    return this.#pairs.length === 0;
  }

  get full(): boolean {
    return this.#pairs.length >= batchCountMax || this.#bytes >= batchBytesMax;
  }

  add(left: LeafRecord | undefined, right: LeafRecord | undefined): void {
    this.#pairs.push({ left, right });
    for (const record of [left, right]) {
      if (record) this.#bytes += record.externalBytes ?? record.value.length;
    }
  }

  async load(): Promise<Difference[]> {
    const lefts = await this.#values((pair) => pair.left);
    const rights = await this.#values((pair) => pair.right);
    return this.#pairs.map((pair, i) => ({
      key: (pair.left ?? pair.right)!.key,
      ...(pair.left && { left: lefts[i]! }),
      ...(pair.right && { right: rights[i]! }),
    }));
  }

  async #values(
    side: (pair: {
      left?: LeafRecord | undefined;
      right?: LeafRecord | undefined;
    }) => LeafRecord | undefined,
  ): Promise<(Uint8Array | undefined)[]> {
    const present = this.#pairs.flatMap((pair) => side(pair) ?? []);
    const loaded = (await bringLargeValuesIn(present, this.#source)).values();
    return this.#pairs.map((pair) => (side(pair) ? loaded.next().value!.value : undefined));
  }
}
