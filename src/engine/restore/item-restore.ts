// Restores one dataset: folds its ranges side by side, loads them, builds its indexes, reads it back and
// compares the roots. The expected root is cut from the very stream that is loaded, or is the one that the
// capture cut, where nothing has changed since.
import { assert } from '../../base/assert.ts';
import { mapLimit, type Semaphore } from '../../base/async.ts';
import { toHex } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import type { WorkContext } from '../../cluster/work-pool.ts';
import type {
  ChangedRecord,
  FinishedItem,
  LoadedRange,
  SpotReads,
} from '../../connector/restore-target.ts';
import type { DatasetId } from '../../model/id.ts';
import { type KeyRange, wholeRange } from '../../model/key-range.ts';
import { defaultCut } from '../../repository/tree/cut-parameters.ts';
import { joinParts } from '../../repository/tree/join.ts';
import { compareRoots, type TreeRoot } from '../../repository/tree/tree-root.ts';
import type { ProgressMeter } from '../progress.ts';
import type { DatasetCount } from '../read/counts.ts';
import { treeRootOf } from '../read/fold.ts';
import { rangesOf } from '../read/fold-work.ts';
import { type Expiring, ExpiringCount } from './expiring.ts';
import { type RestoreReference, rangeOrder, resultFromText } from './range-order.ts';
import {
  type RangeContext,
  type RangeOperation,
  type RangeResult,
  type RestoreItem,
  runRange,
} from './range-work.ts';

export interface RestoredItem {
  readonly from: string;
  readonly to: string;
  readonly records: number;
  readonly bytes: number;
  /** Hex; empty when nothing was proven. */
  readonly root: string;
  readonly proven: boolean;
  /** By which every copy in the target was asked besides; absent where targets know none. */
  readonly reads?: SpotReads;
  /** Records that the target rewrote by itself. */
  readonly changedByTarget: readonly ChangedRecord[];
  /** Records that expire at once; absent for datasets without expiry, and when it is held. */
  readonly expiring?: Expiring | undefined;
}

export interface SharedRestore extends RangeContext {
  /** Of every dataset: those whose count is exact are as their base copy holds them. */
  readonly counts: ReadonlyMap<DatasetId, DatasetCount>;
  readonly verify: boolean;
  readonly meter: ProgressMeter;
  /** Ranges of all datasets that are worked on at once. */
  readonly slots: Semaphore;
  /** How other peers open the same restore; absent: all ranges are done here. */
  readonly reference?: RestoreReference;
}

interface CountedItem {
  readonly records: number;
  readonly bytes: number;
  readonly reads?: SpotReads | undefined;
}

export class ItemRestore {
  readonly #shared: SharedRestore;
  readonly #item: RestoreItem;
  readonly #changed: ChangedRecord[] = [];
  readonly #expiring: ExpiringCount;
  #records = 0;
  #bytes = 0;

  constructor(shared: SharedRestore, item: RestoreItem) {
    this.#shared = shared;
    this.#item = item;
    this.#expiring = new ExpiringCount(shared.context, item.dataset, shared.ttl);
  }

