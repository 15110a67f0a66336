// Whoever looks at a simulated world of peers from outside: a process without faults, which restores, proves, and at
// the end finds what lies about in the store.
import assert from 'node:assert/strict';
import { toHex } from '../../src/base/bytes.ts';
import { isCodrError } from '../../src/base/error.ts';
import { silentLogger } from '../../src/base/log.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { alone } from '../../src/cluster/work-pool.ts';
import { epochsOf, restorableIntervals } from '../../src/engine/history/source-history.ts';
import type { EngineWorld, SourceContext } from '../../src/engine/source-context.ts';
import type { PackId } from '../../src/model/id.ts';
import type { SourceTime } from '../../src/model/time.ts';
import { withPin } from '../../src/node/pin.ts';
import { check } from '../../src/repository/check/check.ts';
import { adoptCondemned } from '../../src/repository/collect/condemned.ts';
import { retainedPackIds } from '../../src/repository/lineage/pack-table.ts';
import {
  claimWriter,
  currentWriter,
  type ProcessProbe,
} from '../../src/repository/lineage/writer.ts';
import { listPacks } from '../../src/repository/pack/listed-packs.ts';
import { indexedPackOf } from '../../src/repository/pack/pack-check.ts';
import { type Repository, repositoryLineage } from '../../src/repository/repository.ts';
import {
  type ClusterWorld,
  engineWorld,
  identityOf,
  type OwnWorld,
  openRepository,
  openSource,
  type SourceInWorld,
} from './cluster-world.ts';
import { assertAllTold } from './simulation.ts';

const never = new AbortController().signal;

export class ClusterReader {
  readonly #world: ClusterWorld;
  readonly #own: OwnWorld;
  readonly #engine: EngineWorld;
  readonly #repository: Repository;
  readonly #sources = new Map<string, SourceContext>();

  static async open(world: ClusterWorld): Promise<ClusterReader> {
    const { clock, store, seed } = world;
    const own = { clock, store, log: silentLogger, random: new SeededRandom(seed * 1000) };
    return new ClusterReader(world, own, await openRepository('reader', world, own));
  }

  private constructor(world: ClusterWorld, own: OwnWorld, repository: Repository) {
    this.#world = world;
    this.#own = own;
    this.#repository = repository;
    const isAlive = async (): Promise<'unknown'> => 'unknown';
    const probe = { self: identityOf('reader'), isAlive };
    const sharing = alone(world.limits.workers);
    this.#engine = engineWorld('reader', world, own, { sharing, probe });
  }

  /** As `codr source add` does it. */
  async register({ name }: SourceInWorld): Promise<void> {
    this.#world.store.watch(this.#world.opened, [name]);
    const lineage = await this.#repository.openLineage(repositoryLineage);
    const own = await this.#repository.openLineage(name);
    await lineage.commit(async (draft): Promise<undefined> => {
      await adoptCondemned(own, draft);
      draft.set(`source/${name}`, { name });
    });
  }

  /**
   * As `codr source remove` does it, with `before` called once nobody else may write. False: somebody does, or nobody
   * can tell; nothing has changed then. `isAlive` says who lives.
   */
  async remove(
    { name }: SourceInWorld,
    isAlive: ProcessProbe['isAlive'],
    before: () => Promise<void>,
  ): Promise<boolean> {
    const { lineage } = await this.#open(name);
    const { clock } = this.#own;
    const claim = toHex(this.#own.random.bytes(16));
    const self = identityOf('reader');
    const outside = { probe: { self, isAlive }, clock, tickMs: 1000, claim, signal: never };
    const held = await claimWriter(lineage, outside).catch((error: unknown) => {
      if (!isCodrError(error)) throw error;
      return undefined;
    });
    if (!held) return false;
    await before();
    const registry = await this.#repository.openLineage(repositoryLineage);
    await registry.commit((draft): undefined => draft.set(`source/${name}`, null) as undefined);
    this.#sources.delete(name);
    await held.release();
    return true;
  }

  /** Its first base copy has begun. */
  async isCopied(source: string): Promise<boolean> {
    const { lineage } = await this.#open(source);
    return lineage.state.keys('want').length > 0 || lineage.state.keys('base').length > 0;
  }

  /** First and last times of what is restorable now, and some between. */
  async restorable(source: string): Promise<SourceTime[]> {
    const { lineage } = await this.#open(source);
    return restorableIntervals(lineage.state).flatMap(({ from, to }) => [
      from,
      (from + to) / 2n,
      to,
    ]);
  }

  /** Restores so many moments, and holds what is promised against what was. */
  async check({ name, check: moments }: SourceInWorld, count: number): Promise<void> {
    const context = await this.#open(name);
    await withPin(context, async () => await moments.run(context, count));
  }

  /** The present is restorable, nobody writes any more, and whatever is not restorable is a hole. */
  async assertSettled({ name, workload }: SourceInWorld, before: SourceTime): Promise<void> {
    const { state } = (await this.#open(name)).lineage;
    assert.equal(currentWriter(state), undefined, `somebody still holds the claim to ${name}`);
    assert.equal(state.keys('want').length, 0, 'a dataset still wants its base copy');
    assertAllTold(state);
    assert.ok(epochsOf(state).length <= 1 + workload.breaks, 'epochs for no reason');
    const latest = restorableIntervals(state).at(-1)?.to ?? 0n;
    assert.ok(latest >= before, `the last backup of ${name} does not reach the time of its start`);
  }

  /** Every object is whole, and each pack is one that somebody needs. */
  async assertWhole(): Promise<void> {
    const { store } = this.#world;
    const outcome = await check(
      {
        store,
        credential: undefined,
        random: this.#own.random,
        open: async (over) =>
          await openRepository('reader', this.#world, { ...this.#own, store: over }),
        lookers: { slots: 4, run: async (_piece, here, own) => await here(own) },
        pinned: async (_repository, _lineage, work) => await work(),
        noteLost: async () => {},
        describe: () => (lineage) => ({
          name: lineage,
          dataset: (id) => id,
          time: (hex) => hex,
          key: toHex,
        }),
        signal: never,
      },
      { readDataPercent: 100, repair: false },
    );
    assert.deepEqual(outcome.problems, []);
    const needed = new Set<PackId>();
    for (const name of [repositoryLineage, ...this.#world.sources.map((source) => source.name)]) {
      const { state } = await this.#repository.openLineage(name);
      for (const id of retainedPackIds(state)) needed.add(id);
    }
    const listed = await listPacks(store, never);
    const strayed = [...listed.keys()].filter((id) => !needed.has(id));
    assert.deepEqual(strayed, [], 'packs that nothing needs and nothing frees');
    const names = [repositoryLineage, ...this.#world.sources.map(({ name }) => name)].sort();
    assert.deepEqual(await store.listFolders('lineage/'), names, 'lineages of removed sources');
  }

  /** Leaves that are stored, and how many of them once more. */
  async leaves(): Promise<{ leaves: number; duplicates: number }> {
    const ids = new Set<string>();
    let leaves = 0;
    for (const pack of (await listPacks(this.#world.store, never)).values()) {
      const { leafIds } = await indexedPackOf(this.#repository.packs, pack);
      leaves += leafIds.length;
      for (const id of leafIds) ids.add(toHex(id));
    }
    return { leaves, duplicates: leaves - ids.size };
  }

  async #open(source: string): Promise<SourceContext> {
    const known = this.#sources.get(source);
    await known?.lineage.refresh();
    const context =
      known ?? (await openSource(source, this.#world, this.#repository, this.#engine));
    this.#sources.set(source, context);
    return context;
  }
}
