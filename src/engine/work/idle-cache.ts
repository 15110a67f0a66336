// Things that cost time to open, kept for a while after their last use.
import type { Clock } from '../../base/clock.ts';

interface Slot<T> {
  readonly value: Promise<T>;
  uses: number;
  /** Aborted when the slot is taken again, or the cache ends. */
  idle: AbortController | undefined;
}

export class IdleCache<T extends AsyncDisposable> implements AsyncDisposable {
  readonly #clock: Pick<Clock, 'sleep'>;
  readonly #idleMs: number;
  readonly #slots = new Map<string, Slot<T>>();

  constructor(clock: Pick<Clock, 'sleep'>, idleMs: number) {
    this.#clock = clock;
    this.#idleMs = idleMs;
  }

  /**
   * Opened when it is not there; shared with whoever uses it at the same time. One that failed is opened anew, also by
   * those who waited for it: who began to open it may have been called off.
   */
  async use<R>(key: string, open: () => Promise<T>, work: (value: T) => Promise<R>): Promise<R> {
    const joined = this.#slots.get(key);
    if (!joined) return await this.#useSlot(key, this.#begin(key, open), work);
    let isOpen = false;
    try {
      return await this.#useSlot(key, joined, async (value) => {
        isOpen = true;
        return await work(value);
      });
    } catch (error) {
      if (isOpen) throw error;
    }
    const slot = this.#slots.get(key) ?? this.#begin(key, open);
    return await this.#useSlot(key, slot, work);
  }

  #begin(key: string, open: () => Promise<T>): Slot<T> {
    const slot: Slot<T> = { value: open(), uses: 0, idle: undefined };
    this.#slots.set(key, slot);
    return slot;
  }

  async #useSlot<R>(key: string, slot: Slot<T>, work: (value: T) => Promise<R>): Promise<R> {
    slot.uses++;
    slot.idle?.abort();
    slot.idle = undefined;
    try {
      return await work(await slot.value);
    } catch (error) {
      // What failed may be what was opened: the next one begins anew.
      if (this.#slots.get(key) === slot) this.#slots.delete(key);
      throw error;
    } finally {
      slot.uses--;
      if (slot.uses === 0) void this.#leave(key, slot);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const slots = [...this.#slots.values()];
    this.#slots.clear();
    for (const slot of slots) {
      slot.idle?.abort();
      if (slot.uses === 0) await dispose(slot);
    }
  }

  async #leave(key: string, slot: Slot<T>): Promise<void> {
    if (this.#slots.get(key) === slot) {
      const idle = new AbortController();
      slot.idle = idle;
      try {
        await this.#clock.sleep(this.#idleMs, idle.signal);
      } catch {
        return; // used again, or disposed of
      }
      if (this.#slots.get(key) === slot) this.#slots.delete(key);
    }
    await dispose(slot);
  }
}

/** What cannot be opened or closed is told to whoever uses it. */
async function dispose<T extends AsyncDisposable>({ value }: Slot<T>): Promise<void> {
  await value.then((one) => one[Symbol.asyncDispose]()).catch(() => {});
}
