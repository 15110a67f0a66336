// What every step of a collection works with.
import type { Clock } from '../../base/clock.ts';
import { CodrError } from '../../base/error.ts';
import type { Lineage } from '../lineage/lineage.ts';
import type { MutableContext } from '../lineage/mutable.ts';
import type { ProcessProbe } from '../lineage/writer.ts';
import type { Repository } from '../repository.ts';
import { isBegun } from './condemned.ts';

export interface CollectContext {
  readonly repository: Repository;
  /** The repository's own lineage. */
  readonly lineage: Lineage;
  readonly clock: Clock;
  readonly probe: ProcessProbe;
  readonly signal: AbortSignal;
  /** Packs that nobody has committed are garbage from this age on, by the store's clock. A day. */
  readonly uncommittedAgeMs?: number;
  /** Entries by which an inline run may lie back before it is carried along; for tests. */
  readonly entriesHeldMax?: number;
}

export const dayMs = 24 * 60 * 60 * 1000;

export function mutablesOf({ repository }: CollectContext): MutableContext {
  return { store: repository.store, keys: repository.unlocked.keys };
}

/** The lineages of all sources that are registered now; opened once and read on at each call. */
export class SourceLineages {
  readonly #context: CollectContext;
  readonly #open = new Map<string, Lineage>();

  constructor(context: CollectContext) {
    this.#context = context;
  }

  async now(): Promise<Lineage[]> {
    const { lineage } = this.#context;
    await lineage.refresh();
    const sources: Lineage[] = [];
    for (const id of lineage.state.keys('source')) {
      const source = await this.open(id);
      if (isBegun(source.state)) sources.push(source);
      else if (await this.#isRegistered(id)) throw lostLineage(id);
    }
    return sources;
  }

  /** It may have been removed, and its entries deleted by another collection, since the list was read. */
  async #isRegistered(id: string): Promise<boolean> {
    const { lineage } = this.#context;
    await lineage.refresh();
    return lineage.state.get(`source/${id}`) !== undefined;
  }

  async open(id: string): Promise<Lineage> {
    const known = this.#open.get(id);
    if (known) await known.refresh();
    const lineage = known ?? (await this.#context.repository.openLineage(id));
    this.#open.set(id, lineage);
    return lineage;
  }
}

/** Nobody knows which packs it needs, whatever a writer has begun in its place. */
export function lostLineage(name: string): CodrError {
  return new CodrError('lineage-broken', `the beginning of lineage ${name} is missing`, {
    object: `lineage/${name}/`,
    remedy: 'put the folder back from a copy of the repository; until then nothing is deleted',
  });
}
