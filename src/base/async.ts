// Small tools for asynchronous code: bounded parallelism, bounded queues, mutual exclusion.
// Nothing here grows without a limit that the caller named.

/**
 * Runs `work` over `items`, at most `limit` at a time; the first failure, also one of `items`, aborts the rest and is
 * thrown once that has ended.
 */
export async function forEachLimit<T>(
  items: Iterable<T> | AsyncIterable<T>,
  limit: number,
  work: (item: T, signal: AbortSignal) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const stop = new AbortController();
  const both = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const running = new Set<Promise<void>>();
  let failure: { error: unknown } | undefined;
  const fail = (error: unknown): void => {
    failure ??= { error };
    stop.abort(error);
  };
  try {
    for await (const item of items as AsyncIterable<T>) {
      if (both.aborted) break;
      const run: Promise<void> = work(item, both)
        .catch(fail)
        .finally(() => running.delete(run));
      running.add(run);
      while (running.size >= limit && !failure) await Promise.race(running);
    }
  } catch (error) {
    fail(error);
  }
  await Promise.all(running);
  if (failure) throw failure.error;
  signal?.throwIfAborted();
}

/** The results of `work` over `items`, in their order; otherwise as {@link forEachLimit}. */
export async function mapLimit<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, signal: AbortSignal) => Promise<R>,
  signal?: AbortSignal,
): Promise<R[]> {
  const results: R[] = [];
  const one = async ([i, item]: [number, T], stop: AbortSignal): Promise<void> => {
    results[i] = await work(item, stop);
  };
  await forEachLimit(items.entries(), limit, one, signal);
  return results;
}

/** The promise's outcome, or the signal's reason if that comes first. The promise itself goes on. */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  // Once nobody waits for it, how it ends is no news.
  promise.catch(() => {});
  signal.throwIfAborted();
  let onAbort: () => void = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** One holder at a time, in the order of asking. */
export class Mutex {
  #tail: Promise<void> = Promise.resolve();

  async run<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#tail;
    let release: () => void = () => {};
    this.#tail = new Promise((resolve) => {
      release = resolve;
    });
    await before;
    try {
      return await work();
    } finally {
      release();
    }
  }
}

/** At most `permits` units in use; waiting is first come, first served. */
export class Semaphore {
  #free: number;
  readonly #waiting: { need: number; go: () => void }[] = [];

  constructor(permits: number) {
    this.#free = permits;
  }

  async take(count = 1): Promise<void> {
    if (this.#waiting.length === 0 && this.#free >= count) {
      this.#free -= count;
      return;
    }
    await new Promise<void>((go) => {
      this.#waiting.push({ need: count, go });
    });
  }

  give(count = 1): void {
    this.#free += count;
    for (let next = this.#waiting[0]; next && this.#free >= next.need; next = this.#waiting[0]) {
      this.#free -= next.need;
      this.#waiting.shift();
      next.go();
    }
  }
}

/** A bounded queue between one producer and one consumer. `push` waits while the queue is full. */
export class AsyncQueue<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  readonly #limit: number;
  #ended = false;
  #error: { error: unknown } | undefined;
  #wakeConsumer: (() => void) | undefined;
  #wakeProducer: (() => void) | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** False when the consumer has gone: the producer should stop. */
  async push(item: T): Promise<boolean> {
    while (this.#items.length >= this.#limit && !this.#ended) {
      await new Promise<void>((wake) => {
        this.#wakeProducer = wake;
      });
    }
    if (this.#ended) return false;
    this.#items.push(item);
    this.#wakeConsumer?.();
    return true;
  }

  end(): void {
    this.#ended = true;
    this.#wakeConsumer?.();
    this.#wakeProducer?.();
  }

  fail(error: unknown): void {
    this.#error ??= { error };
    this.end();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    try {
      for (;;) {
        const item = this.#items.shift();
        if (item !== undefined) {
          this.#wakeProducer?.();
          yield item;
        } else if (this.#error) {
          throw this.#error.error;
        } else if (this.#ended) {
          return;
        } else {
          await new Promise<void>((wake) => {
            this.#wakeConsumer = wake;
          });
        }
      }
    } finally {
      this.end();
    }
  }
}

/** A stream of one item. */
export async function* once<T>(value: T): AsyncGenerator<T> {
  yield value;
}
