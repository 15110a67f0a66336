// The packs that a lineage relies on, numbered in the order of first use, and what of them it still
// needs. Any value in the state with a `packs` field (the text of a PackSet) holds those packs.
import type { PackId } from '../../model/id.ts';
import type { UsedPacks } from '../pack/blob-session.ts';
import type { PackKind } from '../pack/pack-format.ts';
import type { Draft } from './draft.ts';
import { PackSet } from './pack-set.ts';
import type { StateView } from './state.ts';

/** Value of `pack/<ordinal>`. */
export interface PackRecord {
  readonly id: PackId;
  readonly kind: PackKind;
  /** Bytes in the store. */
  readonly bytes: number;
}

/** Value of `condemned/<collection>`: packs that this lineage did not hold at that barrier. */
export interface CondemnedRecord {
  readonly packs: readonly PackId[];
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

/** Numbers what is new and returns the set for a `packs` field. Throws {@link CondemnedPacksError}. */
export function usePacks(draft: Draft, used: UsedPacks): PackSet {
  const packs = [...used.newPacks, ...used.reusedPacks];
  const condemned = new Set(
    draft.list<CondemnedRecord>('condemned').flatMap(([, record]) => record.packs),
  );
  const lost = packs.filter(({ id }) => condemned.has(id));
  if (lost.length > 0) throw new CondemnedPacksError(lost.map(({ id }) => id));
  let next = draft.get<number>('counter/pack') ?? 0;
  const added = new Map<PackId, number>();
  const ordinals = packs.map((pack) => {
    const known = draft.ordinalOf(pack.id) ?? added.get(pack.id);
    if (known !== undefined) return known;
    const { id, kind, bytes } = pack;
    draft.set(packKey(next), { id, kind, bytes } satisfies PackRecord);
    added.set(id, next);
    return next++;
  });
  if (added.size > 0) draft.set('counter/pack', next);
  return PackSet.of(ordinals);
}

export function packKey(ordinal: number): string {
  return `pack/${String(ordinal).padStart(10, '0')}`;
}

/** Every pack that something in this state holds. */
export function retainedPacks(state: StateView): PackSet {
  const ordinals = new Set<number>();
  for (const text of state.packFields()) for (const n of PackSet.parse(text)) ordinals.add(n);
  return PackSet.of(ordinals);
}

export function packRecords(state: StateView, set: PackSet): PackRecord[] {
  return [...set].flatMap((n) => state.get<PackRecord>(packKey(n)) ?? []);
}
