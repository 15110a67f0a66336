// Counts what goes to and comes from a store, by kind of call: for metrics, for the output of commands,
// and for tests that hold a use case to its number of calls.
import { bodyBytes } from './object-name.ts';
import type { ByteRange, ObjectStore, StoredObject } from './object-store.ts';

interface CallMeter {
  /** Calls begun. */
  calls: number;
  /** Calls that ended in an error, aborts included. */
  failures: number;
  /** Bytes of bodies: stored by `create` that returned `created`, read by `get`. */
  bytes: number;
}

type StoreCall = 'create' | 'get' | 'stat' | 'list' | 'listFolders' | 'remove' | 'sweep';

const emptyMeter = (): CallMeter => ({ calls: 0, failures: 0, bytes: 0 });

export class MeteredObjectStore implements ObjectStore {
  readonly url: string;
  /** Grows as calls go on; read it at any time. */
  readonly meters: Readonly<Record<StoreCall, Readonly<CallMeter>>>;
  readonly #meters: Record<StoreCall, CallMeter>;
  readonly #store: ObjectStore;

  constructor(store: ObjectStore) {
    this.url = store.url;
    this.#store = store;
    this.#meters = {
      create: emptyMeter(),
      get: emptyMeter(),
      stat: emptyMeter(),
      list: emptyMeter(),
      listFolders: emptyMeter(),
      remove: emptyMeter(),
      sweep: emptyMeter(),
    };
    this.meters = this.#meters;
  }

  async create(
    name: string,
    body: readonly Uint8Array[],
    signal?: AbortSignal,
  ): Promise<'created' | 'exists'> {
    const outcome = await this.#count('create', () => this.#store.create(name, body, signal));
    if (outcome === 'created') this.#meters.create.bytes += bodyBytes(body);
    return outcome;
  }

  async get(name: string, range?: ByteRange, signal?: AbortSignal): Promise<Uint8Array> {
    const bytes = await this.#count('get', () => this.#store.get(name, range, signal));
    this.#meters.get.bytes += bytes.length;
    return bytes;
  }

  stat(name: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    return this.#count('stat', () => this.#store.stat(name, signal));
  }

  async *list(prefix: string, signal?: AbortSignal): AsyncGenerator<StoredObject> {
    const meter = this.#meters.list;
    meter.calls++;
    try {
      yield* this.#store.list(prefix, signal);
    } catch (error) {
      meter.failures++;
      throw error;
    }
  }

  listFolders(prefix: string, signal?: AbortSignal): Promise<string[]> {
    return this.#count('listFolders', () => this.#store.listFolders(prefix, signal));
  }

  remove(name: string, signal?: AbortSignal): Promise<void> {
    return this.#count('remove', () => this.#store.remove(name, signal));
  }

  sweep(beforeMs: number, signal?: AbortSignal): Promise<number> {
    return this.#count('sweep', async () => (await this.#store.sweep?.(beforeMs, signal)) ?? 0);
  }

  async #count<T>(kind: StoreCall, call: () => Promise<T>): Promise<T> {
    const meter = this.#meters[kind];
    meter.calls++;
    try {
      return await call();
    } catch (error) {
      meter.failures++;
      throw error;
    }
  }
}
