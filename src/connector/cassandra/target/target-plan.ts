// What stands in the way of a restore, what `drop` takes away, what an earlier run has finished, and for each
// table the statements that make it and the nodes that get its records.
import { CodrError } from '../../../base/error.ts';
import { type Rename, renamed, type Scope, scopeHolds } from '../../../model/namespace.ts';
import type { FinishedItem, TargetItem, TargetOptions, TargetPlan } from '../../restore-target.ts';
import { isOwnKeyspace, type KeyspaceSchema, quoted, readSchema } from '../schema/read-schema.ts';
import { type TableBody, tableBodyOf } from '../schema/table-body.ts';
import type { Column, TableSchema } from '../schema/table-schema.ts';
import type { CqlSession } from '../session/cql.ts';
import type { Replication } from '../session/replica-placement.ts';
import { partitionerOf, type Ring } from '../session/ring.ts';
import { cqlTypeName } from '../type/cql-name.ts';
import { triedPrefix } from './make-table.ts';
import { placementDigest } from './placement-rest.ts';
import { ReplicaSets } from './replica-sets.ts';
import { markerKeyspace, type RestoreMarker } from './restore-marker.ts';
import { refuseOtherFunctions } from './same-functions.ts';
import { refuseOtherTypes } from './same-types.ts';
import { namesOf, type TableStatements, tableStatements } from './table-statements.ts';
import {
  type FittedReplication,
  fittedReplication,
  refuseTransient,
  refuseUnknownDatacenters,
} from './target-replication.ts';

/** Of all operations: another restore may be trying its statements there. */
const isTried = (keyspace: string): boolean => keyspace.startsWith(triedPrefix('').slice(0, -1));

/**
 * How a table is made: anew, into one that is there and empty, into one that an earlier run has begun to fill, or in place
 * of one that goes.
 */
export type Making = 'new' | 'fill' | 'refill' | 'replace';

export interface PlannedTable {
  readonly item: TargetItem;
  readonly body: TableBody;
  readonly keyspace: string;
  readonly table: string;
  readonly replication: Replication;
  readonly sets: ReplicaSets;
  readonly statements: TableStatements;
  readonly making: Making;
  /** Of the table that was there at the plan. */
  readonly standingId?: string;
  /** Of the table that an earlier run has finished. */
  readonly finishedId?: string;
}

export interface PlannedTarget {
  readonly plan: TargetPlan;
  /** By the item's name in the target. */
  readonly tables: ReadonlyMap<string, PlannedTable>;
  /** Tables of the scope that the point lacks; `drop` removes them at the end. */
  readonly others: readonly string[];
}

interface Look {
  readonly cql: CqlSession;
  readonly ring: Ring;
  readonly marker: RestoreMarker;
  readonly options: TargetOptions;
  /** Tables of the point that are left out: they are not what it lacks. */
  readonly spared: readonly string[];
  readonly there: readonly KeyspaceSchema[];
  readonly signal: AbortSignal;
}

/** Errors: `usage`, `target-unfit`. */
export async function planTarget(
  items: readonly TargetItem[],
  { cql, ring, marker, options, spared, signal }: Omit<Look, 'there'>,
): Promise<PlannedTarget> {
  const there = await readSchema(
    (query) => cql.rows(query, { signal }),
    () => true,
  );
  const look: Look = { cql, ring, marker, options, spared, there, signal };
  const keyspaces = items.map(({ entry }) => tableBodyOf(entry).keyspace);
  refuseUnknownDatacenters(keyspaces, options.datacenters ?? []);
  const tables = new Map<string, PlannedTable>();
  const found = { conflicts: [] as string[], dropped: [] as string[] };
  const skipped: { namespace: string; reason: string }[] = [];
  const finished: FinishedItem[] = [];
  const warnings = new Set<string>();
  for (const item of items) {
    const reason = skipReason(item);
    if (reason !== undefined) {
      skipped.push({ namespace: item.namespace, reason });
      continue;
    }
    skipped.push(...lostTriggers(item));
    const standing = standingTable(there, item.namespace);
    const done = standing && finishedOf(look, item.namespace, standing);
    if (done) finished.push(done);
    const making = await makingOf(look, item, standing, found);
    const planned = plannedTable(look, item, done ? 'fill' : making, {
      warnings,
      given: [...tables.values()],
    });
    tables.set(item.namespace, {
      ...planned,
      ...(standing && { standingId: standing.id }),
      ...(done && standing && { finishedId: standing.id }),
    });
  }
  const taken = new Set([...items.map(({ namespace }) => namespace), ...spared]);
  const others = options.drop
    ? there
        .filter(({ name }) => name !== markerKeyspace && !isTried(name))
        .flatMap((keyspace) => keyspace.tables)
        .filter((one) => {
          const name = `${one.keyspace}.${one.table}`;
          return !taken.has(name) && dropMeans(options.scope, options.renames, name);
        })
    : [];
  const goes = others.flatMap((one) => [`${one.keyspace}.${one.table}`, ...viewsUpon(there, one)]);
  const dropped = [...found.dropped, ...goes];
  const plan = { conflicts: found.conflicts, dropped, skipped, warnings: [...warnings], finished };
  return { plan, tables, others: others.map((one) => `${one.keyspace}.${one.table}`) };
}

