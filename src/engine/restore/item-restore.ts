// Restores one dataset: folds its ranges side by side, loads them, builds its indexes, reads it back and
// compares the roots. The expected root is cut from the very stream that is loaded, or is the one that the
// capture cut, where nothing has changed since.
import { assert } from '../../base/assert.ts';
import { forEachLimit, type Semaphore } from '../../base/async.ts';
import { compareBytes, toHex } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import type { LiveForm } from '../../connector/connector.ts';
import type {
  ChangedRecord,
  FinishedItem,
  RestoreTarget,
  TargetItem,
  TtlMode,
} from '../../connector/restore-target.ts';
import type { DatasetId } from '../../model/id.ts';
import { type KeyRange, rangesBetween, wholeRange } from '../../model/key-range.ts';
import type { RecordBatch, RecordStream } from '../../model/record.ts';
import type { SourceTime } from '../../model/time.ts';
import { defaultCut } from '../../repository/tree/cut-parameters.ts';
import { joinParts } from '../../repository/tree/join.ts';
import { buildRange } from '../../repository/tree/range-builder.ts';
import type { TreePart } from '../../repository/tree/tree-part.ts';
import { splitTree } from '../../repository/tree/tree-reader.ts';
import { compareRoots, type TreeRoot } from '../../repository/tree/tree-root.ts';
import type { ProgressMeter } from '../progress.ts';
import type { DatasetCount } from '../read/counts.ts';
import { coveringRanges } from '../read/covering-ranges.ts';
import { foldDataset, nativeRecords, type OpenedRuns, treeRootOf } from '../read/fold.ts';
import type { PointDataset } from '../read/point.ts';
import type { SourceContext } from '../source-context.ts';
import { type Expiring, ExpiringCount } from './expiring.ts';
import { intersections, type WantedParts } from './restore-ranges.ts';
import { ConsumerStoppedError, tee } from './tee.ts';

export interface RestoredItem {
  readonly from: string;
  readonly to: string;
  readonly records: number;
  readonly bytes: number;
  /** Hex; empty when nothing was proven. */
  readonly root: string;
  readonly proven: boolean;
  /** Records that the target rewrote by itself. */
  readonly changedByTarget: readonly ChangedRecord[];
  /** Records that expire at once; absent for datasets without expiry, and when it is held. */
  readonly expiring?: Expiring | undefined;
}

export interface SharedRestore {
  readonly context: SourceContext;
  readonly target: RestoreTarget;
  readonly runs: OpenedRuns;
  /** Of every dataset: those whose count is exact are as their base copy holds them. */
  readonly counts: ReadonlyMap<DatasetId, DatasetCount>;
  readonly at: SourceTime;
  readonly verify: boolean;
  readonly ttl: TtlMode;
  /** Of kinds that keep what is deleted: the form in which records are loaded. */
  readonly live?: LiveForm;
  /** Datasets of which only some records are wanted. */
  readonly parts: WantedParts;
  readonly meter: ProgressMeter;
  /** Ranges of all datasets that are worked on at once. */
  readonly slots: Semaphore;
}

/** A range smaller than this is not worth a worker of its own. */
const rangeBytesMin = 8 * 1024 * 1024;
const rangesPerSlot = 4;

export class ItemRestore {
  readonly #shared: SharedRestore;
  readonly #item: TargetItem & { readonly dataset: PointDataset };
  readonly #changed: ChangedRecord[] = [];
  readonly #expiring: ExpiringCount;
  #records = 0;
  #bytes = 0;

  constructor(shared: SharedRestore, item: TargetItem & { readonly dataset: PointDataset }) {
    this.#shared = shared;
    this.#item = item;
    this.#expiring = new ExpiringCount(shared.context, item.dataset, shared.ttl);
  }

