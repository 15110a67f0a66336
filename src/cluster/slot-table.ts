// Which peer owns which of 4,096 slots: weighted rendezvous gives every slot an order of peers, two bounds on the
// share of a peer decide how far that order is followed. A table is computed from the one before it: a slot moves
// only when its owner left, holds too much, or another peer holds too little. Pure; the same for the same input.
import { assert } from '../base/assert.ts';

export const slotCount = 4096;

/** A peer that may own slots. */
export interface SlotPeer {
  readonly name: string;
  /** Its share, relative to the others; more than 0. */
  readonly weight: number;
}

/** A peer holds at most and at least these multiples of its fair share, rounded so that all slots have room. */
const shareMax = 1.05;
const shareMin = 0.95;
/** Stands for "nobody" in {@link SlotTable.owners}. */
const nobody = -1;

/** The slot of a fingerprint: its first 12 bits. Fingerprints are keyed hashes, so slots are equally full. */
export function slotOf(fingerprints: Uint8Array, at = 0): number {
  return ((fingerprints[at] as number) << 4) | ((fingerprints[at + 1] as number) >> 4);
}

export class SlotTable {
  /** Names of the owners, ascending. */
  readonly peers: readonly string[];
  /** By slot: a place in {@link peers}, or −1. Not to be changed. */
  readonly owners: Int16Array;

  /** `owners`: one place in `peers` a slot, or −1. */
  constructor(peers: readonly string[], owners: Int16Array) {
    assert(owners.length === slotCount, `a table of slots must have ${slotCount} of them`);
    this.peers = peers;
    this.owners = owners;
  }

  /** Nobody owns anything. */
  static readonly empty: SlotTable = new SlotTable([], new Int16Array(slotCount).fill(nobody));

  ownerOf(slot: number): string | undefined {
    return this.peers[this.owners[slot] as number];
  }

  slotsOf(peer: string): number[] {
    const place = this.peers.indexOf(peer);
    return place < 0 ? [] : slotsOf(this.owners, place);
  }

  /** By slot: 1 where the peer owns it. */
  ownedBy(peer: string): Uint8Array {
    const owned = new Uint8Array(slotCount);
    for (const slot of this.slotsOf(peer)) owned[slot] = 1;
    return owned;
  }

  /** How many slots have another owner than in the other table. */
  differences(other: SlotTable): number {
    // Where a peer of this table stands in the other one; -1 is nobody in both.
    const places = Int16Array.from(this.peers, (name) => other.peers.indexOf(name));
    let count = 0;
    for (let slot = 0; slot < slotCount; slot++) {
      const owner = this.owners[slot] as number;
      const before = owner < 0 ? nobody : (places[owner] as number);
      if (before !== other.owners[slot] || (owner >= 0 && before < 0)) count++;
    }
    return count;
  }

  equals(other: SlotTable): boolean {
    return this.peers.join('\n') === other.peers.join('\n') && this.differences(other) === 0;
  }
}

/** The table that follows `previous` now that these are the peers. Names are distinct; their order is of no account. */
export function computeSlots(given: readonly SlotPeer[], previous: SlotTable): SlotTable {
  const peers = [...given].sort((a, b) => (a.name < b.name ? -1 : 1));
  const names = peers.map(({ name }) => name);
  assert(new Set(names).size === names.length, 'each peer is named once');
  for (const { weight } of peers) assert(weight > 0, 'the weight of a peer is more than 0');
  if (peers.length === 0) return SlotTable.empty;
  const placing = new Placing(peers);
  placing.keep(previous);
  placing.giveAway();
  placing.fillUp();
  placing.giveUpSurplus();
  placing.giveAway();
  return new SlotTable(names, placing.owners);
}

class Placing {
  readonly owners = new Int16Array(slotCount).fill(nobody);
  readonly #peers: readonly SlotPeer[];
  readonly #seeds: readonly number[];
  /** Slots that a peer should have, at most and at least. */
  readonly #fair: readonly number[];
  readonly #most: readonly number[];
  readonly #least: readonly number[];
  readonly #loads: number[];

  constructor(peers: readonly SlotPeer[]) {
    const total = peers.reduce((sum, { weight }) => sum + weight, 0);
    this.#peers = peers;
    this.#seeds = peers.map(({ name }) => hashText(name));
    this.#fair = peers.map(({ weight }) => (slotCount * weight) / total);
    this.#most = this.#fair.map((fair) => Math.max(Math.ceil(fair), Math.floor(fair * shareMax)));
    this.#least = this.#fair.map((fair) => Math.min(Math.floor(fair), Math.ceil(fair * shareMin)));
    this.#loads = peers.map(() => 0);
  }

