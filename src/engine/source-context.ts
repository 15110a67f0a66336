// One opened source with everything its work needs. The outside world is in here as arguments.
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { Spill } from '../base/spill.ts';
import type { Throttle } from '../base/throttle.ts';
import type { Job } from '../cluster/task-runner.ts';
import type { Sharing } from '../cluster/work-pool.ts';
import type { Connector, ConnectorContext, SourceConfig } from '../connector/connector.ts';
import type { Scope } from '../model/namespace.ts';
import type { Lineage } from '../repository/lineage/lineage.ts';
import type { ProcessProbe } from '../repository/lineage/writer.ts';
import type { Repository } from '../repository/repository.ts';
import type { SourceLimits } from './source-limits.ts';
import type { SourcePace } from './source-pace.ts';

export interface EngineWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly spill: Spill;
  readonly probe: ProcessProbe;
  /** Runs a job's tasks on every worker of this process, until its plan is empty. */
  runJob(job: Job, signal: AbortSignal): Promise<void>;
  /** Where pieces of work are done. */
  readonly sharing: Sharing;
  /** Of connectors; absent where there are no peers. */
  readonly peerFiles?: ConnectorContext['peerFiles'];
  readonly limits: EngineLimits;
  /** Holds back reading of base copies, so that a source keeps its strength; absent: none. */
  readonly throttle?: Throttle;
}

export interface EngineLimits {
  /** Tasks that run side by side in one process. */
  readonly workers: number;
  /** Raw bytes of one segment of a base copy. */
  readonly segmentBytes: number;
  /** Changes held before a tick is forced. */
  readonly tickBytesMax: number;
  /** What connectors, folds and sorts may buffer together. */
  readonly memoryBytesMax: number;
}

export interface SourceContext {
  readonly name: string;
  readonly world: EngineWorld;
  readonly repository: Repository;
  readonly lineage: Lineage;
  readonly connector: Connector;
  /** How to connect, asked for at each use: what was captured is read and restored without the source's password. */
  readonly config: () => Promise<SourceConfig>;
  readonly scope: Scope;
  /** What the source bears of all peers together; absent: no limit. */
  readonly limits?: SourceLimits;
  /** Of this process; absent: the source is read at full speed, whatever it says. */
  readonly pace?: SourcePace;
}

export function connectorContext(world: EngineWorld): ConnectorContext {
  const { clock, random, log, spill, limits, peerFiles } = world;
  return {
    clock,
    random,
    log,
    spill,
    memoryBytesMax: limits.memoryBytesMax,
    workers: limits.workers,
    ...(peerFiles && { peerFiles }),
  };
}