  async run(signal: AbortSignal): Promise<RestoredItem> {
    const { target, verify } = this.#shared;
    await target.create(this.#item, signal);
    const ranges = await this.#ranges();
    if (target.freeze || target.unprovable !== undefined) {
      return await this.#runFrozen(ranges, signal);
    }
    const captured = verify ? this.#capturedRoot() : undefined;
    let expected = captured;
    if (verify && !captured) {
      expected = await this.#rootOf(ranges, signal, (range) => this.#load(range, signal));
    } else {
      await this.#eachRange(ranges, signal, (range) => this.#loadUncut(range, signal));
    }
    await target.index(this.#item, signal);
    if (expected) await this.#prove(ranges, expected, signal);
    return await this.#done(
      { records: expected?.records ?? this.#records, bytes: expected?.bytes ?? this.#bytes },
      expected,
      signal,
    );
  }

  /** For a dataset that an earlier run loaded without proof: folds it again and reads it back. */
  async proveFinished(finished: FinishedItem, signal: AbortSignal): Promise<RestoredItem> {
    this.#changed.push(...finished.changedByTarget);
    const ranges = await this.#ranges();
    if (this.#shared.target.freeze) {
      const { records, bytes } = finished;
      return await this.#done({ records, bytes }, await this.#proveFrozen(ranges, signal), signal);
    }
    const expected = await this.#rootOf(ranges, signal, (range) =>
      this.#build(this.#native(this.#metered(this.#fold(range))), signal),
    );
    await this.#prove(ranges, expected, signal);
    return await this.#done(expected, expected, signal);
  }

  /** What is live may change between loading and reading back: both sides are taken as of one moment after it. */
  async #runFrozen(ranges: readonly KeyRange[], signal: AbortSignal): Promise<RestoredItem> {
    const { target, verify } = this.#shared;
    await this.#eachRange(ranges, signal, (range) => this.#loadUncut(range, signal));
    await target.index(this.#item, signal);
    const counted = { records: this.#records, bytes: this.#bytes };
    if (!verify || target.unprovable !== undefined) {
      return await this.#done(counted, undefined, signal);
    }
    const proven = await this.#proveFrozen(ranges, signal);
    return await this.#done(counted, proven, signal);
  }

  async #proveFrozen(ranges: readonly KeyRange[], signal: AbortSignal): Promise<TreeRoot> {
    const { target, live } = this.#shared;
    const frozen = await target.freeze?.(this.#item, signal);
    assert(frozen, 'only what can be frozen is proven so');
    const { nowMs, deletionsSinceMs: sinceMs } = frozen;
    const { expirySecondsMax } = target;
    const form = live && {
      ...{ ...live, nowMs },
      ...(expirySecondsMax !== undefined && { expirySecondsMax }),
      ...(live.deletions && sinceMs !== undefined && { deletions: { sinceMs } }),
    };
    const expected = await this.#rootOf(ranges, signal, (range) =>
      this.#build(this.#native(this.#fold(range, form)), signal),
    );
    await this.#prove(ranges, expected, signal);
    return expected;
  }

  async #done(
    { records, bytes }: { readonly records: number; readonly bytes: number },
    proof: TreeRoot | undefined,
    signal: AbortSignal,
  ): Promise<RestoredItem> {
    const { namespace, entry } = this.#item;
    const finished: FinishedItem = {
      namespace,
      root: proof ? toHex(proof.id) : '',
      records,
      bytes,
      proven: proof !== undefined,
      changedByTarget: this.#changed,
    };
    await this.#shared.target.done(this.#item, finished, signal);
    return restoredItem(entry.namespace, finished, this.#expiring.found);
  }

  /** One range when the records must keep their insertion order. */
  async #ranges(): Promise<KeyRange[]> {
    const { target, context } = this.#shared;
    const { tree } = this.#item.dataset.base;
    if (!tree || target.serial(this.#item) || tree.bytes < rangeBytesMin) return [wholeRange];
    const wanted = Math.ceil(tree.bytes / rangeBytesMin);
    const most = context.world.limits.workers * rangesPerSlot;
    const source = context.repository.source;
    const ranges = await splitTree(source, treeRootOf(tree), Math.min(wanted, most));
    return aligned(ranges, (key) => context.connector.leadIn(key));
  }

  async #rootOf(
    ranges: readonly KeyRange[],
    signal: AbortSignal,
    cut: (range: KeyRange) => Promise<TreePart>,
  ): Promise<TreeRoot> {
    const parts = await this.#eachRange(ranges, signal, cut);
    return await joinParts(parts, this.#shared.context.repository.proofTree(signal));
  }

  async #eachRange<T>(
    ranges: readonly KeyRange[],
    signal: AbortSignal,
    work: (range: KeyRange) => Promise<T>,
  ): Promise<T[]> {
    const { slots, context } = this.#shared;
    const results: T[] = [];
    await forEachLimit(
      ranges.entries(),
      context.world.limits.workers,
      async ([i, range]) => {
        await slots.take();
        try {
          results[i] = await work(range);
        } finally {
          slots.give();
        }
      },
      signal,
    );
    return results;
  }

  /** The root that the capture cut, where it is the expected one: then what is loaded need not be cut. */
  #capturedRoot(): TreeRoot | undefined {
    const { context, counts } = this.#shared;
    const { dataset } = this.#item;
    const { tree } = dataset.base;
    if (this.#wanted) return undefined;
    if (!tree || !context.connector.storesNative(dataset.entry)) return undefined;
    const root = treeRootOf(tree);
    if (root.cut !== defaultCut.id) return undefined;
    const count = counts.get(dataset.entry.dataset);
    return count && !count.estimated ? root : undefined;
  }

  /** For what is not compared, or with a root that is known: half of the work beside the target's. */
  async #loadUncut(range: KeyRange, signal: AbortSignal): Promise<void> {
    const { target, live } = this.#shared;
    if (this.#pieces(range).length === 0) return;
    const folded = this.#fold(range, live);
    const { changedByTarget } = await target.load(this.#item, this.#metered(folded), signal);
    this.#changed.push(...changedByTarget);
  }

  /** Loads the range and cuts what was loaded. */
  async #load(range: KeyRange, signal: AbortSignal): Promise<TreePart> {
    const { target } = this.#shared;
    const folded = this.#fold(range);
    const [toLoad, toProve] = tee(folded);
    const loading = target.load(this.#item, this.#metered(toLoad), signal);
    const proving = this.#build(this.#native(toProve), signal);
    // When one of the two stops, the other is cut off: what stopped the load says more.
    const [loaded, part] = await both(loading, proving);
    this.#changed.push(...loaded.changedByTarget);
    return part;
  }

  /** What is wanted of the range, in one stream. */
  async *#fold(range: KeyRange, form?: LiveForm): RecordStream {
    const { context, runs, at } = this.#shared;
    const within = this.#wanted;
    assert(!within || form, 'a part of a dataset is taken out of its live form');
    const live = form && { live: { ...form, ...(within && { within }) } };
    for (const piece of this.#pieces(range)) {
      yield* foldDataset(context, runs, this.#item.dataset, { range: piece, at, ...live });
    }
  }

  /** What has to be folded for what is wanted of the range. */
  #pieces(range: KeyRange): KeyRange[] {
    const wanted = this.#wanted;
    if (!wanted) return [range];
    return intersections(coveringRanges(this.#shared.context.connector, wanted), [range]);
  }

  get #wanted(): readonly KeyRange[] | undefined {
    return this.#shared.parts.get(this.#item.entry.dataset);
  }

  async #build(records: RecordStream, signal: AbortSignal): Promise<TreePart> {
    return await buildRange(records, this.#shared.context.repository.proofTree(signal));
  }

  /** As a reader of the live database sees the records. */
  #native(records: RecordStream): RecordStream {
    return nativeRecords(this.#shared.context, this.#item.dataset, records);
  }

  async *#metered(records: RecordStream): RecordStream {
    for await (const batch of records) {
      yield batch;
      const bytes = bytesOf(batch);
      this.#records += batch.length;
      this.#bytes += bytes;
      this.#expiring.add(batch);
      this.#shared.meter.add(batch.length, bytes);
    }
  }

  /** Records that the target rewrote by itself are reported, and left out on both sides. */
  async #prove(ranges: readonly KeyRange[], loaded: TreeRoot, signal: AbortSignal): Promise<void> {
    const { target } = this.#shared;
    const left = new Set(this.#changed.map(({ key }) => toHex(key)));
    const expected =
      left.size === 0
        ? loaded
        : await this.#rootOf(ranges, signal, (range) =>
            this.#build(without(this.#native(this.#fold(range)), left), signal),
          );
    const actual = await this.#rootOf(ranges, signal, (range) =>
      this.#build(without(target.readBack(this.#item, range, signal), left), signal),
    );
    if (compareRoots(expected, actual) === 'equal') return;
    throw new CodrError(
      'proof-failed',
      `${this.#item.namespace}: ${expected.records} records were loaded and ${actual.records} read back, and they differ`,
      {
        object: this.#item.namespace,
        facts: { expected: toHex(expected.id), actual: toHex(actual.id) },
      },
    );
  }
}

