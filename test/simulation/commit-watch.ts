// The store of a simulated world, which looks at each entry of a source's lineage as it is created: whoever commits
// what protects the source holds the claim to it at that moment, and no other process does.
import assert from 'node:assert/strict';
import { concatBytes } from '../../src/base/bytes.ts';
import { entryName } from '../../src/repository/lineage/lineage.ts';
import type { ProcessIdentity } from '../../src/repository/lineage/writer.ts';
import { MemoryObjectStore } from '../../src/storage/memory/memory-object-store.ts';
import type { WorldRepository } from './remembered-keys.ts';

interface Watched {
  next: number;
  holder: ProcessIdentity | undefined;
}

/** What only the holder of the claim writes. Collections write of packs, and whoever claims, of the claim. */
const protectedKinds = /^(base|run|point|stream|epoch|segment|want|hole|delta|unknown)\//;

export class WatchedStore extends MemoryObjectStore {
  /** Entries that protect a source. */
  commits = 0;
  /** Errors of the checks. */
  readonly broken: unknown[] = [];
  #opened: WorldRepository | undefined;
  readonly #watched = new Map<string, Watched>();

  /** Looks at the lineages that are named from now on; nothing of them is there yet. */
  watch(opened: WorldRepository, lineages: readonly string[]): void {
    this.#opened = opened;
    for (const name of lineages) this.#watched.set(name, { next: 0, holder: undefined });
  }

  override async create(
    ...args: Parameters<MemoryObjectStore['create']>
  ): Promise<'created' | 'exists'> {
    const outcome = await super.create(...args);
    const [name, body] = args;
    if (outcome === 'exists' || !name.startsWith('lineage/')) return outcome;
    for (const [lineage, watched] of this.#watched) {
      if (name !== entryName(lineage, watched.next)) continue;
      watched.next++;
      this.#look(lineage, watched, name, concatBytes(body));
    }
    return outcome;
  }

  #look(lineage: string, watched: Watched, name: string, bytes: Uint8Array): void {
    if (!this.#opened) return;
    const { config, unlocked, entries } = this.#opened;
    const context = { repositoryId: config.repositoryId, keys: unlocked.keys, lineage };
    const { entry } = entries.open(context, name, bytes);
    const claim = entry.changes.find(([key]) => key === 'writer/current');
    if (claim) watched.holder = (claim[1] ?? undefined) as ProcessIdentity | undefined;
    const kinds = entry.changes.map(([key]) => key).filter((key) => protectedKinds.test(key));
    if (kinds.length === 0) return;
    this.commits++;
    try {
      const message = `${entry.writer} commits ${kinds[0]} to ${lineage} in place of its holder`;
      assert.equal(watched.holder?.host, entry.writer, message);
    } catch (error) {
      this.broken.push(error);
    }
  }
}
