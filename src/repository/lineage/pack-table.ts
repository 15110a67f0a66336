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

/**
 * Value of `condemned/<collection>`: packs that this lineage did not hold at that barrier and must not
 * come to hold. docs/format/collection.md says when packs leave the list.
 */
export interface CondemnedRecord {
  readonly packs: readonly PackId[];
  /** Number of the entry that set the barrier. */
  readonly seq: number;
}

/** `lost/<pack>`: a check found it damaged or missing, and gave it up. It is never relied on again. */
export function lostKey(pack: PackId): string {
  return `lost/${pack}`;
}

/** True when no commit of this lineage may come to rely on the pack. */
function isRefused(draft: StateView, pack: PackId): boolean {
  return draft.condemnedBy(pack).length > 0 || draft.get(lostKey(pack)) !== undefined;
}

/** Thrown while building an entry that relies on condemned or lost packs: their content must be stored anew. */
export class CondemnedPacksError extends Error {
  override readonly name = 'CondemnedPacksError';
  readonly packs: readonly PackId[];

  constructor(packs: readonly PackId[], count = packs.length) {
    super(`${count} packs were condemned by a collection, or lost`);
    this.packs = packs;
  }
}

/** Numbers what is new and returns the set for a `packs` field. Throws {@link CondemnedPacksError}. */
export function usePacks(draft: Draft, used: UsedPacks): PackSet {
  const packs = [...used.newPacks, ...used.reusedPacks];
  const lost = packs.filter(({ id }) => isRefused(draft, id));
  if (lost.length > 0) throw new CondemnedPacksError(lost.map(({ id }) => id));
  const first = draft.get<number>('counter/pack') ?? 0;
  let next = first;
  const ordinals = packs.map((pack) => {
    const known = draft.ordinalOf(pack.id);
    if (known !== undefined) return known;
    const { id, kind, bytes } = pack;
    draft.set(packKey(next), { id, kind, bytes } satisfies PackRecord);
    return next++;
  });
  if (next > first) draft.set('counter/pack', next);
  return PackSet.of(ordinals);
}

export function packKey(ordinal: number): string {
  return `pack/${String(ordinal).padStart(10, '0')}`;
}

/**
 * Holds every `packs` field that an entry sets against the condemned lists, whatever it was made from.
 * Throws {@link CondemnedPacksError}; a number whose record is gone stands for a pack that was deleted.
 */
export function checkPacks(draft: Draft): void {
  const lost = new Set<PackId>();
  let gone = 0;
  for (const [, value] of draft.changes) {
    const { packs } = (value ?? {}) as { packs?: unknown };
    if (typeof packs !== 'string') continue;
    for (const ordinal of PackSet.parse(packs)) {
      const record = draft.get<PackRecord>(packKey(ordinal));
      if (!record) gone++;
      else if (isRefused(draft, record.id)) lost.add(record.id);
    }
  }
  if (lost.size + gone > 0) throw new CondemnedPacksError([...lost], lost.size + gone);
}

/** Every pack that something in this state holds. */
export function retainedPacks(state: StateView): PackSet {
  const texts = new Set(state.packFields());
  return PackSet.unionOf([...texts].map((text) => PackSet.parse(text)));
}

export function packRecords(state: StateView, set: PackSet): PackRecord[] {
  return [...set].flatMap((n) => state.get<PackRecord>(packKey(n)) ?? []);
}

/** The packs that a lineage retains, by name. */
export function retainedPackIds(state: StateView): Set<PackId> {
  return new Set(packRecords(state, retainedPacks(state)).map(({ id }) => id));
}
