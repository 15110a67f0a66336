// Where a run of items is cut: an item starts a leaf (or node) iff no other item whose start lies within
// ± half a leaf of its own start has a smaller (hash, key). The rule reads only keys and lengths nearby,
// so any part of a run is cut alike by whoever holds it. O(1) amortised an item; docs/format/tree.md.

/** What is known at the beginning of a run. */
export interface CutWindowOptions {
  /** Bytes on either side that decide: half the target size of a leaf. */
  readonly halfBytes: number;
  /**
   * True: the run begins at a cut, and its first item counts as smaller than every other. False: what
   * comes before is unknown, and only items more than `halfBytes` from the start can be decided.
   */
  readonly startsAtCut: boolean;
}

/** Cut lengths are never shorter than this: 8 bytes of overhead and one of key. */
const cutLengthMin = 9;

/**
 * Takes the items of one run in key order and tells which of them start a leaf. Since keys ascend, of
 * two equal hashes the earlier is the smaller: no key is ever compared.
 */
export class CutWindow {
  /** Start offset, in bytes from the beginning of the run, of the cut that was returned last. */
  cutStart = 0;
  readonly #half: number;
  readonly #startsAtCut: boolean;
  // A ring of the items of the last half leaf that are smaller than all after them, hashes ascending.
  readonly #mask: number;
  readonly #starts: Float64Array;
  readonly #hashes: Float64Array;
  #first = 0;
  #end = 0;
  // The one item that is a minimum of all seen so far within its window.
  #candidate = -1;
  #candidateStart = 0;
  #count = 0;
  #offset = 0;

  constructor({ halfBytes, startsAtCut }: CutWindowOptions) {
    this.#half = halfBytes;
    this.#startsAtCut = startsAtCut;
    const capacity = 2 ** Math.ceil(Math.log2(halfBytes / cutLengthMin + 2));
    this.#mask = capacity - 1;
    this.#starts = new Float64Array(capacity);
    this.#hashes = new Float64Array(capacity);
  }

  /** Sum of the lengths pushed so far. */
  get bytes(): number {
    return this.#offset;
  }

  /** The next item. Returns the index of an earlier item now known to start a leaf, or −1. */
  push(hash: number, cutLength: number): number {
    const start = this.#offset;
    const index = this.#count++;
    this.#offset = start + cutLength;
    let decided = -1;
    if (this.#candidate >= 0 && start - this.#candidateStart > this.#half) {
      decided = this.#take();
    }
    if (index === 0 && this.#startsAtCut) {
      this.#append(start, -1);
      return -1;
    }
    const starts = this.#starts;
    const hashes = this.#hashes;
    const mask = this.#mask;
    let first = this.#first;
    let end = this.#end;
    while (first < end && start - starts[first & mask]! > this.#half) first++;
    while (first < end && hashes[(end - 1) & mask]! > hash) end--;
    if (first === end && (this.#startsAtCut || start > this.#half)) {
      this.#candidate = index;
      this.#candidateStart = start;
    }
    this.#first = first;
    this.#end = end;
    this.#append(start, hash);
    return decided;
  }

  /** The end of a run that is followed by a cut or by nothing at all. Returns a last cut, or −1. */
  end(followedBy: 'cut' | 'nothing'): number {
    if (this.#candidate < 0) return -1;
    if (followedBy === 'cut' && this.#offset - this.#candidateStart <= this.#half) return -1;
    return this.#take();
  }

  #take(): number {
    const decided = this.#candidate;
    this.cutStart = this.#candidateStart;
    this.#candidate = -1;
    return decided;
  }

  #append(start: number, hash: number): void {
    const at = this.#end++ & this.#mask;
    this.#starts[at] = start;
    this.#hashes[at] = hash;
  }
}