/** What an earlier run finished holds where the same nodes own it still; else it is made anew. */
function finishedOf(
  { marker, ring, there }: Look,
  namespace: string,
  { id, keyspace }: TableSchema,
): FinishedItem | undefined {
  const found = there.find(({ name }) => name === keyspace);
  if (!found) return undefined;
  const placement = placementDigest(ring, found.replication);
  return marker.finished(namespace, { tableId: id, placement });
}

function skipReason({ entry, namespace }: TargetItem): string | undefined {
  const { keyspace, table } = namesOf(namespace);
  for (const name of [keyspace, table]) {
    if (!/^\w{1,222}$/.test(name)) {
      throw new CodrError('usage', `"${name}" is no name that Cassandra takes`, {
        object: namespace,
        remedy: 'give letters, digits and underscores alone',
      });
    }
  }
  if (isOwnKeyspace(keyspace) || keyspace === markerKeyspace || isTried(keyspace)) {
    throw new CodrError('usage', `nothing is restored into keyspace ${keyspace}`, {
      object: namespace,
      remedy: "give another name: it is one of Cassandra's own, or of CODR",
    });
  }
  const { flags } = tableBodyOf(entry).schema;
  return flags.includes('compound') && !flags.includes('dense')
    ? undefined
    : 'it is a COMPACT STORAGE table, which SSTables are not written for';
}

/** Their classes lie on the servers, so whether the target has them is not known. */
function lostTriggers({ entry, namespace }: TargetItem): TargetPlan['skipped'] {
  return (tableBodyOf(entry).ddl.triggers ?? []).map((name) => ({
    namespace: `trigger ${name} of ${namespace}`,
    reason: 'triggers are not restored: make it by CREATE TRIGGER where its class is installed',
  }));
}

/** Notes what is in the way. Errors: `target-unfit` for an empty table that the data does not fit. */
async function makingOf(
  { cql, marker, options, there, signal }: Look,
  { entry, namespace }: TargetItem,
  standing: TableSchema | undefined,
  found: { readonly conflicts: string[]; readonly dropped: string[] },
): Promise<Making> {
  if (!standing) return 'new';
  // Another table of the name is somebody else's, or one that ended before its id was noted and holds nothing.
  const before = marker.wasMaking(namespace);
  if (before?.filled === standing.id) return 'refill';
  if (before?.tableIds.includes(standing.id)) return 'replace';
  if (options.drop) {
    found.dropped.push(namespace, ...viewsUpon(there, standing));
    return 'replace';
  }
  if (await holdsRows(cql, standing, signal)) {
    found.conflicts.push(namespace);
    return 'fill';
  }
  const { schema } = tableBodyOf(entry);
  const difference = differenceOf(schema, standing) ?? viewUpon(there, standing);
  if (difference === undefined) return 'fill';
  throw new CodrError('target-unfit', `${namespace} is there, empty, but ${difference}`, {
    object: namespace,
    remedy: 'use --drop, or --rename to restore beside it',
  });
}

/** Asked at ALL: what one replica alone holds would go as well. */
export async function holdsRows(
  cql: CqlSession,
  {
    keyspace,
    table,
    partitionKey: [key],
  }: Pick<TableSchema, 'keyspace' | 'table' | 'partitionKey'>,
  signal: AbortSignal,
): Promise<boolean> {
  const from = `${quoted(keyspace)}.${quoted(table)}`;
  const query = `SELECT ${quoted(key?.name ?? '')} FROM ${from} LIMIT 1`;
  return (await cql.rows(query, { signal, consistency: 'all' })).length > 0;
}

function plannedTable(
  { ring, there, options }: Look,
  item: TargetItem,
  making: Making,
  { warnings, given }: { readonly warnings: Set<string>; readonly given: readonly PlannedTable[] },
): PlannedTable {
  const body = tableBodyOf(item.entry);
  const { keyspace, table } = namesOf(item.namespace);
  const standing = there.find(({ name }) => name === keyspace);
  const { replication, warning } = standing
    ? standingReplication(standing, options)
    : fittedReplication({ ...body.keyspace, name: keyspace }, ring.nodes, options.datacenters);
  if (warning !== undefined) warnings.add(warning);
  if (body.schema.isCounter) {
    warnings.add(`${item.namespace}: its counters must not be incremented while it is restored`);
  }
  const others = (standing?.indexes ?? []).filter((one) => one.table !== table);
  const takenIndexes = new Set(others.map(({ name }) => name)).union(
    new Set(given.flatMap((one) => (one.keyspace === keyspace ? namesOfIndexes(one) : []))),
  );
  const naming = { keyspace, table, renames: options.renames, version: ring.version };
  const statements = tableStatements(body, { ...naming, takenIndexes });
  refuseOtherFunctions(keyspace, statements.functions, standing?.ddl.functions ?? []);
  refuseOtherTypes(keyspace, statements.types, standing?.types ?? []);
  const taken = standing?.views.find(({ name }) => name === table);
  if (taken) throw nameTaken(`${keyspace}.${table}`, 'a view', item.entry.namespace);
  for (const view of statements.views) {
    const from = `${body.schema.keyspace}.VIEW`;
    const isTable = standing?.tables.some((one) => one.table === view.name);
    if (isTable) throw nameTaken(`${keyspace}.${view.name}`, 'a table', from);
    const other = standing?.views.find(({ name }) => name === view.name);
    if (!other || other.base === table) continue;
    throw nameTaken(`${keyspace}.${view.name}`, 'a view of another table', from);
  }
  const sets = new ReplicaSets(ring.nodes, replication, partitionerOf(ring));
  refuseUnkept(keyspace, sets, ring);
  return { item, body, keyspace, table, replication, sets, statements, making };
}

