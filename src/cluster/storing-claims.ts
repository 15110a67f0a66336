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

export class StoringClaims {
  /** Two words of each fingerprint. */
  readonly #words: Uint32Array;
  readonly #sessions: Float64Array;
  readonly #sinceMs: Float64Array;
  readonly #mask: number;
  readonly #ttlMs: number;

  constructor({ entriesMax = defaultEntriesMax, ttlMs = defaultTtlMs }: ClaimOptions = {}) {
    this.#words = new Uint32Array(entriesMax * 2);
    this.#sessions = new Float64Array(entriesMax);
    this.#sinceMs = new Float64Array(entriesMax).fill(Number.NEGATIVE_INFINITY);
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
    const words = this.#words;
    const first = (a & this.#mask) * ways;
    let place = first;
    let isSame = false;
    for (let i = first; i < first + ways; i++) {
      isSame = words[i * 2] === a && words[i * 2 + 1] === b;
      if (isSame || (this.#sinceMs[i] as number) < (this.#sinceMs[place] as number)) place = i;
      if (isSame) break;
    }
    const isFresh = isSame && nowMs - (this.#sinceMs[place] as number) < this.#ttlMs;
    const other = this.#sessions[place] as number;
    if (isFresh && other < session && lives(other)) return true;
    words[place * 2] = a;
    words[place * 2 + 1] = b;
    this.#sessions[place] = session;
    this.#sinceMs[place] = nowMs;
    return false;
  }
}
