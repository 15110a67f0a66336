// The schema of all user keyspaces as one node tells it: tables from `system_schema`, statements from DESCRIBE
// (CQL since 4.0). Cassandra's own keyspaces are left out; virtual ones do not stand in `system_schema`.

import type { CassandraType } from '../type/cassandra-type.ts';
import { parseCqlType, type UserTypeFields, type UserTypeLookup } from '../type/cql-name.ts';
import type { Column, DroppedColumn, TableSchema } from './table-schema.ts';

/** What reading needs of a CQL session: all rows of a query, always from the same node. */
export type SchemaQuery = (query: string) => Promise<Readonly<Record<string, unknown>>[]>;

/** CQL statements; lists in the order in which they can be executed. */
export interface KeyspaceDdl {
  readonly keyspace: string;
  readonly types: readonly string[];
  /** Functions, then aggregates. */
  readonly functions: readonly string[];
  readonly tables: Readonly<Record<string, string>>;
  /** By table. */
  readonly indexes: Readonly<Record<string, readonly string[]>>;
  /** Materialized views, by base table. */
  readonly views: Readonly<Record<string, readonly string[]>>;
}

/** JSON-safe. */
export interface KeyspaceSchema {
  readonly name: string;
  /** As in `system_schema.keyspaces`, `class` without its package. */
  readonly replication: Readonly<Record<string, string>>;
  readonly durableWrites: boolean;
  readonly types: readonly (UserTypeFields & { readonly name: string })[];
  /** Ascending by name; views are not among them. */
  readonly tables: readonly TableSchema[];
  readonly views: readonly { readonly name: string; readonly id: string; readonly base: string }[];
  readonly indexes: readonly {
    readonly table: string;
    readonly name: string;
    readonly kind: string;
    readonly options: Readonly<Record<string, string>>;
  }[];
  readonly triggers: readonly { readonly table: string; readonly name: string }[];
  /** Tables whose option `incremental_backups` (5.0.9) is false: no links are made of their files. */
  readonly withoutLinks: readonly string[];
  readonly ddl: KeyspaceDdl;
}

/** Cassandra's own, those of newer branches among them. Whole names: whatever else there is holds data of users. */
const ownKeyspaces =
  /^(system|system_(schema|auth|distributed|distributed_everywhere|traces|views|virtual_schema|metrics|cluster_metadata))$/;

export const isOwnKeyspace = (name: string): boolean => ownKeyspaces.test(name);

type Row = Readonly<Record<string, unknown>>;

/** Rows of the tables of `system_schema`, of one moment as far as the schema version did not change. */
interface SchemaRows {
  readonly [table: string]: readonly Row[];
}

const schemaTables = [
  'keyspaces',
  'tables',
  'columns',
  'dropped_columns',
  'types',
  'views',
  'indexes',
  'triggers',
] as const;

/**
 * Reads everything anew. `wants`: tables that are read in full; the others are left out, so that a type that is
 * not known in a table out of scope does no harm. Errors: `source-unfit` for a type that is not known.
 */
export async function readSchema(
  query: SchemaQuery,
  wants: (keyspace: string, table: string) => boolean = () => true,
): Promise<KeyspaceSchema[]> {
  // Side by side: a change in between shows in the schema versions, as it would one after another.
  const asked = schemaTables.map(async (table) => {
    return [table, await query(`SELECT * FROM system_schema.${table}`)] as const;
  });
  const rows: SchemaRows = Object.fromEntries(await Promise.all(asked));
  const names = (rows.keyspaces ?? []).map((row) => text(row.keyspace_name));
  const found: KeyspaceSchema[] = [];
  for (const name of names.filter((one) => !isOwnKeyspace(one)).sort()) {
    const described = await query(`DESCRIBE KEYSPACE ${quoted(name)} WITH INTERNALS`);
    found.push(keyspaceOf(name, rows, described, wants));
  }
  return found;
}