/** Neither a restore nor `drop` takes away what is not a table of the scope. */
function nameTaken(name: string, what: string, from: string): CodrError {
  return new CodrError('target-unfit', `${name} is ${what} in the target`, {
    object: name,
    remedy: `give another name with --rename ${from}=KEYSPACE.OTHER`,
  });
}

/** A keyspace that is there is never altered. Errors: `target-unfit` for transient replicas. */
function standingReplication(
  { name, replication }: KeyspaceSchema,
  { datacenters = [] }: TargetOptions,
): FittedReplication {
  refuseTransient(name, replication);
  if (datacenters.length === 0) return { replication };
  return { replication, warning: `keyspace ${name} is there: it stays as it is, without --map-dc` };
}

/** What no node holds could be loaded nowhere. */
function refuseUnkept(keyspace: string, sets: ReplicaSets, { nodes }: Ring): void {
  if (sets.all.every(({ hostIds }) => hostIds.length > 0)) return;
  const there = [...new Set(nodes.map(({ datacenter }) => datacenter))].sort().join(', ');
  throw new CodrError('target-unfit', `no node of the target keeps keyspace ${keyspace}`, {
    object: keyspace,
    remedy: `alter its replication: the target has the data centres ${there}`,
  });
}

const namesOfIndexes = ({ statements }: PlannedTable): string[] =>
  statements.indexes.map(({ name }) => name);

function standingTable(
  there: readonly KeyspaceSchema[],
  namespace: string,
): TableSchema | undefined {
  const { keyspace, table } = namesOf(namespace);
  const standing = there.find(({ name }) => name === keyspace);
  return standing?.tables.find((one) => one.table === table);
}

/** What of a table is not as its data needs it; columns that were dropped would hide what is loaded. */
function differenceOf(wanted: TableSchema, standing: TableSchema): string | undefined {
  const parts = ['partitionKey', 'clustering', 'statics', 'regulars'] as const;
  const text = ({ name, type }: Column): string =>
    type.kind === 'reversed'
      ? `${name} ${cqlTypeName(type.type)} desc`
      : `${name} ${cqlTypeName(type)}`;
  for (const part of parts) {
    const [ours, theirs] = [wanted[part].map(text), standing[part].map(text)];
    if (String(ours) !== String(theirs)) {
      const odd = ours.find((one) => !theirs.includes(one)) ?? theirs[0];
      return `its columns are others: ${odd}`;
    }
  }
  if (wanted.isCounter !== standing.isCounter) return 'only one of both holds counters';
  return standing.dropped.length > 0 ? 'columns of it were dropped' : undefined;
}

/** They go with it. */
function viewsUpon(there: readonly KeyspaceSchema[], { keyspace, table }: TableSchema): string[] {
  const views = there.find(({ name }) => name === keyspace)?.views ?? [];
  return views.filter(({ base }) => base === table).map(({ name }) => `${keyspace}.${name}`);
}

/** An import does not fill views. */
function viewUpon(there: readonly KeyspaceSchema[], standing: TableSchema): string | undefined {
  const keyspace = there.find(({ name }) => name === standing.keyspace);
  const view = keyspace?.views.find(({ base }) => base === standing.table);
  return view && `the view ${view.name} stands upon it`;
}

/** True when the target's `namespace` is one that the scope means, seen through the renames. */
function dropMeans(scope: Scope, renames: readonly Rename[], namespace: string): boolean {
  for (const { from, to } of renames) {
    if (!to.endsWith('.*') && namespace === to) return scopeHolds(scope, from);
    const prefix = to.slice(0, -1);
    if (to.endsWith('.*') && namespace.startsWith(prefix)) {
      return scopeHolds(scope, from.slice(0, -1) + namespace.slice(prefix.length));
    }
  }
  // A name that the renames move away stays untouched in the target.
  return renamed(renames, namespace) === namespace && scopeHolds(scope, namespace);
}
