// Sees that this process stood still: it was frozen, or had no processor. What was asked of it meanwhile lay in the
// buffers of the system, and whoever asked has given it up by now; done late it could harm what others do since.
import type { Clock } from '../../base/clock.ts';

const lookEveryMs = 500;
/** A processor that is shared by many makes an event loop wait too. */
const stillMsMin = 5000;
/** By then all that lay in the buffers has been read. */
const lateMs = 1000;

export class Standstill {
  readonly #clock: Pick<Clock, 'monotonic' | 'sleep'>;
  #wokeAtMs = Number.NEGATIVE_INFINITY;
  /** While nobody looks, it stands still for nobody. */
  #lookedAtMs = Number.POSITIVE_INFINITY;

  constructor(clock: Pick<Clock, 'monotonic' | 'sleep'>) {
    this.#clock = clock;
  }

  /** True right after it stood still. What others have sent may be heard before the timer that looks. */
  get hasJustEnded(): boolean {
    this.#look();
    return this.#clock.monotonic() - this.#wokeAtMs < lateMs;
  }

  /** Looks until the signal is aborted. */
  async watch(signal: AbortSignal): Promise<void> {
    this.#lookedAtMs = this.#clock.monotonic();
    try {
      for (;;) {
        await this.#clock.sleep(lookEveryMs, signal);
        this.#look();
        this.#lookedAtMs = this.#clock.monotonic();
      }
    } catch {
      this.#lookedAtMs = Number.POSITIVE_INFINITY;
    }
  }

  #look(): void {
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#lookedAtMs <= lookEveryMs + stillMsMin) return;
    this.#wokeAtMs = nowMs;
    this.#lookedAtMs = nowMs;
  }
}
