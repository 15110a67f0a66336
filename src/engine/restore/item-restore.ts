// Restores one dataset: folds its ranges side by side, loads them, builds its indexes, reads it back and
// compares the roots. The expected root is cut from the very stream that is loaded, or is the one that the
// capture cut, where nothing has changed since.
import { assert } from '../../base/assert.ts';
import { mapLimit, type Semaphore } from '../../base/async.ts';
import { toHex } from '../../base/bytes.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import { factsOf } from '../../cluster/piece-choice.ts';
import type { SharedWork, WorkContext } from '../../cluster/work-pool.ts';
import type {
  ChangedRecord,
  FinishedItem,
  LoadedRange,
  RestoreTarget,
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
import { type DividedRate, GivenPart } from './divided-rate.ts';
import { type Expiring, ExpiringCount } from './expiring.ts';
import {
  type RangeOrder,
  type RestoreReference,
  rangeOrder,
  resultFromText,
} from './range-order.ts';
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
  readonly target: RestoreTarget;
  /** Of every dataset: those whose count is exact are as their base copy holds them. */
  readonly counts: ReadonlyMap<DatasetId, DatasetCount>;
  readonly verify: boolean;
  readonly meter: ProgressMeter;
  /** Ranges of all datasets that are worked on at once. */
  readonly slots: Semaphore;
  /** How other peers open the same restore; absent: all ranges are done here. */
  readonly reference?: RestoreReference;
  /** Of what is loaded and read back, by all peers together; absent: no limit. */
  readonly rate?: DividedRate;
}

/** Ranges that are done side by side, and whether on other peers too. */
interface Spread {
  readonly ranges: readonly KeyRange[];
  readonly isShared: boolean;
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
    if (target.freeze || target.unprovable !== undefined) {
      return await this.#runFrozen(before, signal);
    }
    assert(!before, 'only what can be frozen is gone on with behind its load');
    const spread = await this.#spread();
    const captured = verify ? this.#capturedRoot() : undefined;
    let expected = captured;
    if (verify && !captured) {
      expected = await this.#load(spread, signal);
    } else {
      await this.#loadUncut(spread, signal);
    }
    await target.index(this.#item, signal);
    if (expected) await this.#prove(spread, expected, signal);
    return await this.#done(
      { records: expected?.records ?? this.#records, bytes: expected?.bytes ?? this.#bytes },
      expected,
      signal,
    );
  }

  /** For a dataset that an earlier run loaded without proof: folds it again and reads it back. */
  async proveFinished(finished: FinishedItem, signal: AbortSignal): Promise<RestoredItem> {
    this.#changed.push(...finished.changedByTarget);
    const spread = await this.#spread();
    if (this.#shared.target.freeze) {
      const { records, bytes } = finished;
      const { root, reads } = await this.#proveFrozen(spread, signal);
      return await this.#done({ records, bytes, reads }, root, signal);
    }
    const folded = await this.#eachRange(spread, { kind: 'fold', leftOut: [] }, signal, true);
    for (const { expired } of folded) this.#expiring.addCount(expired);
    const expected = await this.#join(folded, signal);
    await this.#prove(spread, expected, signal);
    return await this.#done(expected, expected, signal);
  }

  /** What is live may change between loading and reading back: both sides are taken as of one moment after it. */
  async #runFrozen(before: LoadedRange | undefined, signal: AbortSignal): Promise<RestoredItem> {
    const { target, verify, meter } = this.#shared;
    if (before) meter.add(before.records, before.bytes);
    else await this.#loadUncut(await this.#spreadOfLoad(), signal);
    await target.index(this.#item, signal);
    const counted = before ?? { records: this.#records, bytes: this.#bytes };
    if (!verify || target.unprovable !== undefined) {
      return await this.#done(counted, undefined, signal);
    }
    const { root, reads } = await this.#proveFrozen(await this.#spread(), signal);
    return await this.#done({ ...counted, reads }, root, signal);
  }

  async #proveFrozen(spread: Spread, signal: AbortSignal) {
    try {
      return await this.#proofOfFrozen(spread, signal);
    } catch (error) {
      if (isCodrError(error, 'proof-failed')) {
        await this.#shared.target.disproven?.(this.#item, signal);
      }
      throw error;
    }
  }

