// Which packs nobody needs, as far as one look can tell. The look may be wrong in both directions, since
// others go on writing: barriers and the rescue put it right.
import type { PackId } from '../../model/id.ts';
import type { Lineage } from '../lineage/lineage.ts';
import { type PackRecord, retainedPackIds } from '../lineage/pack-table.ts';
import type { ListedPack } from '../pack/listed-packs.ts';
import { type CollectContext, dayMs } from './collect-context.ts';

/** Those of `listed` that are in a pack table and retained by nobody, or in none and old. */
export function findGarbage(
  context: CollectContext,
  listed: Iterable<ListedPack>,
  lineages: { readonly registered: readonly Lineage[]; readonly removed: readonly Lineage[] },
): ListedPack[] {
  const retained = new Set<PackId>();
  const tabled = new Set<PackId>();
  for (const { state } of [...lineages.registered, ...lineages.removed]) {
    for (const [, { id }] of state.list<PackRecord>('pack')) tabled.add(id);
  }
  for (const { state } of lineages.registered) {
    for (const id of retainedPackIds(state)) retained.add(id);
  }
  const { clock, uncommittedAgeMs = dayMs } = context;
  const oldBefore = clock.now() - uncommittedAgeMs;
  return [...listed].filter(
    ({ id, modifiedMs }) => !retained.has(id) && (tabled.has(id) || modifiedMs < oldBefore),
  );
}
