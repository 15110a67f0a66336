// Holds the load on a store: calls at a time, and bytes a second on average. Lists are not counted among
// the calls: their caller works between the steps and may call the store again. What waits for its bytes to be paid
// holds no place among the calls, and a small object, such as a commit, does not wait behind large ones: they pay for it.
import { Semaphore } from '../base/async.ts';
import type { Clock } from '../base/clock.ts';
import { Throttle } from '../base/throttle.ts';
import { bodyBytes } from './object-name.ts';
import type { ByteRange, ObjectStore, StoredObject } from './object-store.ts';

interface Limits {
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>;
  /** Calls at a time, at least 1. */
  readonly concurrency: number;
  /** Bytes a second in both directions together; 0 is no limit. */
  readonly bytesPerSecond: number;
}

/** A commit is smaller, unless it holds much; there is about one a second of each source. */
const smallBytesMax = 64 * 1024;

export class LimitedObjectStore implements ObjectStore {
  readonly url: string;
  readonly #store: ObjectStore;
  readonly #slots: Semaphore;
  /** A call starts when all bytes before it are paid for. */
  readonly #throttle: Throttle;

  constructor(store: ObjectStore, limits: Limits) {
    this.url = store.url;
    this.#store = store;
    this.#slots = new Semaphore(limits.concurrency);
    this.#throttle = new Throttle(limits.bytesPerSecond, limits.clock);
  }

  async create(
    name: string,
    body: readonly Uint8Array[],
    signal?: AbortSignal,
  ): Promise<'created' | 'exists'> {
    const bytes = bodyBytes(body);
    if (bytes > smallBytesMax) await this.#throttle.paid(signal);
    this.#throttle.charge(bytes);
    return await this.#run(signal, () => this.#store.create(name, body, signal));
  }

  async get(name: string, range?: ByteRange, signal?: AbortSignal): Promise<Uint8Array> {
    await this.#throttle.paid(signal);
    const expected = wantedBytes(range);
    this.#throttle.charge(expected);
    return await this.#run(signal, async () => {
      const bytes = await this.#store.get(name, range, signal);
      // The object may end before the range does.
      this.#throttle.charge(bytes.length - expected);
      return bytes;
    });
  }

  stat(name: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    return this.#run(signal, () => this.#store.stat(name, signal));
  }

  list(prefix: string, signal?: AbortSignal): AsyncIterable<StoredObject> {
    return this.#store.list(prefix, signal);
  }

  listFolders(prefix: string, signal?: AbortSignal): Promise<string[]> {
    return this.#run(signal, () => this.#store.listFolders(prefix, signal));
  }

  remove(name: string, signal?: AbortSignal): Promise<void> {
    return this.#run(signal, () => this.#store.remove(name, signal));
  }

  async sweep(beforeMs: number, signal?: AbortSignal): Promise<number> {
    return (await this.#store.sweep?.(beforeMs, signal)) ?? 0;
  }

  async #run<T>(signal: AbortSignal | undefined, call: () => Promise<T>): Promise<T> {
    await this.#takeSlot(signal);
    try {
      return await call();
    } finally {
      this.#slots.give();
    }
  }

  /** Waits for a slot; one that comes after an abort goes to the next who waits. */
  async #takeSlot(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    const taken = this.#slots.take();
    if (!signal) return taken;
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => reject(signal.reason);
      signal.addEventListener('abort', leave, { once: true });
      void taken.then(() => {
        signal.removeEventListener('abort', leave);
        if (signal.aborted) this.#slots.give();
        else resolve();
      });
    });
  }
}

/** Of a whole object nobody knows before. */
function wantedBytes(range: ByteRange | undefined): number {
  if (!range) return 0;
  return 'suffix' in range ? range.suffix : range.length;
}
