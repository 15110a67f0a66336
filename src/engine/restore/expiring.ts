// How many records of a point the database would delete at once by its own rules.
import { wholeRange } from '../../model/key-range.ts';
import type { RecordBatch } from '../../model/record.ts';
import type { SourceTime } from '../../model/time.ts';
import { foldDataset, type OpenedRuns } from '../read/fold.ts';
import type { PointDataset } from '../read/point.ts';
import type { SourceContext } from '../source-context.ts';

/** Counts the expired among folded records; `count` is undefined for a dataset that never expires. */
export class ExpiringCount {
  readonly #isExpired: ((record: RecordBatch[number]) => boolean) | undefined;
  #count = 0;

  /** `ttl` `hold`: nothing expires, whatever the dataset says. */
  constructor(context: SourceContext, { entry }: PointDataset, ttl: 'keep' | 'hold') {
    const nowMs = context.world.clock.now();
    this.#isExpired = ttl === 'keep' ? context.connector.expiry(entry, nowMs) : undefined;
  }

  get count(): number | undefined {
    return this.#isExpired && this.#count;
  }

  add(records: RecordBatch): void {
    if (!this.#isExpired) return;
    for (const record of records) if (this.#isExpired(record)) this.#count++;
  }
}

/** Folds the dataset when it has expiry at all; else undefined at once. */
export async function countExpiring(
  context: SourceContext,
  runs: OpenedRuns,
  dataset: PointDataset,
  { at, ttl }: { readonly at: SourceTime; readonly ttl: 'keep' | 'hold' },
  signal: AbortSignal,
): Promise<number | undefined> {
  const expiring = new ExpiringCount(context, dataset, ttl);
  if (expiring.count === undefined) return undefined;
  for await (const batch of foldDataset(context, runs, dataset, { range: wholeRange, at })) {
    signal.throwIfAborted();
    expiring.add(batch);
  }
  return expiring.count;
}

/** One line for each dataset of which records go at once; `namespace` is the name in the target. */
export function expiringWarnings(
  items: readonly { readonly namespace: string; readonly expiring?: number | undefined }[],
): string[] {
  return items
    .filter(({ expiring = 0 }) => expiring > 0)
    .map(
      ({ namespace, expiring }) =>
        `${namespace}: ${expiring} records are past their expiry and go as soon as it begins; ` +
        '--ttl hold keeps them: indexes and options that expire are then not made',
    );
}
