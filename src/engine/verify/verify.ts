// Is a moment whole in the repository, and does a live cluster equal it? Without reading data, the
// objects that the point needs are looked up; with it, every record is folded.
import { mapLimit } from '../../base/async.ts';
import { toHex } from '../../base/bytes.ts';
import type { Clock } from '../../base/clock.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import type { SourceConfig, SourceSession, SurveyedDataset } from '../../connector/connector.ts';
import type { CatalogEntry } from '../../model/catalog.ts';
import type { KeyRange } from '../../model/key-range.ts';
import { type Scope, scopeHolds } from '../../model/namespace.ts';
import { maxTime, type SourceTime } from '../../model/time.ts';
import { joinParts } from '../../repository/tree/join.ts';
import type { TreePart } from '../../repository/tree/tree-part.ts';
import { type ProgressListener, ProgressMeter } from '../progress.ts';
import { countsAt, totalsOf } from '../read/counts.ts';
import { refuseUnmatched } from '../read/definitions.ts';
import { OpenedRuns } from '../read/fold.ts';
import { rangesOf, sharedFold } from '../read/fold-work.ts';
import type { PointDataset, ResolvedPoint } from '../read/point.ts';
import { connectorContext, type SourceContext } from '../source-context.ts';
import { SourceShares } from '../source-limits.ts';
import {
  type ComparedPiece,
  type ComparePlace,
  type LiveReference,
  paceOf,
  sharedCompare,
} from './compare-work.ts';
import { NeededObjects } from './needed-objects.ts';

/** How often one range of the live cluster is read before its dataset counts as unreadable. */
const liveAttempts = 4;
/** A moment of another cluster serves for this long: its history is kept for some minutes. */
const momentMsMax = 30_000;
/** A range smaller than this is not worth a piece of its own. */
const rangeBytesMin = 8 * 1024 * 1024;
const rangesPerSlot = 4;

export interface VerifyOptions {
  readonly point: ResolvedPoint;
  /** What of another live cluster is compared. */
  readonly scope: Scope;
  readonly readData: boolean;
  readonly against?: SourceConfig;
  readonly listener?: ProgressListener;
}

export interface VerifiedDataset {
  readonly namespace: string;
  readonly verdict:
    | 'whole'
    | 'damaged'
    | 'equal'
    | 'different'
    | 'absent'
    | 'surplus'
    | 'unreadable';
  readonly records: number;
  readonly bytes: number;
  /** Hex. */
  readonly root?: string;
  readonly detail?: string;
}

export interface VerifyOutcome {
  readonly datasets: readonly VerifiedDataset[];
  readonly bytesRead: number;
  readonly seconds: number;
}

export async function verify(
  context: SourceContext,
  options: VerifyOptions,
  signal: AbortSignal,
): Promise<VerifyOutcome> {
  await refuseUnmatched(context, new OpenedRuns(context), options.point);
  const meter = new ProgressMeter(context.world.clock, options.listener);
  const datasets = options.point.datasets.filter(
    ({ entry }) => options.against === undefined || entry.role === 'data',
  );
  const counts = await countsAt(context, datasets, options.point.at);
  // What is compared is read on both sides; without data nothing is read at all.
  const isRead = options.against !== undefined || options.readData;
  const totals = isRead ? totalsOf(counts.values(), options.against ? 2 : 1) : {};
  meter.phase(options.against ? 'comparing' : 'verifying', totals);
  await using live = options.against && (await openLive(context, options, options.against, signal));
  const one = new Verification(context, options, {
    meter,
    datasets: datasets.length,
    live,
    signal,
  });
  // Small datasets are one piece each: as many are begun as there is room for.
  const verified = await mapLimit(
    datasets,
    context.world.sharing.slots,
    (dataset, stop) => one.run(dataset, stop),
    signal,
  );
  if (live) verified.push(...surplusOf(live, options));
  meter.report();
  return { datasets: verified, bytesRead: meter.bytesAll, seconds: meter.seconds };
}

/** What another cluster holds that the point lacks. The source itself has gone on since the point. */
function surplusOf(live: Live, { point, scope }: VerifyOptions): VerifiedDataset[] {
  if (live.isSource) return [];
  const wanted = new Set(point.datasets.map(({ entry }) => entry.namespace));
  return live.datasets
    .filter(({ entry }) => entry.role === 'data' && scopeHolds(scope, entry.namespace))
    .filter(({ entry }) => !wanted.has(entry.namespace))
    .map(({ entry, records, bytes }) => ({
      namespace: entry.namespace,
      verdict: 'surplus',
      records,
      bytes,
    }));
}

