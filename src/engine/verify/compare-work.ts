// One key range of a dataset as it was stored, held against a live cluster record by record, here or on another peer. What
// is live is read as of one moment and gives way: to the limits of the source where it is the source, and to its pressure.
import { fromBase64, toBase64 } from '../../base/bytes.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import type { WorkContext, WorkOrder } from '../../cluster/work-pool.ts';
import type { SourceConfig, SourceSession } from '../../connector/connector.ts';
import type { CatalogEntry } from '../../model/catalog.ts';
import { type DatasetId, datasetId } from '../../model/id.ts';
import type { KeyRange } from '../../model/key-range.ts';
import { type SourceTime, timeFromHex, timeToHex } from '../../model/time.ts';
import { buildRange } from '../../repository/tree/range-builder.ts';
import { decodeTreePart, encodeTreePart, type TreePart } from '../../repository/tree/tree-part.ts';
import { heldReading } from '../held-reading.ts';
import { foldDataset, nativeRecords, OpenedRuns } from '../read/fold.ts';
import { metered } from '../read/fold-work.ts';
import { type PointDataset, resolvePoint } from '../read/point.ts';
import { connectorContext, type SourceContext } from '../source-context.ts';
import { SourcePace } from '../source-pace.ts';
import { type EntryText, entryFromText, entryToText } from '../work/entry-text.ts';
import { type OpenedHere, seenHere } from '../work/opened-here.ts';
import { type RangeText, rangeFromText, rangeToText } from '../work/range-text.ts';
import { comparedWith, type FirstDifference } from './compare-streams.ts';

/** Kind of the order of {@link sharedCompare}. */
export const compareKind = 'compare';

/** All that another peer needs to meet the same live cluster. Survives JSON. */
export interface LiveReference {
  /** Tells this run from all others. */
  readonly run: string;
  /** Lineage of the source. */
  readonly source: string;
  readonly config: SourceConfig;
  /** What the cluster calls itself to who compares: names may mean another one elsewhere. */
  readonly identity: string;
  /** It is the source itself, and keeps its strength as in a backup. */
  readonly isSource: boolean;
}

export interface ComparePiece {
  readonly dataset: PointDataset;
  /** The moment that is folded. */
  readonly at: SourceTime;
  readonly range: KeyRange;
  readonly live: {
    readonly entry: CatalogEntry;
    /** The moment that is read. */
    readonly at: SourceTime;
    /** The share of what the cluster allows that this piece has; 0: no limit. */
    readonly bytesPerSecond: number;
  };
}

export interface ComparedPiece {
  /** Of what was folded. */
  readonly part: TreePart;
  /** False: the live cluster cannot show the range as of one moment. */
  readonly isRead: boolean;
  readonly difference?: { readonly key: string; readonly kind: FirstDifference['kind'] };
}

/** A live cluster, and the moments that it is compared with. */
export interface ComparePlace {
  readonly context: SourceContext;
  readonly runs: OpenedRuns;
  readonly session: SourceSession;
  readonly pace: SourcePace | undefined;
}

/** Of the source as it is read here at all; of any other cluster for this comparison. */
export function paceOf(
  { world, connector, pace }: SourceContext,
  { isSource, config }: Pick<LiveReference, 'isSource' | 'config'>,
): SourcePace | undefined {
  if (isSource) return pace;
  return new SourcePace({ ...world, name: connector.redact(config.uri) });
}

/** Done here or on another peer. Errors: those of the fold, and of the session. */
export async function sharedCompare(
  place: ComparePlace,
  reference: LiveReference,
  piece: ComparePiece,
  work: WorkContext,
): Promise<ComparedPiece> {
  const { world, repository } = place.context;
  return await world.sharing.run(
    {
      order: () => compareOrder(reference, piece),
      here: (own) => comparePiece(place, piece, own),
      decode: async (result) => {
        const { part, ...rest } = result as ComparedText;
        return { ...rest, part: await decodeTreePart(fromBase64(part), repository.source) };
      },
      progress: work.progress,
    },
    work.signal,
  );
}

