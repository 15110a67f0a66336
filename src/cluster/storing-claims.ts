// Which unknown fingerprints somebody is about to store, as the owner of their slots remembers it for a while: whoever
// asked first, by the age of its piece of work. Claims save space and decide nothing else: they are bounded,
// overwritten, forgotten, and nobody gives them back.

interface ClaimOptions {
  /** Claims kept, a power of 2; 24 bytes each. */
  readonly entriesMax?: number;
  /** How long one counts that is not asked for again. */
  readonly ttlMs?: number;
}

/** An owner hears of about 4,096 leaves (a segment of 64 MiB) for each worker of one peer. Small enough to stay in cache. */
const defaultEntriesMax = 2 ** 16;
const defaultTtlMs = 60_000;
/** Places in which a claim may stand. */
const ways = 4;

/** A place is three numbers of 8 bytes: the session, since when (ms), and two words of the fingerprint. */
const numbersPerPlace = 3;

export class StoringClaims {
  /** The same memory twice: what one claim touches lies side by side. */
  readonly #numbers: Float64Array;
  readonly #words: Uint32Array;
  readonly #mask: number;
  readonly #ttlMs: number;

  constructor({ entriesMax = defaultEntriesMax, ttlMs = defaultTtlMs }: ClaimOptions = {}) {
    this.#numbers = new Float64Array(entriesMax * numbersPerPlace);
    this.#words = new Uint32Array(this.#numbers.buffer);
    for (let place = 0; place < entriesMax; place++) {
      this.#numbers[place * numbersPerPlace + 1] = Number.NEGATIVE_INFINITY;
    }
    this.#mask = entriesMax / ways - 1;
    this.#ttlMs = ttlMs;
  }

  /**
   * A fingerprint whose second and third 32 bits are `a` and `b` is unknown, and `session` asks for it. True: an older
   * session (a lower number) is storing it, and by `lives` its peer is there; else it is now claimed by this one.
   */
  claim(
    a: number,
    b: number,
    { session, nowMs }: { readonly session: number; readonly nowMs: number },
    lives: (session: number) => boolean,
  ): boolean {
    const numbers = this.#numbers;
    const words = this.#words;
    const first = (a & this.#mask) * ways * numbersPerPlace;
    let at = first;
    let isSame = false;
    for (let way = 0, i = first; way < ways && !isSame; way++, i += numbersPerPlace) {
      isSame = words[i * 2 + 4] === a && words[i * 2 + 5] === b;
      if (isSame || (numbers[i + 1] as number) < (numbers[at + 1] as number)) at = i;
    }
    const isFresh = isSame && nowMs - (numbers[at + 1] as number) < this.#ttlMs;
    const other = numbers[at] as number;
    if (isFresh && other < session && lives(other)) return true;
    numbers[at] = session;
    numbers[at + 1] = nowMs;
    words[at * 2 + 4] = a;
    words[at * 2 + 5] = b;
    return false;
  }
}
