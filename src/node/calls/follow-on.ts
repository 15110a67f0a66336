// Following has no end of its own: among peers nobody stands by to start it again. So when the store or the source was
// away for longer than calls are tried again, or the store was full, it goes on by itself as soon as they are back.
import type { Clock } from '../../base/clock.ts';
import { type CodrError, isCodrError } from '../../base/error.ts';
import type { Logger } from '../../base/log.ts';

export interface FollowOnOptions {
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Told before each wait. */
  waiting(error: CodrError): void;
}

const waitMsFirst = 1000;
const waitMsMax = 30_000;

/** As `work`, begun again after each `store-unreachable` and `source-unreachable`, for ever. */
export async function followOn<T>(work: () => Promise<T>, options: FollowOnOptions): Promise<T> {
  const { clock, log, signal } = options;
  for (let waitMs = waitMsFirst; ; waitMs = Math.min(waitMsMax, 2 * waitMs)) {
    const begunMs = clock.monotonic();
    try {
      return await work();
    } catch (error) {
      const mayPass =
        isCodrError(error, 'store-unreachable') || isCodrError(error, 'source-unreachable');
      if (!mayPass || signal.aborted) throw error;
      if (clock.monotonic() - begunMs > waitMsMax) waitMs = waitMsFirst;
      log.warn({ error: error.message, waitMs }, 'following waits');
      options.waiting(error);
      await clock.sleep(waitMs, signal);
    }
  }
}
