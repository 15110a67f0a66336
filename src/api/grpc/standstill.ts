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

  constructor(clock: Pick<Clock, 'monotonic' | 'sleep'>) {
    this.#clock = clock;
  }

  /** True right after it stood still. */
  get hasJustEnded(): boolean {
    return this.#clock.monotonic() - this.#wokeAtMs < lateMs;
  }

  /** Looks until the signal is aborted. A timer is heard before what other machines have sent. */
  async watch(signal: AbortSignal): Promise<void> {
    const clock = this.#clock;
    for (let lookedAtMs = clock.monotonic(); ; ) {
      try {
        await clock.sleep(lookEveryMs, signal);
      } catch {
        return;
      }
      const nowMs = clock.monotonic();
      if (nowMs - lookedAtMs > lookEveryMs + stillMsMin) this.#wokeAtMs = nowMs;
      lookedAtMs = nowMs;
    }
  }
}
