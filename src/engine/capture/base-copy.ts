// The job of base copies: what is wanted (datasets without one) minus what is stored (finished segments).
// A task reads ranges, cuts and stores them, and commits what it finished; when all ranges of a dataset
// are there, their edges are joined into one tree. Small datasets share a task, and so a commit.
import { compareBytes, emptyBytes, fromBase64, toBase64, toHex } from '../../base/bytes.ts';
import { isCodrError } from '../../base/error.ts';
import type { Job, Task } from '../../cluster/task-runner.ts';
import type { SourceSession } from '../../connector/connector.ts';
import type { CatalogEntry } from '../../model/catalog.ts';
import { type DatasetId, datasetId } from '../../model/id.ts';
import { intersectRanges, type KeyRange, wholeRange } from '../../model/key-range.ts';
import type { RecordStream } from '../../model/record.ts';
import { maxTime, minTime, type SourceTime, timeFromHex, timeToHex } from '../../model/time.ts';
import type { Draft } from '../../repository/lineage/draft.ts';
import { PackSet } from '../../repository/lineage/pack-set.ts';
import { CondemnedPacksError, usePacks } from '../../repository/lineage/pack-table.ts';
import type { BaseRecord, SegmentRecord, WantRecord } from '../../repository/lineage/records.ts';
import type { WriterClaim } from '../../repository/lineage/writer.ts';
import type { RepositorySession } from '../../repository/repository.ts';
import { joinParts } from '../../repository/tree/join.ts';
import { buildRange } from '../../repository/tree/range-builder.ts';
import { decodeTreePart, encodeTreePart, type TreePart } from '../../repository/tree/tree-part.ts';
import type { TreeRoot } from '../../repository/tree/tree-root.ts';
import { endWant } from '../history/ledger.ts';
import { baseKey, settledTime } from '../history/source-history.ts';
import type { ProgressMeter } from '../progress.ts';
import type { SourceContext } from '../source-context.ts';

export interface BaseCopyOptions {
  readonly session: SourceSession;
  readonly claim: WriterClaim;
  readonly stream: string;
  /** What there is now: entries of wanted datasets are looked up here. */
  readonly entryOf: (dataset: DatasetId) => CatalogEntry | undefined;
  readonly meter: ProgressMeter;
  /** Resolves when the log is committed up to now: a dataset that is gone is then no longer wanted. */
  readonly caughtUp: (signal: AbortSignal) => Promise<void>;
}

/** One range of one dataset, and what reading it gave. */
interface Unit {
  readonly dataset: DatasetId;
  readonly entry: CatalogEntry;
  readonly range: KeyRange;
}

interface BuiltSegment {
  readonly range: KeyRange;
  readonly after: SourceTime;
  readonly exactFrom: SourceTime;
  readonly part: TreePart;
  readonly packs: string;
}

/** A dataset whose snapshot grew too old this often cannot be read by snapshot: a fuzzy copy is made. */
const tooOldMax = 4;
const tooOldPauseMs = 200;
/** Small datasets that share one task, at most. */
const datasetsPerTask = 64;

export class BaseCopyJob implements Job {
  readonly id: string;
  readonly #context: SourceContext;
  readonly #options: BaseCopyOptions;
  /** Ranges whose snapshot grew too old are planned smaller the next time. */
  readonly #segmentBytes = new Map<DatasetId, number>();
  /** How often a dataset's snapshot grew too old. */
  readonly #tooOld = new Map<DatasetId, number>();

  constructor(context: SourceContext, options: BaseCopyOptions) {
    this.id = `base-copy/${context.lineage.name}`;
    this.#context = context;
    this.#options = options;
  }

