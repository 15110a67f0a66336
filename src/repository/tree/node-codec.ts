// A node as bytes: entries for its children, keys without the prefix they share with their predecessor.
// Nodes hold no addresses and no times. Layout: docs/format/tree.md.
import { CodrError } from '../../base/error.ts';
import { type LeafId, leafId, leafIdBytes } from '../../model/id.ts';
import {
  blobTypes,
  blobVersion,
  decoding,
  encodedBytesMax,
  putKey,
  putVarint,
  readKey,
} from '../leaf/leaf-codec.ts';

/** One child: a leaf (in nodes of level 1) or a node of the level below. */
export interface NodeEntry {
  /** The child's first key. */
  readonly key: Uint8Array;
  readonly id: LeafId;
  /** Records under the child. */
  readonly records: number;
  /** Raw key and value bytes of those records. */
  readonly bytes: number;
}

/** Length of an entry as the cut rule counts it: key, id, and 16. */
export function entryCutLength(entry: NodeEntry): number {
  return entry.key.length + leafIdBytes + 16;
}

/** Writes `entries[from..to)` as a node of `level` (1 = above leaves) at `at`; returns the offset after it. */
export function encodeNodeInto(
  target: Buffer,
  at: number,
  level: number,
  entries: readonly NodeEntry[],
  from: number,
  to: number,
): number {
  target[at] = blobVersion;
  target[at + 1] = blobTypes.node;
  target[at + 2] = level;
  let end = putVarint(target, at + 3, to - from);
  let previous: Uint8Array | undefined;
  for (let i = from; i < to; i++) {
    const entry = entries[i]!;
    end = putKey(target, end, previous, entry.key);
    target.set(entry.id, end);
    end = putVarint(target, end + leafIdBytes, entry.records);
    end = putVarint(target, end, entry.bytes);
    previous = entry.key;
  }
  return end;
}

/** One node in memory of its own. */
export function encodeNode(level: number, entries: readonly NodeEntry[]): Uint8Array {
  let cutBytes = 0;
  for (const entry of entries) cutBytes += entryCutLength(entry);
  const target = Buffer.allocUnsafe(encodedBytesMax(entries.length, cutBytes));
  return target.subarray(0, encodeNodeInto(target, 0, level, entries, 0, entries.length));
}

/** The entries of a node of `level`; ids are views of `blob`. Errors: `object-damaged`. */
export function decodeNode(level: number, blob: Uint8Array): NodeEntry[] {
  return decoding('node', blob, (reader) => {
    const found = reader.u8();
    if (found !== level) {
      throw new CodrError('object-damaged', `a node of level ${found} stands at level ${level}`);
    }
    const count = reader.varint();
    if (count === 0) throw new CodrError('object-damaged', 'a node has no entries');
    const entries: NodeEntry[] = [];
    let previous: Uint8Array | undefined;
    for (let i = 0; i < count; i++) {
      const key = readKey(reader, previous);
      const id = leafId(reader.bytes(leafIdBytes));
      entries.push({ key, id, records: reader.varint(), bytes: reader.varint() });
      previous = key;
    }
    return entries;
  });
}
