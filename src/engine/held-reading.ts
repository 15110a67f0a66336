// Reading of a live source, held back: to its share of what the source allows, to what this process may read at all, and
// to the pace that the source bears right now.
import { Throttle } from '../base/throttle.ts';
import type { WorkContext } from '../cluster/work-pool.ts';
import { batchBytes, type RecordStream } from '../model/record.ts';
import type { SourceContext } from './source-context.ts';

/**
 * Rejects with the reason of the work's signal. `bytesPerSecond`: the share of the rate; 0 for no limit. `pace`: the share
 * of the time, where whoever gave the work away knows more of the source.
 */
export function heldReading(
  batches: RecordStream,
  { world, pace }: Pick<SourceContext, 'world' | 'pace'>,
  held: { readonly work: WorkContext; readonly bytesPerSecond: number; readonly pace?: number },
): RecordStream {
  const { work, bytesPerSecond } = held;
  const throttles = [new Throttle(bytesPerSecond, world.clock), world.throttle];
  const read = throttled(batches, throttles, work);
  return pace ? pace.paced(read, work.signal, held.pace) : read;
}

/** Tells what is read. Both limits count from the same moment: the stricter one is waited for. */
async function* throttled(
  batches: RecordStream,
  throttles: readonly (Throttle | undefined)[],
  { progress, signal }: WorkContext,
): RecordStream {
  for await (const batch of batches) {
    const bytes = batchBytes(batch);
    progress(batch.length, bytes);
    await Promise.all(throttles.map((throttle) => throttle?.pay(bytes, signal)));
    yield batch;
  }
}
