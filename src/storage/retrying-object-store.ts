// Tries calls again that failed for a moment. Reads, lists and removals can be repeated as they are. A
// create cannot: its reply may be lost after it took effect. So where the name is taken, an object of exactly
// the same bytes is our own: every object that is created competitively holds a nonce.
import { equalBytes } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { isCodrError } from '../base/error.ts';
import type { Random } from '../base/random.ts';
import { bodyBytes } from './object-name.ts';
import type { ByteRange, ObjectStore, StoredObject } from './object-store.ts';

interface RetryOptions {
  readonly clock: Pick<Clock, 'sleep'>;
  readonly random: Random;
  /** Calls in all, the first included. */
  readonly attempts?: number;
  /** Wait before the second attempt, doubled before each later one, up to `delayMsMax`; half is chance. */
  readonly delayMsFirst?: number;
  readonly delayMsMax?: number;
}

/** Bytes read back at once to compare. */
const compareBytesMax = 4 * 1024 * 1024;

/** True for `store-unreachable`, unless the error says that waiting is of no use. */
export function isTransientStoreError(error: unknown): boolean {
  return isCodrError(error, 'store-unreachable') && error.facts.transient !== false;
}

export class RetryingObjectStore implements ObjectStore {
  readonly url: string;
  readonly #store: ObjectStore;
  readonly #options: Required<RetryOptions>;

  constructor(store: ObjectStore, options: RetryOptions) {
    this.url = store.url;
    this.#store = store;
    this.#options = { attempts: 6, delayMsFirst: 200, delayMsMax: 10_000, ...options };
  }

  /** As the port says; `exists` means that another object is there. */
  async create(
    name: string,
    body: readonly Uint8Array[],
    signal?: AbortSignal,
  ): Promise<'created' | 'exists'> {
    // Looking is not enough after an error: only the store's own answer says that the object is durable.
    const outcome = await this.#retry(signal, () => this.#store.create(name, body, signal));
    if (outcome === 'created') return outcome;
    // Networks too send a request again: the first answer can be the second's.
    return (await this.#isSame(name, body, signal)) ? 'created' : 'exists';
  }

  get(name: string, range?: ByteRange, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#retry(signal, () => this.#store.get(name, range, signal));
  }

  stat(name: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    return this.#retry(signal, () => this.#store.stat(name, signal));
  }

  async *list(prefix: string, signal?: AbortSignal): AsyncGenerator<StoredObject> {
    let last: string | undefined;
    for (let failures = 0; ; ) {
      try {
        for await (const object of this.#store.list(prefix, signal)) {
          if (last !== undefined && object.name <= last) continue;
          last = object.name;
          failures = 0;
          yield object;
        }
        return;
      } catch (error) {
        await this.#waitOrThrow(error, ++failures, signal);
      }
    }
  }

  listFolders(prefix: string, signal?: AbortSignal): Promise<string[]> {
    return this.#retry(signal, () => this.#store.listFolders(prefix, signal));
  }

  remove(name: string, signal?: AbortSignal): Promise<void> {
    return this.#retry(signal, () => this.#store.remove(name, signal));
  }

  async sweep(beforeMs: number, signal?: AbortSignal): Promise<number> {
    return (await this.#store.sweep?.(beforeMs, signal)) ?? 0;
  }

  async #retry<T>(signal: AbortSignal | undefined, call: () => Promise<T>): Promise<T> {
    for (let failures = 0; ; ) {
      try {
        return await call();
      } catch (error) {
        await this.#waitOrThrow(error, ++failures, signal);
      }
    }
  }

  async #waitOrThrow(error: unknown, failures: number, signal?: AbortSignal): Promise<void> {
    const { attempts, delayMsFirst, delayMsMax, clock, random } = this.#options;
    if (signal?.aborted || !isTransientStoreError(error) || failures >= attempts) throw error;
    const delayMs = Math.min(delayMsMax, delayMsFirst * 2 ** (failures - 1));
    await clock.sleep(Math.ceil(delayMs / 2) + random.below(Math.floor(delayMs / 2) + 1), signal);
  }

  /** True when `name` holds the bytes of `body`. */
  async #isSame(name: string, body: readonly Uint8Array[], signal?: AbortSignal): Promise<boolean> {
    const size = bodyBytes(body);
    if ((await this.stat(name, signal))?.size !== size) return false;
    const wanted = Buffer.concat(body);
    for (let offset = 0; offset < size; offset += compareBytesMax) {
      const there = await this.get(name, { offset, length: compareBytesMax }, signal);
      if (!equalBytes(wanted.subarray(offset, offset + compareBytesMax), there)) return false;
    }
    return true;
  }
}
