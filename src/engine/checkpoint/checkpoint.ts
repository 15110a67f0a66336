// A further base copy without a copy: what was added to a dataset since its last one is folded into a tree, from the
// repository alone, so that a restore from there reads one tree. Each dataset is one commit, true by itself: whoever
// goes on later passes over what is done. Older moments stay with the older base copies.
import { forEachLimit, mapLimit } from '../../base/async.ts';
import { toHex } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import type { CutMemory } from '../../connector/connector.ts';
import type { DatasetId, PackId } from '../../model/id.ts';
import { wholeRange } from '../../model/key-range.ts';
import { lastTime, type SourceTime, timeFromHex, timeToHex } from '../../model/time.ts';
import type { Draft } from '../../repository/lineage/draft.ts';
import { CondemnedPacksError, usePacks } from '../../repository/lineage/pack-table.ts';
import type { BaseRecord, TreeRecord } from '../../repository/lineage/records.ts';
import type { StateView } from '../../repository/lineage/state.ts';
import { claimWriter, type WriterClaim } from '../../repository/lineage/writer.ts';
import { joinParts } from '../../repository/tree/join.ts';
import { rememberedCut } from '../capture/cut-memory.ts';
import { treeRecordOf } from '../capture/merge-deltas.ts';
import { cutsOf, deltasAt, isUnbroken } from '../history/cut-history.ts';
import { baseKey, epochsOf } from '../history/source-history.ts';
import { type ProgressListener, ProgressMeter } from '../progress.ts';
import { OpenedRuns } from '../read/fold.ts';
import { type FoldedPiece, rangesOf, sharedFold } from '../read/fold-work.ts';
import { type PointDataset, resolvePoint } from '../read/point.ts';
import type { SourceContext } from '../source-context.ts';

export interface CheckpointOptions {
  /** A restorable moment. */
  readonly at: SourceTime;
  readonly listener?: ProgressListener;
}

export interface CheckpointedDataset {
  readonly namespace: string;
  /** Of the new base copy. */
  readonly records: number;
  readonly bytes: number;
  /** Of all that a restore has read so far in its place; absent where that cannot be told. */
  readonly recordsBefore?: number;
}

export interface CheckpointOutcome {
  readonly at: SourceTime;
  readonly datasets: readonly CheckpointedDataset[];
  /** Datasets to which nothing has been added since their last base copy. */
  readonly unchanged: number;
  readonly bytesDeduplicated: number;
  readonly seconds: number;
}

/** Longest silence of this writer. */
const claimTickMs = 60_000;
/** Collections that condemn what a new tree relies on, one after another. */
const storeAgainMax = 3;

/**
 * Folds every dataset that has changed. Errors: `busy`, naming who else writes; `time-not-restorable`;
 * `object-missing` and `object-damaged` for what the repository has lost. What was done before stays done.
 */
export async function checkpoint(
  context: SourceContext,
  { at, listener }: CheckpointOptions,
  signal: AbortSignal,
): Promise<CheckpointOutcome> {
  const { world, lineage } = context;
  const claim = await claimWriter(lineage, {
    source: context.name,
    probe: world.probe,
    clock: world.clock,
    tickMs: claimTickMs,
    claim: toHex(world.random.bytes(16)),
    signal,
  });
  try {
    const meter = new ProgressMeter(world.clock, listener);
    const { datasets, unchanged } = await new Checkpoint(context, { at, claim, meter }).run(signal);
    const { bytesDeduplicated, seconds } = meter;
    return { at, datasets, unchanged, bytesDeduplicated, seconds };
  } finally {
    await claim.release().catch((error: unknown) => {
      world.log.warn({ error }, 'the source could not be released');
    });
  }
}

interface Work {
  readonly at: SourceTime;
  readonly claim: WriterClaim;
  readonly meter: ProgressMeter;
}

/** A dataset, and the moment of its new base copy. */
interface DueDataset extends PointDataset {
  readonly exactFrom: SourceTime;
  readonly recordsBefore?: number;
}

class Checkpoint {
  readonly #context: SourceContext;
  readonly #work: Work;
  readonly #runs: OpenedRuns;
  /** What the newest cut remembered, when that is the moment: it proves which deletions have gone. */
  readonly #provenBy: CutMemory | undefined;
  /** Packs that a commit was refused for: nobody may rely on them again. */
  readonly #refused = new Set<PackId>();

  constructor(context: SourceContext, work: Work) {
    this.#context = context;
    this.#work = work;
    this.#runs = new OpenedRuns(context);
    const { state } = context.lineage;
    this.#provenBy = isNewestCut(state, work.at) ? rememberedCut(state) : undefined;
  }

