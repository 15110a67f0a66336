// The job of base copies: what is wanted (datasets without one) minus what is stored (finished segments).
// A task reads ranges, cuts and stores them, and commits what it finished; when all ranges of a dataset
// are there, their edges are joined into one tree. Small datasets share a task, and so a commit.
import { compareBytes, emptyBytes, fromBase64, toBase64, toHex } from '../../base/bytes.ts';
import { type CodrError, isCodrError } from '../../base/error.ts';
import type { Job, Task } from '../../cluster/task-runner.ts';
import type { SharedWork } from '../../cluster/work-pool.ts';
import type { SourceSession } from '../../connector/connector.ts';
import type { CatalogEntry } from '../../model/catalog.ts';
import { type DatasetId, datasetId, type PackId } from '../../model/id.ts';
import { intersectRanges, type KeyRange, wholeRange } from '../../model/key-range.ts';
import { maxTime, minTime, type SourceTime, timeFromHex, timeToHex } from '../../model/time.ts';
import type { Draft } from '../../repository/lineage/draft.ts';
import { PackSet } from '../../repository/lineage/pack-set.ts';
import { CondemnedPacksError, usePacks } from '../../repository/lineage/pack-table.ts';
import type { BaseRecord, SegmentRecord, WantRecord } from '../../repository/lineage/records.ts';
import type { WriterClaim } from '../../repository/lineage/writer.ts';
import { joinParts } from '../../repository/tree/join.ts';
import { decodeTreePart, type TreePart } from '../../repository/tree/tree-part.ts';
import type { TreeRoot } from '../../repository/tree/tree-root.ts';
import { endWant, isWanted } from '../history/ledger.ts';
import { baseKey, settledTime } from '../history/source-history.ts';
import type { ProgressMeter } from '../progress.ts';
import type { SourceContext } from '../source-context.ts';
import { SourceShares } from '../source-limits.ts';
import { rangeFromText, rangeToText } from '../work/range-text.ts';
import { CommitGroup } from './commit-group.ts';
import {
  type BuiltUnit,
  type BuiltUnits,
  buildUnits,
  builtFromText,
  segmentOrder,
  type Unit,
} from './segments.ts';

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

interface BuiltSegment {
  readonly range: KeyRange;
  readonly after: SourceTime;
  readonly exactFrom: SourceTime;
  readonly packs: string;
}

/** A range that is planned; how it is read is decided when it is. */
type PlannedUnit = Pick<Unit, 'entry' | 'range'>;

/** A dataset whose snapshot grew too old this often cannot be read by snapshot: a fuzzy copy is made. */
const tooOldMax = 4;
const tooOldPauseMs = 200;
/** Small datasets that share one task, at most. */
const datasetsPerTask = 64;

export class BaseCopyJob implements Job {
  readonly id: string;
  /** As many may wait until what they made is committed as are worked on. */
  readonly tasksPerSlot = 2;
  readonly #context: SourceContext;
  readonly #options: BaseCopyOptions;
  /** Ranges whose snapshot grew too old are planned smaller the next time. */
  readonly #segmentBytes = new Map<DatasetId, number>();
  /** How often a dataset's snapshot grew too old. */
  readonly #tooOld = new Map<DatasetId, number>();
  /** Packs that a commit was refused for: nobody may rely on them again. */
  readonly #refused = new Set<PackId>();
  readonly #shares: SourceShares;
  readonly #group: CommitGroup;
  #plannedPieces = 0;

  constructor(context: SourceContext, options: BaseCopyOptions) {
    this.id = `base-copy/${context.lineage.name}`;
    this.#context = context;
    this.#options = options;
    this.#shares = new SourceShares(context.limits);
    const { clock, sharing } = context.world;
    this.#group = new CommitGroup(context.lineage, clock, () => sharing.slots);
  }

