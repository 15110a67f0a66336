// Which unknown fingerprints somebody is about to store, as the owner of their slots remembers it for a while: whoever
// asked first, by the age of its piece of work. Claims save space and decide nothing else: they are bounded,
// overwritten, forgotten, and nobody gives them back.

interface ClaimOptions {
  /** Claims kept, a power of 2; 16 bytes each. */
  readonly entriesMax?: number;
  /** How long one counts that is not asked for again. */
  readonly ttlMs?: number;
}

/** An owner hears of about 4,096 leaves (a segment of 64 MiB) for each worker of one peer. Small enough to stay in cache. */
const defaultEntriesMax = 2 ** 16;
const defaultTtlMs = 60_000;
/** Places in which a claim may stand: 64 bytes, which a processor loads at once. */
const ways = 4;

/** A place is four words: two of the session, one of the fingerprint, and since when, ms after the first claim and 1. */
const wordsPerPlace = 4;

export class StoringClaims {
  /** The same memory twice. */
  readonly #words: Uint32Array;
  readonly #sessions: Float64Array;
  readonly #mask: number;
  readonly #ttlMs: number;
  #beginMs: number | undefined;

  constructor({ entriesMax = defaultEntriesMax, ttlMs = defaultTtlMs }: ClaimOptions = {}) {
    this.#words = new Uint32Array(entriesMax * wordsPerPlace);
    this.#sessions = new Float64Array(this.#words.buffer);
    this.#mask = entriesMax / ways - 1;
    this.#ttlMs = ttlMs;
  }

  /**
   * A fingerprint whose second and third 32 bits are `a` and `b` is unknown, and `session` asks for it. True: an older
   * session (a lower number) is storing it, and by `lives` its peer is there; else it is now claimed by this one. Of `a`
   * only the bits count that choose the places: of 2^46 others one is taken for it, and waits for nothing.
   */
  claim(
    a: number,
    b: number,
    { session, nowMs }: { readonly session: number; readonly nowMs: number },
    lives: (session: number) => boolean,
  ): boolean {
    const words = this.#words;
    const now = this.#wordOf(nowMs);
    let at = (a & this.#mask) * ways * wordsPerPlace;
    const end = at + ways * wordsPerPlace;
    let isSame = false;
    for (let i = at; i < end && !isSame; i += wordsPerPlace) {
      const since = words[i + 3] as number;
      isSame = words[i + 2] === b && since > 0;
      if (isSame || since < (words[at + 3] as number)) at = i;
    }
    const other = this.#sessions[at >> 1] as number;
    const isFresh = isSame && now - (words[at + 3] as number) < this.#ttlMs;
    if (isFresh && other < session && lives(other)) return true;
    this.#sessions[at >> 1] = session;
    words[at + 2] = b;
    words[at + 3] = now;
    return false;
  }

  /** After 49 days a new reckoning begins: claims of before are forgotten. */
  #wordOf(nowMs: number): number {
    this.#beginMs ??= nowMs;
    const word = Math.floor(nowMs - this.#beginMs) + 1;
    if (word < 2 ** 32) return word;
    this.#words.fill(0);
    this.#beginMs = nowMs;
    return 1;
  }
}
