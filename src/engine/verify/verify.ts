// Is a moment whole in the repository, and does a live cluster equal it? Without reading data, the
// objects that the point needs are looked up; with it, every record is folded.
import { mapLimit } from '../../base/async.ts';
import { toHex } from '../../base/bytes.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import type { SourceConfig, SourceSession, SurveyedDataset } from '../../connector/connector.ts';
import type { CatalogEntry } from '../../model/catalog.ts';
import { wholeRange } from '../../model/key-range.ts';
import { type Scope, scopeHolds } from '../../model/namespace.ts';
import { batchBytes, type RecordStream } from '../../model/record.ts';
import type { SourceTime } from '../../model/time.ts';
import { joinParts } from '../../repository/tree/join.ts';
import { buildRange } from '../../repository/tree/range-builder.ts';
import { compareRoots, type TreeRoot } from '../../repository/tree/tree-root.ts';
import { type ProgressListener, ProgressMeter } from '../progress.ts';
import { countsAt, totalsOf } from '../read/counts.ts';
import { refuseUnmatched } from '../read/definitions.ts';
import { foldDataset, nativeRecords, OpenedRuns } from '../read/fold.ts';
import { rangesOf, sharedFold } from '../read/fold-work.ts';
import type { PointDataset, ResolvedPoint } from '../read/point.ts';
import { connectorContext, type SourceContext } from '../source-context.ts';
import { firstDifference } from './compare-streams.ts';
import { NeededObjects } from './needed-objects.ts';

/** How often one dataset of the live cluster is read before it counts as unreadable. */
const liveAttempts = 4;

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
  const one = new Verification(context, options, meter, live, signal);
  const verified: VerifiedDataset[] = [];
  for (const dataset of datasets) verified.push(await one.run(dataset));
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

/** A live cluster to compare with, and the moment at which it is read. */
interface Live extends AsyncDisposable {
  readonly session: SourceSession;
  readonly at: SourceTime;
  readonly isSource: boolean;
  readonly datasets: readonly SurveyedDataset[];
  readonly entries: ReadonlyMap<string, CatalogEntry>;
}

