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
  #a: bigint;
  #b: bigint;

  constructor(seed: number | bigint) {
    let state = BigInt.asUintN(64, BigInt(seed));
    const next = (): bigint => {
      state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
      let z = state;
      z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
      z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
      return z ^ (z >> 31n);
    };
    this.#a = next();
    this.#b = next() || 1n;
  }

  bytes(count: number): Uint8Array {
    const out = Buffer.alloc(count);
    for (let i = 0; i < count; i++) out[i] = this.below(256);
    return out;
  }

  below(bound: number): number {
    return Number(this.#next() % BigInt(bound));
  }

  #next(): bigint {
    let x = this.#a;
    const y = this.#b;
    this.#a = y;
    x = BigInt.asUintN(64, x ^ (x << 23n));
    this.#b = x ^ y ^ (x >> 17n) ^ (y >> 26n);
    return BigInt.asUintN(64, this.#b + y);
  }
}
