// The real thing under the rules of `collection-model.ts`: writers with knowledge of any age, retention,
// readers and collectors that crash at any write, on a real folder. Other actors move inside the calls of
// a collector, so orders that a quiet machine never shows are met. Equal seeds give equal runs.
import assert from 'node:assert/strict';
import { fromHex, toHex } from '../../src/base/bytes.ts';
import { isCodrError } from '../../src/base/error.ts';
import type { Random } from '../../src/base/random.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { leafId, type PackId } from '../../src/model/id.ts';
import { collect } from '../../src/repository/collect/collect.ts';
import { dayMs } from '../../src/repository/collect/collect-context.ts';
import {
  createFixture,
  openFixture,
  probe,
  registerSource,
  testClock,
} from '../../src/repository/collect/repository-fixture.ts';
import type { Lineage } from '../../src/repository/lineage/lineage.ts';
import {
  CondemnedPacksError,
  type PackRecord,
  retainedPackIds,
  usePacks,
} from '../../src/repository/lineage/pack-table.ts';
import type { UsedPacks } from '../../src/repository/pack/blob-session.ts';
import { type Repository, repositoryLineage } from '../../src/repository/repository.ts';
import { FaultyObjectStore } from '../../src/storage/faulty-object-store.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';

/** Value of `base/<n>`: a version and the blobs that it must always find. */
interface Version {
  readonly ids: readonly string[];
  readonly contents: readonly number[];
  readonly packs: string;
}

/** Few different blobs, so that sources share them and garbage comes back into use. */
const contentCount = 24;
const versionsMax = 6;
const writersPerSource = 2;

export interface RunCounts {
  commits: number;
  condemned: number;
  dropped: number;
  collections: number;
  crashes: number;
  packsRemoved: number;
}

/** Fails by an assertion when a retained blob is lost or garbage stays. */
export async function runCollection(
  store: ObjectStore,
  options: { readonly seed: number; readonly steps: number },
): Promise<RunCounts> {
  return await new CollectionRun(store, options.seed).run(options.steps);
}