/** The source itself is read at the point's own time, another cluster as it is now. */
async function openLive(
  { connector, world, lineage, name }: SourceContext,
  { point }: VerifyOptions,
  config: SourceConfig,
  signal: AbortSignal,
): Promise<Live> {
  if (!connector.capabilities.orderedLog) {
    throw new CodrError('usage', `--against means nothing for ${connector.kind}`, {
      remedy: 'leave it out; a restore beside the live data compares what it gives back',
    });
  }
  const session = await connector.connect(config, connectorContext(world), signal);
  try {
    const survey = await session.survey(signal);
    const own = lineage.state
      .keys('stream')
      .some((stream) => session.identity.streams.some((one) => one === stream));
    const isSource = own && point.datasets.some(({ entry }) => knows(survey.datasets, entry));
    world.log.info({ source: name, isSource }, 'comparing with a live cluster');
    return {
      session,
      isSource,
      datasets: survey.datasets,
      at: isSource ? point.at : survey.exactFrom,
      entries: new Map(survey.datasets.map(({ entry }) => [entry.namespace, entry])),
      [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
    };
  } catch (error) {
    await session[Symbol.asyncDispose]();
    throw error;
  }
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
  readonly #signal: AbortSignal;
  readonly #runs: OpenedRuns;
  readonly #needed: NeededObjects;

  constructor(
    context: SourceContext,
    options: VerifyOptions,
    meter: ProgressMeter,
    live: Live | undefined,
    signal: AbortSignal,
  ) {
    this.#context = context;
    this.#options = options;
    this.#meter = meter;
    this.#live = live;
    this.#signal = signal;
    this.#runs = new OpenedRuns(context);
    this.#needed = new NeededObjects(context, options.point.at, signal);
  }

  async run(dataset: PointDataset): Promise<VerifiedDataset> {
    const { entry, base } = dataset;
    const { records = 0, bytes = 0 } = base.tree ?? {};
    const as = (
      verdict: VerifiedDataset['verdict'],
      more: Partial<VerifiedDataset> = {},
    ): VerifiedDataset => ({ namespace: entry.namespace, verdict, records, bytes, ...more });
    const missing = await this.#needed.lacks(dataset);
    if (missing) return as('damaged', { detail: missing });
    if (!this.#live && !this.#options.readData) return as('whole');
    try {
      const root = await this.#foldedRoot(dataset);
      const counts = { records: root.records, bytes: root.bytes, root: toHex(root.id) };
      return this.#live
        ? as(...(await this.#compareLive(dataset, root, counts)))
        : as('whole', counts);
    } catch (error) {
      if (isCodrError(error, 'object-missing') || isCodrError(error, 'object-damaged')) {
        return as('damaged', { detail: error.message });
      }
      throw error;
    }
  }

  /** A read that was cut off is done again at the same moment, as long as the live cluster can. */
  async #compareLive(
    dataset: PointDataset,
    wanted: TreeRoot,
    counts: Partial<VerifiedDataset>,
  ): Promise<[VerifiedDataset['verdict'], Partial<VerifiedDataset>]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#compare(dataset, wanted, counts);
      } catch (error) {
        if (!isCodrError(error, 'snapshot-too-old')) throw error;
        if (attempt >= liveAttempts) return ['unreadable', { ...counts, detail: error.message }];
      }
    }
  }

  async #compare(
    dataset: PointDataset,
    wanted: TreeRoot,
    counts: Partial<VerifiedDataset>,
  ): Promise<[VerifiedDataset['verdict'], Partial<VerifiedDataset>]> {
    const { namespace } = dataset.entry;
    const entry = this.#live?.entries.get(namespace);
    if (!entry) return ['absent', counts];
    const read = async (): Promise<RecordStream | undefined> =>
      await this.#live?.session.readAt(entry, wholeRange, this.#live.at, this.#signal);
    const first = await read();
    if (!first) {
      return ['unreadable', { ...counts, detail: this.#whyUnread() }];
    }
    if (compareRoots(wanted, await this.#rootOf(first)) === 'equal') return ['equal', counts];
    const again = await read();
    const difference = again && (await firstDifference(this.#folded(dataset), again));
    if (!difference) {
      throw new CodrError('failed', `${namespace} changed while it was compared`);
    }
    const key = this.#context.connector.renderKey(entry, difference.record);
    const detail = `the record ${key} is ${difference.kind}`;
    return ['different', { ...counts, detail }];
  }

  /** The source is read as of the point: what was made anew since cannot be. */
  #whyUnread(): string {
    return this.#live?.isSource
      ? 'the source cannot show it as of that moment: it was made or replaced since then, or too long ago'
      : 'this server cannot show the collection as of one moment';
  }

  /** Of what the fold gives, its ranges side by side. */
  async #foldedRoot(dataset: PointDataset): Promise<TreeRoot> {
    const { repository, world } = this.#context;
    const { at } = this.#options.point;
    const ranges = await rangesOf(this.#context, dataset);
    const progress = (records: number, bytes: number): void => this.#meter.add(records, bytes);
    const parts = await mapLimit(
      ranges,
      world.sharing.slots,
      async (range, signal) => {
        const piece = { dataset, at, range, keeps: false };
        const work = { signal, progress };
        return (await sharedFold(this.#context, this.#runs, piece, work)).part;
      },
      this.#signal,
    );
    return await joinParts(parts, repository.proofTree(this.#signal));
  }

  async #rootOf(records: RecordStream): Promise<TreeRoot> {
    const tree = this.#context.repository.proofTree(this.#signal);
    return await joinParts([await buildRange(this.#metered(records), tree)], tree);
  }

  #folded(dataset: PointDataset): RecordStream {
    const where = { range: wholeRange, at: this.#options.point.at };
    const folded = foldDataset(this.#context, this.#runs, dataset, where);
    return nativeRecords(this.#context, dataset, folded);
  }

  async *#metered(records: RecordStream): RecordStream {
    for await (const batch of records) {
      this.#signal.throwIfAborted();
      this.#meter.add(batch.length, batchBytes(batch));
      yield batch;
    }
  }
}
