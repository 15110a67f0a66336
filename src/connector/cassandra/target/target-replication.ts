// How often data is kept in the target: as in the source, in the data centres that the user maps the source's to,
// with no more copies than there are nodes. Nothing is guessed: what the target lacks and nobody maps is refused.
import { CodrError } from '../../../base/error.ts';
import type { GivenName } from '../../restore-target.ts';
import type { KeyspaceDefinition } from '../schema/table-body.ts';
import {
  isTransient,
  type Replication,
  type RingNode,
  strategyName,
} from '../session/replica-placement.ts';

export interface FittedReplication {
  readonly replication: Replication;
  /** How it differs from the source's. */
  readonly warning?: string;
}

/**
 * `mapped`: data centres of the source by those of the target. One that goes to several is kept in each; of several
 * that meet in one the larger factor counts, since they hold the same data. Errors: `target-unfit`.
 */
export function fittedReplication(
  { name, replication }: KeyspaceDefinition,
  nodes: readonly RingNode[],
  mapped: readonly GivenName[] = [],
): FittedReplication {
  refuseTransient(name, replication);
  const fitted = fit(name, replication, nodes, mapped);
  const before = textOf(replication);
  const after = textOf(fitted);
  if (before === after) return { replication: fitted };
  return {
    replication: fitted,
    warning: `keyspace ${name}: replication ${before} becomes ${after}`,
  };
}

/**
 * Errors: `target-unfit` for `3/1`: which of the replicas are transient, and what they hold, changes with repairs, so
 * that a restore cannot be exact on each.
 */
export function refuseTransient(keyspace: string, replication: Replication): void {
  if (!isTransient(replication)) return;
  const message = `keyspace ${keyspace} has transient replicas (${textOf(replication)})`;
  throw new CodrError('target-unfit', message, {
    object: keyspace,
    remedy: 'make it in the target first, with full replicas alone; a restore keeps what is there',
  });
}

/** Errors: `usage` for a data centre that no keyspace of the restore is kept in. */
export function refuseUnknownDatacenters(
  keyspaces: readonly KeyspaceDefinition[],
  mapped: readonly GivenName[],
): void {
  const known = new Set(keyspaces.flatMap(({ replication }) => datacentersOf(replication)));
  const unknown = mapped.find(({ from }) => !known.has(from));
  if (!unknown) return;
  const { from, to } = unknown;
  const there = known.size === 0 ? 'none' : [...known].sort().join(', ');
  throw new CodrError(
    'usage',
    `--map-dc ${from}=${to}: nothing of the restore is kept in ${from}`,
    {
      object: from,
      remedy: `name a data centre of the source's keyspaces: ${there}`,
    },
  );
}

/** As CQL writes it. */
export function replicationLiteral(replication: Replication): string {
  const fields = Object.entries(replication).map(([key, value]) => `${text(key)}: ${text(value)}`);
  return `{${fields.join(', ')}}`;
}

function fit(
  keyspace: string,
  replication: Replication,
  nodes: readonly RingNode[],
  mapped: readonly GivenName[],
): Replication {
  const strategy = strategyName(replication);
  if (strategy === 'SimpleStrategy') {
    const factor = Math.min(copiesOf(replication.replication_factor), nodes.length);
    return { class: strategy, replication_factor: String(factor) };
  }
  if (strategy !== 'NetworkTopologyStrategy') return { ...replication, class: strategy };
  const sizes = new Map<string, number>();
  for (const { datacenter } of nodes) sizes.set(datacenter, (sizes.get(datacenter) ?? 0) + 1);
  const factors = new Map<string, number>();
  for (const from of datacentersOf(replication)) {
    const own = mapped.filter((one) => one.from === from).map(({ to }) => to);
    for (const to of own.length > 0 ? own : [from]) {
      const size = sizes.get(to);
      if (size === undefined) throw noSuchDatacenter(keyspace, from, to, [...sizes.keys()]);
      const copies = Math.min(copiesOf(replication[from]), size);
      factors.set(to, Math.max(copies, factors.get(to) ?? 0));
    }
  }
  const fields = [...factors].map(([datacenter, factor]) => [datacenter, String(factor)]);
  return { class: strategy, ...Object.fromEntries(fields) };
}

/** Those that hold copies, of NetworkTopologyStrategy. */
function datacentersOf(replication: Replication): string[] {
  if (strategyName(replication) !== 'NetworkTopologyStrategy') return [];
  const wanted = Object.entries(replication).filter(([key]) => key !== 'class');
  return wanted.filter(([, factor]) => copiesOf(factor) > 0).map(([datacenter]) => datacenter);
}

const copiesOf = (factor: string | undefined): number => Number.parseInt(factor ?? '1', 10) || 0;

function noSuchDatacenter(
  keyspace: string,
  from: string,
  to: string,
  there: readonly string[],
): CodrError {
  const list = there.toSorted().join(', ');
  const which = from === to ? to : `${to}, which --map-dc names for ${from}`;
  const message = `keyspace ${keyspace}: the target has no data centre ${which}; it has ${list}`;
  return new CodrError('target-unfit', message, {
    object: keyspace,
    remedy: `say where its copies go: --map-dc ${from}=NAME with one of ${list}`,
  });
}

const text = (value: string): string => `'${value.replaceAll("'", "''")}'`;

function textOf(replication: Replication): string {
  const { class: _, ...rest } = replication;
  const fields = Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1));
  return `${strategyName(replication)} ${fields.map(([key, value]) => `${key}: ${value}`).join(', ')}`;
}
