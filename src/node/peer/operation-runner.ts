// What one peer runs of the operations of a cluster: from the claim to the end that is written down. What it owns and
// cannot run it gives back, so that no operation hangs on a peer that does nothing about it.
import type { CodrApi } from '../../api/codr-api.ts';
import { LocalOperations } from '../../api/local-operations.ts';
import { isEnded, isKnownKind, type Operation, type OperationEvent } from '../../api/operations.ts';
import type { Clock } from '../../base/clock.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import type { Logger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { Coordinator, Lease, Outcome } from '../../coordination/coordinator.ts';
import { giveBack, unwritable, writeCancelled, writeEnd } from './operation-end.ts';
import { base, translated, translatedEvent } from './operation-events.ts';
import { handoverOf } from './operation-handover.ts';
import { cancelKey, type OperationRecord, openedRequest } from './operation-records.ts';
import type { ValueSeal } from './value-seal.ts';

export interface OperationRunnerOptions {
  readonly coordinator: Coordinator;
  /** Of this peer; what it runs hangs on it. */
  readonly lease: Lease;
  readonly name: string;
  /** Carries out what is asked for. */
  readonly api: CodrApi;
  readonly seal: ValueSeal;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly redact: (text: string) => string;
  /** Operations that it runs at the same time. */
  readonly runningMax?: number;
}

/** The claim, and the work behind it. */
interface Owned {
  /** Create revision of the owner's key: later owners have larger ones. */
  readonly claim: number;
  /** In {@link LocalOperations}. */
  readonly localId: string;
  /** The source, of a backup. */
  readonly backsUp?: string;
}

const retryMs = 2000;
const runningMaxDefault = 256;

export class OperationRunner {
  readonly #options: OperationRunnerOptions;
  readonly #local: LocalOperations;
  readonly #owned = new Map<string, Owned>();
  /** Operations that this peer asked to run, or owns, and does not know whether it may. */
  readonly #doubted = new Set<string>();
  /** Operations that cannot be begun here. */
  readonly #unfit = new Set<string>();
  /** What goes on until this peer owns it, and from then until an end is written down. */
  readonly #busy = new Set<Promise<unknown>>();
  readonly #ended: () => void;
  /** About to be run. */
  #starting = 0;
  #draining = false;

  /** `ended` is called whenever there is room again. */
  constructor(options: OperationRunnerOptions, ended: () => void) {
    this.#options = options;
    this.#ended = ended;
    // How many there may be is asked before anything is written down, not when it begins.
    const all = { runningMax: Number.POSITIVE_INFINITY, endedMax: Number.POSITIVE_INFINITY };
    this.#local = new LocalOperations(options.api, { ...options, ...all });
    // At once: a peer that was frozen must not do its next step before it hears that others have taken over.
    const { lost } = options.lease;
    if (lost.aborted) void this.drain();
    else lost.addEventListener('abort', () => void this.drain(), { once: true });
  }

  /** How many it runs. */
  get running(): number {
    return this.#owned.size;
  }

