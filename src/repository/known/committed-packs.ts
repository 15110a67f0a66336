// Which packs are committed, and in nobody's list of condemned ones: what the lineages say, read on as they grow.
import { type PackId, packId } from '../../model/id.ts';
import type { Lineage } from '../lineage/lineage.ts';
import { lostKey, type PackRecord, packKey } from '../lineage/pack-table.ts';

/** How lineages are come by. */
export interface LineageSource {
  /** The lineage of the repository itself. */
  readonly repositoryLineage: string;
  openLineage(name: string, kinds: ReadonlySet<string>): Promise<Lineage>;
}

/** What is read of a lineage: the states of all sources would not fit into every peer. */
const kinds: ReadonlySet<string> = new Set(['pack', 'counter', 'condemned', 'lost', 'source']);

interface Followed {
  readonly lineage: Lineage;
  /** Packs below this number have been read. */
  next: number;
}

export class CommittedPacks {
  readonly #source: LineageSource;
  readonly #followed = new Map<string, Followed>();
  readonly #holders = new Map<PackId, Followed>();
  readonly #condemned = new Set<PackId>();

  constructor(source: LineageSource) {
    this.#source = source;
  }

  /**
   * Reads every lineage of a registered source to its head; those of removed sources are left. Returns packs that
   * a list condemns now and none did before. Errors: those of the store, `lineage-broken`.
   */
  async readAll(): Promise<PackId[]> {
    const { repositoryLineage } = this.#source;
    await this.#read(repositoryLineage);
    const { state } = (this.#followed.get(repositoryLineage) as Followed).lineage;
    const registered = new Set([repositoryLineage, ...state.keys('source')]);
    const removed = [...this.#followed.keys()].filter((name) => !registered.has(name));
    for (const name of removed) this.#leave(name);
    for (const name of registered) await this.#read(name);
    return this.#newlyCondemned();
  }

  /** Reads on in these alone; a name that is new is read from its newest stored state. As {@link readAll}. */
  async read(names: Iterable<string>): Promise<PackId[]> {
    let listsMayHaveChanged = false;
    for (const name of names) {
      await this.#read(name);
      listsMayHaveChanged ||= name === this.#source.repositoryLineage;
    }
    return listsMayHaveChanged ? this.#newlyCondemned() : [];
  }

  /** A commit may come to rely on the pack, as far as was read. */
  has(pack: PackId): boolean {
    const holder = this.#holders.get(pack);
    const repository = this.#followed.get(this.#source.repositoryLineage);
    if (!holder || !repository) return false;
    return !isRefused(holder, pack) && !isRefused(repository, pack);
  }

  async #read(name: string): Promise<void> {
    const known = this.#followed.get(name);
    if (known) await known.lineage.refresh();
    const followed = known ?? { lineage: await this.#source.openLineage(name, kinds), next: 0 };
    this.#followed.set(name, followed);
    const { state } = followed.lineage;
    const end = state.get<number>('counter/pack') ?? 0;
    for (; followed.next < end; followed.next++) {
      const record = state.get<PackRecord>(packKey(followed.next));
      // Without a record: it was deleted. Of a pack in several lineages the last one is as good as the first.
      if (record) this.#holders.set(record.id, followed);
    }
  }

  #leave(name: string): void {
    const left = this.#followed.get(name);
    this.#followed.delete(name);
    for (const [pack, holder] of this.#holders) if (holder === left) this.#holders.delete(pack);
    // What others hold too is found again by the numbers of theirs.
    for (const followed of this.#followed.values()) followed.next = 0;
  }

  /** The repository's own lists are whole ones. */
  #newlyCondemned(): PackId[] {
    const state = this.#followed.get(this.#source.repositoryLineage)?.lineage.state;
    const found: PackId[] = [];
    for (const [, { packs }] of state?.list<{ packs: readonly string[] }>('condemned') ?? []) {
      for (const name of packs) {
        const pack = packId(name);
        if (this.#condemned.has(pack)) continue;
        this.#condemned.add(pack);
        found.push(pack);
      }
    }
    return found;
  }
}

/** Asked for each of a million packs whenever somebody commits: what is rare is not looked for by a key made for it. */
function isRefused({ lineage: { state } }: Followed, pack: PackId): boolean {
  if (state.condemnedBy(pack).length > 0) return true;
  return state.keys('lost').length > 0 && state.get(lostKey(pack)) !== undefined;
}