async function comparePiece(
  { context, runs, session, pace }: ComparePlace,
  { dataset, at, range, live }: ComparePiece,
  work: WorkContext,
): Promise<ComparedPiece> {
  const { signal } = work;
  pace?.asks(session, signal);
  const folded = nativeRecords(
    context,
    dataset,
    metered(foldDataset(context, runs, dataset, { range, at }), work),
  );
  const tree = context.repository.proofTree(signal);
  const found = await session.readAt(live.entry, range, live.at, signal);
  if (!found) return { part: await buildRange(folded, tree), isRead: false };
  let difference: ComparedPiece['difference'];
  const tell = ({ record, kind }: FirstDifference): void => {
    difference = { key: context.connector.renderKey(live.entry, record), kind };
  };
  const { bytesPerSecond } = live;
  const { world } = context;
  const held = heldReading(found, { world, ...(pace && { pace }) }, { work, bytesPerSecond });
  const part = await buildRange(comparedWith(folded, held, tell), tree);
  return { part, isRead: true, ...(difference && { difference }) };
}

interface OrderText {
  readonly reference: LiveReference;
  readonly dataset: string;
  readonly at: string;
  readonly range: RangeText;
  readonly live: {
    readonly entry: EntryText;
    readonly at: string;
    readonly bytesPerSecond: number;
  };
}

interface ComparedText extends Omit<ComparedPiece, 'part'> {
  /** Base64. */
  readonly part: string;
}

function compareOrder(
  reference: LiveReference,
  { dataset, at, range, live }: ComparePiece,
): WorkOrder {
  const { bytesPerSecond } = live;
  const input: OrderText = {
    reference,
    dataset: dataset.entry.dataset,
    at: timeToHex(at),
    range: rangeToText(range),
    live: { entry: entryToText(live.entry), at: timeToHex(live.at), bytesPerSecond },
  };
  return { kind: compareKind, input };
}

/** A comparison that this worker takes part in. */
export interface WorkerCompare extends ComparePlace, AsyncDisposable {
  readonly datasets: ReadonlyMap<DatasetId, PointDataset>;
}

/** Errors: those of the fold; `peer-lost` when the cluster or the moment is not to be seen from here. */
export async function compareWork(
  input: unknown,
  work: WorkContext,
  compares: OpenedHere<WorkerCompare>,
): Promise<unknown> {
  const { reference, at, dataset, range, live } = input as OrderText;
  const time = timeFromHex(at);
  const open = (context: SourceContext): Promise<WorkerCompare> =>
    openCompare(context, reference, time, work.signal);
  const place = { key: reference.run, source: reference.source };
  return await compares.use(place, open, async (opened) => {
    const piece = {
      dataset: seenHere(opened.datasets.get(datasetId(dataset)), 'a dataset of the moment'),
      at: time,
      range: rangeFromText(range),
      live: { ...live, entry: entryFromText(live.entry), at: timeFromHex(live.at) },
    };
    try {
      const { part, ...rest } = await comparePiece(opened, piece, work);
      return { ...rest, part: toBase64(await encodeTreePart(part)) } satisfies ComparedText;
    } catch (error) {
      throw isCodrError(error, 'source-unreachable') ? notFromHere(error) : error;
    }
  });
}

async function openCompare(
  context: SourceContext,
  reference: LiveReference,
  at: SourceTime,
  signal: AbortSignal,
): Promise<WorkerCompare> {
  const { lineage, connector, world, scope } = context;
  const { config, identity } = reference;
  const point = resolvePoint({ state: lineage.state, connector, scope }, at);
  const session = await connector
    .connect(config, connectorContext(world), signal)
    .catch((cause: unknown) => {
      throw signal.aborted ? cause : notFromHere(cause);
    });
  if (session.identity.id !== identity) {
    await session[Symbol.asyncDispose]();
    throw notFromHere(new CodrError('source-other-identity', `it is ${session.identity.id}`));
  }
  return {
    ...{ context, session },
    runs: new OpenedRuns(context),
    pace: paceOf(context, reference),
    datasets: new Map(point.datasets.map((one) => [one.entry.dataset, one])),
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

/** Where nobody reaches it, whoever compares says why. */
function notFromHere(cause: unknown): CodrError {
  const why = isCodrError(cause) ? cause.message : 'an error of this program';
  const message = `the live cluster cannot be compared with from here: ${why}`;
  return new CodrError('peer-lost', message, { cause });
}
