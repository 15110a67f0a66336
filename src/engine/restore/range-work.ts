// What a restore does with one key range of one dataset: folds and loads it, cuts what the fold gives, reads
// back and cuts what the target holds. Here or on another peer that has opened the same point and target.
import { assert } from '../../base/assert.ts';
import { toHex } from '../../base/bytes.ts';
import type { Throttle } from '../../base/throttle.ts';
import type { WorkContext } from '../../cluster/work-pool.ts';
import type { LiveForm } from '../../connector/connector.ts';
import type {
  ChangedRecord,
  RangeTarget,
  TargetItem,
  TtlMode,
} from '../../connector/restore-target.ts';
import type { KeyRange } from '../../model/key-range.ts';
import { batchBytes, type RecordStream } from '../../model/record.ts';
import type { SourceTime } from '../../model/time.ts';
import { buildRange } from '../../repository/tree/range-builder.ts';
import type { TreePart } from '../../repository/tree/tree-part.ts';
import { coveringRanges } from '../read/covering-ranges.ts';
import { foldDataset, nativeRecords, type OpenedRuns } from '../read/fold.ts';
import type { PointDataset } from '../read/point.ts';
import type { SourceContext } from '../source-context.ts';
import { ExpiringCount } from './expiring.ts';
import { intersections, type WantedParts } from './restore-ranges.ts';
import { sameRecords } from './same-records.ts';
import { ConsumerStoppedError, tee } from './tee.ts';

/** One dataset of the point, under the name it gets. */
export type RestoreItem = TargetItem & { readonly dataset: PointDataset };

/** What every range of a restore needs. */
export interface RangeContext {
  readonly context: SourceContext;
  readonly target: RangeTarget;
  readonly runs: OpenedRuns;
  readonly at: SourceTime;
  readonly ttl: TtlMode;
  /** Of kinds that keep what is deleted: the form in which records are loaded. */
  readonly live?: LiveForm;
  /** Datasets of which only some records are wanted. */
  readonly parts: WantedParts;
  /** Of all that goes through here, so that a target keeps its strength; absent: no limit. */
  readonly throttle?: Throttle;
}

export type RangeOperation =
  /** `cut`: what is loaded is cut too. */
  | { readonly kind: 'load'; readonly cut: boolean }
  /** Cuts what the fold gives. */
  | { readonly kind: 'fold'; readonly leftOut: readonly string[] }
  /** Of what is frozen: cuts what the fold gives in `form`, and ends well only when the target holds the same. */
  | { readonly kind: 'prove'; readonly form?: LiveForm }
  /** Cuts what the target holds. */
  | { readonly kind: 'read-back'; readonly leftOut: readonly string[] };

/** What came of it; `part` is there where something was cut. */
export interface RangeResult {
  /** Of what went through. */
  readonly records: number;
  readonly bytes: number;
  readonly expired: number;
  readonly changed: readonly ChangedRecord[];
  readonly part?: TreePart;
  /** What the lender of the item must adopt. */
  readonly receipt?: unknown;
}

/** Idempotent: what is loaded twice stands once. Errors: those of the fold and of the target. */
export async function runRange(
  shared: RangeContext,
  item: RestoreItem,
  range: KeyRange,
  operation: RangeOperation,
  work: WorkContext,
): Promise<RangeResult> {
  const one = new RangeRun(shared, item, range, work);
  switch (operation.kind) {
    case 'load':
      return await one.load(operation.cut);
    case 'fold':
      return await one.cutFold(operation.leftOut);
    case 'prove':
      return await one.prove(operation.form);
    case 'read-back':
      return await one.cutTarget(operation.leftOut);
  }
}

class RangeRun {
  readonly #shared: RangeContext;
  readonly #item: RestoreItem;
  readonly #range: KeyRange;
  readonly #work: WorkContext;
  readonly #expiring: ExpiringCount;
  #records = 0;
  #bytes = 0;

  constructor(shared: RangeContext, item: RestoreItem, range: KeyRange, work: WorkContext) {
    this.#shared = shared;
    this.#item = item;
    this.#range = range;
    this.#work = work;
    this.#expiring = new ExpiringCount(shared.context, item.dataset, shared.ttl);
  }

