// A cluster of replicas whose cuts are read by several peers, each with a view of the repository of its own, and orders
// that travel as text. Tests say which peer is lost, blind, or sees damage.
import { silentLogger } from '../../base/log.ts';
import { SeededRandom } from '../../base/random.ts';
import { MemorySpill } from '../../base/spill.ts';
import type { Throttle } from '../../base/throttle.ts';
import {
  alone,
  type Sharing,
  type WorkContext,
  type WorkOrder,
  WorkPool,
  type Workplace,
} from '../../cluster/work-pool.ts';
import { ReplicaCluster, ReplicaClusters } from '../../connector/replicas/replica-cluster.ts';
import type { ReplicaPart } from '../../connector/replicas/replica-part.ts';
import { ReplicasConnector } from '../../connector/replicas/replicas-connector.ts';
import type { PackId } from '../../model/id.ts';
import { wholeRange } from '../../model/key-range.ts';
import { everything } from '../../model/namespace.ts';
import {
  createFixture,
  openFixture,
  probe,
  registerSource,
} from '../../repository/collect/repository-fixture.ts';
import type { BaseRecord } from '../../repository/lineage/records.ts';
import type { Repository } from '../../repository/repository.ts';
import { MemoryObjectStore } from '../../storage/memory/memory-object-store.ts';
import { ProgressMeter } from '../progress.ts';
import { foldDataset, OpenedRuns } from '../read/fold.ts';
import { resolvePoint } from '../read/point.ts';
import type { EngineWorld, SourceContext } from '../source-context.ts';
import { Workers } from '../work/workers.ts';
import { type TakenCut, takeCut } from './cut-backup.ts';

const forever = new AbortController().signal;
const nowMs = 1_800_000_000_000;
const clock = { now: () => nowMs, monotonic: () => nowMs, sleep: async () => {} };

export interface SeenOrder {
  readonly peer: string;
  readonly kind: string;
  readonly input: {
    readonly described: ReplicaPart;
    readonly bytesPerSecond: number;
    readonly pace: number;
    readonly refused: readonly PackId[];
  };
}

/** What happens to the work of a peer: run it, in a world of its own. */
export type Meets = (
  order: SeenOrder,
  run: (context?: WorkContext) => Promise<unknown>,
  context: WorkContext,
) => Promise<unknown>;

export class SharedCutWorld {
  readonly store = new MemoryObjectStore();
  readonly clusters = new ReplicaClusters();
  readonly cluster: ReplicaCluster;
  readonly #repositories: Repository[] = [];
  /** What peers were asked to do. */
  readonly orders: SeenOrder[] = [];
  meets: Meets = (_, run) => run();
  /** Records and bytes that the newest cut told of. */
  told = { records: 0, bytes: 0 };
  limits: SourceContext['limits'];
  throttle: Throttle | undefined;
  /** Of the process that takes the cut. */
  pace: SourceContext['pace'];
  claim = { check: (): void => {}, release: async (): Promise<void> => {} };
  #seed = 10;

  private constructor() {
    const ring = { name: 'ring', nodes: 3, replicationFactor: 3, nowMs: () => nowMs };
    this.cluster = this.clusters.add(new ReplicaCluster(ring));
  }

  /** Two lineages of one cluster: `shared`, and `single`, whose cuts one peer takes alone. */
  static async open(): Promise<SharedCutWorld> {
    const world = new SharedCutWorld();
    await createFixture(world.store, 1);
    const repository = await world.openRepository();
    for (const lineage of ['shared', 'single']) await registerSource(repository, lineage);
    return world;
  }

