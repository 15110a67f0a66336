// Packs that the index leads to, that are gone, and that nothing retains. Nothing is hurt by it yet, but whoever
// stores the same content again is told that it is there, and relies on what is not.
import { forEachLimit } from '../../base/async.ts';
import type { PackId } from '../../model/id.ts';
import { condemnedIn } from '../collect/condemned.ts';
import type { StateView } from '../lineage/state.ts';
import type { ListedPack } from '../pack/listed-packs.ts';
import { type PackRef, packName } from '../pack/pack-format.ts';
import type { Repository } from '../repository.ts';
import type { IndexFindings } from './check-index.ts';
import type { Problems } from './problems.ts';

const statsAtOnce = 8;

/** Those that a collection is about to free are its own to take out of the index. */
export async function findDangling(
  { store }: Repository,
  { covered }: IndexFindings,
  known: {
    readonly listed: ReadonlyMap<PackId, ListedPack>;
    readonly retained: ReadonlyMap<PackId, unknown>;
    readonly states: readonly StateView[];
  },
  signal: AbortSignal,
): Promise<PackRef[]> {
  const { listed, retained, states } = known;
  const refused = new Set<string>();
  for (const state of states) {
    for (const id of state.keys('lost')) refused.add(id);
    for (const collection of state.keys('condemned')) {
      for (const id of condemnedIn(state, collection)?.packs ?? []) refused.add(id);
    }
  }
  const gone: PackRef[] = [];
  const look = async ({ pack }: { pack: PackRef }): Promise<void> => {
    const { id } = pack;
    if (listed.has(id) || retained.has(id) || refused.has(id)) return;
    // One that came after the list was made is there.
    if (!(await store.stat(packName(pack), signal))) gone.push(pack);
  };
  await forEachLimit(covered.values(), statsAtOnce, look, signal);
  return gone;
}

/** `gives`: the pack is given up. */
export function reportDangling(pack: PackRef, problems: Problems, gives: boolean): void {
  problems.add({
    object: packName(pack),
    problem: 'the index leads to it, and it is missing',
    affected: gives ? [] : ['nothing yet: the next backup may rely on it'],
    remedy: gives ? 'nothing relies on it from now on' : 'run `codr check --repair`',
    repaired: gives,
  });
}
