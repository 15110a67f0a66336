// The rate of a restore, divided among those who load and read back: a piece that goes to another peer takes its part
// along, and gives it back when it ends; all that is done here shares the rest. Together they never have more than all.
import type { Clock } from '../../base/clock.ts';
import { Throttle } from '../../base/throttle.ts';

/** What a piece that is done elsewhere may have. */
export interface RatePart {
  readonly bytesPerSecond: number;
  /** Once; later calls do nothing. */
  giveBack(): void;
}

export class DividedRate {
  /** Of all that is done here. */
  readonly throttle: Throttle;
  readonly #bytesPerSecond: number;
  readonly #parts = new Set<RatePart>();

  /** `bytesPerSecond`: more than 0. */
  constructor(bytesPerSecond: number, clock: Pick<Clock, 'monotonic' | 'sleep'>) {
    this.#bytesPerSecond = bytesPerSecond;
    this.throttle = new Throttle(bytesPerSecond, clock);
  }

  /** `slots`: pieces that are done at a time, here and elsewhere. Something always stays for what is done here. */
  take(slots: number): RatePart {
    const bytesPerSecond = Math.min(this.#bytesPerSecond / slots, this.#left / 2);
    const part: RatePart = {
      bytesPerSecond,
      giveBack: () => {
        if (this.#parts.delete(part)) this.throttle.change(this.#left);
      },
    };
    this.#parts.add(part);
    this.throttle.change(this.#left);
    return part;
  }

  get #left(): number {
    const given = [...this.#parts].reduce((sum, part) => sum + part.bytesPerSecond, 0);
    return this.#bytesPerSecond - given;
  }
}

/** The part that one piece has right now: another each time that it is handed out anew. */
export class GivenPart {
  readonly #rate: DividedRate | undefined;
  #part: RatePart | undefined;

  /** Without a rate there is no limit, and nothing to hand out. */
  constructor(rate: DividedRate | undefined) {
    this.#rate = rate;
  }

  take(slots: number): { readonly bytesPerSecond?: number } {
    this.giveBack();
    this.#part = this.#rate?.take(slots);
    return this.#part ? { bytesPerSecond: this.#part.bytesPerSecond } : {};
  }

  giveBack(): void {
    this.#part?.giveBack();
    this.#part = undefined;
  }
}
