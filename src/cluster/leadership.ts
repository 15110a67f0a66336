// One leader among all peers that campaign for a role: whoever makes the role's key, under a lease, while
// there is none. The key's create revision is the term's epoch. A leader that was paused and does not know
// yet that its lease ended can do no harm: every write of it is guarded by that revision, and peers refuse
// epochs below the highest they saw.
import type { Clock } from '../base/clock.ts';
import { CodrError, isCodrError } from '../base/error.ts';
import type { Coordinator, Guard, Lease, Operation, Outcome } from '../coordination/coordinator.ts';
import type { Epoch } from './epoch.ts';

/** A time of leading. */
export interface Term {
  readonly epoch: Epoch;
  /** Aborted when the leading has to stop: with `lease-lost`, or the reason of the campaign's signal. */
  readonly signal: AbortSignal;
  /** For keys that are to vanish with the term. */
  readonly lease: Lease;
  /**
   * As the coordinator's, and only while this is the term. Errors: `lease-lost` when it is not; nothing
   * happened then. After `transaction-in-doubt` the term is given up: once the next one has begun, what
   * was in doubt has happened or never will.
   */
  transact(guards: readonly Guard[], operations: readonly Operation[]): Promise<Outcome>;
}

export interface CampaignOptions {
  /** Of this peer, for people to read. */
  readonly name: string;
  /** Key of what is led: `coordinator`, or a role like the committing for one source. */
  readonly role?: string;
  readonly ttlMs: number;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly signal: AbortSignal;
}

/** Before the next try after an error that may pass. */
const retryMs = 500;

/**
 * Yields the terms of this peer, one after another. A term is given up when the consumer asks for the next
 * one or leaves, so lead within the loop's body until `term.signal` is aborted. While nobody answers it
 * goes on trying. Ends quietly when the signal is aborted. Errors: `coordinator-replaced`,
 * `coordinator-refused`.
 */
export async function* campaign(
  coordinator: Coordinator,
  options: CampaignOptions,
): AsyncGenerator<Term> {
  const { signal } = options;
  const key = options.role ?? 'coordinator';
  let last: number | undefined;
  while (!signal.aborted) {
    try {
      await waitForVacancy(coordinator, key, last, options);
      await using lease = await coordinator.lease(options.ttlMs);
      const put = { put: key, value: options.name, lease };
      const outcome = await coordinator.transact([{ key, createRevision: 0 }], [put]);
      if (!outcome.done) continue;
      last = outcome.revision;
      yield new LeasedTerm(coordinator, key, lease, outcome.revision, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (!mayPass(error)) throw error;
      await options.clock.sleep(retryMs, signal).catch(() => {});
    }
  }
}

const mayPass = (error: unknown): boolean =>
  isCodrError(error, 'coordinator-unreachable') ||
  isCodrError(error, 'transaction-in-doubt') ||
  isCodrError(error, 'lease-lost');

/** Resolves when nobody leads. `last`: revision of this peer's last term, whose key may be left. */
async function waitForVacancy(
  coordinator: Coordinator,
  key: string,
  last: number | undefined,
  { clock, ttlMs, signal }: CampaignOptions,
): Promise<void> {
  const done = new AbortController();
  const stop = AbortSignal.any([signal, done.signal]);
  const hints = coordinator.watch(key, stop)[Symbol.asyncIterator]();
  try {
    for (let hint = awaited(hints.next()); ; ) {
      const entry = await coordinator.get(key);
      if (!entry) return;
      if (entry.createRevision === last) {
        // Its lease is lost, but etcd keeps it for a while: nobody needs to wait for that.
        await coordinator.transact([{ key, createRevision: last }], [{ delete: key }]);
        continue;
      }
      // Also without a hint the key is looked at once in a lease's time.
      const tick = new AbortController();
      const pause = clock.sleep(ttlMs, AbortSignal.any([stop, tick.signal]));
      const told = await Promise.race([hint.then(() => true), pause.then(() => false)]);
      tick.abort();
      signal.throwIfAborted();
      if (told) hint = awaited(hints.next());
    }
  } finally {
    done.abort();
  }
}

/** How it ends is no news to who has left before. */
function awaited<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

class LeasedTerm implements Term {
  readonly epoch: Epoch;
  readonly signal: AbortSignal;
  readonly lease: Lease;
  readonly #coordinator: Coordinator;
  readonly #key: string;
  readonly #over = new AbortController();

  constructor(
    coordinator: Coordinator,
    key: string,
    lease: Lease,
    revision: number,
    signal: AbortSignal,
  ) {
    this.#coordinator = coordinator;
    this.#key = key;
    this.lease = lease;
    this.epoch = { clusterId: coordinator.clusterId, revision };
    this.signal = AbortSignal.any([this.#over.signal, lease.lost, signal]);
  }

  async transact(guards: readonly Guard[], operations: readonly Operation[]): Promise<Outcome> {
    this.signal.throwIfAborted();
    const mine = { key: this.#key, createRevision: this.epoch.revision };
    try {
      const outcome = await this.#coordinator.transact([mine, ...guards], operations);
      if (outcome.done) return outcome;
      const entry = await this.#coordinator.get(this.#key);
      if (entry?.createRevision === this.epoch.revision) return outcome;
    } catch (error) {
      if (isCodrError(error, 'transaction-in-doubt')) this.#lose(error);
      throw error;
    }
    throw this.#lose(undefined);
  }

  #lose(cause: unknown): CodrError {
    const message = `this peer does not lead "${this.#key}" any more`;
    const error = new CodrError('lease-lost', message, { object: this.#key, cause });
    this.#over.abort(error);
    return error;
  }
}