class CollectionRun {
  readonly #store: ObjectStore;
  readonly #random: Random;
  readonly #writers: Writer[] = [];
  readonly #counts: RunCounts = {
    commits: 0,
    condemned: 0,
    dropped: 0,
    collections: 0,
    crashes: 0,
    packsRemoved: 0,
  };
  #sources: string[] = [];
  #seed: number;
  #busy = false;

  constructor(store: ObjectStore, seed: number) {
    this.#store = store;
    this.#seed = seed * 1_000_000;
    this.#random = new SeededRandom(seed);
  }

  async run(steps: number): Promise<RunCounts> {
    await createFixture(this.#store, this.#nextSeed());
    for (const id of ['aa', 'bb']) await this.#addSource(id);
    for (let step = 0; step < steps; step++) {
      const dice = this.#random.below(12);
      if (dice < 8) await this.#moveOthers();
      else if (dice < 11) await this.#collect();
      else if (this.#sources.length < 4) await this.#addSource(`s${step}`);
      else await this.#removeSource();
    }
    await this.#settle();
    return this.#counts;
  }

  async #addSource(id: string): Promise<void> {
    const repository = await this.#open();
    await registerSource(repository, id);
    this.#sources.push(id);
    for (let i = 0; i < writersPerSource; i++) {
      const own = await this.#open();
      const lineage = await own.openLineage(id);
      this.#writers.push(new Writer(own, lineage, this.#random, this.#counts));
    }
  }

  /** Its writers may be anywhere in their work and go on. */
  async #removeSource(): Promise<void> {
    const [id] = this.#sources.splice(this.#random.below(this.#sources.length), 1);
    const own = await (await this.#open()).openLineage(repositoryLineage);
    await own.commit((draft): undefined => draft.set(`source/${id}`, null) as undefined);
  }

  /** A step of some writer, or retention. */
  async #moveOthers(): Promise<void> {
    const writer = this.#pick(this.#writers);
    const isRegistered = this.#sources.includes(writer.lineage.name);
    if (!isRegistered && this.#random.below(3) > 0) return;
    if (this.#random.below(4) === 0) await writer.drop();
    else await writer.step(this.#sources);
  }

  /** Crashes at some write, or comes through; others move before some of its writes. */
  async #collect(): Promise<void> {
    const faulty = new FaultyObjectStore(this.#store, { random: this.#random, clock: testClock });
    const moving = movingStore(faulty, async () => {
      if (this.#busy || this.#random.below(3) > 0) return;
      this.#busy = true;
      await this.#moveOthers().finally(() => {
        this.#busy = false;
      });
    });
    if (this.#random.below(3) > 0) {
      const when = this.#random.below(2) === 0 ? 'before' : 'after';
      faulty.crashAtWrite(1 + this.#random.below(16), when);
    }
    this.#counts.collections++;
    try {
      this.#counts.packsRemoved += await this.#collectOver(moving, { patient: true });
    } catch (error) {
      if (!faulty.crashed) throw error;
      this.#counts.crashes++;
    }
  }

  async #collectOver(store: ObjectStore, options = { patient: false }): Promise<number> {
    const repository = await openFixture(store, { seed: this.#nextSeed() });
    const lineage = await repository.openLineage(repositoryLineage);
    const outcome = await collect({
      repository,
      lineage,
      clock: testClock,
      probe,
      signal: new AbortController().signal,
      // Often nobody is given the day that would hide a mistake.
      uncommittedAgeMs: options.patient && this.#random.below(2) === 0 ? dayMs : -1000,
    });
    return outcome.packsRemoved;
  }

  /** Reads everything back, collects what is left, and finds only what is in use. */
  async #settle(): Promise<void> {
    await this.#readAll();
    for (let i = 0; i < 2; i++) await this.#collectOver(this.#store);
    await this.#readAll();
    const reader = await this.#open();
    const inUse = new Set<PackId>();
    for (const id of [repositoryLineage, ...this.#sources]) {
      const { state } = await reader.openLineage(id);
      for (const pack of retainedPackIds(state)) inUse.add(pack);
      const table = new Set(state.list<PackRecord>('pack').map(([, pack]) => pack.id));
      for (const pack of table) assert.ok(inUse.has(pack), `${id} still lists ${pack}`);
    }
    const stored: string[] = [];
    for await (const { name } of this.#store.list('packs/')) stored.push(name.slice(-64));
    assert.deepEqual(stored.sort(), [...inUse].sort(), 'garbage is freed, and nothing else');
    const lineages = await this.#store.listFolders('lineage/');
    assert.deepEqual(lineages, [...this.#sources, repositoryLineage].sort());
  }

  async #readAll(): Promise<void> {
    const reader = await this.#open();
    for (const id of this.#sources) {
      const { state } = await reader.openLineage(id);
      for (const [n, { ids, contents }] of state.list<Version>('base')) {
        const blobs = await reader.source.get(
          'leaf',
          ids.map((one) => leafId(fromHex(one))),
        );
        const expected = contents.map((content) => toHex(blobOf(content)));
        assert.deepEqual(blobs.map(toHex), expected, `version ${n} of ${id}`);
      }
    }
  }

  async #open(): Promise<Repository> {
    return await openFixture(this.#store, { seed: this.#nextSeed(), packBytesTarget: 2000 });
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random.below(from.length)] as T;
  }

  #nextSeed(): number {
    return this.#seed++;
  }
}

/** Uploaded, and not committed yet. */
interface Stored {
  readonly used: UsedPacks;
  readonly ids: readonly string[];
  readonly contents: readonly number[];
}

/** One process that writes to one source: learns, stores and commits as separate steps. */
class Writer {
  readonly lineage: Lineage;
  readonly #repository: Repository;
  readonly #random: Random;
  readonly #counts: RunCounts;
  #stored: Stored | undefined;

  constructor(repository: Repository, lineage: Lineage, random: Random, counts: RunCounts) {
    this.#repository = repository;
    this.lineage = lineage;
    this.#random = random;
    this.#counts = counts;
  }

  async step(sources: readonly string[]): Promise<void> {
    if (this.#stored) await this.#commit();
    else if (this.#random.below(4) === 0) await this.#learn(sources);
    else await this.#store();
  }

  /** Retention: the oldest version goes, or any. */
  async drop(): Promise<void> {
    const commit = this.lineage.commit((draft) => {
      const versions = draft.keys('base');
      if (versions.length === 0) return false;
      draft.set(`base/${versions[this.#random.below(versions.length)]}`, null);
      this.#counts.dropped++;
    });
    await commit.catch(throwUnlessRemoved);
  }

  /** From now on it relies on what the sources hold today, however long it then waits. */
  async #learn(sources: readonly string[]): Promise<void> {
    for (const id of sources) this.#repository.learn(await this.#repository.openLineage(id));
    await this.#repository.index.refresh();
  }

  async #store(): Promise<void> {
    const count = 1 + this.#random.below(3);
    const contents = Array.from({ length: count }, () => this.#random.below(contentCount));
    const session = this.#repository.session();
    const ids = await session.sink.put('leaf', contents.map(blobOf));
    this.#stored = { used: await session.flush(), ids: ids.map(toHex), contents };
  }

  async #commit(): Promise<void> {
    const { used, ids, contents } = this.#stored as Stored;
    this.#stored = undefined;
    try {
      await this.lineage.commit((draft): undefined => {
        const packs = String(usePacks(draft, used));
        draft.set(`base/${String(draft.seq).padStart(9, '0')}`, { ids, contents, packs });
        const versions = draft.keys('base');
        if (versions.length > versionsMax) draft.set(`base/${versions[0]}`, null);
      });
      this.#repository.committed(used);
      this.#counts.commits++;
    } catch (error) {
      if (!(error instanceof CondemnedPacksError)) return throwUnlessRemoved(error);
      this.#repository.forget(error.packs);
      this.#counts.condemned++;
    }
  }
}

/** A writer of a removed source is told that what it writes is no commit. */
function throwUnlessRemoved(error: unknown): void {
  if (!isCodrError(error, 'lease-lost')) throw error;
}

function blobOf(content: number): Uint8Array {
  return Buffer.from(new SeededRandom(content).bytes(700));
}

/** Lets others move before each write. */
function movingStore(store: ObjectStore, move: () => Promise<void>): ObjectStore {
  return {
    url: store.url,
    get: (name, range, signal) => store.get(name, range, signal),
    stat: (name, signal) => store.stat(name, signal),
    list: (prefix, signal) => store.list(prefix, signal),
    listFolders: (prefix, signal) => store.listFolders(prefix, signal),
    async create(name, body, signal) {
      await move();
      return await store.create(name, body, signal);
    },
    async remove(name, signal) {
      await move();
      await store.remove(name, signal);
    },
  };
}
