// Lists the blobs of a tree with the keys they stand for: for checks, and for the packs a tree needs.
import { equalBytes } from '../../base/bytes.ts';
import type { LeafId } from '../../model/id.ts';
import type { KeyRange } from '../../model/key-range.ts';
import type { BlobKind, LeafSource } from '../leaf/leaf-store.ts';
import { defaultCut } from './cut-parameters.ts';
import { chunkIds } from './large-values.ts';
import type { NodeEntry } from './node-codec.ts';
import { readLeafRecords, readNodes, rootEntries } from './tree-reader.ts';
import type { TreeRoot } from './tree-root.ts';

export interface WalkedBlob {
  readonly kind: BlobKind;
  readonly id: LeafId;
  /** Keys that would be lost with the blob; for a chunk, those from its record's key on. */
  readonly range: KeyRange;
  /** Raw key and value bytes under a node, or in a leaf with its chunks; 0 for a chunk. */
  readonly bytes: number;
}

export interface WalkOptions {
  /** List chunks too. This reads the leaves that may have some; without it, nodes alone are read. */
  readonly chunks: boolean;
  /** Values longer than this are external; default: that of the default cut. */
  readonly valueInlineBytesMax?: number;
  readonly signal?: AbortSignal;
}

/** Nodes, or leaves with large values, read in one call. */
const blobsPerGet = 64;

interface Place {
  readonly entry: NodeEntry;
  readonly range: KeyRange;
}

/**
 * Every blob under the root, the root itself included: parents before children, each level in key order,
 * chunks behind the leaves of their group. Blobs that occur twice are listed twice. Errors: those of the
 * source, `object-damaged`.
 */
export async function* walkTree(
  source: LeafSource,
  root: TreeRoot,
  options: WalkOptions,
): AsyncGenerator<readonly WalkedBlob[]> {
  const [entry] = rootEntries(root);
  if (entry) yield* walk(source, [{ entry, range: {} }], root.height, options);
  else yield [{ kind: 'leaf', id: root.id, range: {}, bytes: 0 }];
}

async function* walk(
  source: LeafSource,
  places: readonly Place[],
  level: number,
  options: WalkOptions,
): AsyncGenerator<readonly WalkedBlob[]> {
  const kind = level === 0 ? 'leaf' : 'node';
  yield places.map(({ entry, range }) => ({ kind, id: entry.id, range, bytes: entry.bytes }));
  if (level === 0 && !options.chunks) return;
  const inlineMax = options.valueInlineBytesMax ?? defaultCut.valueInlineBytesMax;
  const wanted = level > 0 ? places : places.filter(({ entry }) => entry.bytes > inlineMax);
  for (let i = 0; i < wanted.length; i += blobsPerGet) {
    options.signal?.throwIfAborted();
    const group = wanted.slice(i, i + blobsPerGet);
    if (level === 0) yield await chunksOf(source, group);
    else yield* walk(source, await childrenOf(source, level, group), level - 1, options);
  }
}

async function childrenOf(
  source: LeafSource,
  level: number,
  parents: readonly Place[],
): Promise<Place[]> {
  const places: Place[] = [];
  const children = await readNodes(
    source,
    level,
    parents.map((place) => place.entry),
  );
  let parent = 0;
  for (const [i, entry] of children.entries()) {
    const next = parents[parent + 1];
    if (next && equalBytes(next.entry.key, entry.key)) parent++;
    // The lowest keys belong to the first child: a record that is missing there would be in its leaf.
    const from = i === 0 ? parents[0]!.range.from : entry.key;
    const to = children[i + 1]?.key ?? parents[parent]!.range.to;
    places.push({ entry, range: { ...(from && { from }), ...(to && { to }) } });
  }
  return places;
}

async function chunksOf(source: LeafSource, leaves: readonly Place[]): Promise<WalkedBlob[]> {
  const records = await readLeafRecords(
    source,
    leaves.map((place) => place.entry),
  );
  return records.flatMap((record) =>
    chunkIds(record).map((id): WalkedBlob => {
      return { kind: 'chunk', id, range: { from: record.key }, bytes: 0 };
    }),
  );
}
