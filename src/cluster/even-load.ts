// Who of the places has worked more than the others since the pool began to hand out pieces: by what their processors
// did in all, so that it counts what a process does besides. Each place tells its own while it works.
import type { Clock } from '../base/clock.ts';

/**
 * Times the mean of the others. What a process does besides has processors of its own but no bytes: of even processors
 * its pieces would be too few, of even pieces its processors too busy.
 */
const aheadBy = 1.05;
/** A pause that is longer begins a new reckoning: what was done before is no reason any more. */
const pauseMs = 10_000;

interface Worked {
  readonly fromMs: number;
  nowMs: number;
}

export class EvenLoad {
  readonly #clock: Pick<Clock, 'monotonic'>;
  /** By place; one that has begun anew is another object. */
  readonly #worked = new Map<object, Worked>();
  #ownFromMs = 0;
  #endedAtMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** The first piece begins after a time without any. */
  begin(ownCpuMs: number): void {
    if (this.#clock.monotonic() - this.#endedAtMs <= pauseMs) return;
    this.#worked.clear();
    this.#ownFromMs = ownCpuMs;
  }

  /** No piece runs any more. */
  end(): void {
    this.#endedAtMs = this.#clock.monotonic();
  }

  /** All that the place has worked so far. A place that is new has nothing to make up for: the reckoning begins anew. */
  told(place: object, cpuMs: number, ownCpuMs: number): void {
    const known = this.#worked.get(place);
    if (known) {
      known.nowMs = cpuMs;
      return;
    }
    for (const [one, { nowMs }] of this.#worked) this.#worked.set(one, { fromMs: nowMs, nowMs });
    this.#worked.set(place, { fromMs: cpuMs, nowMs: cpuMs });
    this.#ownFromMs = ownCpuMs;
  }

  /** More than the mean of the others that have told, a slot, by a twentieth. */
  isAhead(
    own: { readonly cpuMs: number; readonly slots: number },
    others: readonly { readonly slots: number }[],
  ): boolean {
    const shares = others.flatMap((place) => {
      const worked = this.#worked.get(place);
      return worked ? [(worked.nowMs - worked.fromMs) / place.slots] : [];
    });
    if (shares.length === 0) return false;
    const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
    return (own.cpuMs - this.#ownFromMs) / own.slots > mean * aheadBy;
  }
}
