// A store that fails as real ones do, for tests and simulation: errors before a call has its effect,
// replies lost after it, delays, a full disk, and crashes after which every call fails until `revive`.
// All chance comes from the given source, so a seed repeats a run. What the port rules out never
// happens: no reader sees part of an object, and nothing that was acknowledged goes away.
import type { Clock } from '../base/clock.ts';
import { CodrError } from '../base/error.ts';
import type { Random } from '../base/random.ts';
import type { ByteRange, ObjectStore, StoredObject } from './object-store.ts';

/** Objects of a list that come with one call, as pages do. */
const pageObjects = 32;

/** Chances out of 1,000 calls (a list makes one for each page). */
interface Faults {
  readonly errorPerMille?: number;
  readonly lostReplyPerMille?: number;
  /** Each call waits a random time below this before it starts; 0 or absent: none. */
  readonly delayMsMax?: number;
}

interface FaultyOptions {
  readonly random: Random;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly faults?: Faults;
}

export class FaultyObjectStore implements ObjectStore {
  readonly url: string;
  /** May be changed at any time. */
  faults: Faults;
  /** Creates fail with ENOSPC while true. */
  diskFull = false;
  readonly #store: ObjectStore;
  readonly #random: Random;
  readonly #clock: Pick<Clock, 'sleep'>;
  #crashed = false;
  /** Number of crashes so far: tells a call that it was going on during one. */
  #crashes = 0;
  #writes = 0;
  #crashAt: { write: number; when: 'before' | 'after' } | undefined;

  constructor(store: ObjectStore, options: FaultyOptions) {
    this.url = store.url;
    this.#store = store;
    this.#random = options.random;
    this.#clock = options.clock;
    this.faults = options.faults ?? {};
  }

  /** Creates and removals begun so far, failed ones included. */
  get writes(): number {
    return this.#writes;
  }

  get crashed(): boolean {
    return this.#crashed;
  }

  /** From now on every call fails, and so do those under way, whether they take effect or not. */
  crash(): void {
    this.#crashed = true;
    this.#crashes++;
  }

  /** The store answers again. A crash that is still planned is called off. */
  revive(): void {
    this.#crashed = false;
    this.#crashAt = undefined;
  }

  /** Crashes at the `count`-th create or removal from now on (1 is the next), before or after its effect. */
  crashAtWrite(count: number, when: 'before' | 'after'): void {
    this.#crashAt = { write: this.#writes + count, when };
  }

  create(
    name: string,
    body: readonly Uint8Array[],
    signal?: AbortSignal,
  ): Promise<'created' | 'exists'> {
    return this.#write(name, signal, async () => {
      if (this.diskFull) throw fullError(name);
      return this.#store.create(name, body, signal);
    });
  }

  get(name: string, range?: ByteRange, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#call(name, signal, () => this.#store.get(name, range, signal));
  }

  stat(name: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    return this.#call(name, signal, () => this.#store.stat(name, signal));
  }

  async *list(prefix: string, signal?: AbortSignal): AsyncGenerator<StoredObject> {
    await this.#call(prefix, signal, async () => {});
    const crashes = this.#crashes;
    let count = 0;
    for await (const object of this.#store.list(prefix, signal)) {
      if (this.#crashes !== crashes) throw faultError('the store crashed', prefix);
      if (++count % pageObjects === 0) {
        this.#mayFail(this.faults.errorPerMille, 'the connection broke', prefix);
      }
      yield object;
    }
  }

  listFolders(prefix: string, signal?: AbortSignal): Promise<string[]> {
    return this.#call(prefix, signal, () => this.#store.listFolders(prefix, signal));
  }

  remove(name: string, signal?: AbortSignal): Promise<void> {
    return this.#write(name, signal, () => this.#store.remove(name, signal));
  }

  sweep(beforeMs: number, signal?: AbortSignal): Promise<number> {
    return this.#call('', signal, async () => (await this.#store.sweep?.(beforeMs, signal)) ?? 0);
  }

  #write<T>(name: string, signal: AbortSignal | undefined, call: () => Promise<T>): Promise<T> {
    const number = ++this.#writes;
    return this.#call(name, signal, async () => {
      this.#mayCrash(number, 'before', name);
      const outcome = await call();
      this.#mayCrash(number, 'after', name);
      return outcome;
    });
  }

  async #call<T>(
    name: string,
    signal: AbortSignal | undefined,
    call: () => Promise<T>,
  ): Promise<T> {
    if (this.#crashed) throw faultError('the store has crashed', name);
    const crashes = this.#crashes;
    const { delayMsMax = 0 } = this.faults;
    if (delayMsMax > 0) await this.#clock.sleep(this.#random.below(delayMsMax), signal);
    // A call that waits while the store crashes reaches it or not: chance says.
    if (this.#crashes !== crashes && this.#random.below(2) === 0) {
      throw faultError('the store crashed', name);
    }
    this.#mayFail(this.faults.errorPerMille, 'the connection was refused', name);
    const outcome = await call();
    if (this.#crashes !== crashes) throw faultError('the store crashed', name);
    this.#mayFail(this.faults.lostReplyPerMille, 'the reply was lost', name);
    return outcome;
  }

  #mayFail(perMille: number | undefined, what: string, name: string): void {
    if (perMille && this.#random.below(1000) < perMille) throw faultError(what, name);
  }

  #mayCrash(write: number, when: 'before' | 'after', name: string): void {
    if (this.#crashAt?.write !== write || this.#crashAt.when !== when) return;
    this.#crashAt = undefined;
    this.crash();
    throw faultError('the store crashed', name);
  }
}

function faultError(what: string, name: string): CodrError {
  return new CodrError('store-unreachable', `${what} (fault made by a test) at "${name}"`, {
    object: name,
  });
}

function fullError(name: string): CodrError {
  return new CodrError('store-unreachable', `cannot write ${name}: ENOSPC (fault made by a test)`, {
    object: name,
    facts: { systemCode: 'ENOSPC', transient: false },
  });
}
