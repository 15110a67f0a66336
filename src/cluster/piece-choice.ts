// Which waiting piece goes to which place with room: first to where most of its bytes lie, and elsewhere only when the
// place has no piece that is near. Pure: who runs what, and when, is the pool's.

/** What is known of a piece before it runs. */
export interface PieceFacts {
  /** Bytes of it that a place has on its own machine, by the name of the place; empty: all are equally far. */
  readonly near: ReadonlyMap<string, number>;
  /** All of it, about; the measure of `near`. */
  readonly bytes: number;
}

/** A piece that waits. */
export interface WaitingPiece extends PieceFacts {
  /** So many that are nearer went before it that it comes first now, where it is at home. */
  readonly isOverdue?: boolean;
}

/** Of a piece of that many bytes, or more where places have more of it. */
export function factsOf(near: ReadonlyMap<string, number>, bytes = 0): PieceFacts {
  const known = [...near.values()].reduce((sum, one) => sum + one, 0);
  return { near, bytes: Math.max(bytes, known) };
}

export interface PlaceFacts {
  readonly name: string;
  readonly slots: number;
  /** Of the slots. */
  readonly free: number;
  /** It has enough to do: it takes what is nearest to it, and nothing else. */
  readonly isHeld?: boolean;
}

/** Places in the list that was given. */
export interface Choice {
  readonly piece: number;
  readonly place: number;
}

/** Copies that differ by less than this share of a piece are equally near to whoever has none of the best. */
const lossStep = 0.1;

/**
 * The next piece and its place, by the order of arrival and of places among equals. `pieces` wait in the order in which
 * they came; `places` are all that there are, also those that are full. `far`: also to a place that is not the nearest.
 */
export function choosePiece(
  pieces: readonly WaitingPiece[],
  places: readonly PlaceFacts[],
  far: boolean,
): Choice | undefined {
  const open = [...places.keys()].filter((i) => (places[i] as PlaceFacts).free > 0);
  if (pieces.length === 0 || open.length === 0) return undefined;
  const room = (i: number): number =>
    (places[i] as PlaceFacts).free / (places[i] as PlaceFacts).slots;
  open.sort((a, b) => room(b) - room(a) || a - b);
  const names = new Set(places.map(({ name }) => name));
  const homes = pieces.map((piece) => homeOf(piece, names));
  for (const place of open) {
    const piece = nearestTo(places[place] as PlaceFacts, homes);
    if (piece !== undefined) return { piece, place };
  }
  const place = open.find((i) => !(places[i] as PlaceFacts).isHeld);
  if (!far || place === undefined) return undefined;
  const backlog = backlogOf(homes, places);
  return { piece: taken((places[place] as PlaceFacts).name, homes, backlog), place };
}

/** Where a piece is at home, of the places that there are. */
interface Home {
  readonly facts: WaitingPiece;
  readonly bytes: number;
  /** What the nearest of them has; 0: none has anything. */
  readonly best: number;
  readonly names: readonly string[];
}

function homeOf(facts: WaitingPiece, there: ReadonlySet<string>): Home {
  let best = 0;
  let names: string[] = [];
  for (const [name, bytes] of facts.near) {
    if (!there.has(name) || bytes < best || bytes === 0) continue;
    if (bytes > best) names = [];
    best = bytes;
    names.push(name);
  }
  // A size is an estimate, and no piece is smaller than what somebody has of it.
  return { facts, bytes: Math.max(facts.bytes, best) || 1, best, names };
}

/** Of pieces that are at home here the one of which most is here; in turn with those that are so nowhere. */
function nearestTo({ name, isHeld }: PlaceFacts, homes: readonly Home[]): number | undefined {
  let first: number | undefined;
  let nearest: number | undefined;
  let share = 0;
  for (const [i, { facts, bytes, best, names }] of homes.entries()) {
    if (best === 0) {
      // What came before all that is near has waited for longer.
      if (first === undefined && !isHeld) return i;
      continue;
    }
    if (!names.includes(name)) continue;
    if (facts.isOverdue) return i;
    first ??= i;
    if (best / bytes <= share) continue;
    share = best / bytes;
    nearest = i;
  }
  return nearest;
}

/** Bytes that wait for each place as their home, for each of its slots. */
function backlogOf(
  homes: readonly Home[],
  places: readonly PlaceFacts[],
): ReadonlyMap<string, number> {
  const backlog = new Map(places.map(({ name }) => [name, 0]));
  const slots = new Map(places.map(({ name, slots }) => [name, slots]));
  for (const { bytes, names } of homes) {
    for (const name of names) {
      backlog.set(name, (backlog.get(name) ?? 0) + bytes / (slots.get(name) ?? 1));
    }
  }
  return backlog;
}

/** The piece that loses least by going there; of equals one of whoever has most to do, the largest first. */
function taken(name: string, homes: readonly Home[], backlog: ReadonlyMap<string, number>): number {
  const ranked = homes.map(({ facts, bytes, best, names }, piece) => {
    const loss = (best - (facts.near.get(name) ?? 0)) / bytes;
    const waits = Math.min(...names.map((home) => backlog.get(home) ?? 0));
    return { piece, loss: Math.round(loss / lossStep), waits, bytes };
  });
  ranked.sort((a, b) => a.loss - b.loss || b.waits - a.waits || b.bytes - a.bytes);
  return (ranked[0] as { readonly piece: number }).piece;
}
