// Spreads pieces of work over peers: each goes to the place with the most free slots, this process first.
// A piece is idempotent and its result is plain data, so one whose peer is lost is simply done elsewhere.
// Who asked for the work commits what came of it: no worker writes history.
import { Semaphore } from '../base/async.ts';
import type { Clock } from '../base/clock.ts';
import { isCodrError } from '../base/error.ts';
import type { Logger } from '../base/log.ts';

/** A piece of work as plain data. Input and result survive JSON. */
export interface WorkOrder {
  readonly kind: string;
  readonly input: unknown;
}

export interface WorkContext {
  readonly signal: AbortSignal;
  /** What was done since the last call. */
  progress(records: number, bytes: number): void;
}

/** Another peer, as a place where work is done. */
export interface Workplace {
  readonly name: string;
  /** Pieces that it does at a time. */
  readonly slots: number;
  /** Errors: `peer-lost` when it cannot be reached, falls silent, or takes no work; those of the work. */
  run(order: WorkOrder, context: WorkContext): Promise<unknown>;
}

/** Work that can be done here, or elsewhere by its order. */
export interface SharedWork<T> {
  order(): WorkOrder;
  here(context: WorkContext): Promise<T>;
  /** Reads what another place answered. */
  decode(result: unknown): T | Promise<T>;
  progress(records: number, bytes: number): void;
}

/** Where the engine's work is done: in this process alone, or on all peers. */
export interface Sharing {
  /** Pieces that are done at a time, in all places together. */
  readonly slots: number;
  /** Errors: those of the work; the reason of the signal. */
  run<T>(work: SharedWork<T>, signal: AbortSignal): Promise<T>;
}

export interface WorkPoolOptions {
  /** Pieces that this process does at a time. */
  readonly slots: number;
  /** The other peers that are up; asked anew for each piece. */
  places(): readonly Workplace[];
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly log: Logger;
}

/** A place that was lost is tried again after this time, if it is still among the peers. */
const lostMs = 10_000;

export class WorkPool implements Sharing {
  readonly #options: WorkPoolOptions;
  /** Pieces that run in each place now; this process has the empty name. */
  readonly #running = new Map<string, number>();
  /** When each place was lost. One that has begun anew is another object. */
  readonly #lost = new WeakMap<Workplace, number>();
  readonly #waiting: (() => void)[] = [];
  #doneHere = 0;

  constructor(options: WorkPoolOptions) {
    this.#options = options;
  }

  /** Pieces that this process began for itself. */
  get doneHere(): number {
    return this.#doneHere;
  }

  get slots(): number {
    return this.#places().reduce((sum, { slots }) => sum + slots, this.#options.slots);
  }

  /** To be called when a peer came or went: who waits for a place looks again. */
  changed(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async run<T>(work: SharedWork<T>, signal: AbortSignal): Promise<T> {
    const told = new ToldOnce(work);
    for (;;) {
      const place = await this.#take(signal);
      const context = { signal, progress: told.attempt() };
      try {
        if (!place) {
          this.#doneHere++;
          return await work.here(context);
        }
        return await work.decode(await place.run(work.order(), context));
      } catch (error) {
        if (!place || signal.aborted || !isCodrError(error, 'peer-lost')) throw error;
        this.#lost.set(place, this.#options.clock.monotonic());
        this.#options.log.warn({ peer: place.name }, `${error.message}: its work goes elsewhere`);
      } finally {
        this.#give(place);
      }
    }
  }

  #places(): readonly Workplace[] {
    const now = this.#options.clock.monotonic();
    const isLost = (place: Workplace): boolean =>
      now - (this.#lost.get(place) ?? Number.NEGATIVE_INFINITY) < lostMs;
    return this.#options.places().filter((place) => !isLost(place));
  }

  /** Undefined stands for this process. */
  async #take(signal: AbortSignal): Promise<Workplace | undefined> {
    for (;;) {
      signal.throwIfAborted();
      let best: { readonly place: Workplace | undefined; readonly free: number } | undefined;
      const all = [{ place: undefined, name: here, slots: this.#options.slots }, ...this.#named()];
      for (const { place, name, slots } of all) {
        const free = (slots - (this.#running.get(name) ?? 0)) / slots;
        if (free > (best?.free ?? 0)) best = { place, free };
      }
      if (best) {
        const name = best.place?.name ?? here;
        this.#running.set(name, (this.#running.get(name) ?? 0) + 1);
        return best.place;
      }
      await this.#freed(signal);
    }
  }

  #named(): { place: Workplace; name: string; slots: number }[] {
    return this.#places().map((place) => ({ place, name: place.name, slots: place.slots }));
  }

  #give(place: Workplace | undefined): void {
    const name = place?.name ?? here;
    this.#running.set(name, (this.#running.get(name) ?? 1) - 1);
    this.changed();
  }

  async #freed(signal: AbortSignal): Promise<void> {
    await new Promise<void>((wake) => {
      const done = (): void => {
        signal.removeEventListener('abort', done);
        wake();
      };
      signal.addEventListener('abort', done, { once: true });
      this.#waiting.push(done);
    });
  }
}

const here = '';

/** Counts never fall and nothing is told twice, though a piece may be begun anew. */
class ToldOnce {
  readonly #told = { records: 0, bytes: 0 };
  readonly #work: Pick<SharedWork<unknown>, 'progress'>;

  constructor(work: Pick<SharedWork<unknown>, 'progress'>) {
    this.#work = work;
  }

  attempt(): WorkContext['progress'] {
    const done = { records: 0, bytes: 0 };
    return (records, bytes) => {
      done.records += records;
      done.bytes += bytes;
      const news = {
        records: Math.max(0, done.records - this.#told.records),
        bytes: Math.max(0, done.bytes - this.#told.bytes),
      };
      if (news.records === 0 && news.bytes === 0) return;
      this.#told.records += news.records;
      this.#told.bytes += news.bytes;
      this.#work.progress(news.records, news.bytes);
    };
  }
}

/** What a process does that has no peers. */
export function alone(slots: number): Sharing {
  const free = new Semaphore(slots);
  return {
    slots,
    async run(work, signal) {
      await free.take();
      try {
        signal.throwIfAborted();
        const progress: WorkContext['progress'] = (...done) => work.progress(...done);
        return await work.here({ signal, progress });
      } finally {
        free.give();
      }
    },
  };
}
