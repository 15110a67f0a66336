// Spreads pieces of work over peers: each goes to where its bytes lie, or else to the place with the most free slots,
// this process first; which takes what is near to it alone while it has worked more than the others. A piece is
// idempotent and its result is plain data, so one whose peer is lost is simply done elsewhere. Who asked for the work
// commits what came of it: no worker writes history.
import { Semaphore } from '../base/async.ts';
import type { Clock } from '../base/clock.ts';
import { isCodrError } from '../base/error.ts';
import type { Logger } from '../base/log.ts';
import { EvenLoad } from './even-load.ts';
import { choosePiece, type PieceFacts, type WaitingPiece } from './piece-choice.ts';

/** A piece of work as plain data. Input and result survive JSON. */
export interface WorkOrder {
  readonly kind: string;
  readonly input: unknown;
}

export interface WorkContext {
  readonly signal: AbortSignal;
  /** What was done since the last call. */
  progress(records: number, bytes: number): void;
  /** What the processors of the place have worked since its process began, in all, ms; now and then. */
  worked?(cpuMs: number): void;
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
  /** Absent: it is equally far from all places. */
  readonly facts?: PieceFacts;
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
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>;
  readonly log: Logger;
  /** What other peers call this one; absent: nothing is near to it. */
  readonly self?: string;
  /** What the processors have worked for this process so far, ms. Absent: it takes what it has room for. */
  readonly cpuMs?: () => number;
}

/** Pieces for each slot that may go before one that waits: of another operation, there may be nearer ones all the time. */
const overdueTurns = 16;
/** While no other place has taken a piece for so long, this process is not held back: they may be slow, or stand still. */
const holdMs = 5000;
/** A place that was lost is tried again after this time, if it is still among the peers. */
const lostMs = 10_000;

export class WorkPool implements Sharing {
  readonly #options: WorkPoolOptions;
  /** Pieces that run in each place now; this process has the empty name. */
  readonly #running = new Map<string, number>();
  /** When each place was lost. One that has begun anew is another object. */
  readonly #lost = new WeakMap<Workplace, number>();
  readonly #waiting: Waiting[] = [];
  readonly #load: EvenLoad;
  #arrived = 0;
  /** Pieces that were handed out. */
  #given = 0;
  #isFarDue = false;
  #isLookDue = false;
  /** When another place was last given a piece. */
  #givenAtMs = Number.NEGATIVE_INFINITY;
  #doneHere = 0;

  constructor(options: WorkPoolOptions) {
    this.#options = options;
    this.#load = new EvenLoad(options.clock);
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
    this.#match({ far: false });
    if (this.#isFarDue || this.#waiting.every(({ near }) => near.size === 0)) return;
    // Later than all that comes in this turn: something nearer may be among it.
    this.#isFarDue = true;
    void this.#options.clock.sleep(0).then(() => {
      this.#isFarDue = false;
      this.#match({ far: true });
    });
  }

  async run<T>(work: SharedWork<T>, signal: AbortSignal): Promise<T> {
    const told = new ToldOnce(work);
    const order = this.#arrived++;
    for (;;) {
      const place = await this.#take(work.facts ?? anywhere, order, signal);
      const worked = (cpuMs: number): void => {
        if (place) this.#load.told(place, cpuMs, this.#options.cpuMs?.() ?? 0);
      };
      const context = { signal, progress: told.attempt(), worked };
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
  #take(facts: PieceFacts, order: number, signal: AbortSignal): Promise<Workplace | undefined> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const abort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(signal.reason);
      };
      const go = (place: Workplace | undefined): void => {
        signal.removeEventListener('abort', abort);
        resolve(place);
      };
      signal.addEventListener('abort', abort, { once: true });
      const waiting: Waiting = { ...facts, order, go, since: this.#given, isOverdue: false };
      const behind = this.#waiting.findIndex((other) => other.order > order);
      this.#waiting.splice(behind < 0 ? this.#waiting.length : behind, 0, waiting);
      this.changed();
    });
  }

  /** Hands out what waits, as far as there is room for it. */
  #match({ far }: { readonly far: boolean }): void {
    while (this.#waiting.length > 0) {
      const others = this.#places();
      const facts = others.map((place) => this.#roomOf(place.name, place.name, place.slots));
      const { self = here, slots } = this.#options;
      const own = this.#roomOf(here, self, slots);
      const isHeld = this.#isAhead(others);
      const places = [{ ...own, isHeld }, ...facts];
      const room = places.reduce((sum, { slots: all }) => sum + all, 0);
      for (const one of this.#waiting)
        one.isOverdue = this.#given - one.since > overdueTurns * room;
      const choice = choosePiece(this.#waiting, places, far);
      if (!choice) {
        if (isHeld && own.free > 0) this.#lookAgain();
        return;
      }
      const [waiting] = this.#waiting.splice(choice.piece, 1);
      const place = others[choice.place - 1];
      this.#note(place);
      this.#given++;
      waiting?.go(place);
    }
  }

  /** When what holds this process back has lasted too long. */
  #lookAgain(): void {
    if (this.#isLookDue) return;
    this.#isLookDue = true;
    void this.#options.clock.sleep(holdMs).then(() => {
      this.#isLookDue = false;
      this.changed();
    });
  }

  #roomOf(running: string, name: string, slots: number) {
    return { name, slots, free: slots - (this.#running.get(running) ?? 0) };
  }

  /** It has worked more than the others: what it does beside its pieces counts too. They must have something to do. */
  #isAhead(others: readonly Workplace[]): boolean {
    const { cpuMs, slots, clock } = this.#options;
    if (!cpuMs || clock.monotonic() - this.#givenAtMs >= holdMs) return false;
    if (!others.some(({ name }) => (this.#running.get(name) ?? 0) > 0)) return false;
    return this.#load.isAhead({ cpuMs: cpuMs(), slots }, others);
  }

  #note(place: Workplace | undefined): void {
    const { cpuMs } = this.#options;
    if (cpuMs && [...this.#running.values()].every((count) => count === 0))
      this.#load.begin(cpuMs());
    const name = place?.name ?? here;
    if (place) this.#givenAtMs = this.#options.clock.monotonic();
    this.#running.set(name, (this.#running.get(name) ?? 0) + 1);
  }

  #give(place: Workplace | undefined): void {
    const name = place?.name ?? here;
    this.#running.set(name, (this.#running.get(name) ?? 1) - 1);
    if ([...this.#running.values()].every((count) => count === 0)) this.#load.end();
    this.changed();
  }
}

const here = '';
const anywhere: PieceFacts = { near: new Map(), bytes: 0 };

/** A piece without a place. */
interface Waiting extends WaitingPiece {
  /** What had been handed out when it came. */
  readonly since: number;
  isOverdue: boolean;
  /** Of arrival; one whose place was lost keeps its own. */
  readonly order: number;
  go(place: Workplace | undefined): void;
}

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
