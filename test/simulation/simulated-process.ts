// One process of a simulated world: its own view of the store, its own claim to be alive, one work: a backup, a
// merge, a collection. It dies like a real one: from then on nothing that it does reaches the store.
import { assert } from '../../src/base/assert.ts';
import { toHex } from '../../src/base/bytes.ts';
import { isCodrError } from '../../src/base/error.ts';
import { silentLogger } from '../../src/base/log.ts';
import { type Random, SeededRandom } from '../../src/base/random.ts';
import { MemorySpill } from '../../src/base/spill.ts';
import { runJob } from '../../src/cluster/task-runner.ts';
import { alone } from '../../src/cluster/work-pool.ts';
import type { Connector, CutGrade, SourceConfig } from '../../src/connector/connector.ts';
import { MemoryCoordinator } from '../../src/coordination/memory/memory-coordinator.ts';
import { type BackupOutcome, backup } from '../../src/engine/capture/backup.ts';
import { mergeNeighbours } from '../../src/engine/capture/merge.ts';
import { openRuns } from '../../src/engine/capture/run-records.ts';
import { checkpoint } from '../../src/engine/checkpoint/checkpoint.ts';
import { restorableIntervals } from '../../src/engine/history/source-history.ts';
import type { EngineLimits, EngineWorld, SourceContext } from '../../src/engine/source-context.ts';
import type { Scope } from '../../src/model/namespace.ts';
import { collect } from '../../src/repository/collect/collect.ts';
import { InlineSealer } from '../../src/repository/frame/sealer.ts';
import { claimWriter, type ProcessIdentity } from '../../src/repository/lineage/writer.ts';
import { Repository, repositoryLineage } from '../../src/repository/repository.ts';
import { FaultyObjectStore } from '../../src/storage/faulty-object-store.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { RetryingObjectStore } from '../../src/storage/retrying-object-store.ts';
import type { ManualClock } from '../harness/manual-clock.ts';
import type { WorldRepository } from './remembered-keys.ts';
import { simulatedSharing } from './simulated-peers.ts';

/** What all processes of a world share. */
export interface SharedWorld {
  readonly seed: number;
  readonly clock: ManualClock;
  readonly store: ObjectStore;
  readonly opened: WorldRepository;
  readonly connector: Connector;
  /** Calls itself `source`. */
  readonly config: SourceConfig;
  readonly scope: Scope;
  readonly limits: EngineLimits;
  readonly packBytesTarget: number;
  readonly retries: boolean;
  /** Other peers that each process has. */
  readonly peers: number;
  /** By pid. */
  readonly alive: Set<number>;
}

export type Ending =
  | { readonly kind: 'done'; readonly outcome: BackupOutcome | undefined }
  | { readonly kind: 'failed'; readonly error: unknown };

/** The lineage of the one source. */
export const source = 'source-1';
const auditEveryMs = 20_000;

export class SimulatedProcess {
  readonly pid: number;
  readonly store: FaultyObjectStore;
  readonly context: Omit<SourceContext, 'lineage'>;
  readonly abort = new AbortController();
  /** Set when the backup has ended. */
  ending: Ending | undefined;
  readonly #shared: SharedWorld;

  private constructor(
    pid: number,
    shared: SharedWorld,
    store: FaultyObjectStore,
    context: SimulatedProcess['context'],
  ) {
    this.pid = pid;
    this.#shared = shared;
    this.store = store;
    this.context = context;
  }

  /** Opens the repository without faults: what is compiled on the way must not meet the simulated clock. */
  static async start(pid: number, shared: SharedWorld): Promise<SimulatedProcess> {
    const { clock, connector, config, scope } = shared;
    const random: Random = new SeededRandom(shared.seed * 1000 + pid);
    const faulty = new FaultyObjectStore(shared.store, { random, clock });
    const store = shared.retries
      ? new RetryingObjectStore(faulty, { clock, random, attempts: 3 })
      : faulty;
    const spill = new MemorySpill();
    const repository = await openRepository(pid, shared, store, { random, spill });
    shared.alive.add(pid);
    const own = worldOf(pid, shared, random, spill);
    const place = { name: 'source', connector, config: async () => config, scope };
    const sharing = await simulatedSharing({
      ...{ count: shared.peers, random, lossEvery: 8, context: { ...place, world: own } },
      openRepository: () =>
        openRepository(pid, shared, store, { random, spill: new MemorySpill() }),
    });
    const context = { ...place, world: { ...own, sharing }, repository };
    return new SimulatedProcess(pid, shared, faulty, context);
  }

