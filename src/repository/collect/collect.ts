// `codr collect`: frees the space of what retention let go. It first finishes what an earlier collection
// left, then looks for garbage. No locks, no clocks: any number may run side by side with any number of
// writers, and each may die anywhere. docs/format/collection.md.
import type { PackId } from '../../model/id.ts';
import { type ListedPack, listPacks } from '../pack/listed-packs.ts';
import { type CollectContext, dayMs, lostLineage, SourceLineages } from './collect-context.ts';
import {
  type CollectedRecord,
  condemnedIn,
  type Decision,
  isInTheMaking,
  settle,
} from './condemned.ts';
import { condemn, decide, decisionOn, listPacksMax } from './decide.ts';
import { findGarbage } from './look.ts';
import { deleteLineage, deleteOldEntries } from './old-entries.ts';
import { collectedKey, deletePacks, dropDanglingEntries, release } from './release.ts';
import { type RemovedSource, removedSources } from './removed-sources.ts';

export interface CollectOutcome {
  /** Packs in the store when it began. */
  readonly packsExamined: number;
  readonly packsRemoved: number;
  readonly bytesFreed: number;
  /** Readers that hold packs which would be deleted otherwise; the next collection deletes them. */
  readonly heldBy: readonly string[];
}

/**
 * Errors: `format-unknown` when deleting here needs a newer version; those of the store; a lineage that
 * cannot be read stops everything, since it may need any pack.
 */
export async function collect(context: CollectContext): Promise<CollectOutcome> {
  const { repository, lineage } = context;
  await lineage.refresh();
  repository.honour(lineage);
  repository.require('delete');
  return await new Collection(context).run();
}

/** What {@link collect} would free, as far as it can be known without asking the writers. */
export async function planCollection(context: CollectContext): Promise<CollectOutcome> {
  return await new Collection(context).plan();
}

class Collection {
  readonly #context: CollectContext;
  readonly #sources: SourceLineages;
  #packsRemoved = 0;
  #bytesFreed = 0;
  readonly #heldBy = new Set<string>();

  constructor(context: CollectContext) {
    this.#context = context;
    this.#sources = new SourceLineages(context);
  }

  async run(): Promise<CollectOutcome> {
    const { repository, lineage, clock, signal } = this.#context;
    // First: all else writes something before it frees anything, which a full disk may not allow.
    await repository.store.sweep?.(clock.now() - dayMs, signal);
    const removed = await removedSources(this.#context, this.#sources);
    await lineage.refresh();
    // Of lists that come later some packs may be missing in this one, and would count as gone.
    const unfinished = this.#unfinished();
    const listed = await this.#listed(removed);
    await this.#deleteAgain(listed);
    await this.#finish(unfinished, listed);
    const garbage = await this.#garbage(listed, removed);
    for (let at = 0; at < garbage.length; at += listPacksMax) {
      signal.throwIfAborted();
      const list = garbage.slice(at, at + listPacksMax).map(({ id }) => id);
      const collection = await condemn(this.#context, list);
      if (collection === undefined) continue;
      const decision = await decide(this.#context, this.#sources, collection);
      await this.#release(new Map([[collection, decision]]), listed);
    }
    await dropDanglingEntries(this.#context, listed);
    for (const one of [lineage, ...(await this.#sources.now())]) {
      await deleteOldEntries(this.#context, one);
    }
    if (this.#heldBy.size === 0) {
      for (const { name } of removed) await deleteLineage(this.#context, name);
    }
    return this.#outcome(listed);
  }

  async plan(): Promise<CollectOutcome> {
    const removed = await removedSources(this.#context, this.#sources);
    const listed = await this.#listed(removed);
    for (const pack of await this.#garbage(listed, removed)) {
      this.#packsRemoved++;
      this.#bytesFreed += pack.bytes;
    }
    return this.#outcome(listed);
  }

  /** Errors: `lineage-broken` where the repository's own lineage is gone: then every source looks removed. */
  async #listed(removed: readonly RemovedSource[]): Promise<ReadonlyMap<PackId, ListedPack>> {
    const { repository, lineage, signal } = this.#context;
    const listed = await listPacks(repository.store, signal);
    const isBegun = removed.some(({ lineage: own }) => !own || !isInTheMaking(own.state));
    if (lineage.seq < 0 && (isBegun || listed.size > 0)) throw lostLineage(lineage.name);
    return listed;
  }

  /** Packs that were collected, and came again by a call that the network or a frozen writer repeated late. */
  async #deleteAgain(listed: ReadonlyMap<PackId, ListedPack>): Promise<void> {
    const { lineage } = this.#context;
    const isDone = (list: string): boolean => lineage.state.get(collectedKey(list)) !== undefined;
    const late = [...listed.keys()].filter((id) => lineage.state.condemnedBy(id).some(isDone));
    const { packs, bytes } = await deletePacks(this.#context, new Set(late), listed);
    this.#packsRemoved += packs;
    this.#bytesFreed += bytes;
  }

  /** Takes up lists whose packs are not known to be gone. */
  async #finish(
    unfinished: readonly string[],
    listed: ReadonlyMap<PackId, ListedPack>,
  ): Promise<void> {
    const decisions = new Map<string, Decision>();
    for (const collection of unfinished) {
      decisions.set(collection, await decide(this.#context, this.#sources, collection));
    }
    if (decisions.size > 0) await this.#release(decisions, listed);
    await this.#tidy();
  }

  /** Barriers that a collector set late, after the list was decided and done with. */
  async #tidy(): Promise<void> {
    const { state } = this.#context.lineage;
    for (const source of await this.#sources.now()) {
      const decisions = new Map<string, Decision>();
      for (const collection of source.state.keys('condemned')) {
        const done = state.get<CollectedRecord>(collectedKey(collection));
        const isOpen = !done && condemnedIn(state, collection) !== undefined;
        const count = condemnedIn(source.state, collection)?.packs.length;
        if (isOpen || done?.count === count) continue;
        const decision = await decisionOn(this.#context, collection);
        if (decision) decisions.set(collection, decision);
      }
      await settle(source, { decisions, deleted: new Set(), dropEmpty: true });
    }
  }

  #unfinished(): string[] {
    const { state } = this.#context.lineage;
    return state.keys('condemned').filter((id) => state.get(collectedKey(id)) === undefined);
  }

  async #release(
    decisions: ReadonlyMap<string, Decision>,
    listed: ReadonlyMap<PackId, ListedPack>,
  ): Promise<void> {
    const { packs, bytes, heldBy } = await release(this.#context, this.#sources, decisions, listed);
    this.#packsRemoved += packs;
    this.#bytesFreed += bytes;
    for (const holder of heldBy) this.#heldBy.add(holder);
  }

  async #garbage(
    listed: ReadonlyMap<PackId, ListedPack>,
    removed: readonly RemovedSource[],
  ): Promise<ListedPack[]> {
    const { lineage } = this.#context;
    const registered = [lineage, ...(await this.#sources.now())];
    const before = removed.flatMap((source) => source.lineage ?? []);
    return findGarbage(this.#context, listed.values(), { registered, removed: before });
  }

  #outcome(listed: ReadonlyMap<PackId, ListedPack>): CollectOutcome {
    return {
      packsExamined: listed.size,
      packsRemoved: this.#packsRemoved,
      bytesFreed: this.#bytesFreed,
      heldBy: [...this.#heldBy],
    };
  }
}
