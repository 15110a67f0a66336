// The packs that a lineage relies on, numbered in the order of first use, and what of them it still
// needs. Any value in the state with a `packs` field (the text of a PackSet) holds those packs.
import type { PackId } from '../../model/id.ts';
import type { StateChange } from './entry-codec.ts';
import { PackSet } from './pack-set.ts';
import type { StateView } from './state.ts';

/** Value of `pack/<ordinal>`. */
export interface PackRecord {
  readonly id: PackId;
  /** Bytes in the store. */
  readonly bytes: number;
}

/** Value of `condemned/<collection>`: packs that this lineage did not hold at that barrier. */
export interface CondemnedRecord {
  readonly packs: readonly PackId[];
}

/** What one piece of work stored anew and what it found already stored. */
export interface UsedPacks {
  readonly newPacks: readonly { readonly id: PackId; readonly bytes: number }[];
  readonly reusedPacks: readonly PackId[];
}

/** Thrown while building an entry that relies on condemned packs: their content must be stored anew. */
export class CondemnedPacksError extends Error {
  override readonly name = 'CondemnedPacksError';
  readonly packs: readonly PackId[];

  constructor(packs: readonly PackId[]) {
    super(`${packs.length} packs were condemned by a collection`);
    this.packs = packs;
  }
}

/** Numbers packs for one entry. Bytes of reused packs are not known here and are kept as 0 when new to us. */
export class PackTable {
  readonly #state: StateView;
  readonly #added = new Map<PackId, number>();
  readonly #changes: StateChange[] = [];
  #next: number;

  constructor(state: StateView) {
    this.#state = state;
    this.#next = state.get<number>('counter/pack') ?? 0;
  }

  /** The set to keep in a `packs` field. Throws {@link CondemnedPacksError}. */
  use(used: UsedPacks): PackSet {
    const bytesOf = new Map(used.newPacks.map((pack) => [pack.id, pack.bytes]));
    const ids = [...new Set([...bytesOf.keys(), ...used.reusedPacks])];
    const condemned = condemnedPacks(this.#state);
    const lost = ids.filter((id) => condemned.has(id));
    if (lost.length > 0) throw new CondemnedPacksError(lost);
    return PackSet.of(ids.map((id) => this.#ordinal(id, bytesOf.get(id) ?? 0)));
  }

  /** What the entry must carry besides the sets themselves. */
  get changes(): readonly StateChange[] {
    return this.#added.size > 0 ? [...this.#changes, ['counter/pack', this.#next]] : [];
  }

  #ordinal(id: PackId, bytes: number): number {
    const known = this.#state.ordinalOf(id) ?? this.#added.get(id);
    if (known !== undefined) return known;
    const ordinal = this.#next++;
    this.#added.set(id, ordinal);
    this.#changes.push([packKey(ordinal), { id, bytes } satisfies PackRecord]);
    return ordinal;
  }
}

export function packKey(ordinal: number): string {
  return `pack/${String(ordinal).padStart(10, '0')}`;
}

/** Every pack that something in this state holds. */
export function retainedPacks(state: StateView): PackSet {
  let all = PackSet.empty;
  for (const text of state.packFields()) all = all.union(PackSet.parse(text));
  return all;
}

export function packIdsOf(state: StateView, set: PackSet): PackId[] {
  return [...set].flatMap((n) => state.get<PackRecord>(packKey(n))?.id ?? []);
}

function condemnedPacks(state: StateView): ReadonlySet<PackId> {
  return new Set(state.list<CondemnedRecord>('condemned').flatMap(([, { packs }]) => packs));
}