  async plan(signal: AbortSignal): Promise<readonly Task[]> {
    await this.#dropGone(signal);
    const { state } = this.#context.lineage;
    const tasks: Task[] = [];
    let small: { unit: Unit; bytes: number }[] = [];
    const closeSmall = (): void => {
      if (small.length > 0) tasks.push(this.#smallTask(small));
      small = [];
    };
    for (const [rest, want] of state.list<WantRecord>('want')) {
      const dataset = datasetId(rest);
      const entry = this.#options.entryOf(dataset);
      if (!entry) continue; // gone since: the next plan drops it
      const gaps = uncovered(this.#segments(dataset));
      const isWhole = gaps.length === 1 && !gaps[0]?.from && !gaps[0]?.to;
      const fitsOne = want.bytes < this.#bytesOf(dataset) && !this.#segmentBytes.has(dataset);
      if (isWhole && fitsOne) {
        small.push({ unit: { dataset, entry, range: wholeRange }, bytes: want.bytes });
        const bytes = small.reduce((sum, { bytes }) => sum + bytes, 0);
        if (small.length >= datasetsPerTask || bytes > this.#bytesOf(dataset)) closeSmall();
      } else if (gaps.length > 0) {
        tasks.push(...(await this.#segmentTasks(dataset, entry, gaps, want, signal)));
      } else {
        tasks.push(this.#joinTask(dataset));
      }
    }
    closeSmall();
    return tasks;
  }

  #bytesOf(dataset: DatasetId): number {
    return this.#segmentBytes.get(dataset) ?? this.#context.world.limits.segmentBytes;
  }

  /** The next plan's segments are half as large, counted from the dataset's own size when that is less. */
  #halveSegments(dataset: DatasetId): void {
    const { bytes = 0 } = this.#context.lineage.state.get<WantRecord>(`want/${dataset}`) ?? {};
    const now = this.#bytesOf(dataset);
    const most = bytes > 0 ? Math.min(now, bytes) : now;
    this.#segmentBytes.set(dataset, Math.max(1, Math.floor(most / 2)));
  }

  #segments(dataset: DatasetId): SegmentRecord[] {
    const { state } = this.#context.lineage;
    return state
      .keys('segment', `${dataset}/`)
      .map((rest) => state.get<SegmentRecord>(`segment/${rest}`) as SegmentRecord);
  }

  #smallTask(parts: readonly { readonly unit: Unit; readonly bytes: number }[]): Task {
    const units = parts.map(({ unit }) => unit);
    return {
      id: `small-${units[0]?.dataset}-${units.length}`,
      weight: parts.reduce((sum, { bytes }) => sum + bytes, 0),
      run: ({ signal }) => this.#splitWhenTooOld(signal, () => this.#copyWhole(units, signal)),
    };
  }

  async #segmentTasks(
    dataset: DatasetId,
    entry: CatalogEntry,
    gaps: readonly KeyRange[],
    want: WantRecord,
    signal: AbortSignal,
  ): Promise<Task[]> {
    const hint = { bytesPerSegment: this.#bytesOf(dataset) };
    const planned = await this.#options.session.plan(entry, hint, signal);
    const ranges = planned.flatMap((range) =>
      gaps.flatMap((gap) => intersectRanges(range, gap) ?? []),
    );
    return ranges.map((range) => ({
      id: `segment-${dataset}-${segmentPlace(range)}`,
      weight: want.bytes / Math.max(1, planned.length),
      run: ({ signal }) =>
        this.#splitWhenTooOld(signal, () => this.#copySegment({ dataset, entry, range }, signal)),
    }));
  }

  #joinTask(dataset: DatasetId): Task {
    return { id: `join-${dataset}`, weight: 0, run: ({ signal }) => this.#join(dataset, signal) };
  }

  /** A task whose snapshot grew too old has done nothing; the next plan cuts its dataset smaller. */
  async #splitWhenTooOld(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isCodrError(error, 'snapshot-too-old')) throw error;
      await this.#context.world.clock.sleep(tooOldPauseMs, signal);
    }
  }

