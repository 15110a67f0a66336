// Chance as an argument. The system's source lives in `node/`; the seeded one here serves simulation
// and everything whose outcome must be repeatable.

export interface Random {
  /** `count` random bytes, owned by the caller. */
  bytes(count: number): Uint8Array;
  /** An integer in [0, bound). */
  below(bound: number): number;
}

/** xorshift128+ over a splitmix-expanded seed: equal seeds give equal sequences. Not for secrets. */
export class SeededRandom implements Random {
  // Each half of 64 bits as two integers of 32: simulations ask for millions, and a bigint is memory each time.
  #aHigh: number;
  #aLow: number;
  #bHigh: number;
  #bLow: number;
  /** Of the newest number. */
  #high = 0;
  #low = 0;

  constructor(seed: number | bigint) {
    let state = BigInt.asUintN(64, BigInt(seed));
    const next = (): bigint => {
      state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
      let z = state;
      z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
      z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
      return z ^ (z >> 31n);
    };
    const a = next();
    const b = next() || 1n;
    [this.#aHigh, this.#aLow] = [Number(a >> 32n) | 0, Number(BigInt.asUintN(32, a)) | 0];
    [this.#bHigh, this.#bLow] = [Number(b >> 32n) | 0, Number(BigInt.asUintN(32, b)) | 0];
  }

  bytes(count: number): Uint8Array {
    const out = Buffer.alloc(count);
    for (let i = 0; i < count; i++) {
      this.#step();
      out[i] = this.#low;
    }
    return out;
  }

  below(bound: number): number {
    this.#step();
    const high = this.#high;
    const low = this.#low;
    if (bound > quickMax) {
      return Number(((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)) % BigInt(bound));
    }
    let rest = (high >>> 16) % bound;
    rest = ((rest << 16) | (high & 0xffff)) % bound;
    rest = ((rest << 16) | (low >>> 16)) % bound;
    return ((rest << 16) | (low & 0xffff)) % bound;
  }

  /** x ^= x << 23; a becomes y, b becomes x ^ y ^ x >> 17 ^ y >> 26, and the number is their sum. */
  #step(): void {
    const yHigh = this.#bHigh;
    const yLow = this.#bLow;
    const xHigh = this.#aHigh ^ ((this.#aHigh << 23) | (this.#aLow >>> 9));
    const xLow = this.#aLow ^ (this.#aLow << 23);
    this.#aHigh = yHigh;
    this.#aLow = yLow;
    this.#bHigh = xHigh ^ yHigh ^ (xHigh >>> 17) ^ (yHigh >>> 26);
    this.#bLow = xLow ^ yLow ^ ((xLow >>> 17) | (xHigh << 15)) ^ ((yLow >>> 26) | (yHigh << 6));
    const low = (this.#bLow >>> 0) + (yLow >>> 0);
    this.#low = low | 0;
    this.#high = (this.#bHigh + yHigh + (low > 0xffffffff ? 1 : 0)) | 0;
  }
}

/** Up to here a remainder is found 16 bits at a time: what is left of it and 16 bits more are 31 bits at most. */
const quickMax = 2 ** 15;
