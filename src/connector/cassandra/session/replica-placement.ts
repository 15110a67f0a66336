// Which nodes hold which token ranges, as Cassandra places replicas: SimpleStrategy walks the ring,
// NetworkTopologyStrategy walks it per data centre and prefers racks that hold none yet
// (NetworkTopologyStrategy.calculateNaturalReplicas, the same in 4.0 to 5.0). Pure.
import { CodrError } from '../../../base/error.ts';
import { murmur3Partitioner, type Partitioner } from '../key/partitioner.ts';

/** A node as placement sees it. JSON-safe: tokens are decimal text. */
export interface RingNode {
  /** UUID. */
  readonly hostId: string;
  /** Broadcast address, without port. */
  readonly address: string;
  /** Where clients reach it. */
  readonly nativeAddress: string;
  readonly datacenter: string;
  readonly rack: string;
  readonly tokens: readonly string[];
}

/** (from, to] of tokens. Never wraps: `from` of the first is the lowest of the partitioner. */
export interface TokenRange {
  readonly from: bigint;
  readonly to: bigint;
}

export interface ReplicaRange extends TokenRange {
  /** Host ids; their order says nothing. */
  readonly replicas: readonly string[];
}

/** As in `system_schema.keyspaces`: `class`, with or without its package, and its options. */
export type Replication = Readonly<Record<string, string>>;

/**
 * Replica sets of the whole ring, ascending, without holes or wrap; neighbours of one set are joined. Errors:
 * `source-unfit` for a strategy whose placement is not known.
 */
export function replicasOf(
  nodes: readonly RingNode[],
  replication: Replication,
  { lowest, highest }: Partitioner = murmur3Partitioner,
): ReplicaRange[] {
  const ring = nodes
    .flatMap((node) => node.tokens.map((token) => ({ token: BigInt(token), node })))
    .sort((a, b) => (a.token < b.token ? -1 : 1));
  if (ring.length === 0) return [];
  const place = strategyOf(nodes, replication);
  const sets = ring.map((_, at) => place(walk(ring, at)).map(({ hostId }) => hostId));
  const ranges: ReplicaRange[] = [];
  const add = (from: bigint, to: bigint, replicas: readonly string[]): void => {
    if (from >= to) return;
    const last = ranges.at(-1);
    if (last && sameSet(last.replicas, replicas)) ranges[ranges.length - 1] = { ...last, to };
    else ranges.push({ from, to, replicas });
  };
  ring.forEach(({ token }, at) => {
    add(at === 0 ? lowest : (ring[at - 1]?.token as bigint), token, sets[at] ?? []);
  });
  // What lies past the last token belongs to the first one's owners.
  add(ring.at(-1)?.token as bigint, highest, sets[0] ?? []);
  return ranges;
}

/** What one node holds of a keyspace, ascending, neighbours joined. */
export function ownedRanges(
  nodes: readonly RingNode[],
  replication: Replication,
  hostId: string,
): TokenRange[] {
  const owned: TokenRange[] = [];
  for (const { from, to, replicas } of replicasOf(nodes, replication)) {
    if (!replicas.includes(hostId)) continue;
    const last = owned.at(-1);
    if (last?.to === from) owned[owned.length - 1] = { from: last.from, to };
    else owned.push({ from, to });
  }
  return owned;
}

/** The class's name without its package. */
export function strategyName(replication: Replication): string {
  return (replication.class ?? '').replace(/^.*\./, '');
}

/** Whether some replicas (`3/1`) hold only what is not repaired yet. */
export function isTransient(replication: Replication): boolean {
  return Object.entries(replication).some(([key, value]) => key !== 'class' && value.includes('/'));
}

type Walk = Iterable<RingNode>;

function strategyOf(
  nodes: readonly RingNode[],
  replication: Replication,
): (walk: Walk) => RingNode[] {
  const name = strategyName(replication);
  if (name === 'SimpleStrategy') {
    const wanted = Math.min(copies(replication.replication_factor ?? ''), nodes.length);
    return (walk) => simple(walk, wanted);
  }
  if (name === 'NetworkTopologyStrategy') {
    const wanted = Object.entries(replication).filter(([key]) => key !== 'class');
    return (walk) => byDatacenter(walk, nodes, wanted);
  }
  if (name === 'EverywhereStrategy') return () => [...nodes];
  throw new CodrError('source-unfit', `replication ${replication.class} is not known`, {
    object: replication.class ?? 'replication',
    remedy: 'leave the keyspace out with --exclude',
  });
}

function simple(walk: Walk, wanted: number): RingNode[] {
  const found: RingNode[] = [];
  for (const node of walk) {
    if (found.length === wanted) break;
    if (!found.includes(node)) found.push(node);
  }
  return found;
}

interface Filling {
  left: number;
  /** Further nodes of racks that hold a replica already, taken while racks are too few. */
  repeats: number;
  readonly racks: Set<string>;
}

function byDatacenter(
  walk: Walk,
  nodes: readonly RingNode[],
  wanted: readonly (readonly [string, string])[],
): RingNode[] {
  const filling = new Map<string, Filling>();
  for (const [datacenter, factor] of wanted) {
    const there = nodes.filter((node) => node.datacenter === datacenter);
    const racks = new Set(there.map(({ rack }) => rack)).size;
    const count = copies(factor);
    const left = Math.min(count, there.length);
    if (left > 0) filling.set(datacenter, { left, repeats: count - racks, racks: new Set() });
  }
  const found: RingNode[] = [];
  for (const node of walk) {
    if (filling.size === 0) break;
    const state = filling.get(node.datacenter);
    if (!state || found.includes(node)) continue;
    if (state.racks.has(node.rack)) {
      if (state.repeats <= 0) continue;
      state.repeats -= 1;
    }
    state.racks.add(node.rack);
    found.push(node);
    state.left -= 1;
    if (state.left === 0) filling.delete(node.datacenter);
  }
  return found;
}

/** Transient replicas (`3/1`) count: they hold what is not repaired yet. */
function copies(factor: string): number {
  const count = Number(factor.split('/')[0]);
  return Number.isInteger(count) && count > 0 ? count : 0;
}

function* walk(ring: readonly { readonly node: RingNode }[], start: number): Walk {
  for (let i = 0; i < ring.length; i++) {
    yield (ring[(start + i) % ring.length] as { node: RingNode }).node;
  }
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one) => b.includes(one));
}