  async plan(signal: AbortSignal): Promise<readonly Task[]> {
    await this.#dropGone(signal);
    const { state } = this.#context.lineage;
    const tasks: Task[] = [];
    let small: { unit: PlannedUnit; bytes: number }[] = [];
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
        small.push({ unit: { entry, range: wholeRange }, bytes: want.bytes });
        const bytes = small.reduce((sum, { bytes }) => sum + bytes, 0);
        if (small.length >= datasetsPerTask || bytes > this.#bytesOf(dataset)) closeSmall();
      } else if (gaps.length > 0) {
        tasks.push(...(await this.#segmentTasks(dataset, entry, gaps, want, signal)));
      } else {
        tasks.push(this.#joinTask(dataset));
      }
    }
    closeSmall();
    this.#plannedPieces = tasks.length;
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

  #smallTask(parts: readonly { readonly unit: PlannedUnit; readonly bytes: number }[]): Task {
    const units = parts.map(({ unit }) => unit);
    return {
      id: `small-${units[0]?.entry.dataset}-${units.length}`,
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
        this.#splitWhenTooOld(signal, () => this.#copySegment({ entry, range }, signal)),
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
  async #copyWhole(units: readonly PlannedUnit[], signal: AbortSignal): Promise<void> {
    const build = (): Promise<BuiltUnits> => this.#build(units, true, signal);
    await this.#commit(build, signal, (built, draft, packs) => {
      for (const [i, segment] of built.units.entries()) {
        const { dataset } = (units[i] as PlannedUnit).entry;
        if (segment && !isWanted(draft, dataset, segment.after)) continue;
        const { root } = segment ?? {};
        if (!segment || !root) continue;
        this.#noteBase(draft, dataset, root, [{ ...segment, range: wholeRange, packs }]);
      }
    });
  }

  async #copySegment(unit: PlannedUnit, signal: AbortSignal): Promise<void> {
    const { range } = unit;
    const { dataset } = unit.entry;
    const build = (): Promise<BuiltUnits> => this.#build([unit], false, signal);
    await this.#commit(build, signal, ({ units: [segment] }, draft, packs) => {
      if (!segment?.part || !isWanted(draft, dataset, segment.after)) return;
      const record: SegmentRecord = {
        ...rangeToText(range),
        after: timeToHex(segment.after),
        exactFrom: timeToHex(segment.exactFrom),
        records: segment.records,
        bytes: segment.bytes,
        part: toBase64(segment.part),
        packs,
      };
      draft.set(`segment/${dataset}/${segmentPlace(range)}`, record);
    });
  }

  /** Read here or on another peer; waits for the log where what was read does not do yet. */
  async #build(
    planned: readonly PlannedUnit[],
    whole: boolean,
    signal: AbortSignal,
  ): Promise<BuiltUnits> {
    const { world, lineage, pace, repository } = this.#context;
    const { session, meter } = this.#options;
    const most = Math.min(this.#plannedPieces, world.sharing.slots);
    const units = planned.map((unit) => ({ ...unit, fuzzy: this.#isFuzzy(unit.entry.dataset) }));
    const identity = session.identity.id;
    const refused = [...this.#refused];
    const source = lineage.name;
    try {
      const built = await this.#shares.use(most, signal, (bytesPerSecond) => {
        const reading = { units, whole, bytesPerSecond };
        const shared: SharedWork<BuiltUnits> = {
          order: () => segmentOrder({ source, identity, refused, ...reading }),
          here: (work) => buildUnits(this.#context, session, reading, work),
          decode: (result) => repository.seen(builtFromText(result)),
          progress: (records, bytes) => meter.add(records, bytes, pace?.note),
        };
        return world.sharing.run(shared, signal);
      });
      const late = (unit: BuiltUnit | undefined, i: number): boolean =>
        !unit || this.#isTooOld((planned[i] as PlannedUnit).entry.dataset, unit);
      if (built.units.some(late)) await this.#options.caughtUp(signal);
      return built;
    } catch (error) {
      if (isCodrError(error, 'snapshot-too-old')) this.#noteTooOld(error.facts);
      throw error;
    }
  }

  #isFuzzy(dataset: DatasetId): boolean {
    return (this.#tooOld.get(dataset) ?? 0) >= tooOldMax;
  }

  #noteTooOld({ dataset, silent }: CodrError['facts']): void {
    if (silent || typeof dataset !== 'string') return;
    const id = datasetId(dataset);
    this.#tooOld.set(id, (this.#tooOld.get(id) ?? 0) + 1);
    this.#halveSegments(id);
  }

  /**
   * Read before a doubt as far as changes count: an undecided transaction reaches back. Who waits until the
   * log is settled up to now reads the dataset past it the next time.
   */
  #isTooOld(dataset: DatasetId, { after }: Pick<BuiltUnit, 'after'>): boolean {
    const want = this.#context.lineage.state.get<WantRecord>(`want/${dataset}`);
    return want?.notBefore !== undefined && after < timeFromHex(want.notBefore);
  }

  async #join(dataset: DatasetId, signal: AbortSignal): Promise<void> {
    const records = this.#segments(dataset);
    if (uncovered(records).length > 0) return; // it has left the scope since the plan
    const { repository } = this.#context;
    const parts: TreePart[] = [];
    for (const { part } of records) {
      parts.push(await decodeTreePart(fromBase64(part), repository.source));
    }
    const segments = records.map(
      (record): BuiltSegment => ({
        range: rangeFromText(record),
        after: timeFromHex(record.after),
        exactFrom: timeFromHex(record.exactFrom),
        packs: record.packs,
      }),
    );
    const join = async () => {
      const store = repository.session();
      const root = await joinParts(parts, store.tree(signal));
      signal.throwIfAborted();
      return { root, used: await store.flush(), knownBytes: store.knownBytes };
    };
    await this.#commit(join, signal, ({ root }, draft, packs) => {
      const oldest = segments.map(({ after }) => after).reduce(minTime);
      const there = draft.keys('segment', `${dataset}/`).length;
      if (!isWanted(draft, dataset, oldest) || there !== segments.length) return; // it has left, and perhaps come back
      this.#noteBase(draft, dataset, root, segments, packs);
    });
  }

  /** Commits what was made, with what ends about then. Condemned packs are forgotten: try again. */
  async #commit<Made extends Pick<BuiltUnits, 'used' | 'knownBytes'>>(
    make: () => Promise<Made>,
    signal: AbortSignal,
    note: (made: Made, draft: Draft, packs: string) => void,
  ): Promise<void> {
    const { repository } = this.#context;
    const change = (made: Made, draft: Draft): void => {
      this.#options.claim.check(draft);
      note(made, draft, String(usePacks(draft, made.used)));
    };
    try {
      const { used, knownBytes } = await this.#group.run(make, change, signal);
      repository.committed(used);
      this.#options.meter.deduplicated(knownBytes);
    } catch (error) {
      if (error instanceof CondemnedPacksError) {
        await repository.forget(error.packs);
        for (const pack of error.packs) this.#refused.add(pack);
      }
      throw error;
    }
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

/** Sorts as the ranges do, since hex keeps the order of bytes. */
const segmentPlace = ({ from }: KeyRange): string => toHex(from ?? emptyBytes);

/** What of the key space no finished segment covers; segments ascend and do not overlap. */
function uncovered(segments: readonly SegmentRecord[]): KeyRange[] {
  const gaps: KeyRange[] = [];
  let from: Uint8Array | undefined = emptyBytes;
  for (const segment of segments) {
    const range = rangeFromText(segment);
    const start = range.from ?? emptyBytes;
    if (from && compareBytes(from, start) < 0) gaps.push({ ...startAt(from), to: start });
    from = range.to;
  }
  if (from) gaps.push(startAt(from));
  return gaps;
}

const startAt = (from: Uint8Array): KeyRange => (from.length > 0 ? { from } : {});

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
