// Waiting for what a coordinator hints at, or for a time, or for a word of this process: whichever comes first. What
// comes while nobody waits is not lost.
import type { Clock } from '../../base/clock.ts';
import type { Coordinator } from '../../coordination/coordinator.ts';

export class OperationHints implements Disposable {
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  #isTold = false;
  #isOver = false;
  #failure: { readonly error: unknown } | undefined;
  #wake: () => void = () => {};

  /** Of changes under any of the prefixes from now on. */
  constructor(
    coordinator: Coordinator,
    prefixes: readonly string[],
    { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  ) {
    this.#clock = clock;
    const stop = AbortSignal.any([signal, this.#stop.signal]);
    for (const prefix of prefixes) void this.#listen(coordinator.watch(prefix, stop));
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  /** As good as a hint. */
  nudge(): void {
    this.#isTold = true;
    this.#wake();
  }

  /** False when no more hints will come. Errors: those of the watch. */
  async next(withinMs: number | undefined): Promise<boolean> {
    if (!this.#isTold) await this.#told(withinMs);
    this.#isTold = false;
    if (this.#failure) throw this.#failure.error;
    return !this.#isOver;
  }

  async #told(withinMs: number | undefined): Promise<void> {
    const woken = new Promise<void>((wake) => {
      this.#wake = wake;
    });
    if (withinMs === undefined) return await woken;
    const done = new AbortController();
    try {
      await Promise.race([woken, this.#clock.sleep(withinMs, done.signal)]);
    } finally {
      done.abort();
    }
  }

  async #listen(hints: AsyncIterable<void>): Promise<void> {
    try {
      for await (const _ of hints) this.nudge();
      this.#isOver = true;
    } catch (error) {
      this.#failure = { error };
    }
    this.nudge();
  }
}
