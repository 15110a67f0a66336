// What a check finds, gathered object by object.

export interface Problem {
  /** Name of the object in the store, or of the folder where one is missing. */
  readonly object: string;
  readonly problem: string;
  /** What can no longer be restored because of it, for people. Empty: nothing. */
  readonly affected: readonly string[];
  readonly remedy: string;
  readonly repaired: boolean;
}

export interface Finding {
  readonly object: string;
  readonly problem: string;
  readonly affected?: readonly string[];
  readonly remedy: string;
  readonly repaired?: boolean;
}

/** Lines about one object that say what is hurt; more are counted, not listed. */
const affectedMax = 100;

export class Problems {
  readonly #byName = new Map<string, { finding: Finding; affected: Set<string>; more: number }>();

  /** Told of the same problem again, it adds what is hurt. */
  add(finding: Finding): void {
    const name = `${finding.object}\0${finding.problem}`;
    const known = this.#byName.get(name) ?? { finding, affected: new Set<string>(), more: 0 };
    this.#byName.set(name, known);
    for (const one of finding.affected ?? []) this.#note(known, one);
  }

  /** Adds what is hurt to everything said about `object`. False when nothing was said. */
  hurt(object: string, affected: string): boolean {
    let known = false;
    for (const one of this.#byName.values()) {
      if (one.finding.object !== object) continue;
      this.#note(one, affected);
      known = true;
    }
    return known;
  }

  /** Takes back what was said about `object`, unless something is hurt by it. */
  forgive(object: string): void {
    for (const [name, { finding, affected }] of this.#byName) {
      if (finding.object === object && affected.size === 0) this.#byName.delete(name);
    }
  }

  has(object: string): boolean {
    return [...this.#byName.values()].some(({ finding }) => finding.object === object);
  }

  get list(): Problem[] {
    return [...this.#byName.values()].map(({ finding, affected, more }) => ({
      object: finding.object,
      problem: finding.problem,
      affected: more > 0 ? [...affected, `and ${more} more`] : [...affected],
      remedy: finding.remedy,
      repaired: finding.repaired ?? false,
    }));
  }

  #note(known: { affected: Set<string>; more: number }, text: string): void {
    if (known.affected.has(text)) return;
    if (known.affected.size < affectedMax) known.affected.add(text);
    else known.more++;
  }
}
