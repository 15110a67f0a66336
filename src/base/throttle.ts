// Holds a rate on average: who has had more than the time so far allows waits until it is paid for.
import type { Clock } from './clock.ts';

export class Throttle {
  #bytesPerSecond: number;
  readonly #clock: Pick<Clock, 'monotonic' | 'sleep'>;
  /** Monotonic ms at which all bytes so far are paid for. */
  #paidAtMs = Number.NEGATIVE_INFINITY;

  /** 0: no limit. */
  constructor(bytesPerSecond: number, clock: Pick<Clock, 'monotonic' | 'sleep'>) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#clock = clock;
  }

  /** From now on; what was had before is paid for as it was. */
  change(bytesPerSecond: number): void {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Bytes that are had now; fewer than none: of those that were charged. Time that went by unused is not saved up. */
  charge(bytes: number): void {
    if (this.#bytesPerSecond === 0) return;
    const fromMs = Math.max(this.#paidAtMs, this.#clock.monotonic());
    this.#paidAtMs = fromMs + (bytes / this.#bytesPerSecond) * 1000;
  }

  /** Resolves when all bytes so far are paid for. Rejects with the signal's reason. */
  async paid(signal?: AbortSignal): Promise<void> {
    for (;;) {
      const waitMs = this.#paidAtMs - this.#clock.monotonic();
      if (waitMs <= 0) return;
      await this.#clock.sleep(waitMs, signal);
    }
  }

  /** Has the bytes now, and resolves when they are paid for. Rejects with the signal's reason. */
  async pay(bytes: number, signal: AbortSignal): Promise<void> {
    this.charge(bytes);
    const waitMs = this.#paidAtMs - this.#clock.monotonic();
    if (waitMs > 0) await this.#clock.sleep(waitMs, signal);
  }
}
