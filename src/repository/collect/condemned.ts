// The lists of a collection as lineages keep them: `condemned/<collection>`. In the repository's lineage it
// is the whole list; in every other what of it that lineage did not retain when the barrier was set there.
import { type PackId, packId } from '../../model/id.ts';
import type { Draft } from '../lineage/draft.ts';
import type { Lineage } from '../lineage/lineage.ts';
import { type CondemnedRecord, lostKey, packKey, retainedPackIds } from '../lineage/pack-table.ts';
import type { StateView } from '../lineage/state.ts';

/** Value of `mutable/collect/<collection>/0`: who creates it first decides for all. */
export interface Decision {
  /** In nobody's use at the barrier: never to be used again, to be deleted. */
  readonly freed: readonly PackId[];
  /** Some lineage retained them at its barrier. */
  readonly spared: readonly PackId[];
}

/** Value of `collected/<collection>` in the repository's lineage: the packs are gone. */
export interface CollectedRecord {
  readonly count: number;
  readonly wallMs: number;
}

const condemnedKey = (collection: string): string => `condemned/${collection}`;

/** Numbers in the repository's lineage, so they ascend and come once. */
export function collectionId(seq: number): string {
  return String(seq).padStart(12, '0');
}

export function condemnedIn(state: StateView, collection: string): CondemnedRecord | undefined {
  return state.get<CondemnedRecord>(condemnedKey(collection));
}

/**
 * Sets the barrier unless it stands. A builder sees exactly the state that its entry follows, so what the
 * entry leaves out of the list is what the lineage retains as of the barrier.
 */
export async function setBarrier(
  lineage: Lineage,
  collection: string,
  list: readonly PackId[],
): Promise<CondemnedRecord> {
  await lineage.refresh();
  const there = condemnedIn(lineage.state, collection);
  if (there) return there;
  await lineage.commit((draft) => {
    if (condemnedIn(draft, collection)) return false;
    draft.set(condemnedKey(collection), barrierAt(draft, list));
  });
  return condemnedIn(lineage.state, collection) as CondemnedRecord;
}

export function barrierAt(draft: Draft, list: readonly PackId[]): CondemnedRecord {
  const retained = retainedPackIds(draft);
  return { packs: list.filter((pack) => !retained.has(pack)), seq: draft.seq };
}

/**
 * For a source that is being registered: it retains nothing, so every list binds it as a whole, and so does every pack
 * that a check has given up. Call it inside the builder that registers the source: then no list is between.
 */
export async function adoptCondemned(own: Lineage, repository: StateView): Promise<void> {
  await own.commit((draft) => {
    const missing = repository
      .list<CondemnedRecord>('condemned')
      .filter(([collection]) => !condemnedIn(draft, collection));
    const lost = repository.keys('lost').map((name) => lostKey(packId(name)));
    const given = lost.filter((key) => draft.get(key) === undefined);
    const begun = isBegun(draft);
    if (missing.length + given.length === 0 && begun) return false;
    if (!begun) draft.set(begunKey, {});
    for (const key of given) draft.set(key, {});
    for (const [collection, { packs }] of missing) {
      draft.set(condemnedKey(collection), { packs, seq: draft.seq } satisfies CondemnedRecord);
    }
  });
}

/** Stands in every source's lineage from its first entry on: an empty lineage is a lost one. */
const begunKey = 'lineage/begun';

/** False of a registered source whose entries are gone, also when somebody wrote new ones since. */
export function isBegun(state: StateView): boolean {
  return state.get(begunKey) !== undefined;
}

/** True while nothing but a registration has been written: the source may not be registered yet. */
export function isInTheMaking(state: StateView): boolean {
  return (['writer', 'counter', 'pack', 'stream', 'epoch'] as const).every(
    (kind) => state.keys(kind).length === 0,
  );
}

/** What a lineage still has to let go of, now that lists are decided and packs deleted. */
export interface Settlement {
  /** Decided lists by collection. */
  readonly decisions: ReadonlyMap<string, Decision>;
  /** Packs that are gone. */
  readonly deleted: ReadonlySet<PackId>;
  /** Lists without a freed pack leave the state; the repository's own go last. */
  readonly dropEmpty: boolean;
}

/** Spared packs may be used again; records of deleted packs go. Commits only when there is something. */
export async function settle(lineage: Lineage, settlement: Settlement): Promise<void> {
  if (changesOf(lineage.state, settlement).length === 0) return;
  await lineage.commit((draft) => {
    const changes = changesOf(draft, settlement);
    if (changes.length === 0) return false;
    for (const [key, value] of changes) draft.set(key, value);
  });
}

function changesOf(state: StateView, settlement: Settlement): [key: string, value: unknown][] {
  const { decisions, deleted, dropEmpty } = settlement;
  const changes: [string, unknown][] = [];
  for (const [collection, { freed }] of decisions) {
    const record = condemnedIn(state, collection);
    if (!record) continue;
    if (freed.length === 0 && dropEmpty) changes.push([condemnedKey(collection), null]);
    else if (record.packs.length !== freed.length) {
      changes.push([condemnedKey(collection), { ...record, packs: freed }]);
    }
  }
  for (const pack of deleted) {
    const ordinal = state.ordinalOf(pack);
    if (ordinal !== undefined) changes.push([packKey(ordinal), null]);
  }
  return changes;
}
