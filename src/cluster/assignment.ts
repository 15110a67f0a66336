// Spreads few and uneven pieces of work (streams, shards, token ranges, segments) over peers. Affinity is by
// rendezvous, so that the same peer meets the same piece again and has its connections and caches; size decides:
// the largest first, within a bound, and whoever is idle takes from the end of the one that is furthest behind. Pure.
import { assert } from '../base/assert.ts';
import { hashText, rendezvousScore, type SlotPeer } from './slot-table.ts';

export interface WorkItem {
  /** Distinct; the same in each plan. */
  readonly id: string;
  /** In any unit; not less than 0. */
  readonly size: number;
}

/** By peer what it should do, the largest first. Every peer has a list. */
export type Assignment<T extends WorkItem = WorkItem> = ReadonlyMap<string, readonly T[]>;

/** A peer takes a piece for its affinity only up to this multiple of its fair share. */
const loadMax = 1.1;

/**
 * All items on `peers`. `previous` names who had an item: it keeps it as long as that is within the bound. No peer
 * gets more than 1.10 of its fair share, unless items are too large for that: then an item goes where it ends first,
 * and no peer ends later than all peers together would, plus the largest item on the slowest of them.
 */
export function assignItems<T extends WorkItem>(
  items: readonly T[],
  peers: readonly SlotPeer[],
  previous: ReadonlyMap<string, string> = new Map(),
): Assignment<T> {
  assert(peers.length > 0 || items.length === 0, 'work is assigned to at least one peer');
  const placing = new Places<T>(peers, items);
  for (const item of largestFirst(items)) {
    const ranked = placing.ranked(item, previous.get(item.id));
    const fit = ranked.find((place) => placing.hasRoom(place, item.size));
    placing.give(fit ?? placing.leastLoaded(ranked, item.size), item);
  }
  return new Map(peers.map(({ name }) => [name, placing.itemsOf(name)]));
}

/**
 * What an idle peer takes over: the last, and so smallest, of the items that wait for the peer which is furthest
 * behind. `left` holds what nobody has begun. Undefined: nothing waits for any other peer.
 */
export function stealFrom<T extends WorkItem>(
  idle: string,
  left: Assignment<T>,
  peers: readonly SlotPeer[],
): { readonly from: string; readonly item: T } | undefined {
  let furthest: { readonly from: string; readonly behind: number } | undefined;
  for (const { name, weight } of peers) {
    const waiting = left.get(name) ?? [];
    if (name === idle || waiting.length === 0) continue;
    const behind = sizeOf(waiting) / weight;
    if (!furthest || behind > furthest.behind) furthest = { from: name, behind };
  }
  const item = furthest && left.get(furthest.from)?.at(-1);
  return furthest && item && { from: furthest.from, item };
}

/**
 * Items of at most `sizeMax`: `split` cuts a larger one into about `parts` items of about equal size. What cannot
 * be cut comes back whole.
 */
export function splitLarge<T extends WorkItem>(
  items: readonly T[],
  sizeMax: number,
  split: (item: T, parts: number) => readonly T[],
): T[] {
  assert(sizeMax > 0, 'a limit of size is more than 0');
  return items.flatMap((item) =>
    item.size > sizeMax ? split(item, Math.ceil(item.size / sizeMax)) : [item],
  );
}

interface Place<T> {
  readonly peer: SlotPeer;
  readonly seed: number;
  readonly fair: number;
  readonly items: T[];
  load: number;
}

class Places<T extends WorkItem> {
  readonly #places: readonly Place<T>[];

  constructor(peers: readonly SlotPeer[], items: readonly T[]) {
    const weights = peers.reduce((sum, { weight }) => sum + weight, 0);
    const total = sizeOf(items);
    this.#places = peers.map((peer) => ({
      peer,
      seed: hashText(peer.name),
      fair: (total * peer.weight) / weights,
      items: [],
      load: 0,
    }));
  }

  /** Who had the item comes first, then by affinity. */
  ranked(item: T, owner: string | undefined): Place<T>[] {
    const key = hashText(item.id);
    const scoreOf = (place: Place<T>): number =>
      place.peer.name === owner
        ? Number.POSITIVE_INFINITY
        : rendezvousScore(place.seed, key, place.peer.weight);
    const scored = this.#places.map((place) => ({ place, score: scoreOf(place) }));
    return scored.sort((a, b) => b.score - a.score).map(({ place }) => place);
  }

  hasRoom({ load, fair }: Place<T>, size: number): boolean {
    return load + size <= fair * loadMax;
  }

  /** Relative to its share, with the item; of equals the one that ranks first. */
  leastLoaded(ranked: readonly Place<T>[], size: number): Place<T> {
    const loaded = ({ load, fair }: Place<T>): number =>
      (load + size) / Math.max(fair, Number.MIN_VALUE);
    return ranked.reduce((least, place) => (loaded(place) < loaded(least) ? place : least));
  }

  give(place: Place<T>, item: T): void {
    place.items.push(item);
    place.load += item.size;
  }

  itemsOf(name: string): readonly T[] {
    return this.#places.find(({ peer }) => peer.name === name)?.items ?? [];
  }
}

function largestFirst<T extends WorkItem>(items: readonly T[]): T[] {
  return [...items].sort((a, b) => b.size - a.size || (a.id < b.id ? -1 : 1));
}

function sizeOf(items: readonly WorkItem[]): number {
  return items.reduce((sum, { size }) => sum + size, 0);
}