  async load(cut: boolean): Promise<RangeResult> {
    const { target, live } = this.#shared;
    const { signal } = this.#work;
    if (cut) {
      const [toLoad, toProve] = tee(this.#fold());
      const loading = target.load(this.#item, this.#metered(toLoad), signal);
      // When one of the two stops, the other is cut off: what stopped the load says more.
      const [{ changedByTarget }, part] = await both(loading, this.#build(this.#native(toProve)));
      return { ...this.#counts(changedByTarget), part };
    }
    if (this.#pieces().length === 0) return this.#counts([]);
    const folded = this.#metered(this.#fold(live));
    const { changedByTarget, receipt } = await target.load(this.#item, folded, signal);
    return { ...this.#counts(changedByTarget), ...(receipt !== undefined && { receipt }) };
  }

  async cutFold(leftOut: readonly string[]): Promise<RangeResult> {
    const folded = this.#native(this.#metered(this.#fold()));
    const part = await this.#build(without(folded, new Set(leftOut)));
    return { ...this.#counts([]), part };
  }

  async prove(form: LiveForm | undefined): Promise<RangeResult> {
    const { target } = this.#shared;
    const { signal } = this.#work;
    const folded = this.#native(this.#metered(this.#fold(form)));
    let receipt: unknown;
    const keep = (kept: unknown): void => {
      receipt = kept;
    };
    const part = await this.#build(
      target.compare?.(this.#item, this.#range, folded, signal, keep) ??
        sameRecords(
          target.watch?.(this.#item, folded, keep) ?? folded,
          target.readBack(this.#item, this.#range, signal),
          this.#item.namespace,
        ),
    );
    return { ...this.#counts([]), part, ...(receipt !== undefined && { receipt }) };
  }

  async cutTarget(leftOut: readonly string[]): Promise<RangeResult> {
    const { target } = this.#shared;
    const held = target.readBack(this.#item, this.#range, this.#work.signal);
    const part = await this.#build(without(this.#metered(held), new Set(leftOut)));
    return { ...this.#counts([]), part };
  }

  #counts(changed: readonly ChangedRecord[]): RangeResult {
    const expired = this.#expiring.found?.count ?? 0;
    return { records: this.#records, bytes: this.#bytes, expired, changed };
  }

  /** What is wanted of the range, in one stream. */
  async *#fold(form?: LiveForm): RecordStream {
    const { context, runs, at } = this.#shared;
    const within = this.#wanted;
    assert(!within || form, 'a part of a dataset is taken out of its live form');
    const live = form && { live: { ...form, ...(within && { within }) } };
    for (const piece of this.#pieces()) {
      yield* foldDataset(context, runs, this.#item.dataset, { range: piece, at, ...live });
    }
  }

  /** What has to be folded for what is wanted of the range. */
  #pieces(): KeyRange[] {
    const wanted = this.#wanted;
    if (!wanted) return [this.#range];
    return intersections(coveringRanges(this.#shared.context.connector, wanted), [this.#range]);
  }

  get #wanted(): readonly KeyRange[] | undefined {
    return this.#shared.parts.get(this.#item.entry.dataset);
  }

  async #build(records: RecordStream): Promise<TreePart> {
    return await buildRange(records, this.#shared.context.repository.proofTree(this.#work.signal));
  }

  /** As a reader of the live database sees the records. */
  #native(records: RecordStream): RecordStream {
    return nativeRecords(this.#shared.context, this.#item.dataset, records);
  }

  async *#metered(records: RecordStream): RecordStream {
    for await (const batch of records) {
      yield batch;
      const bytes = batchBytes(batch);
      this.#records += batch.length;
      this.#bytes += bytes;
      this.#expiring.add(batch);
      this.#work.progress(batch.length, bytes);
      await this.#shared.throttle?.pay(bytes, this.#work.signal);
    }
  }
}

/** The results of both; when either fails, both have ended, and the first one's error wins. */
async function both<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  const [a, b] = await Promise.allSettled([first, second]);
  if (a.status === 'rejected' && !(a.reason instanceof ConsumerStoppedError)) throw a.reason;
  if (b.status === 'rejected') throw b.reason;
  if (a.status === 'rejected') throw a.reason;
  return [a.value, b.value];
}

async function* without(records: RecordStream, keys: ReadonlySet<string>): RecordStream {
  for await (const batch of records) {
    yield keys.size === 0 ? batch : batch.filter(({ key }) => !keys.has(toHex(key)));
  }
}