  async run(signal: AbortSignal): Promise<RestoredItem> {
    const { target, verify } = this.#shared;
    const before = target.loaded?.(this.#item);
    if (!before) await target.create(this.#item, signal);
    const ranges = await this.#ranges();
    if (target.freeze || target.unprovable !== undefined) {
      return await this.#runFrozen(ranges, before, signal);
    }
    assert(!before, 'only what can be frozen is gone on with behind its load');
    const captured = verify ? this.#capturedRoot() : undefined;
    let expected = captured;
    if (verify && !captured) {
      expected = await this.#load(ranges, signal);
    } else {
      await this.#loadUncut(ranges, signal);
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
      const { root, reads } = await this.#proveFrozen(ranges, signal);
      return await this.#done({ records, bytes, reads }, root, signal);
    }
    const folded = await this.#eachRange(ranges, { kind: 'fold', leftOut: [] }, signal, true);
    for (const { expired } of folded) this.#expiring.addCount(expired);
    const expected = await this.#join(folded, signal);
    await this.#prove(ranges, expected, signal);
    return await this.#done(expected, expected, signal);
  }

  /** What is live may change between loading and reading back: both sides are taken as of one moment after it. */
  async #runFrozen(
    ranges: readonly KeyRange[],
    before: LoadedRange | undefined,
    signal: AbortSignal,
  ): Promise<RestoredItem> {
    const { target, verify, meter } = this.#shared;
    if (before) meter.add(before.records, before.bytes);
    else await this.#loadUncut(ranges, signal);
    await target.index(this.#item, signal);
    const counted = before ?? { records: this.#records, bytes: this.#bytes };
    if (!verify || target.unprovable !== undefined) {
      return await this.#done(counted, undefined, signal);
    }
    const { root, reads } = await this.#proveFrozen(ranges, signal);
    return await this.#done({ ...counted, reads }, root, signal);
  }

  async #proveFrozen(ranges: readonly KeyRange[], signal: AbortSignal) {
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
    const fold = { kind: 'fold', leftOut: [], ...(form && { form }) } as const;
    const expected = await this.#rootOf(ranges, fold, signal);
    if (!target.compare) await this.#prove(ranges, expected, signal);
    return { root: expected, reads: await target.spotReads?.(this.#item, signal) };
  }

  async #done(
    { records, bytes, reads }: CountedItem,
    proof: TreeRoot | undefined,
    signal: AbortSignal,
  ): Promise<RestoredItem> {
    const { namespace, entry } = this.#item;
    const finished: FinishedItem = {
      namespace,
      // What the target cannot give back has no root of its own.
      root: proof && !this.#shared.target.compare ? toHex(proof.id) : '',
      records,
      bytes,
      proven: proof !== undefined,
      ...(reads && { reads }),
      changedByTarget: this.#changed,
    };
    await this.#shared.target.done(this.#item, finished, signal);
    return restoredItem(entry.namespace, finished, this.#expiring.found);
  }

  /** One range when the records must keep their insertion order. */
  async #ranges(): Promise<KeyRange[]> {
    const { target, context } = this.#shared;
    if (target.serial(this.#item)) return [wholeRange];
    return await rangesOf(context, this.#item.dataset);
  }

  /** What is only compared is no progress of the restore. */
  async #rootOf(
    ranges: readonly KeyRange[],
    operation: RangeOperation,
    signal: AbortSignal,
  ): Promise<TreeRoot> {
    return await this.#join(await this.#eachRange(ranges, operation, signal, false), signal);
  }

  async #join(results: readonly RangeResult[], signal: AbortSignal): Promise<TreeRoot> {
    const parts = results.map(({ part }) => {
      assert(part, 'what is compared was cut');
      return part;
    });
    return await joinParts(parts, this.#shared.context.repository.proofTree(signal));
  }

  async #eachRange(
    ranges: readonly KeyRange[],
    operation: RangeOperation,
    signal: AbortSignal,
    isProgress: boolean,
  ): Promise<RangeResult[]> {
    const { slots, context, meter } = this.#shared;
    const progress = (records: number, bytes: number): void => {
      if (isProgress) meter.add(records, bytes);
    };
    return await mapLimit(
      ranges,
      context.world.sharing.slots,
      async (range, stop) => {
        await slots.take();
        try {
          return await this.#one(range, operation, { signal: stop, progress });
        } finally {
          slots.give();
        }
      },
      signal,
    );
  }

  async #one(range: KeyRange, operation: RangeOperation, work: WorkContext): Promise<RangeResult> {
    const { reference, context, target } = this.#shared;
    const here = (own: WorkContext): Promise<RangeResult> =>
      runRange(this.#shared, this.#item, range, operation, own);
    // What must keep its order is loaded by one writer.
    if (!reference || target.serial(this.#item)) return await here(work);
    const { namespace } = this.#item;
    return await context.world.sharing.run(
      {
        order: () => rangeOrder({ reference, namespace, range, operation }),
        here,
        decode: (result) => resultFromText(result, context.repository.source),
        progress: work.progress,
      },
      work.signal,
    );
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
  async #loadUncut(ranges: readonly KeyRange[], signal: AbortSignal): Promise<void> {
    this.#note(await this.#eachRange(ranges, { kind: 'load', cut: false }, signal, true));
  }

  /** Loads, and cuts what was loaded. */
  async #load(ranges: readonly KeyRange[], signal: AbortSignal): Promise<TreeRoot> {
    const loaded = await this.#eachRange(ranges, { kind: 'load', cut: true }, signal, true);
    this.#note(loaded);
    return await this.#join(loaded, signal);
  }

  #note(loaded: readonly RangeResult[]): void {
    for (const { records, bytes, expired, changed } of loaded) {
      this.#records += records;
      this.#bytes += bytes;
      this.#expiring.addCount(expired);
      this.#changed.push(...changed);
    }
  }

  get #wanted(): readonly KeyRange[] | undefined {
    return this.#shared.parts.get(this.#item.entry.dataset);
  }

  /** Records that the target rewrote by itself are reported, and left out on both sides. */
  async #prove(ranges: readonly KeyRange[], loaded: TreeRoot, signal: AbortSignal): Promise<void> {
    const leftOut = this.#changed.map(({ key }) => toHex(key));
    const expected =
      leftOut.length === 0 ? loaded : await this.#rootOf(ranges, { kind: 'fold', leftOut }, signal);
    const actual = await this.#rootOf(ranges, { kind: 'read-back', leftOut }, signal);
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

/** What a restore tells of a finished dataset. */
export function restoredItem(
  from: string,
  { namespace, ...finished }: FinishedItem,
  expiring: Expiring | undefined,
): RestoredItem {
  return { from, to: namespace, ...finished, expiring };
}
