// Schema in a target: looks at what stands there, tries every statement in a throw-away keyspace before anything
// is made, makes keyspaces, types and tables, and after the data indexes and views, which are done when built.
import { CodrError } from '../../../base/error.ts';
import type { ConnectorContext } from '../../connector.ts';
import type { TargetItem } from '../../restore-target.ts';
import { quoted } from '../schema/read-schema.ts';
import { tableBodyOf } from '../schema/table-body.ts';
import type { CqlSession } from '../session/cql.ts';
import type { Replication } from '../session/replica-placement.ts';
import type { Ring } from '../session/ring.ts';
import { cqlTypeName } from '../type/cql-name.ts';
import { createKeyspace, type NamedTable, namedTable, statementsOf } from './ddl.ts';
import { keyspaceExists, schemaMs } from './target-marker.ts';

const builtPollMs = 500;
const builtMsMax = 6 * 3600_000;

export interface Standing {
  readonly isEmpty: boolean;
  /** What of its columns is not as in the point. */
  readonly difference?: string;
}

/** The table that has the item's name in the target; undefined when there is none. */
export async function standing(
  cql: CqlSession,
  { entry, namespace }: TargetItem,
  signal: AbortSignal,
): Promise<Standing | undefined> {
  const table = namedTable(namespace);
  const params = [table.keyspace, table.table];
  const columns = await cql.rows(
    'SELECT column_name, type, kind FROM system_schema.columns WHERE keyspace_name = ? AND table_name = ?',
    { signal, params },
  );
  if (columns.length === 0) return undefined;
  const { schema } = tableBodyOf(entry);
  const wanted = [
    ...schema.partitionKey.map((column) => ({ ...column, kind: 'partition_key' })),
    ...schema.clustering.map((column) => ({ ...column, kind: 'clustering' })),
    ...schema.statics.map((column) => ({ ...column, kind: 'static' })),
    ...schema.regulars.map((column) => ({ ...column, kind: 'regular' })),
  ].map(({ name, type, kind }) => `${name} ${cqlTypeName(type)} ${kind}`);
  const there = columns.map((row) => `${row.column_name} ${row.type} ${row.kind}`);
  const odd =
    wanted.find((one) => !there.includes(one)) ?? there.find((one) => !wanted.includes(one));
  const from = `${quoted(table.keyspace)}.${quoted(table.table)}`;
  const rows = await cql.rows(`SELECT * FROM ${from} LIMIT 1`, { signal });
  return { isEmpty: rows.length === 0, ...(odd !== undefined && { difference: odd }) };
}

export async function schemaOf(
  cql: CqlSession,
  { keyspace, table }: NamedTable,
  signal: AbortSignal,
): Promise<{ readonly replication: Replication; readonly tableId: string }> {
  const [of] = await cql.rows(
    'SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?',
    { signal, params: [keyspace] },
  );
  const [row] = await cql.rows(
    'SELECT id FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?',
    { signal, params: [keyspace, table] },
  );
  if (!of || !row) throw new CodrError('target-unfit', `${keyspace}.${table} is not there`);
  return { replication: of.replication as Replication, tableId: String(row.id) };
}

/** Errors: `target-unfit`, naming the statement that the target refuses; the throw-away keyspace is gone. */
export async function tryStatements(
  cql: CqlSession,
  ring: Ring,
  items: readonly TargetItem[],
  operation: string,
  signal: AbortSignal,
): Promise<void> {
  const missing: TargetItem[] = [];
  for (const item of items) if (!(await standing(cql, item, signal))) missing.push(item);
  const byKeyspace = Map.groupBy(missing, (item) => tableBodyOf(item.entry).keyspace.name);
  for (const [i, group] of [...byKeyspace.values()].entries()) {
    const name = `codr_try_${operation.slice(0, 8)}_${i}`;
    await ddl(cql, `DROP KEYSPACE IF EXISTS ${name}`, signal);
    await ddl(
      cql,
      `CREATE KEYSPACE ${name} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': '1'}`,
      signal,
    );
    try {
      for (const item of group) {
        const to = { keyspace: name, table: namedTable(item.namespace).table };
        const made = statementsOf(item, to, ring.version);
        const all = [
          ...[...made.types, ...made.functions, made.table],
          ...[...made.indexes, ...made.views],
        ];
        for (const statement of all) await ddl(cql, statement, signal);
      }
    } finally {
      await ddl(cql, `DROP KEYSPACE IF EXISTS ${name}`, new AbortController().signal);
    }
  }
}

