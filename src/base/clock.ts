// Time as an argument. Nothing below `node/` reads a clock of its own.

export interface Clock {
  /** Wall clock, milliseconds since 1970. For people and object ages, never for order or leases. */
  now(): number;
  /** Monotonic milliseconds since an arbitrary start. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
