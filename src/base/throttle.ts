// Holds a rate on average: who has had more than the time so far allows waits until it is paid for.
import type { Clock } from './clock.ts';

export class Throttle {
  readonly #bytesPerSecond: number;
  readonly #clock: Pick<Clock, 'monotonic' | 'sleep'>;
  /** Monotonic ms at which all bytes so far are paid for. */
  #paidAtMs = 0;

  /** 0: no limit. */
  constructor(bytesPerSecond: number, clock: Pick<Clock, 'monotonic' | 'sleep'>) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#clock = clock;
  }

  /** For bytes that were had just now. Rejects with the signal's reason. */
  async pay(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#bytesPerSecond === 0) return;
    const now = this.#clock.monotonic();
    // Time that went by unused is not saved up.
    this.#paidAtMs = Math.max(now, this.#paidAtMs) + (bytes / this.#bytesPerSecond) * 1000;
    if (this.#paidAtMs > now) await this.#clock.sleep(this.#paidAtMs - now, signal);
  }
}
