// What a source bears at most, whoever reads it: the process that runs a copy divides it among the pieces that
// are read at the same time, wherever they are, and hands out no more than there is.

/** Absent: no limit. */
export interface SourceLimits {
  /** Pieces that are read at a time. */
  readonly readers?: number;
  readonly bytesPerSecond?: number;
}

/** Rates are sums of parts: what rounding makes of them is no excess. */
const tolerance = 1 + 1e-9;

export class SourceShares {
  readonly #limits: SourceLimits;
  readonly #waiting = new Set<() => void>();
  #readers = 0;
  #given = 0;

  constructor(limits: SourceLimits = {}) {
    this.#limits = limits;
  }

  /**
   * Runs `read` with its share of the rate, 0 for no limit, once there is room. `most`: pieces that could be read at
   * a time. Errors: those of the work; the signal's reason.
   */
  async use<T>(
    most: number,
    signal: AbortSignal,
    read: (bytesPerSecond: number) => Promise<T>,
  ): Promise<T> {
    const { readers = Number.POSITIVE_INFINITY, bytesPerSecond = 0 } = this.#limits;
    const share = bytesPerSecond / Math.max(1, Math.min(readers, most));
    const hasRoom = (): boolean =>
      this.#readers < readers && this.#given + share <= bytesPerSecond * tolerance;
    while (!hasRoom()) await this.#freed(signal);
    signal.throwIfAborted();
    this.#readers++;
    this.#given += share;
    try {
      return await read(share);
    } finally {
      this.#readers--;
      this.#given = this.#readers === 0 ? 0 : this.#given - share;
      for (const wake of this.#waiting) wake();
    }
  }

  async #freed(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
    signal.throwIfAborted();
  }
}
