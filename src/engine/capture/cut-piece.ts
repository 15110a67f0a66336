// One part of a cut that is read on another peer: what goes there, what comes back, and the reading there. That peer
// asks nothing of the source but the files that are described, stores what it reads, and commits nothing.
import { fromBase64, toBase64 } from '../../base/bytes.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import type { WorkContext, WorkOrder } from '../../cluster/work-pool.ts';
import type { CutPartReader } from '../../connector/cut-dataset.ts';
import type { PackId } from '../../model/id.ts';
import type { LeafSource } from '../../repository/leaf/leaf-store.ts';
import type { UsedPacks } from '../../repository/pack/blob-session.ts';
import { buildRange } from '../../repository/tree/range-builder.ts';
import { decodeTreePart, encodeTreePart, type TreePart } from '../../repository/tree/tree-part.ts';
import { heldReading } from '../held-reading.ts';
import { connectorContext, type SourceContext } from '../source-context.ts';
import { catchUp, type OpenedHere } from '../work/opened-here.ts';

/** Kind of the order that {@link cutPieceOrder} makes. */
export const cutPieceKind = 'cut-part';

interface PieceOrder {
  /** Lineage of the source. */
  readonly source: string;
  /** Of `CutDataset.described`. */
  readonly described: unknown;
  /** The share of what the source allows that this reading has; 0: no limit. */
  readonly bytesPerSecond: number;
  /** The share of the time in which the source bears to be read, as whoever took the cut sees it now. */
  readonly pace: number;
  /** Packs that no commit may rely on any more. */
  readonly refused: readonly PackId[];
}

/** What another peer has stored. */
export interface StoredPiece {
  readonly part: TreePart;
  readonly used: UsedPacks;
  /** Raw bytes that the repository held already. */
  readonly knownBytes: number;
}

/** `unread`: why it has to be read where it was described. */
type PieceText =
  | { readonly part: string; readonly used: UsedPacks; readonly knownBytes: number }
  | { readonly unread: string };

export function cutPieceOrder(order: PieceOrder): WorkOrder {
  return { kind: cutPieceKind, input: order };
}

/** Text: the piece was not read, and why. */
export async function pieceFromText(
  result: unknown,
  source: LeafSource,
): Promise<StoredPiece | string> {
  const text = result as PieceText;
  if ('unread' in text) return text.unread;
  const { part, used, knownBytes } = text;
  return { part: await decodeTreePart(fromBase64(part), source), used, knownBytes };
}

/** A source whose files this peer reads. */
export interface WorkerReader extends AsyncDisposable {
  readonly context: SourceContext;
  readonly reader: CutPartReader;
}

/** Errors: `peer-lost` when it cannot be read from here; those of the store. */
export async function cutPieceWork(
  input: unknown,
  work: WorkContext,
  readers: OpenedHere<WorkerReader>,
): Promise<unknown> {
  const { source, described, bytesPerSecond, pace, refused } = input as PieceOrder;
  return await readers.use({ key: source, source }, openReader, async ({ context, reader }) => {
    await catchUp(context, refused);
    const store = context.repository.session();
    const records = reader.records(described, work.signal);
    let part: TreePart;
    try {
      const held = heldReading(records, context, { work, bytesPerSecond, pace });
      part = await buildRange(held, store.tree(work.signal));
    } catch (error) {
      if (!isCodrError(error, 'file-damaged')) throw error;
      return { unread: error.message } satisfies PieceText;
    }
    work.signal.throwIfAborted();
    const used = await store.flush();
    // All of it is in the answer: nobody can read packs that are not committed yet.
    const text = toBase64(await encodeTreePart(part));
    return { part: text, used, knownBytes: store.knownBytes } satisfies PieceText;
  });
}

async function openReader(context: SourceContext): Promise<WorkerReader> {
  const { connector, config, world } = context;
  const reader = connector.openPartReader?.(await config(), connectorContext(world));
  if (!reader) throw new CodrError('peer-lost', 'cuts of this kind are read by who takes them');
  return { context, reader, [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose]() };
}
