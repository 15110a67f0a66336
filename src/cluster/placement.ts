// Which peer gets what has one owner, such as a stream: weighted rendezvous gives each key an order of peers. Who has
// less than its share comes before the others, who has more behind them. Nothing moves while its owner lives. Pure.
import { assert } from '../base/assert.ts';
import { hashText, rendezvousScore } from './slot-table.ts';

/** A peer that may be an owner, and what it owns already. */
export interface Candidate {
  readonly name: string;
  /** Its share, relative to the others; more than 0. */
  readonly weight: number;
  readonly load: number;
}

/** A peer comes last while it has this multiple of its fair share, rounded up; first while it has less than that one. */
const shareMax = 1.1;
const shareMin = 0.9;

/** Names, the one that shall have it first. Equal for equal input, in whatever order it comes. */
export function ownersInOrder(key: string, candidates: readonly Candidate[]): readonly string[] {
  const weights = candidates.reduce((sum, { weight }) => sum + weight, 0);
  const total = candidates.reduce((sum, { load }) => sum + load, 1);
  const ranked = candidates.map(({ name, weight, load }) => {
    assert(weight > 0, 'the weight of a peer is more than 0');
    const share = (total * weight) / weights;
    const turn =
      load < Math.floor(shareMin * share) ? 0 : load < Math.ceil(shareMax * share) ? 1 : 2;
    return { name, turn, score: rendezvousScore(hashText(name), hashText(key), weight) };
  });
  ranked.sort((a, b) => a.turn - b.turn || b.score - a.score || (a.name < b.name ? -1 : 1));
  return ranked.map(({ name }) => name);
}

/** The orders for several keys, each as if those before it had gone to their first. */
export function ownersOfAll(
  keys: readonly string[],
  candidates: readonly Candidate[],
): readonly (readonly string[])[] {
  const loads = new Map(candidates.map(({ name, load }) => [name, load]));
  return keys.map((key) => {
    const now = candidates.map((one) => ({ ...one, load: loads.get(one.name) ?? 0 }));
    const order = ownersInOrder(key, now);
    const [first] = order;
    if (first !== undefined) loads.set(first, (loads.get(first) ?? 0) + 1);
    return order;
  });
}
