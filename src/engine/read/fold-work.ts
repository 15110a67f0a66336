// Folding one key range of a dataset at a moment and cutting what comes out, here or on another peer: to name
// the content, or to store it as part of a new base copy.
import { compareBytes, fromBase64, toBase64 } from '../../base/bytes.ts';
import type { WorkContext, WorkOrder } from '../../cluster/work-pool.ts';
import { type DatasetId, datasetId, type PackId } from '../../model/id.ts';
import { type KeyRange, rangesBetween, wholeRange } from '../../model/key-range.ts';
import { batchBytes, type RecordStream } from '../../model/record.ts';
import { type SourceTime, timeFromHex, timeToHex } from '../../model/time.ts';
import type { UsedPacks } from '../../repository/pack/blob-session.ts';
import { buildRange } from '../../repository/tree/range-builder.ts';
import { decodeTreePart, encodeTreePart, type TreePart } from '../../repository/tree/tree-part.ts';
import { splitTree } from '../../repository/tree/tree-reader.ts';
import type { SourceContext } from '../source-context.ts';
import { type OpenedHere, seenHere } from '../work/opened-here.ts';
import { type RangeText, rangeFromText, rangeToText } from '../work/range-text.ts';
import {
  type FoldContext,
  type FoldWhere,
  foldDataset,
  nativeRecords,
  OpenedRuns,
  treeRootOf,
} from './fold.ts';
import { type PointDataset, resolvePoint } from './point.ts';

/** Kind of the order of {@link sharedFold}. */
export const foldKind = 'fold';

export interface FoldPiece {
  readonly dataset: PointDataset;
  readonly at: SourceTime;
  readonly range: KeyRange;
  /** The content is stored, for a new base copy; else it is only named, as a live reader would see it. */
  readonly keeps: boolean;
  /** {@link FoldWhere.stored}; a piece that has it is done here. */
  readonly stored?: FoldWhere['stored'];
  /** Packs that no commit may rely on any more. */
  readonly refused?: readonly PackId[];
}

export interface FoldedPiece {
  readonly part: TreePart;
  /** What a commit of it relies on; nothing unless it was kept. */
  readonly used: UsedPacks;
  readonly knownBytes: number;
}

/** A range smaller than this is not worth a piece of its own. */
const rangeBytesMin = 8 * 1024 * 1024;
/** The last of them are what all wait for, and whoever has the most is how uneven the work is. */
const rangesPerSlot = 8;

/** Ranges of about equal size, not more than `rangesMax`, that need nothing from before their starts; one for what is small. */
export async function rangesOf(
  { repository, connector, world }: Pick<SourceContext, 'repository' | 'connector' | 'world'>,
  { base: { tree } }: PointDataset,
  rangesMax = Number.POSITIVE_INFINITY,
): Promise<KeyRange[]> {
  if (!tree || tree.bytes < rangeBytesMin) return [wholeRange];
  const wanted = Math.ceil(tree.bytes / rangeBytesMin);
  const most = Math.min(world.sharing.slots * rangesPerSlot, rangesMax);
  const ranges = await splitTree(repository.source, treeRootOf(tree), Math.min(wanted, most));
  const bounds: Uint8Array[] = [];
  for (const { from } of ranges) {
    const start = from && connector.leadIn(from);
    const last = bounds.at(-1);
    if (start && (!last || compareBytes(last, start) < 0)) bounds.push(start);
  }
  return rangesBetween(bounds);
}

/** Done here or on another peer. Errors: those of the fold. */
export async function sharedFold(
  context: SourceContext,
  runs: OpenedRuns,
  piece: FoldPiece,
  work: WorkContext,
): Promise<FoldedPiece> {
  const here = (own: WorkContext): Promise<FoldedPiece> => foldPiece(context, runs, piece, own);
  if (piece.stored) return await here(work);
  return await context.world.sharing.run(
    {
      order: () => foldOrder(context.lineage.name, piece),
      here,
      decode: async (result) => {
        const { part, ...rest } = await context.repository.seen(result as FoldedText);
        return { ...rest, part: await decodeTreePart(fromBase64(part), context.repository.source) };
      },
      progress: work.progress,
    },
    work.signal,
  );
}

