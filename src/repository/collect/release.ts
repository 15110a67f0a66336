// Gives back the space of freed packs. Index entries go first, then packs, then their records: a reader
// that follows one of them meanwhile finds a pack that is gone, and looks for another copy.
import { forEachLimit } from '../../base/async.ts';
import type { PackId } from '../../model/id.ts';
import type { ListedPack } from '../pack/listed-packs.ts';
import { packName } from '../pack/pack-format.ts';
import { type CollectContext, mutablesOf, type SourceLineages } from './collect-context.ts';
import { type CollectedRecord, condemnedIn, type Decision, settle } from './condemned.ts';
import { describePin, livePins, type PinRecord } from './pins.ts';

const removalsAtOnce = 8;

export interface Released {
  readonly packs: number;
  readonly bytes: number;
  /** Readers for which the packs are kept for now. */
  readonly heldBy: readonly string[];
}

/** Spared packs may be used again; freed ones are deleted unless somebody may still read them. */
export async function release(
  context: CollectContext,
  sources: SourceLineages,
  decisions: ReadonlyMap<string, Decision>,
  listed: ReadonlyMap<PackId, ListedPack>,
): Promise<Released> {
  const { lineage } = context;
  // The repository's list first: a source that is registered meanwhile adopts what is left of it.
  const none = new Set<PackId>();
  await settle(lineage, { decisions, deleted: none, dropEmpty: false });
  const all = await sources.now();
  const holding = await pinsBefore(context, decisions, sources);
  const isHeld = holding.length > 0;
  const deleted = new Set(isHeld ? [] : [...decisions.values()].flatMap(({ freed }) => freed));
  const removed = await deletePacks(context, deleted, listed);
  for (const source of all) await settle(source, { decisions, deleted, dropEmpty: true });
  await settle(lineage, { decisions, deleted, dropEmpty: true });
  if (!isHeld) await markCollected(context, decisions);
  return { ...removed, heldBy: holding.map(describePin) };
}

/** Live pins of readers that may see a state from before a barrier. */
async function pinsBefore(
  context: CollectContext,
  decisions: ReadonlyMap<string, Decision>,
  sources: SourceLineages,
): Promise<PinRecord[]> {
  const freeing = [...decisions].filter(([, { freed }]) => freed.length > 0);
  const holding: PinRecord[] = [];
  if (freeing.length === 0) return holding;
  const { lineage } = context;
  for (const pin of await livePins(mutablesOf(context), context)) {
    const isSource = lineage.state.get(`source/${pin.lineage}`) !== undefined;
    const read = isSource ? await sources.open(pin.lineage) : lineage;
    // The reader of a removed source sees what no barrier was set for.
    const isOlder = (collection: string): boolean =>
      (!isSource && pin.lineage !== lineage.name) ||
      pin.seq < (condemnedIn(read.state, collection)?.seq ?? 0);
    if (freeing.some(([collection]) => isOlder(collection))) holding.push(pin);
  }
  return holding;
}

/** Their index entries first. */
export async function deletePacks(
  { repository, signal }: CollectContext,
  freed: ReadonlySet<PackId>,
  listed: ReadonlyMap<PackId, ListedPack>,
): Promise<{ packs: number; bytes: number }> {
  const found = [...freed].flatMap((id) => listed.get(id) ?? []);
  if (freed.size > 0) {
    repository.forget([...freed]);
    await repository.index.refresh(signal);
    await repository.index.drop(freed, signal);
  }
  const remove = (pack: ListedPack): Promise<void> =>
    repository.store.remove(packName(pack), signal);
  await forEachLimit(found, removalsAtOnce, remove, signal);
  return { packs: found.length, bytes: found.reduce((sum, { bytes }) => sum + bytes, 0) };
}

async function markCollected(
  { lineage, clock }: CollectContext,
  decisions: ReadonlyMap<string, Decision>,
): Promise<void> {
  await lineage.commit((draft) => {
    const done = [...decisions].filter(
      ([collection, { freed }]) => freed.length > 0 && !draft.get(collectedKey(collection)),
    );
    if (done.length === 0) return false;
    for (const [collection, { freed }] of done) {
      const record: CollectedRecord = { count: freed.length, wallMs: clock.now() };
      draft.set(collectedKey(collection), record);
    }
  });
}

export function collectedKey(collection: string): string {
  return `collected/${collection}`;
}

/** Removes entries of the index that lead to packs which are not there. */
export async function dropDanglingEntries(
  { repository, signal }: CollectContext,
  listed: ReadonlyMap<PackId, ListedPack>,
): Promise<void> {
  await repository.index.refresh(signal);
  const gone = new Set<PackId>();
  for (const pack of (await repository.index.packs(signal)).values()) {
    // Packs that came after the list was made are there.
    if (!listed.has(pack.id) && !(await repository.store.stat(packName(pack), signal))) {
      gone.add(pack.id);
    }
  }
  if (gone.size > 0) await repository.index.drop(gone, signal);
}
