// Following has no end of its own, and often nobody stands by to start it again. So when the store or the source was away
// for longer than calls are tried again, or the store was full, it goes on by itself as soon as they are back.
// What is wrong is told once, until something else is or it had gone on.
import type { Clock } from '../../base/clock.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import type { Logger } from '../../base/log.ts';

export interface FollowOnOptions {
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** True: nobody sees how it ends, so that it waits for a store too that it never reached. */
  readonly isUnattended: boolean;
  /** Told before each wait. */
  waiting(error: CodrError): void;
}

/** One try. */
export interface FollowTry {
  /** True once an earlier one had begun. */
  readonly goesOn: boolean;
  /** To be called when store and source have answered. */
  begun(): void;
}

const waitMsFirst = 1000;
const waitMsMax = 30_000;

/**
 * As `work`, begun again after each `store-unreachable` and `source-unreachable`, for ever. Errors: `interrupted` when
 * it is stopped while it waits; what no waiting mends.
 */
export async function followOn<T>(
  work: (attempt: FollowTry) => Promise<T>,
  options: FollowOnOptions,
): Promise<T> {
  const { clock, log, signal, isUnattended } = options;
  let goesOn = false;
  let told: string | undefined;
  for (let waitMs = waitMsFirst; ; waitMs = Math.min(waitMsMax, 2 * waitMs)) {
    const triedMs = clock.monotonic();
    let hasBegun = false;
    const begun = (): void => {
      if (!hasBegun && told !== undefined) {
        log.info({}, 'following goes on');
        told = undefined;
      }
      hasBegun = true;
    };
    try {
      return await work({ goesOn, begun });
    } catch (error) {
      goesOn ||= hasBegun;
      if (signal.aborted || !mayPass(error, { goesOn, isUnattended })) throw error;
      const lasted = clock.monotonic() - triedMs > waitMsMax;
      if (lasted) waitMs = waitMsFirst;
      if (lasted || told !== kindOf(error)) {
        log.warn({ remedy: error.remedy }, `following waits: ${error.message}`);
      }
      told = kindOf(error);
      options.waiting(error);
      await waited(clock.sleep(waitMs, signal), error, signal);
    }
  }
}

/** A store that was reached before can be mended. Of one that was never reached waiting may be of no use. */
function mayPass(
  error: unknown,
  { goesOn, isUnattended }: { readonly goesOn: boolean; readonly isUnattended: boolean },
): error is CodrError {
  if (isCodrError(error, 'source-unreachable')) return true;
  if (!isCodrError(error, 'store-unreachable')) return false;
  if (isUnattended) return true;
  const { transient, untilRestart } = error.facts;
  return untilRestart !== true && (goesOn || transient !== false);
}

/** Names of objects differ from try to try, what is wrong does not. */
function kindOf({ code, facts }: CodrError): string {
  return [code, facts.systemCode, facts.status].join(' ');
}

async function waited(sleep: Promise<void>, cause: CodrError, signal: AbortSignal): Promise<void> {
  try {
    await sleep;
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new CodrError('interrupted', 'following was stopped while it waited', { cause });
  }
}