async function foldPiece(
  context: SourceContext,
  runs: OpenedRuns,
  { dataset, at, range, keeps, stored }: FoldPiece,
  work: WorkContext,
): Promise<FoldedPiece> {
  const where = { range, at, ...(stored && { stored }) };
  const from = keeps ? { context, runs } : readAnew(context, runs);
  const folded = metered(foldDataset(from.context, from.runs, dataset, where), work);
  if (!keeps) {
    const native = nativeRecords(context, dataset, folded);
    const part = await buildRange(native, context.repository.proofTree(work.signal));
    return { part, used: { newPacks: [], reusedPacks: [] }, knownBytes: 0 };
  }
  const store = context.repository.session();
  const part = await buildRange(folded, store.tree(work.signal));
  work.signal.throwIfAborted();
  return { part, used: await store.flush(), knownBytes: store.knownBytes };
}

/** What only is named is proven by it: for each work anew, all of it is read from the store. */
function readAnew(context: SourceContext, runs: OpenedRuns): ReadFrom {
  const known = anewOf.get(runs);
  if (known) return known;
  const own: FoldContext = { ...context, repository: context.repository.readAnew() };
  const anew = { context: own, runs: new OpenedRuns(own) };
  anewOf.set(runs, anew);
  return anew;
}

interface ReadFrom {
  readonly context: FoldContext;
  readonly runs: OpenedRuns;
}

/** By the runs that were opened for the work. */
const anewOf = new WeakMap<OpenedRuns, ReadFrom>();

/** Tells what comes by; ends when the work is given up. */
export async function* metered(records: RecordStream, work: WorkContext): RecordStream {
  for await (const batch of records) {
    work.signal.throwIfAborted();
    work.progress(batch.length, batchBytes(batch));
    yield batch;
  }
}

interface OrderText {
  readonly source: string;
  readonly dataset: string;
  readonly at: string;
  readonly range: RangeText;
  readonly keeps: boolean;
  readonly refused: readonly PackId[];
}

interface FoldedText extends Omit<FoldedPiece, 'part'> {
  /** Base64. */
  readonly part: string;
}

function foldOrder(
  source: string,
  { dataset, at, range, keeps, refused = [] }: FoldPiece,
): WorkOrder {
  const input: OrderText = {
    ...{ source, keeps, refused },
    dataset: dataset.entry.dataset,
    at: timeToHex(at),
    range: rangeToText(range),
  };
  return { kind: foldKind, input };
}

/** A moment that this worker has opened. */
export interface WorkerPoint extends AsyncDisposable {
  readonly context: SourceContext;
  readonly runs: OpenedRuns;
  readonly datasets: ReadonlyMap<DatasetId, PointDataset>;
}

/** Errors: those of the fold; `peer-lost` when the moment is not to be seen from here. */
export async function foldWork(
  input: unknown,
  work: WorkContext,
  points: OpenedHere<WorkerPoint>,
): Promise<unknown> {
  const order = input as OrderText;
  const at = timeFromHex(order.at);
  const open = async (context: SourceContext): Promise<WorkerPoint> => {
    // Of what is out of scope nothing was copied: it must not stand in the way.
    const { lineage, connector, scope } = context;
    const point = resolvePoint({ state: lineage.state, connector, scope }, at);
    return {
      context,
      runs: new OpenedRuns(context),
      datasets: new Map(point.datasets.map((one) => [one.entry.dataset, one])),
      async [Symbol.asyncDispose]() {},
    };
  };
  const place = { key: `${order.source} ${order.at}`, source: order.source };
  return await points.use(place, open, async ({ context, runs, datasets }) => {
    const dataset = seenHere(datasets.get(datasetId(order.dataset)), 'a dataset of the moment');
    if (order.keeps) {
      await context.lineage.refresh();
      context.repository.learn(context.lineage);
      context.repository.forget(order.refused);
    }
    const piece = { dataset, at, range: rangeFromText(order.range), keeps: order.keeps };
    const { part, ...rest } = await foldPiece(context, runs, piece, work);
    return { ...rest, part: toBase64(await encodeTreePart(part)) } satisfies FoldedText;
  });
}
