// Which unknown fingerprints somebody is about to store, as the owner of their slots remembers it for a while: whoever
// asked first, by the age of its piece of work. Claims save space and decide nothing else: they are bounded,
// overwritten, forgotten, and nobody gives them back.

interface ClaimOptions {
  /** Claims kept, a power of 2; 24 bytes each. */
  readonly entriesMax?: number;
  /** How long one counts that is not asked for again. */
  readonly ttlMs?: number;
}

/** Four times what 64 workers have under way in segments of 64 MiB. */
const defaultEntriesMax = 2 ** 18;
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
   * The fingerprint at `ids[at]` is unknown, and `session` asks for it. True: an older session (a lower number) is
   * storing it; else it is now claimed by this one.
   */
  claim(ids: Buffer, at: number, session: number, nowMs: number): boolean {
    // The first 12 bits are much the same for all ids of an owner.
    const [a, b] = [ids.readUInt32LE(at + 4), ids.readUInt32LE(at + 8)];
    const first = (a & this.#mask) * ways;
    let place = first;
    for (let i = first; i < first + ways; i++) {
      if (this.#words[i * 2] === a && this.#words[i * 2 + 1] === b) {
        place = i;
        break;
      }
      if ((this.#sinceMs[i] as number) < (this.#sinceMs[place] as number)) place = i;
    }
    const isSame = this.#words[place * 2] === a && this.#words[place * 2 + 1] === b;
    const isLive = isSame && nowMs - (this.#sinceMs[place] as number) < this.#ttlMs;
    if (isLive && (this.#sessions[place] as number) < session) return true;
    this.#words[place * 2] = a;
    this.#words[place * 2 + 1] = b;
    this.#sessions[place] = session;
    this.#sinceMs[place] = nowMs;
    return false;
  }
}