  async #proofOfFrozen(spread: Spread, signal: AbortSignal) {
    const { target, live } = this.#shared;
    const frozen = await target.freeze?.(this.#item, signal);
    assert(frozen, 'only what can be frozen is proven so');
    assert(this.#changed.length === 0, 'what can be frozen is as it was loaded');
    const { nowMs, deletionsSinceMs: sinceMs } = frozen;
    const { expirySecondsMax } = target;
    const form = live && {
      ...{ ...live, nowMs },
      ...(expirySecondsMax !== undefined && { expirySecondsMax }),
      ...(live.deletions && sinceMs !== undefined && { deletions: { sinceMs } }),
    };
    const root = await this.#rootOf(spread, { kind: 'prove', ...(form && { form }) }, signal);
    return { root, reads: await target.spotReads?.(this.#item, signal) };
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

  /** One range, done here, when the records must be one stream. */
  async #spread(): Promise<Spread> {
    const { target, context, reference } = this.#shared;
    if (target.serial(this.#item)) return { ranges: [wholeRange], isShared: false };
    const ranges = await rangesOf(context, this.#item.dataset);
    return { ranges, isShared: reference !== undefined };
  }

  /** As the target wants ranges to be cut, where it does; then others get them only if they are there. */
  async #spreadOfLoad(): Promise<Spread> {
    const { target, context, reference } = this.#shared;
    if (!target.loadRangesMax || target.serial(this.#item)) return await this.#spread();
    const { sharing, limits } = context.world;
    const isShared = reference !== undefined && sharing.slots > limits.workers;
    const { dataset } = this.#item;
    // Of a part of a dataset nobody knows how large it is.
    const bytes = this.#wanted ? 0 : (dataset.base.tree?.bytes ?? 0);
    const most = target.loadRangesMax(this.#item, bytes, isShared);
    return { ranges: await rangesOf(context, dataset, most), isShared };
  }

  /** What is only compared is no progress of the restore. */
  async #rootOf(spread: Spread, operation: RangeOperation, signal: AbortSignal): Promise<TreeRoot> {
    return await this.#join(await this.#eachRange(spread, operation, signal, false), signal);
  }

  async #join(results: readonly RangeResult[], signal: AbortSignal): Promise<TreeRoot> {
    const parts = results.map(({ part }) => {
      assert(part, 'what is compared was cut');
      return part;
    });
    return await joinParts(parts, this.#shared.context.repository.proofTree(signal));
  }

  async #eachRange(
    { ranges, isShared }: Spread,
    operation: RangeOperation,
    signal: AbortSignal,
    isProgress: boolean,
  ): Promise<RangeResult[]> {
    const { slots, context, meter, target } = this.#shared;
    const lent = isShared ? await target.lend?.(this.#item, signal) : undefined;
    const goesOut = isShared && (lent !== undefined || !target.lend);
    const order = { operation, isShared: goesOut, ...(lent !== undefined && { lent }) };
    const progress = (records: number, bytes: number): void => {
      if (isProgress) meter.add(records, bytes);
    };
    const one = (range: KeyRange, stop: AbortSignal): Promise<RangeResult> =>
      this.#one(range, order, { signal: stop, progress });
    // All of them wait where they are handed out, so that each peer finds those that are near to it.
    if (goesOut) return await mapLimit(ranges, ranges.length, one, signal);
    return await mapLimit(
      ranges,
      context.world.sharing.slots,
      async (range, stop) => {
        await slots.take();
        try {
          return await one(range, stop);
        } finally {
          slots.give();
        }
      },
      signal,
    );
  }

  async #one(
    range: KeyRange,
    { isShared, ...order }: Pick<RangeOrder, 'operation' | 'lent'> & Pick<Spread, 'isShared'>,
    work: WorkContext,
  ): Promise<RangeResult> {
    const { reference, context, target, rate } = this.#shared;
    const { sharing } = context.world;
    const run = (own: WorkContext): Promise<RangeResult> =>
      runRange(this.#shared, this.#item, range, order.operation, own);
    if (!reference || !isShared) return await run(work);
    const { namespace } = this.#item;
    const near = order.operation.kind === 'fold' ? undefined : target.near?.(this.#item, range);
    const given = new GivenPart(rate);
    const shared: SharedWork<RangeResult> = {
      ...(near && { facts: factsOf(near) }),
      order: () =>
        rangeOrder({ reference, namespace, range, ...order, ...given.take(sharing.slots) }),
      here: (own) => {
        given.giveBack();
        return run(own);
      },
      decode: async (text) => {
        const result = await resultFromText(text, context.repository.source);
        if (result.receipt !== undefined) await target.adopt?.(this.#item, result.receipt);
        return result;
      },
      progress: work.progress,
    };
    try {
      return await sharing.run(shared, work.signal);
    } finally {
      given.giveBack();
    }
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
  async #loadUncut(spread: Spread, signal: AbortSignal): Promise<void> {
    this.#note(await this.#eachRange(spread, { kind: 'load', cut: false }, signal, true));
  }

  /** Loads, and cuts what was loaded. */
  async #load(spread: Spread, signal: AbortSignal): Promise<TreeRoot> {
    const loaded = await this.#eachRange(spread, { kind: 'load', cut: true }, signal, true);
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
  async #prove(spread: Spread, loaded: TreeRoot, signal: AbortSignal): Promise<void> {
    const leftOut = this.#changed.map(({ key }) => toHex(key));
    const expected =
      leftOut.length === 0 ? loaded : await this.#rootOf(spread, { kind: 'fold', leftOut }, signal);
    const actual = await this.#rootOf(spread, { kind: 'read-back', leftOut }, signal);
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