  /** Whole small datasets: read, joined and committed at once. */
  async #copyWhole(units: readonly Unit[], signal: AbortSignal): Promise<void> {
    await this.#stored(signal, async (store) => {
      const built: { unit: Unit; root?: TreeRoot; segment?: Omit<BuiltSegment, 'packs'> }[] = [];
      for (const unit of units) {
        const segment = await this.#read(unit, store, signal);
        if (!segment || this.#isTooOld(unit, segment)) await this.#options.caughtUp(signal);
        const root = segment && (await joinParts([segment.part], store.tree(signal)));
        built.push({ unit, ...(root && { root }), ...(segment && { segment }) });
      }
      return (draft, packs) => {
        for (const { unit, root, segment } of built) {
          if (segment && !isWanted(draft, unit.dataset, segment.after)) continue;
          if (root && segment) this.#noteBase(draft, unit.dataset, root, [{ ...segment, packs }]);
        }
      };
    });
  }

  async #copySegment(unit: Unit, signal: AbortSignal): Promise<void> {
    await this.#stored(signal, async (store) => {
      const segment = await this.#read(unit, store, signal);
      if (!segment || this.#isTooOld(unit, segment)) await this.#options.caughtUp(signal);
      const part = segment && (await encodeTreePart(segment.part, store.sink));
      return (draft, packs) => {
        const { dataset, range } = unit;
        if (!segment || !part || !isWanted(draft, dataset, segment.after)) return;
        const record: SegmentRecord = {
          ...(range.from && { from: toBase64(range.from) }),
          ...(range.to && { to: toBase64(range.to) }),
          after: timeToHex(segment.after),
          exactFrom: timeToHex(segment.exactFrom),
          records: segment.part.records,
          bytes: segment.part.bytes,
          part: toBase64(part),
          packs,
        };
        draft.set(`segment/${dataset}/${segmentPlace(range)}`, record);
      };
    });
  }

  /**
   * Read before a doubt as far as changes count: an undecided transaction reaches back. Who waits until the
   * log is settled up to now reads the dataset past it the next time.
   */
  #isTooOld({ dataset }: Unit, { after }: Omit<BuiltSegment, 'packs'>): boolean {
    const want = this.#context.lineage.state.get<WantRecord>(`want/${dataset}`);
    return want?.notBefore !== undefined && after < timeFromHex(want.notBefore);
  }

  async #join(dataset: DatasetId, signal: AbortSignal): Promise<void> {
    const records = this.#segments(dataset);
    if (uncovered(records).length > 0) return; // it has left the scope since the plan
    const source = this.#context.repository.source;
    const segments: BuiltSegment[] = [];
    for (const record of records) {
      segments.push({
        range: rangeOf(record),
        after: timeFromHex(record.after),
        exactFrom: timeFromHex(record.exactFrom),
        part: await decodeTreePart(fromBase64(record.part), source),
        packs: record.packs,
      });
    }
    await this.#stored(signal, async (store) => {
      const parts = segments.map(({ part }) => part);
      const root = await joinParts(parts, store.tree(signal));
      return (draft, packs) => {
        const oldest = segments.map(({ after }) => after).reduce(minTime);
        const there = draft.keys('segment', `${dataset}/`).length;
        if (!isWanted(draft, dataset, oldest) || there !== segments.length) return; // it has left, and perhaps come back
        this.#noteBase(draft, dataset, root, segments, packs);
      };
    });
  }

  /** Undefined: the dataset is gone, and the log says so. */
  async #read(
    unit: Unit,
    store: RepositorySession,
    signal: AbortSignal,
  ): Promise<Omit<BuiltSegment, 'packs'> | undefined> {
    try {
      const fuzzy = (this.#tooOld.get(unit.dataset) ?? 0) >= tooOldMax;
      const { session } = this.#options;
      const reader = await session.readSegment(unit.entry, unit.range, signal, { fuzzy });
      if (!reader) return undefined;
      const part = await buildRange(this.#metered(reader.batches), store.tree(signal));
      return { range: unit.range, after: reader.after, exactFrom: reader.exactFrom(), part };
    } catch (error) {
      // A member that fell silent says nothing about the size of what was read.
      const isTooOld = isCodrError(error, 'snapshot-too-old');
      if (isTooOld && !isCodrError(error.cause, 'source-unreachable')) {
        this.#tooOld.set(unit.dataset, (this.#tooOld.get(unit.dataset) ?? 0) + 1);
        this.#halveSegments(unit.dataset);
      }
      throw error;
    }
  }

  async *#metered(batches: RecordStream): RecordStream {
    for await (const batch of batches) {
      let bytes = 0;
      for (const { key, value } of batch) bytes += key.length + value.length;
      this.#options.meter.add(batch.length, bytes);
      yield batch;
    }
  }

  /** Stores what `work` builds, and commits what it returns. Condemned packs are forgotten: try again. */
  async #stored(
    signal: AbortSignal,
    work: (store: RepositorySession) => Promise<(draft: Draft, packs: string) => void>,
  ): Promise<void> {
    const { repository, lineage } = this.#context;
    const store = repository.session();
    const note = await work(store);
    signal.throwIfAborted();
    const used = await store.flush();
    try {
      await lineage.commit((draft): undefined => {
        this.#options.claim.check(draft);
        note(draft, String(usePacks(draft, used)));
      });
    } catch (error) {
      if (error instanceof CondemnedPacksError) await repository.forget(error.packs);
      throw error;
    }
    repository.committed(used);
    this.#options.meter.deduplicated(store.knownBytes);
  }

  #noteBase(
    draft: Draft,
    dataset: DatasetId,
    root: TreeRoot,
    segments: readonly BuiltSegment[],
    packs = '',
  ): void {
    const want = draft.get<WantRecord>(`want/${dataset}`) as WantRecord;
    const exactFrom = segments.map((segment) => segment.exactFrom).reduce(maxTime);
    const sets = [packs, ...segments.map((segment) => segment.packs)].map(PackSet.parse);
    const base: BaseRecord = {
      epoch: want.epoch,
      exactFrom: timeToHex(exactFrom),
      tree: {
        root: toHex(root.id),
        height: root.height,
        records: root.records,
        bytes: root.bytes,
        parameters: root.cut,
      },
      steps: stepsOf(segments),
      packs: String(sets.reduce((a, b) => a.union(b))),
    };
    draft.set(baseKey(dataset, exactFrom), base);
    endWant(draft, dataset, exactFrom, this.#options.stream);
  }

  /** Wanted, but not in the catalog any more: the log says when it went, once it is committed so far. */
  async #dropGone(signal: AbortSignal): Promise<void> {
    const gone = (): DatasetId[] =>
      this.#context.lineage.state
        .keys('want')
        .map(datasetId)
        .filter((dataset) => !this.#options.entryOf(dataset));
    const before = new Set(gone());
    if (before.size === 0) return;
    await this.#options.caughtUp(signal);
    // One that has gone meanwhile is not committed yet: the tick that tells of it ends its want.
    const left = gone().filter((dataset) => before.has(dataset));
    if (left.length === 0) return;
    await this.#context.lineage.commit((draft): undefined => {
      this.#options.claim.check(draft);
      const at = settledTime(draft) ?? 0n;
      for (const dataset of left) endWant(draft, dataset, at, this.#options.stream);
    });
  }
}