/** Ranges that need nothing from before their starts; those that become empty are left out. */
function aligned(ranges: readonly KeyRange[], leadIn: (key: Uint8Array) => Uint8Array): KeyRange[] {
  const bounds: Uint8Array[] = [];
  for (const { from } of ranges) {
    const start = from && leadIn(from);
    const last = bounds.at(-1);
    if (start && (!last || compareBytes(last, start) < 0)) bounds.push(start);
  }
  return rangesBetween(bounds);
}

/** The results of both; when either fails, both have ended, and the first one's error wins. */
async function both<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  const [a, b] = await Promise.allSettled([first, second]);
  if (a.status === 'rejected' && !(a.reason instanceof ConsumerStoppedError)) throw a.reason;
  if (b.status === 'rejected') throw b.reason;
  if (a.status === 'rejected') throw a.reason;
  return [a.value, b.value];
}

/** What a restore tells of a finished dataset. */
export function restoredItem(
  from: string,
  { namespace, ...finished }: FinishedItem,
  expiring: Expiring | undefined,
): RestoredItem {
  return { from, to: namespace, ...finished, expiring };
}

async function* without(records: RecordStream, keys: ReadonlySet<string>): RecordStream {
  for await (const batch of records) {
    yield keys.size === 0 ? batch : batch.filter(({ key }) => !keys.has(toHex(key)));
  }
}

function bytesOf(batch: RecordBatch): number {
  let bytes = 0;
  for (const { key, value } of batch) bytes += key.length + value.length;
  return bytes;
}