/** A live cluster to compare with. */
interface Live extends AsyncDisposable {
  readonly session: SourceSession;
  readonly isSource: boolean;
  readonly datasets: readonly SurveyedDataset[];
  readonly entries: ReadonlyMap<string, SurveyedDataset>;
  readonly place: ComparePlace;
  readonly reference: LiveReference;
  /** The moment at which it is read now. */
  moment(signal: AbortSignal): Promise<SourceTime>;
}

async function openLive(
  context: SourceContext,
  options: VerifyOptions,
  config: SourceConfig,
  signal: AbortSignal,
): Promise<Live> {
  const { connector, world } = context;
  if (!connector.capabilities.orderedLog) {
    throw new CodrError('usage', `--against means nothing for ${connector.kind}`, {
      remedy: 'leave it out; a restore beside the live data compares what it gives back',
    });
  }
  const session = await connector.connect(config, connectorContext(world), signal);
  try {
    return await surveyed(context, options, { session, config }, signal);
  } catch (error) {
    await session[Symbol.asyncDispose]();
    throw error;
  }
}

async function surveyed(
  context: SourceContext,
  { point }: VerifyOptions,
  { session, config }: { readonly session: SourceSession; readonly config: SourceConfig },
  signal: AbortSignal,
): Promise<Live> {
  const { world, lineage, name } = context;
  const survey = await session.survey(signal);
  const own = lineage.state
    .keys('stream')
    .some((stream) => session.identity.streams.some((one) => one === stream));
  const isSource = own && point.datasets.some(({ entry }) => knows(survey.datasets, entry));
  world.log.info({ source: name, isSource }, 'comparing with a live cluster');
  const reference: LiveReference = {
    ...{ config, isSource, source: lineage.name, identity: session.identity.id },
    run: toHex(world.random.bytes(16)),
  };
  return {
    ...{ session, isSource, reference },
    datasets: survey.datasets,
    entries: new Map(survey.datasets.map((one) => [one.entry.namespace, one])),
    place: { context, runs: new OpenedRuns(context), session, pace: paceOf(context, reference) },
    moment: isSource
      ? async () => point.at
      : momentsOf(session, { first: survey.exactFrom, clock: world.clock }),
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

/** The source itself is read at the point's own time, another cluster as it is when a dataset's turn comes. */
function momentsOf(
  session: SourceSession,
  { first, clock }: { readonly first: SourceTime; readonly clock: Pick<Clock, 'monotonic'> },
): Live['moment'] {
  let [at, sinceMs] = [first, clock.monotonic()];
  const [stream] = session.identity.streams;
  return async (signal) => {
    if (!stream || clock.monotonic() - sinceMs < momentMsMax) return at;
    const { newest } = await session.logBounds(stream, signal);
    [at, sinceMs] = [maxTime(at, newest), clock.monotonic()];
    return at;
  };
}

function knows(
  datasets: readonly { readonly entry: CatalogEntry }[],
  { dataset }: CatalogEntry,
): boolean {
  return datasets.some(({ entry }) => entry.dataset === dataset);
}

class Verification {
  readonly #context: SourceContext;
  readonly #options: VerifyOptions;
  readonly #meter: ProgressMeter;
  readonly #live: Live | undefined;
  readonly #runs: OpenedRuns;
  readonly #needed: NeededObjects;
  readonly #shares: SourceShares;
  /** Datasets in all. */
  readonly #count: number;

  constructor(
    context: SourceContext,
    options: VerifyOptions,
    work: {
      readonly meter: ProgressMeter;
      readonly datasets: number;
      readonly live: Live | undefined;
      readonly signal: AbortSignal;
    },
  ) {
    this.#context = context;
    this.#options = options;
    this.#meter = work.meter;
    this.#count = work.datasets;
    this.#live = work.live;
    this.#runs = new OpenedRuns(context);
    this.#needed = new NeededObjects(context, options.point.at, work.signal);
    this.#shares = new SourceShares(work.live?.isSource ? context.limits : {});
  }

  async run(dataset: PointDataset, signal: AbortSignal): Promise<VerifiedDataset> {
    const { entry, base } = dataset;
    const { records = 0, bytes = 0 } = base.tree ?? {};
    const as = (
      verdict: VerifiedDataset['verdict'],
      more: Partial<VerifiedDataset> = {},
    ): VerifiedDataset => ({ namespace: entry.namespace, verdict, records, bytes, ...more });
    const missing = await this.#needed.lacks(dataset);
    if (missing) return as('damaged', { detail: missing });
    const live = this.#live;
    if (!live && !this.#options.readData) return as('whole');
    try {
      const there = live?.entries.get(entry.namespace);
      if (live && there) return as(...(await this.#compare(dataset, live, there, signal)));
      const folded = await this.#counts(await this.#fold(dataset, signal), signal);
      return as(live ? 'absent' : 'whole', folded);
    } catch (error) {
      if (isCodrError(error, 'object-missing') || isCodrError(error, 'object-damaged')) {
        return as('damaged', { detail: error.message });
      }
      if (live && isCodrError(error, 'snapshot-too-old')) {
        return as('unreadable', { detail: `${error.message}${slowed(live)}` });
      }
      throw error;
    }
  }

  async #compare(
    dataset: PointDataset,
    live: Live,
    there: SurveyedDataset,
    signal: AbortSignal,
  ): Promise<[VerifiedDataset['verdict'], Partial<VerifiedDataset>]> {
    const { slots } = this.#context.world.sharing;
    const wanted = Math.ceil(there.bytes / (slots * rangesPerSlot));
    const hint = { bytesPerSegment: Math.max(rangeBytesMin, wanted) };
    const ranges = await live.session.plan(there.entry, hint, signal);
    const at = await live.moment(signal);
    const most = Math.min(slots, Math.max(ranges.length, this.#count));
    const compared = await mapLimit(
      ranges,
      ranges.length,
      (range, stop) =>
        this.#compareRange({ dataset, live, entry: there.entry, range, at, most }, stop),
      signal,
    );
    const counts = await this.#counts(
      compared.map(({ part }) => part),
      signal,
    );
    if (compared.some(({ isRead }) => !isRead)) {
      return ['unreadable', { ...counts, detail: `${this.#whyUnread(live)}${slowed(live)}` }];
    }
    const { difference } = compared.find((one) => one.difference) ?? {};
    if (!difference) return ['equal', counts];
    const detail = `the record ${difference.key} is ${difference.kind}`;
    return ['different', { ...counts, detail }];
  }

  /** A read that was cut off is done again at the same moment, as long as the live cluster can. */
  async #compareRange(
    { dataset, live, entry, range, at, most }: LiveRange,
    signal: AbortSignal,
  ): Promise<ComparedPiece> {
    const progress = (records: number, bytes: number): void =>
      this.#meter.add(records, bytes, live.place.pace?.note);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#shares.use(most, signal, (bytesPerSecond) => {
          const where = { dataset, at: this.#options.point.at, range };
          const piece = { ...where, live: { entry, at, bytesPerSecond } };
          return sharedCompare(live.place, live.reference, piece, { signal, progress });
        });
      } catch (error) {
        if (!isCodrError(error, 'snapshot-too-old') || attempt >= liveAttempts) throw error;
      }
    }
  }

  /** The source is read as of the point: what was made anew since cannot be. */
  #whyUnread({ isSource }: Live): string {
    return isSource
      ? 'the source cannot show it as of that moment: it was made or replaced since then, or too long ago'
      : 'this server cannot show the collection as of one moment';
  }

  /** Its ranges side by side. */
  async #fold(dataset: PointDataset, signal: AbortSignal): Promise<TreePart[]> {
    const { world } = this.#context;
    const { at } = this.#options.point;
    const ranges = await rangesOf(this.#context, dataset);
    const progress = (records: number, bytes: number): void => this.#meter.add(records, bytes);
    return await mapLimit(
      ranges,
      world.sharing.slots,
      async (range, stop) => {
        const piece = { dataset, at, range, keeps: false };
        const work = { signal: stop, progress };
        return (await sharedFold(this.#context, this.#runs, piece, work)).part;
      },
      signal,
    );
  }

  async #counts(
    parts: readonly TreePart[],
    signal: AbortSignal,
  ): Promise<Pick<VerifiedDataset, 'records' | 'bytes' | 'root'>> {
    const root = await joinParts(parts, this.#context.repository.proofTree(signal));
    return { records: root.records, bytes: root.bytes, root: toHex(root.id) };
  }
}

/** A slow reader may outlive what the cluster keeps of a moment. */
function slowed({ place }: Live): string {
  const note = place.pace?.note;
  return note === undefined ? '' : `; reading it is ${note}`;
}

interface LiveRange {
  readonly dataset: PointDataset;
  readonly live: Live;
  readonly entry: CatalogEntry;
  readonly range: KeyRange;
  readonly at: SourceTime;
  /** Pieces that could be read at a time. */
  readonly most: number;
}
