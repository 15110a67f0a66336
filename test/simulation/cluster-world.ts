// What the peers of a simulated world share: the store, the sources, the network, the coordinator; and how a process
// opens the repository and a source there.
import { AssertionError } from 'node:assert/strict';
import { assert, BrokenPromiseError } from '../../src/base/assert.ts';
import { isCodrError } from '../../src/base/error.ts';
import type { Logger } from '../../src/base/log.ts';
import type { Random } from '../../src/base/random.ts';
import { MemorySpill } from '../../src/base/spill.ts';
import { runJob } from '../../src/cluster/task-runner.ts';
import type { Sharing } from '../../src/cluster/work-pool.ts';
import type {
  MemoryDatabase,
  MemoryDatabases,
} from '../../src/connector/memory/memory-database.ts';
import { MemoryCoordinator } from '../../src/coordination/memory/memory-coordinator.ts';
import type { EngineLimits, EngineWorld, SourceContext } from '../../src/engine/source-context.ts';
import type { Scope } from '../../src/model/namespace.ts';
import { InlineSealer } from '../../src/repository/frame/sealer.ts';
import { CondemnedPacksError } from '../../src/repository/lineage/pack-table.ts';
import type { ProcessIdentity, ProcessProbe } from '../../src/repository/lineage/writer.ts';
import { Repository } from '../../src/repository/repository.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import type { ManualClock } from '../harness/manual-clock.ts';
import type { WatchedStore } from './commit-watch.ts';
import type { CoordinatorService } from './coordinator-service.ts';
import type { PeerClock } from './peer-clock.ts';
import type { RandomWorkload } from './random-workload.ts';
import type { WorldRepository } from './remembered-keys.ts';
import type { RestoreCheck } from './restore-check.ts';
import type { SimulatedNetwork } from './simulated-network.ts';
import type { UnsteadyConnector } from './unsteady-connector.ts';
import type { WholePeer } from './whole-peer.ts';

export interface SourceInWorld {
  /** Of the source and its lineage. */
  readonly name: string;
  readonly database: MemoryDatabase;
  readonly workload: RandomWorkload;
  readonly check: RestoreCheck;
}

export interface ClusterWorld {
  readonly seed: number;
  readonly clock: ManualClock;
  readonly random: Random;
  readonly store: WatchedStore;
  readonly opened: WorldRepository;
  readonly databases: MemoryDatabases;
  readonly connector: UnsteadyConnector;
  readonly scope: Scope;
  /** What is registered; another takes the place of one that is removed. */
  readonly sources: SourceInWorld[];
  readonly removed: SourceInWorld[];
  readonly limits: EngineLimits;
  readonly packBytesTarget: number;
  readonly network: SimulatedNetwork;
  readonly service: CoordinatorService;
  /** The process of that name that runs now. */
  readonly peers: Map<string, WholePeer>;
  readonly trace: (line: string) => void;
  /** Called with what must not be. */
  readonly broken: (error: unknown) => void;
}

/** One process and its own view of the world. */
export interface OwnWorld {
  readonly clock: PeerClock | ManualClock;
  readonly random: Random;
  readonly store: ObjectStore;
  readonly log: Logger;
  /** Of a peer: by slot 1 for those that it takes for its own in the index. */
  readonly ownedSlots?: () => Uint8Array | undefined;
}

/** So that runs of the index are cut into many objects. */
const indexEntriesMax = 8;
const leaseTtlMs = 10_000;
const taskAttempts = 8;

export async function openRepository(
  writer: string,
  { opened, limits, packBytesTarget }: ClusterWorld,
  { clock, random, store, ownedSlots }: OwnWorld,
): Promise<Repository> {
  return await Repository.open(
    {
      ...{ store, clock, random, writer, packBytesTarget, indexEntriesMax },
      ...{ spill: new MemorySpill(), ...(ownedSlots && { ownedSlots }) },
      sealer: new InlineSealer({ idKey: opened.unlocked.keys.id, level: 1 }),
      memoryBytesMax: limits.memoryBytesMax,
      entries: opened.entries,
    },
    opened,
  );
}

/** A source that is registered anew is of the same database: `one`, `one-2`. */
export function databaseOf(source: string): string {
  return source.replace(/-\d+$/, '');
}

/** The source as the store has it now. */
export async function openSource(
  name: string,
  { connector, scope }: ClusterWorld,
  repository: Repository,
  world: EngineWorld,
): Promise<SourceContext> {
  const lineage = await repository.openLineage(name);
  const config = async () => ({ kind: 'memory', uri: `memory:${databaseOf(name)}` });
  return { name, world, repository, lineage, connector, config, scope };
}

/** As a node makes it: work within the process goes by a coordinator of its own. */
export function engineWorld(
  worker: string,
  { limits }: ClusterWorld,
  { clock, random, log }: OwnWorld,
  { sharing, probe }: { readonly sharing: Sharing; readonly probe: ProcessProbe },
): EngineWorld {
  const coordinator = new MemoryCoordinator(clock);
  return {
    ...{ clock, random, log, probe, limits, sharing, spill: new MemorySpill() },
    runJob: async (job, signal) =>
      await runJob(job, {
        ...{ coordinator, worker, clock, leaseTtlMs, signal, log },
        concurrency: sharing.slots,
        attempts: taskAttempts,
        transient: isTransient,
      }),
  };
}

function isTransient(error: unknown): boolean {
  assert(error !== undefined, 'a task fails with an error');
  return (
    error instanceof CondemnedPacksError ||
    isCodrError(error, 'snapshot-too-old') ||
    isCodrError(error, 'source-unreachable')
  );
}

/** Each process of a world is a host of its own. */
export function identityOf(host: string): ProcessIdentity {
  return { host, machineId: host, bootId: 'b', pidSpace: 's', pid: 1, startTicks: '1' };
}

/** What no outside causes. */
export function isDefect(error: unknown): boolean {
  const kinds = [BrokenPromiseError, AssertionError, TypeError, RangeError, ReferenceError];
  return kinds.some((kind) => error instanceof kind);
}

/** Tells what a process logs, and of defects. */
export function tracingLogger(
  name: string,
  { trace, broken }: Pick<ClusterWorld, 'trace' | 'broken'>,
): Logger {
  const say = (fields: object, message: string): void => {
    const { error } = fields as { error?: unknown };
    const why = error instanceof Error ? ` (${error.message})` : '';
    trace(`  ${name}: ${message}${why}`);
    if (isDefect(error)) broken(error);
  };
  const log: Logger = {
    debug: process.env.CODR_DEBUG ? say : () => {},
    info: say,
    warn: say,
    error: say,
    child: () => log,
  };
  return log;
}
