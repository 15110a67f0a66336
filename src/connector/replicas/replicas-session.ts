// A live cluster of replicas as the engine sees it: cuts, and no log.
import { CodrError } from '../../base/error.ts';
import type { KeyRange } from '../../model/key-range.ts';
import type { Scope } from '../../model/namespace.ts';
import type { RecordStream } from '../../model/record.ts';
import { firstTime, lastTime, type SourceTime } from '../../model/time.ts';
import type {
  ChangeBatch,
  CutBefore,
  CutReader,
  Finding,
  SegmentReader,
  SourceIdentity,
  SourceSession,
  Survey,
} from '../connector.ts';
import type { ReplicaCluster } from './replica-cluster.ts';
import { replicaStream, takeReplicaCut } from './replica-cut.ts';

export class ReplicasSession implements SourceSession {
  readonly identity: SourceIdentity;
  readonly #cluster: ReplicaCluster;

  constructor(cluster: ReplicaCluster) {
    this.#cluster = cluster;
    this.identity = { id: cluster.identity, version: '1', streams: [replicaStream] };
  }

  async check(): Promise<Finding[]> {
    const down = this.#cluster.nodes.filter(({ isUp }) => !isUp);
    return down.map(({ hostId }) => ({ level: 'warning', message: `${hostId} is down` }));
  }

  async cut(after: CutBefore | undefined, scope: Scope, signal: AbortSignal): Promise<CutReader> {
    if (!this.#cluster.isReachable) throw new CodrError('source-unreachable', 'nobody answers');
    return await takeReplicaCut(this.#cluster, after, scope, signal);
  }

  async release(): Promise<Finding[]> {
    const left = this.#cluster.nodes.filter(({ isUp }) => !isUp);
    for (const node of this.#cluster.nodes) {
      if (!node.isUp) continue;
      node.linksOn = false;
      for (const { entry } of this.#cluster.tables.values()) node.table(entry.dataset).links = [];
    }
    return left.map(({ hostId }) => leftAt([hostId]));
  }

  survey(): Promise<Survey> {
    return Promise.reject(noLog());
  }

  plan(): Promise<KeyRange[]> {
    return Promise.reject(noLog());
  }

  readSegment(): Promise<SegmentReader | undefined> {
    return Promise.reject(noLog());
  }

  // biome-ignore lint/correctness/useYield: it only refuses
  async *follow(): AsyncGenerator<ChangeBatch, void, void> {
    throw noLog();
  }

  watermark(): Promise<SourceTime> {
    return Promise.reject(noLog());
  }

  async logBounds(): Promise<{ oldest: SourceTime; newest: SourceTime }> {
    return { oldest: firstTime, newest: lastTime };
  }

  async readAt(): Promise<RecordStream | undefined> {
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** What stays where servers could not be asked. */
export function leftAt(hosts: readonly string[]): Finding {
  return {
    level: 'warning',
    message: `links may still be made at ${hosts.join(', ')}`,
    remedy: 'switch them off there',
  };
}

function noLog(): CodrError {
  return new CodrError('source-unfit', 'a cluster of replicas has no log: it is captured by cuts');
}
