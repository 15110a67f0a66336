// What the catalog keeps of a table: the schema that its records are read by, and the statements that make
// it again. One JSON document in UTF-8; equal tables give equal bytes.
import type { CatalogEntry } from '../../../model/catalog.ts';
import type { TableSchema } from './table-schema.ts';

export interface KeyspaceDefinition {
  readonly name: string;
  /** As in `system_schema.keyspaces`: `class` without its package, `replication_factor` or data centres. */
  readonly replication: Readonly<Record<string, string>>;
  readonly durableWrites: boolean;
}

/** CQL statements; each list in the order in which they can be executed. */
export interface TableDdl {
  readonly keyspace: string;
  readonly types: readonly string[];
  /** Functions, then aggregates, of the whole keyspace. */
  readonly functions: readonly string[];
  readonly table: string;
  readonly indexes: readonly string[];
  /** Materialized views upon the table. */
  readonly views: readonly string[];
  /** Names of triggers upon the table; absent: none, or from a time when they were not noted. */
  readonly triggers?: readonly string[];
}

export interface TableBody {
  readonly schema: TableSchema;
  readonly keyspace: KeyspaceDefinition;
  readonly ddl: TableDdl;
}

export function encodeTableBody({ schema, keyspace, ddl }: TableBody): Uint8Array {
  return Buffer.from(JSON.stringify(sorted({ schema, keyspace, ddl })), 'utf8');
}

/** Decoded once for each body: a fold asks for it again and again. */
export function tableBodyOf({ body }: Pick<CatalogEntry, 'body'>): TableBody {
  const known = decoded.get(body);
  if (known) return known;
  const read = JSON.parse(Buffer.from(body).toString('utf8')) as TableBody;
  decoded.set(body, read);
  return read;
}

const decoded = new WeakMap<Uint8Array, TableBody>();

/** Keys of objects in the order of their names, so that the order of rows and fields plays no part. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(fields.map(([name, field]) => [name, sorted(field)]));
}
