// What a cut of a cluster of replicas remembers for the next one, and what it says of the ring: which replicas there
// are of each range, and how sure it is of them.
import type { CutGrade } from '../connector.ts';
import type { ReplicaCluster } from './replica-cluster.ts';
import { tokenCount } from './replica-record.ts';

/** What a cut remembers for the next one. JSON in the repository. */
export interface ReplicaState {
  /** When the newest cut was, seconds since 1970. */
  readonly atSeconds: number;
  /** By dataset: how often it had been emptied. */
  readonly truncations: Readonly<Record<string, number>>;
  readonly hosts: Readonly<Record<string, HostState>>;
  readonly horizon?: Horizon;
}

/** Which deletions no server holds any more. */
export interface Horizon {
  /** Nobody brings what deletions hide that were written before, seconds since 1970. */
  readonly graceSeconds: number;
  /** Tokens of which every replica was captured whole: from, and the first behind. */
  readonly ranges: readonly (readonly [number, number])[];
  /** By dataset: the oldest deletion, or expiry, that a file still holds; absent: none does. */
  readonly floors: Readonly<Record<string, number>>;
}

export interface HostState {
  readonly runId: number;
  /** When it was captured last. */
  readonly atSeconds: number;
  /** By dataset: captured, and not gone yet. */
  readonly files: Readonly<Record<string, readonly string[]>>;
}

export const firstState: ReplicaState = { atSeconds: 0, truncations: {}, hosts: {} };

export interface ReplicaRange {
  readonly from: number;
  /** First token behind. */
  readonly to: number;
  readonly replicas: readonly string[];
}

/** The ring cut at the tokens of its servers. */
export function rangesOf(cluster: ReplicaCluster): ReplicaRange[] {
  const bounds = cluster.nodes.map(({ token }) => token + 1).sort((a, b) => a - b);
  return [0, ...bounds].flatMap((from, i): ReplicaRange[] => {
    const to = bounds[i] ?? tokenCount;
    const replicas = cluster.replicasOf(from).map(({ hostId }) => hostId);
    return from < to ? [{ from, to, replicas }] : [];
  });
}

export function gradeOf(
  replicas: readonly string[],
  isThere: (hostId: string) => boolean,
): CutGrade {
  const captured = replicas.filter(isThere).length;
  if (captured === replicas.length) return 'complete';
  return captured >= Math.ceil(replicas.length / 2) ? 'quorum-safe' : 'best-effort';
}
