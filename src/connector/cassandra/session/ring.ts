// The cluster as its nodes describe it: who belongs to it, which tokens each holds, whether all agree.
//
// Identity: cluster name and partitioner. Host ids change when nodes are replaced, and nothing that Cassandra
// 4.0 to 5.0 stores about a whole cluster is random (tables of its own keyspaces have ids made of their names),
// so two clusters of one name are told apart by their members: `isSameCluster` wants one host id in common.
import { createHash } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { assert } from '../../../base/assert.ts';
import type { Clock } from '../../../base/clock.ts';
import { CodrError } from '../../../base/error.ts';
import { type Partitioner, partitionerNamed } from '../key/partitioner.ts';
import type { NodeControl } from './control.ts';
import type { CqlRow, CqlSession } from './cql.ts';
import type { RingNode } from './replica-placement.ts';
import { differences, type RingView, viewOfControls, viewOfRows } from './ring-members.ts';

/** JSON-safe. */
export interface Ring {
  readonly clusterName: string;
  readonly partitioner: string;
  /** Ascending by host id. */
  readonly nodes: readonly RingNode[];
  /** Distinct schema versions of the nodes that are up, and of the one that was asked; one when all agree. */
  readonly schemaVersions: readonly string[];
  /** The native address of the node that was asked. */
  readonly asked?: string;
  /** Its release. */
  readonly version: string;
  /** Host ids of nodes that are believed up. */
  readonly up: readonly string[];
  /** Where another one knows other members or tokens: which. Absent: nobody says otherwise. */
  readonly disputed?: readonly string[];
}

/**
 * Reads the ring through one node, and who is up through the first control that answers; without controls,
 * as the driver sees it. Errors: `source-unfit` for another partitioner.
 */
export async function readRing(
  cql: CqlSession,
  controls: readonly NodeControl[],
  signal: AbortSignal,
): Promise<Ring> {
  const { local, peers, host } = await localAndPeers(cql, signal);
  const partitioner = String(local.partitioner);
  if (!partitionerNamed(partitioner)) {
    const name = String(local.cluster_name);
    throw new CodrError('source-unfit', `cluster ${name} uses ${partitioner}`, {
      object: name,
      remedy: 'CODR knows the order of Murmur3Partitioner and of RandomPartitioner',
    });
  }
  const rows = [local, ...peers];
  const nodes = membersOf(rows);
  const told = await viewOfControls(controls, signal);
  const isLive = told?.live ?? driverSees(cql);
  const up = nodes.filter((node) => isLive.some((one) => isAt(node, one)));
  const upIds = new Set(up.map(({ hostId }) => hostId));
  const other = told ?? (await viewOfAnother(cql, host, signal));
  const disputed = other ? differences(viewOfRows(host, nodes), other) : [];
  const versions = rows
    .filter((row) => row === local || upIds.has(String(row.host_id)))
    .map((row) => String(row.schema_version));
  return {
    clusterName: String(local.cluster_name),
    partitioner,
    nodes,
    schemaVersions: [...new Set(versions)].sort(),
    asked: host,
    version: String(local.release_version),
    up: [...upIds].sort(),
    ...(disputed.length > 0 && { disputed }),
  };
}

/** How long nodes may disagree before anybody is told: a change of schema or ring reaches all within seconds. */
const agreementMsMax = 10_000;
const agreementPauseMs = 250;

/** Reads the ring until its nodes agree on schema and members, for 10 s at most: then as it is. */
export async function readSettledRing(
  read: () => Promise<Ring>,
  clock: Clock,
  signal: AbortSignal,
): Promise<Ring> {
  const until = clock.monotonic() + agreementMsMax;
  for (;;) {
    const ring = await read();
    const agrees = ring.schemaVersions.length <= 1 && ring.disputed === undefined;
    if (agrees || clock.monotonic() >= until) return ring;
    await clock.sleep(agreementPauseMs, signal);
  }
}

/** Stays the same over restarts, replaced nodes and changes of address. */
export function clusterId({ clusterName, partitioner }: Ring): string {
  return `cassandra:${partitioner.replace(/^.*\./, '')}:${clusterName}`;
}

export function partitionerOf({ partitioner }: Pick<Ring, 'partitioner'>): Partitioner {
  const known = partitionerNamed(partitioner);
  assert(known, 'a ring that was read has a partitioner that is known');
  return known;
}

/** False when none of the hosts known before is a member: another cluster of the same name. */
export function isSameCluster(ring: Ring, knownHosts: readonly string[]): boolean {
  if (knownHosts.length === 0) return true;
  return ring.nodes.some(({ hostId }) => knownHosts.includes(hostId));
}

/** Equal as long as every token has the same owners: liveness and schema play no part. */
export function ringDigest({ clusterName, nodes }: Ring): string {
  const members = nodes.map(({ hostId, datacenter, rack, tokens }) => [
    hostId,
    datacenter,
    rack,
    [...tokens].sort(),
  ]);
  return createHash('sha256')
    .update(JSON.stringify([clusterName, members]))
    .digest('hex');
}

/** The member that an address of the configuration means. */
export function nodeAt(ring: Ring, address: string): RingNode | undefined {
  return ring.nodes.find((node) => isAt(node, address));
}

const isAt = ({ address, nativeAddress }: RingNode, other: string): boolean =>
  [address, nativeAddress].some((one) => plainAddress(one) === plainAddress(other));

/** Servers write the zeros of IPv6 out, drivers leave them out. */
function plainAddress(address: string): string {
  const plain = address.replace(/%.*$/, '');
  return isIPv6(plain) ? new URL(`http://[${plain}]`).hostname : address;
}

/** `system.local` and `system.peers_v2` of one and the same node: another's peers would hold itself. */
async function localAndPeers(cql: CqlSession, signal: AbortSignal, but?: string) {
  let failure: unknown;
  const hosts = cql.hosts().toSorted((a, b) => Number(b.isUp) - Number(a.isUp));
  for (const { address: host } of hosts.filter(({ address }) => address !== but)) {
    try {
      const [local] = await cql.rows('SELECT * FROM system.local', { signal, host });
      const peers = await cql.rows('SELECT * FROM system.peers_v2', { signal, host });
      if (local) return { local, peers, host };
    } catch (error) {
      signal.throwIfAborted();
      failure = error;
    }
  }
  throw failure ?? new CodrError('source-unreachable', 'no node of the cluster answers');
}

/** Without a control: what a second node says, where one answers. */
async function viewOfAnother(
  cql: CqlSession,
  asked: string,
  signal: AbortSignal,
): Promise<RingView | undefined> {
  try {
    const { local, peers, host } = await localAndPeers(cql, signal, asked);
    return viewOfRows(host, membersOf([local, ...peers]));
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

function driverSees(cql: CqlSession): string[] {
  const up = cql.hosts().filter(({ isUp }) => isUp);
  return up.map(({ address }) => address);
}

function membersOf(rows: readonly CqlRow[]): RingNode[] {
  return rows
    .map(nodeOf)
    .filter(({ tokens, hostId }) => tokens.length > 0 && hostId !== '')
    .sort((a, b) => (a.hostId < b.hostId ? -1 : 1));
}

function nodeOf(row: CqlRow): RingNode {
  const address = String(row.peer ?? row.broadcast_address);
  const tokens = Array.isArray(row.tokens) ? row.tokens.map(String) : [];
  return {
    hostId: row.host_id === null ? '' : String(row.host_id),
    address,
    nativeAddress: String(row.native_address ?? row.rpc_address ?? address),
    datacenter: String(row.data_center),
    rack: String(row.rack),
    tokens: tokens.sort((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1)),
  };
}