  /** The repository over another view of the store. */
  async reopen(store: ObjectStore): Promise<Repository> {
    return await openRepository(this.pid, this.#shared, store, this.context.world);
  }

  /** The source as the store has it now. */
  async openSource(): Promise<SourceContext> {
    const lineage = await this.context.repository.openLineage(source);
    return { ...this.context, lineage };
  }

  backup(options: {
    readonly follow: boolean;
    readonly rpoMs: number;
    readonly minGrade?: CutGrade;
  }): void {
    this.run(async (context, signal) => {
      const asked = { minGrade: 'complete', ...options, identity: 'source', auditEveryMs } as const;
      return await backup(context, asked, signal);
    });
  }

  /** Merges a stretch of neighbouring runs that the policy would leave apart. */
  merge(count: number, from: number): void {
    this.run(async (context, signal) => {
      const { world, lineage } = context;
      const { probe, clock, random } = world;
      const claim = await claimWriter(lineage, {
        probe,
        clock,
        tickMs: 1000,
        claim: toHex(random.bytes(16)),
        signal,
      });
      try {
        const runs = openRuns(lineage.state);
        const first = from % Math.max(1, runs.length);
        const chosen = runs
          .slice(first, first + count)
          .filter(({ record }) => record.epoch === runs[first]?.record.epoch);
        if (chosen.length > 1) await mergeNeighbours(context, claim, chosen);
      } finally {
        await claim.release();
      }
      return undefined;
    });
  }

  /** Frees what nobody uses; `uncommittedAgeMs`: what is older, and in no commit. */
  collect(uncommittedAgeMs: number): void {
    this.run(async ({ repository, world: { clock, probe } }, signal) => {
      const lineage = await repository.openLineage(repositoryLineage);
      await collect({ repository, lineage, clock, probe, signal, uncommittedAgeMs });
      return undefined;
    });
  }

  /** Folds the newest cut, or any, into base copies. Without a cut there is nothing to do. */
  checkpoint(isNewest: boolean, chance: Random): void {
    this.run(async (context, signal) => {
      const times = restorableIntervals(context.lineage.state).map(({ to }) => to);
      const at = isNewest ? times.at(-1) : times[chance.below(times.length || 1)];
      if (at !== undefined) await checkpoint(context, { at }, signal);
      return undefined;
    });
  }

  /** Any work with the source as the store has it now; how it ended is kept. */
  run(
    work: (context: SourceContext, signal: AbortSignal) => Promise<BackupOutcome | undefined>,
  ): void {
    const run = async (): Promise<BackupOutcome | undefined> => {
      const context = await this.openSource();
      context.repository.learn(context.lineage);
      return await work(context, this.abort.signal);
    };
    run().then(
      (outcome) => this.#end({ kind: 'done', outcome }),
      (error: unknown) => this.#end({ kind: 'failed', error }),
    );
  }

  kill(): void {
    this.#shared.alive.delete(this.pid);
    this.store.crash();
    this.abort.abort(new Error('killed'));
  }

  #end(ending: Ending): void {
    this.ending = ending;
    this.#shared.alive.delete(this.pid);
  }
}

async function openRepository(
  pid: number,
  { clock, opened, limits, packBytesTarget }: SharedWorld,
  store: ObjectStore,
  { random, spill }: Pick<EngineWorld, 'random' | 'spill'>,
): Promise<Repository> {
  return await Repository.open(
    {
      ...{ store, clock, random, spill, packBytesTarget },
      sealer: new InlineSealer({ idKey: opened.unlocked.keys.id, level: 1 }),
      writer: `process ${pid}`,
      memoryBytesMax: limits.memoryBytesMax,
      entries: opened.entries,
    },
    opened,
  );
}

/** Processes with odd ids run on another host, so that nobody can tell at once whether they live. */
export function identityOf(pid: number): ProcessIdentity {
  const host = pid % 4 === 3 ? 'elsewhere' : 'here';
  return { host, machineId: host, bootId: 'boot', pidSpace: 'space', pid, startTicks: String(pid) };
}

function worldOf(
  pid: number,
  shared: SharedWorld,
  random: Random,
  spill: MemorySpill,
): EngineWorld {
  const { clock, limits, alive } = shared;
  const self = identityOf(pid);
  const coordinator = new MemoryCoordinator(clock);
  return {
    clock,
    random,
    log: silentLogger,
    spill,
    probe: {
      self,
      isAlive: async (other) =>
        other.host !== self.host ? 'unknown' : alive.has(other.pid) ? 'alive' : 'dead',
    },
    limits,
    sharing: alone(limits.workers),
    runJob: async (job, signal) =>
      await runJob(job, {
        coordinator,
        worker: `process ${pid}`,
        clock,
        leaseTtlMs: 10_000,
        concurrency: limits.workers,
        attempts: 8,
        transient: (error) => {
          assert(error !== undefined, 'a task fails with an error');
          return isCodrError(error, 'snapshot-too-old') || isCodrError(error, 'source-unreachable');
        },
        signal,
        log: silentLogger,
      }),
  };
}
