// What one key range contributes to a tree: its undecided edges, level by level. Everything between them
// is in the store already. Parts can be kept in a commit; layout: docs/format/tree.md.
import { ByteReader, ByteWriter, TruncatedBytesError } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import { leafId, leafIdBytes } from '../../model/id.ts';
import type { Keyed } from '../leaf/cut-hashing.ts';
import { decodeLeaf } from '../leaf/leaf-block.ts';
import { encodedBytesMax, type LeafRecord } from '../leaf/leaf-codec.ts';
import type { BlobKind, LeafSink, LeafSource } from '../leaf/leaf-store.ts';
import { putBytes } from './blob-writer.ts';
import { decodeNode, type NodeEntry } from './node-codec.ts';
import { leafLevel, nodeLevel, type TreeLevel } from './tree-level.ts';

/** The edges of one level of a part; items between head and tail are in whole leaves or nodes. */
export interface PartLevel<I extends Keyed> {
  /** False: the range decides no cut at this level, and all its items are in `head`. */
  readonly split: boolean;
  /** Items before the first decided cut. */
  readonly head: readonly I[];
  /** Items from the last decided cut on; the first of them starts a leaf or node. */
  readonly tail: readonly I[];
}

export interface TreePart {
  /** Id of the cut parameters. */
  readonly cut: string;
  /** Records of the range. */
  readonly records: number;
  /** Raw key and value bytes of the range. */
  readonly bytes: number;
  readonly leaves: PartLevel<LeafRecord>;
  /** `nodes[i]` are the edges of level i + 1, over the leaves or nodes that the level below decided. */
  readonly nodes: readonly PartLevel<NodeEntry>[];
}

/** An edge over this many encoded bytes is stored as blobs, and the part keeps their ids. */
export const edgeInlineBytesMax = 64 * 1024;

const partVersion = 1;
const edgeBytesPerBlob = 64 * 1024;
/** A tree of 2^53 records has fewer. */
const levelsMax = 32;

/**
 * The part as bytes. At most 64 KiB an edge, two edges a level, plus 32 bytes for every 64 KiB that an
 * edge holds beyond that; edges too long for the part are put to `sink`. Without one all of it is in the part.
 */
export async function encodeTreePart(part: TreePart, sink?: LeafSink): Promise<Uint8Array> {
  const writer = new ByteWriter(edgeInlineBytesMax);
  writer.u8(partVersion).text(part.cut).varint(part.records).varint(part.bytes);
  writer.varint(part.nodes.length);
  await writeLevel(writer, leafLevel, part.leaves, sink);
  for (const [i, level] of part.nodes.entries()) {
    await writeLevel(writer, nodeLevel(i + 1), level, sink);
  }
  return writer.finish();
}

/** Reads what {@link encodeTreePart} wrote. Errors: `object-damaged`, `format-unknown`, those of `source`. */
export async function decodeTreePart(bytes: Uint8Array, source: LeafSource): Promise<TreePart> {
  try {
    const reader = new ByteReader(bytes);
    const version = reader.u8();
    if (version !== partVersion) {
      throw new CodrError('format-unknown', `a part of a tree has format version ${version}`);
    }
    const [cut, records, size] = [reader.text(), reader.varint(), reader.varint()];
    const levels = reader.varint();
    if (levels > levelsMax)
      throw new CodrError('object-damaged', `a part of a tree has ${levels} levels`);
    const leaves = await readLevel(reader, 'leaf', decodeLeaf, source);
    const nodes: PartLevel<NodeEntry>[] = [];
    for (let level = 1; level <= levels; level++) {
      nodes.push(await readLevel(reader, 'node', (blob) => decodeNode(level, blob), source));
    }
    if (reader.remaining > 0) {
      throw new CodrError(
        'object-damaged',
        `a part of a tree has ${reader.remaining} bytes too many`,
      );
    }
    return { cut, records, bytes: size, leaves, nodes };
  } catch (error) {
    if (!(error instanceof TruncatedBytesError)) throw error;
    throw new CodrError('object-damaged', 'a part of a tree ends early', { cause: error });
  }
}

async function writeLevel<I extends Keyed>(
  writer: ByteWriter,
  level: TreeLevel<I>,
  part: PartLevel<I>,
  sink: LeafSink | undefined,
): Promise<void> {
  writer.u8(part.split ? 1 : 0);
  for (const edge of part.split ? [part.head, part.tail] : [part.head]) {
    const blobs = edgeBlobs(level, edge);
    const isShort = blobs.reduce((sum, blob) => sum + blob.length, 0) <= edgeInlineBytesMax;
    const away = isShort ? undefined : sink;
    writer.varint(blobs.length * 2 + (away ? 1 : 0));
    if (away) await putEdge(writer, level.kind, blobs, away);
    else for (const blob of blobs) writer.prefixed(blob);
  }
}

/** Stores the blobs of a long edge, some at a time, and writes their ids. */
async function putEdge(
  writer: ByteWriter,
  kind: BlobKind,
  blobs: readonly Uint8Array[],
  sink: LeafSink,
): Promise<void> {
  const count = putBytes / edgeBytesPerBlob;
  for (let i = 0; i < blobs.length; i += count) {
    for (const id of await sink.put(kind, blobs.slice(i, i + count))) writer.bytes(id);
  }
}

async function readLevel<I extends Keyed>(
  reader: ByteReader,
  kind: 'leaf' | 'node',
  decode: (blob: Uint8Array) => I[],
  source: LeafSource,
): Promise<PartLevel<I>> {
  const readEdge = async (): Promise<I[]> => {
    const header = reader.varint();
    const count = Math.floor(header / 2);
    const blobs: Uint8Array[] = [];
    if (header % 2 === 0) {
      for (let i = 0; i < count; i++) blobs.push(reader.prefixed());
      return blobs.flatMap(decode);
    }
    for (let i = 0; i < count; i++) blobs.push(reader.bytes(leafIdBytes));
    return (await source.get(kind, blobs.map(leafId))).flatMap(decode);
  };
  const split = reader.u8() === 1;
  const head = await readEdge();
  return { split, head, tail: split ? await readEdge() : [] };
}

/** The edge as leaves or nodes of about 64 KiB. They are no part of any tree. */
function edgeBlobs<I extends Keyed>(level: TreeLevel<I>, items: readonly I[]): Uint8Array[] {
  const blobs: Uint8Array[] = [];
  let from = 0;
  let bytes = 0;
  const close = (to: number): void => {
    if (to === from) return;
    const target = Buffer.allocUnsafe(encodedBytesMax(to - from, bytes));
    blobs.push(target.subarray(0, level.encode(target, 0, items, from, to)));
    from = to;
    bytes = 0;
  };
  for (const [i, item] of items.entries()) {
    const length = level.cutLength(item);
    if (bytes + length > edgeBytesPerBlob) close(i);
    bytes += length;
  }
  close(items.length);
  return blobs;
}
