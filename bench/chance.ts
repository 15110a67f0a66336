// Random numbers with a seed: every run of the benchmarks makes the same documents.

/** Seeded generator (xorshift32); not for anything but test data. */
export class Chance {
  #state: number;
  readonly #words: readonly string[];

  constructor(seed: number) {
    this.#state = seed | 0 || 1;
    this.#words = Array.from({ length: 3000 }, () => this.#newWord());
  }

  /** A whole number from 0 up to 2^32. */
  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }

  below(end: number): number {
    return Math.floor(this.unit() * end);
  }

  unit(): number {
    return this.next() / 2 ** 32;
  }

  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  /** Frequent words come often, as in a language: the n-th about 1/n of the time. */
  word(): string {
    return this.#words[Math.floor(3000 ** this.unit()) - 1] as string;
  }

  hex(bytes: number): string {
    let text = '';
    while (text.length < bytes * 2) text += this.next().toString(16).padStart(8, '0');
    return text.slice(0, bytes * 2);
  }

  #newWord(): string {
    const letters = 'etaoinshrdlucmfwypvbgkjqxz';
    const length = 2 + this.below(8);
    let word = '';
    for (let i = 0; i < length; i++) word += letters[Math.floor(26 * this.unit() ** 1.7)];
    return word;
  }
}
