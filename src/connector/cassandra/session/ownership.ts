// What each node owned of a keyspace when a cut read its files. Partitions that it did not own were dropped, and the
// files count as known: where it owns more at a later cut, by a change of the ring or of the replication, its live
// files hold what no cut has. Where it owns less nothing follows: what was read is more than what counts.
import type { KeyspaceSchema } from '../schema/read-schema.ts';
import type { HostState } from './cut-state.ts';
import { type Replication, replicasOf } from './replica-placement.ts';
import { partitionerOf, type Ring } from './ring.ts';

/** Keyspaces that are placed alike share an entry; a node that holds nothing of them has one without ranges. */
export type Owned = NonNullable<HostState['owned']>;

type Places = Pick<Ring, 'nodes' | 'partitioner'>;
/** (from, to] of tokens, as decimal text. */
type Range = Owned[number]['ranges'][number];

/** By host id, of all keyspaces that have tables in scope. */
export function ownershipOf(
  ring: Places,
  schema: readonly KeyspaceSchema[],
): ReadonlyMap<string, Owned> {
  const alike = new Map<string, { replication: Replication; keyspaces: string[] }>();
  for (const { name, replication, tables } of schema) {
    if (tables.length === 0) continue;
    const key = JSON.stringify(Object.entries(replication).sort());
    const group = alike.get(key) ?? { replication, keyspaces: [] };
    group.keyspaces.push(name);
    alike.set(key, group);
  }
  const owned = new Map<string, Owned>(ring.nodes.map(({ hostId }) => [hostId, []]));
  for (const { replication, keyspaces } of alike.values()) {
    const ranges = rangesByHost(ring, replication);
    for (const [hostId, own] of owned) own.push({ keyspaces, ranges: ranges.get(hostId) ?? [] });
  }
  return owned;
}

/** True when the node owns something of the keyspace that it did not own before, or nobody kept what it owned. */
export function ownsMore(before: Owned | undefined, now: Owned, keyspace: string): boolean {
  const old = rangesOf(before, keyspace);
  return old === undefined || !areWithin(rangesOf(now, keyspace) ?? [], old);
}

/** Whether a host that was captured has left, or owns less: then its rows may be gone though nothing deleted them there. */
export function haveLost(
  hosts: Readonly<Record<string, HostState>>,
  now: ReadonlyMap<string, Owned>,
): boolean {
  return Object.entries(hosts).some(([hostId, { owned }]) => {
    const own = now.get(hostId);
    if (!own || !owned) return true;
    const there = own.flatMap(({ keyspaces }) => keyspaces);
    return there.some((name) => rangesOf(owned, name) && ownsMore(own, owned, name));
  });
}

function rangesByHost(ring: Places, replication: Replication): Map<string, Range[]> {
  const byHost = new Map<string, Range[]>();
  for (const { from, to, replicas } of replicasOf(ring.nodes, replication, partitionerOf(ring))) {
    for (const hostId of replicas) {
      const own = byHost.get(hostId) ?? [];
      const last = own.at(-1);
      if (last?.[1] === String(from)) last[1] = String(to);
      else own.push([String(from), String(to)]);
      byHost.set(hostId, own);
    }
  }
  return byHost;
}

function rangesOf(owned: Owned | undefined, keyspace: string): readonly Range[] | undefined {
  return owned?.find(({ keyspaces }) => keyspaces.includes(keyspace))?.ranges;
}

/** Both ascend, neighbours joined: each of `inner` has to lie in one of `outer`. */
function areWithin(inner: readonly Range[], outer: readonly Range[]): boolean {
  let at = 0;
  return inner.every(([from, to]) => {
    while (at < outer.length && BigInt(outer[at]?.[1] ?? 0) < BigInt(to)) at += 1;
    const holder = outer[at];
    return holder !== undefined && BigInt(holder[0]) <= BigInt(from);
  });
}
