// A clock for tests: time stands still until the test moves it, or jumps to the next sleeper when
// nothing else is left to run. Sleepers wake in the order of their times, then of their calls.
import type { Clock } from '../../src/base/clock.ts';

interface Sleeper {
  readonly atMs: number;
  wake(): void;
}

export class ManualClock implements Clock {
  /** Lengths of all sleeps asked for, in ms, in the order of asking. */
  readonly sleptMs: number[] = [];
  readonly #startMs: number;
  readonly #jumps: boolean;
  #elapsedMs = 0;
  /** In the order in which they wake. */
  readonly #sleepers: Sleeper[] = [];

  /** `jumps`: each sleep ends by itself, at its time, on a later turn of the event loop. */
  constructor(options: { startMs?: number; jumps?: boolean } = {}) {
    this.#startMs = options.startMs ?? 1_700_000_000_000;
    this.#jumps = options.jumps ?? false;
  }

  now(): number {
    return this.#startMs + this.#elapsedMs;
  }

  monotonic(): number {
    return this.#elapsedMs;
  }

  get sleeping(): number {
    return this.#sleepers.length;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.sleptMs.push(ms);
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const leave = (): void => {
        const at = this.#sleepers.indexOf(sleeper);
        if (at >= 0) this.#sleepers.splice(at, 1);
        reject(signal?.reason);
      };
      const sleeper: Sleeper = {
        atMs: this.#elapsedMs + ms,
        wake: () => {
          signal?.removeEventListener('abort', leave);
          resolve();
        },
      };
      signal?.addEventListener('abort', leave, { once: true });
      this.#queue(sleeper);
      if (this.#jumps) setImmediate(() => this.#wakeNext(Number.POSITIVE_INFINITY));
    });
  }

  /** Moves time on by `ms`, waking sleepers at their times; what they start runs before the next wakes. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#elapsedMs + ms;
    do await new Promise<void>((turn) => setImmediate(turn));
    while (this.#wakeNext(endMs));
    this.#elapsedMs = endMs;
    await new Promise<void>((turn) => setImmediate(turn));
  }

  /** Runs what can run, then moves to the next sleeper and wakes it. False when nobody sleeps. */
  async step(): Promise<boolean> {
    await new Promise<void>((turn) => setImmediate(turn));
    const woken = this.#wakeNext(Number.POSITIVE_INFINITY);
    await new Promise<void>((turn) => setImmediate(turn));
    return woken;
  }

  /** Behind all that wake at its time or before. */
  #queue(sleeper: Sleeper): void {
    let at = this.#sleepers.length;
    while (at > 0 && (this.#sleepers[at - 1] as Sleeper).atMs > sleeper.atMs) at--;
    this.#sleepers.splice(at, 0, sleeper);
  }

  #wakeNext(endMs: number): boolean {
    const [next] = this.#sleepers;
    if (!next || next.atMs > endMs) return false;
    this.#sleepers.shift();
    this.#elapsedMs = Math.max(this.#elapsedMs, next.atMs);
    next.wake();
    return true;
  }
}