  /** Whatever has an owner that is still there stays with it. */
  keep(previous: SlotTable): void {
    const placeOf = new Map(this.#peers.map(({ name }, place) => [name, place]));
    for (let slot = 0; slot < slotCount; slot++) {
      const owner = previous.ownerOf(slot);
      const place = owner === undefined ? undefined : placeOf.get(owner);
      if (place !== undefined) this.#give(slot, place);
    }
  }

  /** Who has more than the most lets go of what it ranks lowest for. */
  giveUpSurplus(): void {
    for (const place of this.#peers.keys()) {
      const surplus = (this.#loads[place] as number) - (this.#most[place] as number);
      if (surplus <= 0) continue;
      const ranked = highestFirst(slotsOf(this.owners, place), (slot) => this.#score(slot, place));
      for (const slot of ranked.slice(-surplus)) this.#give(slot, nobody);
    }
  }

  /** Slots without an owner go to whoever ranks highest among those that have room. */
  giveAway(): void {
    for (const slot of slotsOf(this.owners, nobody)) {
      let best = nobody;
      let bestScore = Number.NEGATIVE_INFINITY;
      for (const place of this.#peers.keys()) {
        if ((this.#loads[place] as number) >= (this.#most[place] as number)) continue;
        const score = this.#score(slot, place);
        if (score > bestScore) [best, bestScore] = [place, score];
      }
      this.#give(slot, best);
    }
  }

  /**
   * Who has less than the least takes what it ranks highest for, compared with who has it: from those above the
   * most, since they must let go of it anyway, then from those above their fair share.
   */
  fillUp(): void {
    const fair = this.#fair.map(Math.floor);
    for (const place of this.#peers.keys()) {
      for (const kept of [this.#most, fair]) this.#take(place, kept);
    }
  }

  /** Leaves every other peer as many slots as `kept` says. */
  #take(place: number, kept: readonly number[]): void {
    let lack = (this.#least[place] as number) - (this.#loads[place] as number);
    if (lack <= 0) return;
    const others = [...this.owners.keys()].filter((slot) => this.owners[slot] !== place);
    const gain = (slot: number): number =>
      this.#score(slot, place) - this.#score(slot, this.owners[slot] as number);
    for (const slot of highestFirst(others, gain)) {
      const owner = this.owners[slot] as number;
      if ((this.#loads[owner] as number) <= (kept[owner] as number)) continue;
      this.#give(slot, place);
      if (--lack === 0) return;
    }
  }

  #give(slot: number, place: number): void {
    const before = this.owners[slot] as number;
    if (before !== nobody) (this.#loads[before] as number)--;
    if (place !== nobody) (this.#loads[place] as number)++;
    this.owners[slot] = place;
  }

  #score(slot: number, place: number): number {
    return rendezvousScore(
      this.#seeds[place] as number,
      slot,
      (this.#peers[place] as SlotPeer).weight,
    );
  }
}

/** Slots whose owner has that place, ascending. */
function slotsOf(owners: Int16Array, place: number): number[] {
  const slots: number[] = [];
  for (let slot = 0; slot < slotCount; slot++) if (owners[slot] === place) slots.push(slot);
  return slots;
}

/** Of equal scores the lower slot comes first. */
function highestFirst(slots: readonly number[], score: (slot: number) => number): number[] {
  const scored = slots.map((slot) => ({ slot, score: score(slot) }));
  return scored.sort((a, b) => b.score - a.score || a.slot - b.slot).map(({ slot }) => slot);
}

/**
 * Weighted rendezvous: of several peers the one with the highest score for a key has it, each as often as its
 * weight says. `seed` is the hash of a peer's name, `key` any 32 bits.
 */
export function rendezvousScore(seed: number, key: number, weight: number): number {
  const uniform = (mix(seed ^ mix(key)) + 0.5) / 2 ** 32;
  return -weight / Math.log(uniform);
}

/** FNV-1a of the text's UTF-16 units, mixed: 32 bits. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix(hash);
}

/** The finalizer of MurmurHash3: every bit of the input changes half of the output. */
function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
