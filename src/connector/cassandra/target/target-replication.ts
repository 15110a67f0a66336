// How often data is kept in the target: as in the source where the target has its data centres and enough nodes,
// else as near to it as the target can.
import type { KeyspaceDefinition } from '../schema/table-body.ts';
import { type Replication, type RingNode, strategyName } from '../session/replica-placement.ts';

export interface FittedReplication {
  readonly replication: Replication;
  /** How it differs from the source's. */
  readonly warning?: string;
}

export function fittedReplication(
  { name, replication }: KeyspaceDefinition,
  nodes: readonly RingNode[],
): FittedReplication {
  const fitted = fit(replication, nodes);
  const before = textOf(replication);
  const after = textOf(fitted);
  if (before === after) return { replication: fitted };
  return {
    replication: fitted,
    warning: `keyspace ${name}: replication ${before} becomes ${after}`,
  };
}

/** As CQL writes it. */
export function replicationLiteral(replication: Replication): string {
  const fields = Object.entries(replication).map(([key, value]) => `${text(key)}: ${text(value)}`);
  return `{${fields.join(', ')}}`;
}

function fit(replication: Replication, nodes: readonly RingNode[]): Replication {
  const strategy = strategyName(replication);
  if (strategy === 'SimpleStrategy') {
    const factor = Math.min(copiesOf(replication.replication_factor), nodes.length);
    return { class: strategy, replication_factor: String(factor) };
  }
  if (strategy !== 'NetworkTopologyStrategy') return { ...replication, class: strategy };
  const sizes = new Map<string, number>();
  for (const { datacenter } of nodes) sizes.set(datacenter, (sizes.get(datacenter) ?? 0) + 1);
  const wanted = Object.entries(replication).filter(([key]) => key !== 'class');
  const sameCentres = wanted.every(([datacenter]) => sizes.has(datacenter));
  // Other data centres: each gets what the source's best one had.
  const most = Math.max(1, ...wanted.map(([, factor]) => copiesOf(factor)));
  const factors = sameCentres
    ? wanted.map(([datacenter, factor]) => [datacenter, copiesOf(factor)] as const)
    : [...sizes.keys()].sort().map((datacenter) => [datacenter, most] as const);
  return {
    class: strategy,
    ...Object.fromEntries(
      factors.map(([datacenter, factor]) => [
        datacenter,
        String(Math.min(factor, sizes.get(datacenter) ?? 0)),
      ]),
    ),
  };
}

/** `3/1` is three, one of them transient: only full copies are written. */
const copiesOf = (factor: string | undefined): number => Number.parseInt(factor ?? '1', 10) || 1;

const text = (value: string): string => `'${value.replaceAll("'", "''")}'`;

function textOf(replication: Replication): string {
  const { class: _, ...rest } = replication;
  const fields = Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1));
  return `${strategyName(replication)} ${fields.map(([key, value]) => `${key}: ${value}`).join(', ')}`;
}
