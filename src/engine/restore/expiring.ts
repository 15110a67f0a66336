// How many records of a point the database would delete at once by its own rules.
import type { Connector } from '../../connector/connector.ts';
import type { TtlMode } from '../../connector/restore-target.ts';
import { wholeRange } from '../../model/key-range.ts';
import type { RecordBatch } from '../../model/record.ts';
import type { SourceTime } from '../../model/time.ts';
import { foldDataset, type OpenedRuns } from '../read/fold.ts';
import type { PointDataset } from '../read/point.ts';
import type { SourceContext } from '../source-context.ts';

/** How many records expire at once. */
export interface Expiring {
  readonly count: number;
  /** False: it is a bound, and fewer may go. */
  readonly exact: boolean;
}

/** Counts the expired among folded records; `found` is undefined for a dataset that never expires. */
export class ExpiringCount {
  readonly #rule: ReturnType<Connector['expiry']>;
  #count = 0;

  /** `ttl` `hold`: nothing expires, whatever the dataset says. */
  constructor(context: SourceContext, { entry }: PointDataset, ttl: TtlMode) {
    const nowMs = context.world.clock.now();
    this.#rule = ttl === 'keep' ? context.connector.expiry(entry, nowMs) : undefined;
  }

  get found(): Expiring | undefined {
    return this.#rule && { count: this.#count, exact: this.#rule.exact };
  }

  /** What was counted elsewhere. */
  addCount(count: number): void {
    this.#count += count;
  }

  add(records: RecordBatch): void {
    if (!this.#rule) return;
    for (const record of records) if (this.#rule.isExpired(record)) this.#count++;
  }
}

/** Folds the dataset when it has expiry at all; else undefined at once. */
export async function countExpiring(
  context: SourceContext,
  runs: OpenedRuns,
  dataset: PointDataset,
  { at, ttl }: { readonly at: SourceTime; readonly ttl: TtlMode },
  signal: AbortSignal,
): Promise<Expiring | undefined> {
  const expiring = new ExpiringCount(context, dataset, ttl);
  if (!expiring.found) return undefined;
  for await (const batch of foldDataset(context, runs, dataset, { range: wholeRange, at })) {
    signal.throwIfAborted();
    expiring.add(batch);
  }
  return expiring.found;
}

/** One line for each dataset of which records go at once; `namespace` is the name in the target. */
export function expiringWarnings(
  items: readonly { readonly namespace: string; readonly expiring?: Expiring | undefined }[],
): string[] {
  return items.flatMap(({ namespace, expiring }) => {
    if (!expiring || expiring.count === 0) return [];
    const { count, exact } = expiring;
    return (
      `${namespace}: ${exact ? '' : 'at most '}${count} records are past their expiry and go as soon as it ` +
      'begins; --ttl hold keeps them: indexes and options that expire are then not made'
    );
  });
}