  /** Sources whose backups it runs. */
  get backedUp(): readonly string[] {
    return [...this.#owned.values()].flatMap(({ backsUp }) => backsUp ?? []);
  }

  get isDraining(): boolean {
    return this.#draining;
  }

  get isFull(): boolean {
    const { runningMax = runningMaxDefault } = this.#options;
    return this.#owned.size + this.#starting >= runningMax;
  }

  /** Errors: `busy`. */
  refuseMore(): never {
    const { name } = this.#options;
    const count = this.#owned.size + this.#starting;
    throw new CodrError('busy', `peer ${name} runs ${count} operations already`, {
      object: name,
      remedy: 'wait for some of them, see `codr ops`, or ask another peer',
    });
  }

  runs(id: string): boolean {
    return this.#owned.has(id);
  }

  isUnfit(id: string): boolean {
    return this.#unfit.has(id);
  }

  /** Whether nobody said if this peer owns it; whoever asks has to find out. */
  settleDoubt(id: string): boolean {
    return this.#doubted.delete(id);
  }

  isDoubted(id: string): boolean {
    return this.#doubted.has(id);
  }

  /** Gives back what it runs, and what it is about to, for others to go on with; takes nothing more. */
  async drain(): Promise<void> {
    this.#draining = true;
    await this.#local[Symbol.asyncDispose]();
    while (this.#busy.size > 0) await Promise.allSettled(this.#busy);
  }

  /**
   * Tries to become the owner, and runs it then. When nobody says how it went, this peer may be the owner all the
   * same: a later look shows it.
   */
  async claim(
    transact: () => Promise<Outcome>,
    record: OperationRecord,
    isCancelled: boolean,
  ): Promise<Outcome> {
    this.#starting++;
    const claiming = async (): Promise<Outcome> => {
      const outcome = await this.asking(record.id, transact);
      if (outcome.done) await this.begin(record, outcome.revision, isCancelled);
      return outcome;
    };
    try {
      return await this.#noted(claiming());
    } finally {
      this.#starting--;
    }
  }

  /** Remembers that it is not known how it went. */
  async asking(id: string, transact: () => Promise<Outcome>): Promise<Outcome> {
    try {
      return await transact();
    } catch (error) {
      if (isCodrError(error, 'transaction-in-doubt')) this.#doubted.add(id);
      throw error;
    }
  }

  /** What this peer owns by this claim: it runs it; what is cancelled already it ends. */
  async begin(record: OperationRecord, claim: number, isCancelled: boolean): Promise<void> {
    this.#doubted.delete(record.id);
    if (!isCancelled) return await this.#start(record, claim);
    await this.#insist(record.id, () => writeCancelled(this.#options, record, claim));
  }

  /** What it runs; how it ended is not told before it is written down. */
  async live(id: string): Promise<Operation | undefined> {
    const mine = this.#owned.get(id);
    if (!mine) return undefined;
    const operation = await this.#local.get(mine.localId);
    return isEnded(operation) ? undefined : translated(id, mine, operation);
  }

  /** Events of what it runs, as all others know them; undefined when it does not. */
  watch(id: string, seen: number, signal: AbortSignal): AsyncIterable<OperationEvent> | undefined {
    const mine = this.#owned.get(id);
    return mine && this.#watch(id, mine, seen, signal);
  }

  async cancel(id: string): Promise<void> {
    const mine = this.#owned.get(id);
    if (mine) await this.#local.cancel(mine.localId);
  }

  async *#watch(
    id: string,
    mine: Owned,
    seen: number,
    signal: AbortSignal,
  ): AsyncGenerator<OperationEvent> {
    for await (const event of this.#local.watch(mine.localId, seen - base(mine), signal)) {
      yield translatedEvent(id, mine, event);
    }
  }

  /** What cannot be begun here is given back. */
  async #start(record: OperationRecord, claim: number): Promise<void> {
    const { coordinator, seal, log, name } = this.#options;
    const { id, kind, by, source } = record;
    const letGo = () => this.#insist(id, () => giveBack(coordinator, id, claim));
    if (this.#draining) return await letGo();
    let owned: Owned;
    try {
      if (!isKnownKind(kind)) {
        throw new CodrError('failed', `this version does no operation of kind ${kind}`);
      }
      const request = openedRequest(seal, record);
      const handover = handoverOf(coordinator, seal, { id, claim });
      const local = await this.#local.create(kind, request, `${id} ${claim}`, by, handover);
      const backsUp = kind === 'backup' && source !== undefined ? { backsUp: source } : {};
      owned = { claim, localId: local.id, ...backsUp };
    } catch (error) {
      log.error({ operation: id, kind, error }, 'an operation cannot be run here');
      this.#unfit.add(id);
      return await letGo();
    }
    this.#owned.set(id, owned);
    log.info({ operation: id, kind, peer: name }, 'an operation runs here');
    void this.#noted(this.#toEnd(record, owned));
    // Who wanted it to end while this peer did not know yet that it owns it told nobody. Where there is no answer there
    // will be a hint.
    const isUnwanted = await coordinator.get(cancelKey(id)).catch(() => undefined);
    if (isUnwanted) await this.cancel(id);
  }

  /** Until then this peer has something to write down. */
  async #noted<T>(work: Promise<T>): Promise<T> {
    this.#busy.add(work);
    try {
      return await work;
    } finally {
      this.#busy.delete(work);
    }
  }

  /** Waits for the end of the work and writes it down. */
  async #toEnd(record: OperationRecord, { localId, claim }: Owned): Promise<void> {
    const { id } = record;
    const forever = new AbortController().signal;
    for await (const _ of this.#local.watch(localId, 0, forever));
    let ended = await this.#local.get(localId);
    await this.#insist(id, async () => {
      try {
        await writeEnd(this.#options, record, { claim, ended, isStopping: this.#draining });
      } catch (error) {
        // A defect, which no other try mends: without this it would stand still as long as this peer lives.
        if (!isCodrError(error)) ended = unwritable(ended, error, this.#options.redact);
        throw error;
      }
    });
    if (this.#owned.get(id)?.claim === claim) this.#owned.delete(id);
    this.#local.forget(localId);
    this.#ended();
  }

  /** Tries to write that this peer runs it no more, as long as it may: until then nobody else can. */
  async #insist(id: string, write: () => Promise<void>): Promise<void> {
    const { clock, log, lease } = this.#options;
    while (!lease.lost.aborted) {
      try {
        return await write();
      } catch (error) {
        log.warn({ operation: id, error }, 'how an operation ended is not written down yet');
        await clock.sleep(retryMs, lease.lost).catch(() => {});
      }
    }
  }
}
