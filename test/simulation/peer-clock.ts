// Time as one peer of a simulated world has it. A peer that is frozen goes on nowhere: all that it waits for
// comes to it when it is woken, in any order. One that is dead is never woken.
import type { Clock } from '../../src/base/clock.ts';
import type { Random } from '../../src/base/random.ts';

export class PeerClock implements Clock {
  /** What its wall clock is ahead of the world's, ms. */
  aheadMs = 0;
  readonly #world: Clock;
  readonly #random: Random;
  #held: (() => void)[] | undefined;

  constructor(world: Clock, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  get isFrozen(): boolean {
    return this.#held !== undefined;
  }

  now(): number {
    return this.#world.now() + this.aheadMs;
  }

  monotonic(): number {
    return this.#world.monotonic();
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await this.#world.sleep(ms, signal);
    await this.pass();
  }

  /** Resolves when the peer goes on: at once unless it is frozen. */
  async pass(): Promise<void> {
    const held = this.#held;
    if (held) await new Promise<void>((wake) => held.push(wake));
  }

  freeze(): void {
    this.#held ??= [];
  }

  thaw(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    while (held.length > 0) held.splice(this.#random.below(held.length), 1)[0]?.();
  }
}