  async run(signal: AbortSignal): Promise<Pick<CheckpointOutcome, 'datasets' | 'unchanged'>> {
    const { world } = this.#context;
    const { meter } = this.#work;
    const { due, unchanged } = await this.#due();
    meter.phase('folding');
    const done: CheckpointedDataset[] = [];
    await forEachLimit(
      due,
      world.limits.workers,
      async (dataset, one) => {
        done.push(await this.#dataset(dataset, one));
        meter.report(`${dataset.entry.namespace}: ${done.length} of ${due.length} done`);
      },
      signal,
    );
    const datasets = done.sort((a, b) => (a.namespace < b.namespace ? -1 : 1));
    return { datasets, unchanged };
  }

  async #due(): Promise<{ due: DueDataset[]; unchanged: number }> {
    const { lineage, connector, scope } = this.#context;
    const { at } = this.#work;
    const { datasets } = resolvePoint({ state: lineage.state, connector, scope }, at);
    const changed = await this.#runs.changed(datasets, at);
    const due = datasets
      .filter(({ entry }) => changed.has(entry.dataset))
      .flatMap((dataset) => this.#dueOf(dataset));
    return { due, unchanged: datasets.length - due.length };
  }

  /**
   * Of a cut that is not the newest, the moment is that of the last addition before it: the next one says that it
   * follows upon that. What is folded is the same, by the schema of then.
   */
  #dueOf({ entry, base }: PointDataset): DueDataset[] {
    const { lineage, connector, scope } = this.#context;
    const { at } = this.#work;
    if (connector.capabilities.orderedLog) return [{ entry, base, exactFrom: at }];
    const deltas = deltasAt(lineage.state, base, at);
    const recordsBefore = [base, ...deltas].reduce(
      (sum, { tree }) => sum + (tree?.records ?? 0),
      0,
    );
    if (this.#provenBy) return [{ entry, base, exactFrom: at, recordsBefore }];
    const exactFrom = timeFromHex(deltas[0]?.to ?? base.exactFrom);
    const then = resolvePoint({ state: lineage.state, connector, scope }, exactFrom);
    const same = then.datasets.find((one) => one.entry.dataset === entry.dataset);
    return same ? [{ ...same, exactFrom, recordsBefore }] : [];
  }

  async #dataset(dataset: DueDataset, signal: AbortSignal): Promise<CheckpointedDataset> {
    for (let again = 0; again <= storeAgainMax; again++) {
      const tree = await this.#store(dataset, signal);
      if (!tree) continue;
      const { namespace } = dataset.entry;
      const { recordsBefore } = dataset;
      const { records, bytes } = tree;
      return { namespace, records, bytes, ...(recordsBefore !== undefined && { recordsBefore }) };
    }
    throw new CodrError('failed', 'what the checkpoint relied on was deleted again and again');
  }

  /** Undefined when packs were condemned meanwhile: what they held is stored anew the next time. */
  async #store(dataset: DueDataset, signal: AbortSignal): Promise<TreeRecord | undefined> {
    const { repository, lineage } = this.#context;
    const { claim, meter } = this.#work;
    const pieces = await this.#pieces(dataset, signal);
    const store = repository.session();
    const parts = pieces.map(({ part }) => part);
    const tree = treeRecordOf(await joinParts(parts, store.tree(signal)));
    signal.throwIfAborted();
    const used = [await store.flush(), ...pieces.map((piece) => piece.used)];
    const all = {
      newPacks: used.flatMap(({ newPacks }) => newPacks),
      reusedPacks: used.flatMap(({ reusedPacks }) => reusedPacks),
    };
    try {
      await lineage.commit((draft): undefined => {
        claim.check(draft);
        noteBase(draft, dataset, tree, String(usePacks(draft, all)));
      });
    } catch (error) {
      if (!(error instanceof CondemnedPacksError)) throw error;
      repository.forget(error.packs);
      for (const pack of error.packs) this.#refused.add(pack);
      return undefined;
    }
    repository.committed(all);
    meter.deduplicated(pieces.reduce((sum, { knownBytes }) => sum + knownBytes, store.knownBytes));
    return tree;
  }

  /** Ranges side by side, where the fold of one needs nothing of the others. */
  async #pieces(dataset: DueDataset, signal: AbortSignal): Promise<FoldedPiece[]> {
    const { meter } = this.#work;
    const stored = this.#provenBy ? { provenBy: this.#provenBy } : {};
    const isOrdered = this.#context.connector.capabilities.orderedLog;
    const ranges = isOrdered ? await rangesOf(this.#context, dataset) : [wholeRange];
    const progress = (records: number, bytes: number): void => meter.add(records, bytes);
    return await mapLimit(
      ranges,
      this.#context.world.sharing.slots,
      async (range, one) => {
        const refused = [...this.#refused];
        const what = { dataset, at: dataset.exactFrom, range, keeps: true, refused };
        const piece = { ...what, ...(!isOrdered && { stored }) };
        const work = { signal: one, progress };
        return await sharedFold(this.#context, this.#runs, piece, work);
      },
      signal,
    );
  }
}

/** Of the running epoch: nothing can have been added after it. */
function isNewestCut(state: StateView, at: SourceTime): boolean {
  const newest = cutsOf(state).at(-1);
  return newest?.time === at && epochsOf(state).at(-1)?.closedAt === undefined;
}

function noteBase(
  draft: Draft,
  { entry: { dataset, namespace }, base: { epoch, exactFrom: from }, exactFrom }: DueDataset,
  tree: TreeRecord,
  packs: string,
): void {
  const at = timeToHex(exactFrom);
  const last = lastBefore(draft, dataset, exactFrom);
  const newest = deltasAt(draft, { dataset, epoch, exactFrom: from }, last)[0]?.to ?? from;
  const chain = deltasAt(draft, { dataset, epoch, exactFrom: at }, last);
  // Additions that are lost but for their merge, or that a cut made meanwhile, which follows upon an earlier one.
  if (!isUnbroken(chain, at) || (chain[0]?.to ?? at) < newest) {
    const message = `later cuts of ${namespace} cannot be folded upon a base copy of that time`;
    throw new CodrError('time-not-restorable', message, {
      object: namespace,
      remedy: 'run the command again without --to',
    });
  }
  const steps = [{ from: '', after: at }];
  const base: BaseRecord = { epoch, exactFrom: at, tree, steps, folded: true, packs };
  draft.set(baseKey(dataset, exactFrom), base);
}

/** The last moment that is folded upon a base copy of `at`: before the dataset's next one. */
function lastBefore(state: StateView, dataset: DatasetId, at: SourceTime): SourceTime {
  const own = `${dataset}/`;
  const next = state.keys('base', own).find((rest) => rest > `${own}${timeToHex(at)}`);
  return next === undefined ? lastTime : timeFromHex(next.slice(own.length)) - 1n;
}
