// Lineages of sources that were removed: nobody retains what they hold, and they go themselves.
import { isCodrError } from '../../base/error.ts';
import { entryName, type Lineage, newestBoundary, newestSeq } from '../lineage/lineage.ts';
import { repositoryLineage } from '../repository.ts';
import { type CollectContext, dayMs, mutablesOf, type SourceLineages } from './collect-context.ts';
import { isInTheMaking } from './condemned.ts';
import { pastEverything } from './old-entries.ts';

export interface RemovedSource {
  readonly name: string;
  /** Absent when its entries are gone or cannot be read any more. */
  readonly lineage?: Lineage;
}

/** Lineages in the store whose sources are not registered any more. */
export async function removedSources(
  context: CollectContext,
  sources: SourceLineages,
): Promise<RemovedSource[]> {
  const { repository, lineage } = context;
  const isRegistered = (id: string): boolean => lineage.state.get(`source/${id}`) !== undefined;
  const removed: RemovedSource[] = [];
  for (const name of await repository.store.listFolders('lineage/')) {
    if (name === repositoryLineage || isRegistered(name)) continue;
    const own = await readable(sources.open(name));
    const isGone = await wasRegistered(context, name, own);
    // Read after the source's own lineage: what was registered before it was written is known by now.
    await lineage.refresh();
    const { lineage: there } = own;
    if (isGone && !isRegistered(name)) removed.push({ name, ...(there && { lineage: there }) });
  }
  return removed;
}

/** False for a source that is just being added. Ids are random and never come back. */
async function wasRegistered(
  context: CollectContext,
  name: string,
  { lineage: own, isStateGone }: Opened,
): Promise<boolean> {
  const boundary = await newestBoundary(mutablesOf(context), name);
  if (boundary?.value.seq === pastEverything || isStateGone) return true;
  if (own && !isInTheMaking(own.state)) return true;
  const { store } = context.repository;
  const newest = await newestSeq(store, name);
  const object = newest === undefined ? undefined : await store.stat(entryName(name, newest));
  const { clock, uncommittedAgeMs = dayMs } = context;
  return object !== undefined && object.modifiedMs < clock.now() - uncommittedAgeMs;
}

interface Opened {
  readonly lineage?: Lineage;
  /** Its state was stored in packs, as that of a source that is being added never is, and a collection has freed them. */
  readonly isStateGone: boolean;
}

async function readable(opening: Promise<Lineage>): Promise<Opened> {
  try {
    return { lineage: await opening, isStateGone: false };
  } catch (error) {
    const codes = ['lineage-broken', 'object-damaged', 'object-missing'] as const;
    if (!codes.some((code) => isCodrError(error, code))) throw error;
    return { isStateGone: isCodrError(error, 'object-missing') };
  }
}