/** A copy read before a doubt is of no use, nor one of a dataset that is gone. */
function isWanted(draft: Draft, dataset: DatasetId, after: SourceTime): boolean {
  const want = draft.get<WantRecord>(`want/${dataset}`);
  return want !== undefined && (!want.notBefore || after >= timeFromHex(want.notBefore));
}

/** Sorts as the ranges do, since hex keeps the order of bytes. */
function segmentPlace(range: KeyRange): string {
  return toHex(range.from ?? emptyBytes);
}

function rangeOf(record: SegmentRecord): KeyRange {
  return {
    ...(record.from !== undefined && { from: fromBase64(record.from) }),
    ...(record.to !== undefined && { to: fromBase64(record.to) }),
  };
}

/** What of the key space no finished segment covers; segments ascend and do not overlap. */
function uncovered(segments: readonly SegmentRecord[]): KeyRange[] {
  const gaps: KeyRange[] = [];
  let from: Uint8Array | undefined = emptyBytes;
  for (const segment of segments) {
    const range = rangeOf(segment);
    const start = range.from ?? emptyBytes;
    if (from && compareBytes(from, start) < 0) gaps.push({ ...startAt(from), to: start });
    from = range.to;
  }
  if (from) gaps.push(startAt(from));
  return gaps;
}

function startAt(from: Uint8Array): KeyRange {
  return from.length > 0 ? { from } : {};
}

/** Neighbours of equal `after` are one step. */
function stepsOf(segments: readonly BuiltSegment[]): BaseRecord['steps'] {
  const steps: { from: string; after: string }[] = [];
  for (const { range, after } of segments) {
    const text = timeToHex(after);
    if (steps.at(-1)?.after === text) continue;
    steps.push({ from: toBase64(range.from ?? emptyBytes), after: text });
  }
  return steps;
}
