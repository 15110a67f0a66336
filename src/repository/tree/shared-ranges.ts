// Where two trees hold the same: subtrees of equal id, found by their nodes alone. What merges the records of both
// need not read them twice. Neighbours are joined, since the gain lies in long ranges.
import { compareBytes, equalBytes } from '../../base/bytes.ts';
import type { KeyRange } from '../../model/key-range.ts';
import type { LeafSource } from '../leaf/leaf-store.ts';
import type { NodeEntry } from './node-codec.ts';
import { entriesWithin, readNodes, rootEntries } from './tree-reader.ts';
import type { TreeRoot } from './tree-root.ts';

/** A run of leaves that both trees have, in one piece. */
export interface SharedRange {
  /** The first key in it. */
  readonly first: Uint8Array;
  /** The first key of its last leaf: all before it lies in the range, what comes after it may go on behind. */
  readonly last: Uint8Array;
  /** Raw, of all its leaves. */
  readonly bytes: number;
}

/**
 * Runs of at least `bytesMin`, ascending; within `range`, or a little around it. Reads the nodes of both trees, no
 * leaf, and of subtrees that are shared one node a level. Errors: those of the source, `object-damaged`.
 */
export async function* sharedRanges(
  source: LeafSource,
  trees: { readonly left: TreeRoot; readonly right: TreeRoot },
  { range, bytesMin }: { readonly range: KeyRange; readonly bytesMin: number },
): AsyncGenerator<SharedRange> {
  const a = new NodeCursor(source, trees.left, range);
  const b = new NodeCursor(source, trees.right, range);
  let run: Run | undefined;
  for (let x = a.front, y = b.front; x && y; x = a.front, y = b.front) {
    const order = compareBytes(x.key, y.key);
    if (order === 0 && a.level === b.level && equalBytes(x.id, y.id)) {
      const bytes = (run?.bytes ?? 0) + x.bytes;
      run = { first: run?.first ?? x.key, entry: x, level: a.level, bytes };
      a.pass();
      b.pass();
      continue;
    }
    // Of two subtrees that begin alike the higher one is opened, else the one that begins first.
    const behind = order < 0 || (order === 0 && a.level > b.level) ? a : b;
    if (behind.level > 0) {
      await behind.open();
      continue;
    }
    if (run && run.bytes >= bytesMin) yield await ended(source, run);
    run = undefined;
    behind.pass();
  }
  if (run && run.bytes >= bytesMin) yield await ended(source, run);
}

interface Run {
  readonly first: Uint8Array;
  /** Its last subtree. */
  readonly entry: NodeEntry;
  readonly level: number;
  readonly bytes: number;
}

async function ended(
  source: LeafSource,
  { first, entry, level, bytes }: Run,
): Promise<SharedRange> {
  let last = entry;
  for (let at = level; at > 0; at--) {
    const children = await readNodes(source, at, [last]);
    last = children.at(-1) ?? last;
  }
  return { first, last: last.key, bytes };
}

/** A place in one tree: subtrees that have not been looked at, the next on top. Leaves are never opened. */
class NodeCursor {
  readonly #source: LeafSource;
  readonly #range: KeyRange;
  readonly #frames: { level: number; entries: readonly NodeEntry[]; at: number }[] = [];

  constructor(source: LeafSource, root: TreeRoot, range: KeyRange) {
    this.#source = source;
    this.#range = range;
    this.#push(root.height, rootEntries(root));
  }

  /** Undefined at the end. */
  get front(): NodeEntry | undefined {
    const frame = this.#frames.at(-1);
    return frame?.entries[frame.at];
  }

  get level(): number {
    return this.#frames.at(-1)?.level ?? 0;
  }

  pass(): void {
    const top = this.#frames.at(-1);
    if (top) top.at++;
    while ((this.#frames.at(-1)?.at ?? 0) >= (this.#frames.at(-1)?.entries.length ?? 1)) {
      this.#frames.pop();
    }
  }

  /** Replaces the node in front by what it holds. */
  async open(): Promise<void> {
    const { front, level } = this;
    if (!front) return;
    const children = await readNodes(this.#source, level, [front]);
    this.pass();
    this.#push(level - 1, entriesWithin(children, this.#range));
  }

  #push(level: number, entries: readonly NodeEntry[]): void {
    if (entries.length > 0) this.#frames.push({ level, entries, at: 0 });
  }
}
