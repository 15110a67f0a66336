// Condemns packs, sets the barriers, and decides which of them go. Every step may crash and be taken up by
// anyone, twice, late. docs/format/collection.md; test/simulation/collection-model.ts visits every order.
import type { PackId } from '../../model/id.ts';
import { createMutable, readMutable } from '../lineage/mutable.ts';
import { type CollectContext, mutablesOf, type SourceLineages } from './collect-context.ts';
import { barrierAt, collectionId, condemnedIn, type Decision, setBarrier } from './condemned.ts';

/** Packs of one list: entries stay small, however much there is to collect. */
export const listPacksMax = 4096;

/** Appends a list to the repository's lineage. Undefined when nothing of it is left to condemn. */
export async function condemn(
  { lineage }: CollectContext,
  packs: readonly PackId[],
): Promise<string | undefined> {
  const seq = await lineage.commit((draft) => {
    const fresh = packs.filter((pack) => draft.condemnedBy(pack).length === 0);
    const record = barrierAt(draft, fresh);
    if (record.packs.length === 0) return false;
    draft.set(`condemned/${collectionId(draft.seq)}`, record);
  });
  return seq === undefined ? undefined : collectionId(seq);
}

export async function decisionOn(
  context: CollectContext,
  collection: string,
): Promise<Decision | undefined> {
  return await readMutable<Decision>(mutablesOf(context), decisionPlace(collection));
}

/** Sets the barriers that are missing, then decides; whoever decides first has decided for all. */
export async function decide(
  context: CollectContext,
  sources: SourceLineages,
  collection: string,
): Promise<Decision> {
  const there = await decisionOn(context, collection);
  if (there) return there;
  const { lineage } = context;
  const list = condemnedIn(lineage.state, collection)?.packs ?? [];
  const barriers: ReadonlySet<PackId>[] = [];
  // Sources that are registered after this list was read have adopted it as a whole.
  for (const source of await sources.now()) {
    barriers.push(new Set((await setBarrier(source, collection, list)).packs));
  }
  const freed = list.filter((pack) => barriers.every((barrier) => barrier.has(pack)));
  const spared = list.filter((pack) => !freed.includes(pack));
  const own: Decision = { freed, spared };
  const isFirst = await createMutable(mutablesOf(context), decisionPlace(collection), own);
  return isFirst ? own : ((await decisionOn(context, collection)) as Decision);
}

function decisionPlace(collection: string): { what: string; id: string; n: number } {
  return { what: 'collect', id: collection, n: 0 };
}