/** Double quotes around a name, always: no list of reserved words needed. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

function keyspaceOf(
  name: string,
  all: SchemaRows,
  described: readonly Row[],
  wants: (keyspace: string, table: string) => boolean,
): KeyspaceSchema {
  const of = (table: string): Row[] =>
    (all[table] ?? []).filter((row) => row.keyspace_name === name);
  const [keyspace] = of('keyspaces');
  const types = of('types').map((row) => ({
    name: text(row.type_name),
    fieldNames: row.field_names as string[],
    fieldTypes: row.field_types as string[],
  }));
  const tables = of('tables')
    .filter((row) => wants(name, text(row.table_name)))
    .sort((a, b) => (text(a.table_name) < text(b.table_name) ? -1 : 1));
  const lookup: UserTypeLookup = (type) => types.find((one) => one.name === type);
  const indexes = of('indexes').map((row) => ({
    table: text(row.table_name),
    name: text(row.index_name),
    kind: text(row.kind),
    options: strings(row.options),
  }));
  const views = of('views').map((row) => ({
    name: text(row.view_name),
    id: text(row.id),
    base: text(row.base_table_name),
  }));
  const columns = Map.groupBy(of('columns'), (row) => text(row.table_name));
  const dropped = Map.groupBy(of('dropped_columns'), (row) => text(row.table_name));
  return {
    name,
    replication: withoutPackage(strings(keyspace?.replication)),
    durableWrites: keyspace?.durable_writes === true,
    types,
    tables: tables.map((row) => {
      const table = text(row.table_name);
      return tableOf(row, columns.get(table) ?? [], dropped.get(table) ?? [], lookup);
    }),
    views,
    indexes,
    triggers: of('triggers').map((row) => ({
      table: text(row.table_name),
      name: text(row.trigger_name),
    })),
    withoutLinks: tables
      .filter((row) => row.incremental_backups === false)
      .map((row) => text(row.table_name)),
    ddl: ddlOf(described, indexes, views),
  };
}

function tableOf(
  row: Row,
  columns: readonly Row[],
  dropped: readonly Row[],
  lookup: UserTypeLookup,
): TableSchema {
  const keyspace = text(row.keyspace_name);
  const typeOf = (column: Row): CassandraType => {
    const type = parseCqlType(text(column.type), lookup, keyspace);
    return column.clustering_order === 'desc' ? { kind: 'reversed', type } : type;
  };
  const ofKind = (kind: string): Column[] =>
    columns
      .filter((column) => column.kind === kind)
      .sort((a, b) => Number(a.position) - Number(b.position) || byName(a, b))
      .map((column) => ({ name: text(column.column_name), type: typeOf(column) }));
  const flags = (row.flags as string[] | null) ?? [];
  return {
    keyspace,
    table: text(row.table_name),
    id: text(row.id),
    partitionKey: ofKind('partition_key'),
    clustering: ofKind('clustering'),
    statics: ofKind('static'),
    regulars: ofKind('regular'),
    dropped: [...dropped].sort(byName).map((column): DroppedColumn => {
      const at = column.dropped_time instanceof Date ? column.dropped_time.getTime() : 0;
      return {
        name: text(column.column_name),
        type: typeOf(column),
        isStatic: column.kind === 'static',
        // Kept in ms by the server, meant in µs (SchemaKeyspace.createDroppedColumnFromRow).
        droppedMicros: String(BigInt(at) * 1000n),
      };
    }),
    isCounter: flags.includes('counter'),
    flags: [...flags].sort(),
    gcGraceSeconds: Number(row.gc_grace_seconds),
    defaultTtlSeconds: Number(row.default_time_to_live),
    compaction: withoutPackage(strings(row.compaction)),
    compression: withoutPackage(strings(row.compression)),
  };
}

function ddlOf(
  described: readonly Row[],
  indexes: KeyspaceSchema['indexes'],
  views: KeyspaceSchema['views'],
): KeyspaceDdl {
  const of = (...kinds: string[]): { name: string; statement: string }[] =>
    described
      .filter((row) => kinds.includes(text(row.type)))
      .map((row) => ({ name: unquoted(text(row.name)), statement: text(row.create_statement) }));
  const byTable = (
    statements: readonly { name: string; statement: string }[],
    tableOfName: (name: string) => string | undefined,
  ): Record<string, string[]> => {
    const grouped: Record<string, string[]> = {};
    for (const { name, statement } of statements) {
      const table = tableOfName(name);
      if (table !== undefined) grouped[table] = [...(grouped[table] ?? []), statement];
    }
    return grouped;
  };
  const statements = (...kinds: string[]) => of(...kinds).map(({ statement }) => statement);
  return {
    keyspace: of('keyspace')[0]?.statement ?? '',
    types: statements('type'),
    functions: [...statements('function'), ...statements('aggregate')],
    tables: Object.fromEntries(of('table').map(({ name, statement }) => [name, statement])),
    indexes: byTable(of('index'), (name) => indexes.find((one) => one.name === name)?.table),
    views: byTable(
      of('materialized_view', 'view'),
      (name) => views.find((one) => one.name === name)?.base,
    ),
  };
}

const text = (value: unknown): string => String(value ?? '');
const unquoted = (name: string): string =>
  /^".*"$/.test(name) ? name.slice(1, -1).replaceAll('""', '"') : name;

/** Names in the order of their bytes, as Cassandra has columns. */
function byName(a: Row, b: Row): number {
  return Buffer.compare(Buffer.from(text(a.column_name)), Buffer.from(text(b.column_name)));
}

function strings(value: unknown): Record<string, string> {
  const entries = Object.entries((value ?? {}) as Record<string, unknown>);
  return Object.fromEntries(entries.map(([name, one]) => [name, String(one)]));
}

function withoutPackage(options: Record<string, string>): Record<string, string> {
  if (options.class === undefined) return options;
  return { ...options, class: options.class.replace(/^.*\./, '') };
}
