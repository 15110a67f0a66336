// Waiting for what a coordinator hints at, or for a time, or for a word of this process: whichever comes first. A
// hint that comes while nobody waits is not lost.
import type { Clock } from '../../base/clock.ts';

export class OperationHints {
  readonly #steps: AsyncIterator<void>;
  readonly #clock: Clock;
  #next: Promise<IteratorResult<void>> | undefined;
  #nudged = Promise.withResolvers<void>();

  constructor(hints: AsyncIterable<void>, clock: Clock) {
    this.#steps = hints[Symbol.asyncIterator]();
    this.#clock = clock;
  }

  /** As good as a hint. */
  nudge(): void {
    this.#nudged.resolve();
  }

  /** False when no more hints will come. Errors: those of the watch. */
  async next(withinMs: number | undefined): Promise<boolean> {
    this.#next ??= this.#steps.next();
    // It may fail when nobody waits for it any more.
    this.#next.catch(() => {});
    const done = new AbortController();
    const nudged = this.#nudged.promise.then(() => {
      this.#nudged = Promise.withResolvers();
    });
    const late = withinMs === undefined ? [] : [this.#clock.sleep(withinMs, done.signal)];
    try {
      const came = await Promise.race([this.#next, nudged, ...late]);
      if (!came) return true;
      this.#next = undefined;
      return !came.done;
    } finally {
      done.abort();
    }
  }
}
