// A source of cuts and its repository in memory, for tests: takes cuts, and reads any of them back.

import { view } from '../../base/bytes.ts';
import { silentLogger } from '../../base/log.ts';
import { SeededRandom } from '../../base/random.ts';
import { MemorySpill } from '../../base/spill.ts';
import { alone } from '../../cluster/work-pool.ts';
import type { CutGrade } from '../../connector/connector.ts';
import { everything } from '../../model/namespace.ts';
import { type SourceTime, timeFromHex } from '../../model/time.ts';
import {
  createFixture,
  openFixture,
  probe,
  registerSource,
} from '../../repository/collect/repository-fixture.ts';
import type { Lineage } from '../../repository/lineage/lineage.ts';
import type { Repository } from '../../repository/repository.ts';
import { MemoryObjectStore } from '../../storage/memory/memory-object-store.ts';
import { ProgressMeter } from '../progress.ts';
import { foldDataset, OpenedRuns } from '../read/fold.ts';
import { parseWhen, type ResolvedPoint, resolvePoint } from '../read/point.ts';
import type { SourceContext } from '../source-context.ts';
import { type TakenCut, takeCut } from './cut-backup.ts';
import { CutDatabase, cutConnector, cutSession, textOf } from './cut-source.fixture.ts';

const forever = new AbortController().signal;
/** By table: what a reader sees, by key. */
export type Seen = Record<string, Record<string, string>>;

export class CutWorld {
  readonly database = new CutDatabase();
  readonly store: MemoryObjectStore;
  /** What the database held at each cut, by point id. */
  readonly model = new Map<string, Seen>();
  repository: Repository;
  lineage: Lineage;
  /** Fails when another writer has taken over. */
  claim = { check: (): void => {}, release: async (): Promise<void> => {} };

  private constructor(store: MemoryObjectStore, repository: Repository, lineage: Lineage) {
    this.store = store;
    this.repository = repository;
    this.lineage = lineage;
  }

  static async open(): Promise<CutWorld> {
    const store = new MemoryObjectStore();
    await createFixture(store, 1);
    const repository = await openFixture(store, { seed: 2, packBytesTarget: 1000 });
    return new CutWorld(store, repository, await registerSource(repository, 'aa'));
  }

  /** As a process that starts now would. */
  async reopen(): Promise<void> {
    this.repository = await openFixture(this.store, { seed: 3, packBytesTarget: 1000 });
    this.lineage = await this.repository.openLineage('aa');
    this.repository.learn(this.lineage);
  }

  get clock() {
    const { database } = this;
    const now = (): number => database.nowMs;
    return { now, monotonic: now, sleep: async () => {} };
  }

  get context(): SourceContext {
    const limits = { workers: 2, segmentBytes: 1000, tickBytesMax: 1000, memoryBytesMax: 1 << 20 };
    const { clock } = this;
    const outside = { random: new SeededRandom(4), spill: new MemorySpill(), log: silentLogger };
    return {
      name: 'ring',
      world: {
        ...outside,
        clock,
        probe,
        limits,
        runJob: async () => {},
        sharing: alone(limits.workers),
      },
      repository: this.repository,
      lineage: this.lineage,
      connector: cutConnector(this.database),
      config: async () => ({ kind: 'cuts', uri: 'cuts:ring' }),
      scope: everything,
    };
  }

  /** One minute after the cut before. */
  async cut(minGrade: CutGrade = 'best-effort'): Promise<TakenCut['point']> {
    this.database.nowMs += 60_000;
    const meter = new ProgressMeter(this.clock, undefined);
    const options = { session: cutSession(this.database), claim: this.claim, meter, minGrade };
    const { point } = await takeCut(this.context, options, forever);
    const names = [...this.database.tables.keys()];
    const seen = names.map((name) => [name, this.database.live(name)]);
    this.model.set(point.id, Object.fromEntries(seen));
    return point;
  }

  timeOf(when: string): SourceTime {
    const { lineage, connector, scope } = this.context;
    return parseWhen({ state: lineage.state, connector, scope }, when);
  }

  resolve(when: string): ResolvedPoint {
    const { lineage, connector, scope } = this.context;
    return resolvePoint({ state: lineage.state, connector, scope }, this.timeOf(when));
  }

  /** What a restore of the point would give, folded in two ranges. */
  async read(when: string): Promise<Seen> {
    const { at, datasets } = this.resolve(when);
    const seen: Seen = {};
    const live = { nowMs: 0, ttl: 'keep', rebaseMs: 0, cutMs: 0 } as const;
    const middle = Buffer.from('k5');
    for (const dataset of datasets) {
      const table: Record<string, string> = {};
      for (const range of [{ to: middle }, { from: middle }]) {
        const runs = new OpenedRuns(this.context);
        for await (const batch of foldDataset(this.context, runs, dataset, { range, at, live })) {
          for (const { key, value } of batch) table[view(key).toString()] = textOf(value);
        }
      }
      seen[dataset.entry.namespace] = table;
    }
    return seen;
  }

  keys(kind: string): readonly string[] {
    return this.lineage.state.keys(kind);
  }

  /** Names of the tables that the point's cut has added something to. */
  addedAt({ time }: Pick<TakenCut['point'], 'time'>): string[] {
    const added = this.keys('delta').filter((rest) => rest.includes(`/${time}.`));
    return added.map((rest) => this.nameOf(rest.slice(0, rest.indexOf('/'))));
  }

  nameOf(dataset: string): string {
    const tables = [...this.database.tables.values()];
    return tables.find(({ entry }) => entry.dataset === dataset)?.entry.namespace ?? '';
  }
}

/** The wall clock of a point, so many ms later. */
export function wallOf({ time }: Pick<TakenCut['point'], 'time'>, laterMs = 0): string {
  return new Date(Number(timeFromHex(time) >> 20n) + laterMs).toISOString();
}