  /** As a process that starts now would. */
  async openRepository(): Promise<Repository> {
    const options = { seed: ++this.#seed, packBytesTarget: 50_000 };
    const repository = await openFixture(this.store, options);
    this.#repositories.push(repository);
    return repository;
  }

  /** Rows of about 2.5 KB, in partitions of ten: a tree of them has leaves. */
  fill(table: string, rows: number): void {
    for (let i = 0; i < rows; i++) {
      const [partition, row] = [`p${Math.floor(i / 10)}`, `r${i % 10}`];
      this.cluster.write(table, partition, { kind: 'put', row, text: `text ${i} `.repeat(280) });
    }
  }

  /** A cut by a process that starts now; `peers`: others that there are, 0 takes it alone. */
  async cut(peers: number, lineage = 'shared'): Promise<TakenCut & { readonly roots: string[] }> {
    const repository = await this.openRepository();
    const own = await this.context(lineage, repository, await this.#sharing(peers));
    const context = { ...own, ...(this.pace && { pace: this.pace }) };
    repository.learn(context.lineage);
    const meter = new ProgressMeter(clock);
    await using session = await context.connector.connect(
      await context.config(),
      { ...context.world, memoryBytesMax: 1 << 20 },
      forever,
    );
    const options = { session, claim: this.claim, meter, minGrade: 'best-effort' } as const;
    const taken = await takeCut(context, options, forever).finally(() => {
      this.told = { records: meter.recordsAll, bytes: meter.bytesAll };
    });
    const bases = context.lineage.state.list<BaseRecord>('base');
    return { ...taken, roots: bases.map(([, { tree }]) => `${tree?.root} ${tree?.records}`) };
  }

  /** Where the parts begin that a cut on its way has committed, as orders have it. */
  async keptParts(): Promise<string[]> {
    const lineage = await (await this.openRepository()).openLineage('shared');
    const places = lineage.state.keys('segment').map((rest) => rest.slice(rest.indexOf('/') + 1));
    return places.map((hex) => Buffer.from(hex, 'hex').toString('base64'));
  }

  /** What a restore of the newest cut would show, `partition/row` and text by table. */
  async read(lineage = 'shared'): Promise<Record<string, Record<string, string>>> {
    const context = await this.context(lineage, await this.openRepository(), alone(1));
    const { connector } = context;
    const { state } = context.lineage;
    const newest = state.list<{ time: string }>('point').at(-1)?.[1].time ?? '';
    const at = BigInt(`0x${newest}`);
    const point = resolvePoint({ state, connector, scope: everything }, at);
    const live = { nowMs, ttl: 'keep', rebaseMs: 0, cutMs: nowMs } as const;
    const seen: Record<string, Record<string, string>> = {};
    for (const dataset of point.datasets) {
      const { entry } = dataset;
      const rows: Record<string, string> = {};
      const where = { range: wholeRange, at, live };
      for await (const batch of foldDataset(context, new OpenedRuns(context), dataset, where)) {
        for (const record of batch) {
          const [text] = connector.renderValue(entry, [record]);
          if (text !== undefined) rows[connector.renderKey(entry, record)] = JSON.parse(text);
        }
      }
      seen[entry.namespace] = rows;
    }
    return seen;
  }

  async context(
    name: string,
    repository: Repository,
    sharing: Sharing,
    clusters = this.clusters,
  ): Promise<SourceContext> {
    const world: EngineWorld = {
      ...{ clock, random: new SeededRandom(4), log: silentLogger, spill: new MemorySpill(), probe },
      limits: { workers: 1, segmentBytes: 300_000, tickBytesMax: 1000, memoryBytesMax: 1 << 20 },
      ...(this.throttle && { throttle: this.throttle }),
      runJob: async () => {},
      sharing,
    };
    return {
      ...{ name, world, repository, lineage: await repository.openLineage(name) },
      ...(this.limits && { limits: this.limits }),
      connector: new ReplicasConnector(clusters),
      config: async () => ({ kind: 'replicas', uri: 'replicas:ring' }),
      scope: everything,
    };
  }

  async #sharing(count: number): Promise<Sharing> {
    if (count === 0) return alone(1);
    const places: Workplace[] = [];
    for (let i = 1; i <= count; i++) places.push(await this.#peer(`n${i}`));
    return new WorkPool({ slots: 1, places: () => places, clock, log: silentLogger });
  }

  async #peer(name: string): Promise<Workplace> {
    const repository = await this.openRepository();
    // What cuts of the other lineage have stored is known to peers, as it is to processes that run for long.
    repository.learn(await repository.openLineage('single'));
    const workers = new Workers({
      clock: { sleep: () => new Promise(() => {}) },
      openSource: async (lineage) => {
        const context = await this.context(lineage, repository, alone(1));
        repository.learn(context.lineage);
        return context;
      },
      openRepository: async () => repository,
    });
    return {
      name,
      slots: 1,
      run: async (order, context) => {
        const heard = JSON.parse(JSON.stringify(order)) as WorkOrder;
        const seen = { peer: name, ...heard } as SeenOrder;
        this.orders.push(seen);
        const run = (own = context): Promise<unknown> => workers.run(heard, own);
        return JSON.parse(JSON.stringify(await this.meets(seen, run, context)));
      },
    };
  }
}
