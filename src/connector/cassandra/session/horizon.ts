// Which deletions have gone from every replica, as a cut saw it: for each table the age of the oldest deletion in
// any live file, for each keyspace the tokens of which all replicas were captured, in every data centre. A
// checkpoint lets go of deletions by it: docs/decisions/0014-a-deletion-goes-after-the-cluster-let-go.md.
import type { CutMemory } from '../../connector.ts';
import { murmur3Partitioner } from '../key/partitioner.ts';
import { tokenMax, tokenMin, tokenPrefix } from '../key/record-key.ts';
import type { PurgeOptions } from '../merge/purge-deletions.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import { stateOfMemory } from './cut-memory.ts';
import type { CutHorizon, CutState } from './cut-state.ts';
import { replicasOf } from './replica-placement.ts';
import { partitionerOf } from './ring.ts';
import type { TakenCut } from './take-cut.ts';

/** `hurt`: ids of tables of which a file could not be read. */
export function horizonOfCut(
  { ring, schema, nodes, beginMs }: Pick<TakenCut, 'ring' | 'schema' | 'nodes' | 'beginMs'>,
  { hosts }: Pick<CutState, 'hosts'>,
  hurt: ReadonlySet<string>,
): CutHorizon {
  const captured = new Set(nodes.filter((node) => node.captured).map(({ hostId }) => hostId));
  const floors: Record<string, number> = {};
  const ranges: CutHorizon['ranges'] = {};
  const partitioner = partitionerOf(ring);
  for (const { name, replication, tables } of schema) {
    if (tables.length === 0) continue;
    const whole = replicasOf(ring.nodes, replication, partitioner).filter(
      ({ replicas }) => replicas.length > 0 && replicas.every((hostId) => captured.has(hostId)),
    );
    const joined = joinRanges(whole);
    const [first] = joined;
    const isAll = first?.from === partitioner.lowest && first.to === partitioner.highest;
    // Records begin with Murmur3 tokens: a part of another ring is no part of them.
    if (isAll) ranges[name] = [[String(tokenMin), String(tokenMax)]];
    else if (partitioner === murmur3Partitioner) {
      ranges[name] = joined.map(({ from, to }) => [String(from), String(to)]);
    }
    for (const { id } of tables) {
      const own = [...captured].map((hostId) => hosts[hostId]?.tables[id]?.floor);
      const told = own.filter((floor) => floor !== undefined);
      if (told.length === own.length && !hurt.has(id)) floors[id] = Math.min(...told);
    }
  }
  return { beginMs, ranges, floors };
}

interface Tokens {
  readonly from: bigint;
  readonly to: bigint;
}

function joinRanges(ranges: readonly Tokens[]): Tokens[] {
  const joined: Tokens[] = [];
  for (const { from, to } of ranges) {
    const last = joined.at(-1);
    if (last?.to === from) joined[joined.length - 1] = { from: last.from, to };
    else joined.push({ from, to });
  }
  return joined;
}

const parsed = new WeakMap<CutMemory, CutState>();

/** How a table is purged by what a cut remembered; undefined: everything stays. Read once for each memory. */
export function purgeOf(
  memory: CutMemory,
  { id, keyspace, clustering, gcGraceSeconds, isCounter }: TableSchema,
): PurgeOptions | undefined {
  let read = parsed.get(memory);
  if (!read) {
    read = stateOfMemory(memory);
    parsed.set(memory, read);
  }
  const floorSeconds = read.horizon?.floors[id];
  // A counter's deletion beats increments whatever their timestamps: it stays.
  if (!read.horizon || floorSeconds === undefined || isCounter) return undefined;
  const { beginMs, ranges } = read.horizon;
  return {
    clusteringCount: clustering.length,
    horizon: { graceSeconds: Math.floor(beginMs / 1000) - gcGraceSeconds, floorSeconds },
    ranges: (ranges[keyspace] ?? []).map(([from, to]) => ({
      fromExclusive: tokenPrefix(BigInt(from)),
      toInclusive: tokenPrefix(BigInt(to)),
    })),
  };
}
