// A set of pack ordinals of one lineage, as a sorted list of ranges. Packs are numbered in the order in
// which a lineage first relies on them, so the packs of one tree are few ranges, however many they are.
// Text form: `0-45,47,50-99`; empty text is the empty set.
import { assert } from '../../base/assert.ts';

type Range = readonly [first: number, last: number];

export class PackSet {
  readonly #ranges: readonly Range[];

  private constructor(ranges: readonly Range[]) {
    this.#ranges = ranges;
  }

  static readonly empty: PackSet = new PackSet([]);

  static of(ordinals: Iterable<number>): PackSet {
    const sorted = [...new Set(ordinals)].sort((a, b) => a - b);
    return new PackSet(joined(sorted.map((n) => [n, n])));
  }

  static parse(text: string): PackSet {
    if (text === '') return PackSet.empty;
    const ranges = text.split(',').map((part): Range => {
      const [first, last] = part.split('-').map(Number);
      assert(first !== undefined && Number.isSafeInteger(first), `"${part}" is a range of packs`);
      return [first, last ?? first];
    });
    return new PackSet(ranges);
  }

  static unionOf(sets: readonly PackSet[]): PackSet {
    const all = sets.flatMap((set) => set.#ranges).sort((a, b) => a[0] - b[0]);
    return new PackSet(joined(all));
  }

  union(other: PackSet): PackSet {
    return PackSet.unionOf([this, other]);
  }

  has(ordinal: number): boolean {
    let low = 0;
    let high = this.#ranges.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const [first, last] = this.#ranges[middle] as Range;
      if (ordinal < first) high = middle - 1;
      else if (ordinal > last) low = middle + 1;
      else return true;
    }
    return false;
  }

  get size(): number {
    return this.#ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  }

  *[Symbol.iterator](): Iterator<number> {
    for (const [first, last] of this.#ranges) for (let n = first; n <= last; n++) yield n;
  }

  toString(): string {
    return this.#ranges.map(([a, b]) => (a === b ? `${a}` : `${a}-${b}`)).join(',');
  }
}

/** Joins touching and overlapping ranges; they must ascend by their first number. */
function joined(ranges: readonly Range[]): Range[] {
  const out: [number, number][] = [];
  for (const [first, last] of ranges) {
    const before = out.at(-1);
    if (before && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else out.push([first, last]);
  }
  return out;
}