/** Keyspaces, types, functions, tables: what is there stays. Returns warnings. */
export async function createTables(
  cql: CqlSession,
  ring: Ring,
  items: readonly TargetItem[],
  signal: AbortSignal,
): Promise<string[]> {
  const warnings: string[] = [];
  for (const item of items) {
    const to = namedTable(item.namespace);
    if (!(await keyspaceExists(cql, to.keyspace, signal))) {
      const { statement, warning } = createKeyspace(
        tableBodyOf(item.entry),
        to.keyspace,
        ring.nodes,
      );
      await ddl(cql, statement, signal);
      if (warning !== undefined) warnings.push(warning);
    }
    if (await standing(cql, item, signal)) continue;
    const { types, functions, table } = statementsOf(item, to, ring.version);
    for (const statement of [...types, ...functions, table]) await ddl(cql, statement, signal);
  }
  return warnings;
}

/** Returns when everything is built. */
export async function buildIndexes(
  cql: CqlSession,
  ring: Ring,
  item: TargetItem,
  { clock }: Pick<ConnectorContext, 'clock'>,
  signal: AbortSignal,
): Promise<void> {
  const to = namedTable(item.namespace);
  const { indexes, views } = statementsOf(item, to, ring.version);
  for (const statement of [...indexes, ...views]) await ddl(cql, statement, signal);
  if (indexes.length + views.length === 0) return;
  const begun = clock.monotonic();
  while (!(await isBuilt(cql, ring, to, signal))) {
    if (clock.monotonic() - begun > builtMsMax) {
      throw new CodrError('target-unfit', `indexes or views of ${item.namespace} were not built`);
    }
    await clock.sleep(builtPollMs, signal);
  }
}

/** Every node keeps its own record of what it has built. */
async function isBuilt(
  cql: CqlSession,
  ring: Ring,
  { keyspace, table }: NamedTable,
  signal: AbortSignal,
): Promise<boolean> {
  const params = [keyspace];
  const indexes = await cql.rows(
    'SELECT table_name, index_name FROM system_schema.indexes WHERE keyspace_name = ?',
    { signal, params },
  );
  const views = await cql.rows(
    'SELECT view_name, base_table_name FROM system_schema.views WHERE keyspace_name = ?',
    { signal, params },
  );
  const wantedIndexes = indexes.filter((row) => row.table_name === table);
  const wantedViews = views.filter((row) => row.base_table_name === table);
  for (const { nativeAddress } of ring.nodes) {
    const ask = { signal, params, host: nativeAddress };
    const built = await cql.rows(
      'SELECT index_name FROM system."IndexInfo" WHERE table_name = ?',
      ask,
    );
    const names = new Set(built.map((row) => String(row.index_name)));
    if (wantedIndexes.some((row) => !names.has(String(row.index_name)))) return false;
    const builtViews = await cql.rows(
      'SELECT view_name FROM system.built_views WHERE keyspace_name = ?',
      ask,
    );
    const viewNames = new Set(builtViews.map((row) => String(row.view_name)));
    if (wantedViews.some((row) => !viewNames.has(String(row.view_name)))) return false;
  }
  return true;
}

async function ddl(cql: CqlSession, statement: string, signal: AbortSignal): Promise<void> {
  try {
    await cql.run(statement, { signal, timeoutMs: schemaMs });
  } catch (error) {
    signal.throwIfAborted();
    const [line = statement] = statement.split('\n');
    throw new CodrError('target-unfit', `the target refuses: ${line.trim()}`, {
      object: line.trim(),
      cause: error,
    });
  }
}
