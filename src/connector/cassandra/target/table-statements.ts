// The statements that make one table in a keyspace of the target, from what the catalog keeps of it.
import { createHash } from 'node:crypto';
import type { Rename } from '../../../model/namespace.ts';
import { renamed } from '../../../model/namespace.ts';
import { quoted } from '../schema/read-schema.ts';
import type { TableBody } from '../schema/table-body.ts';
import type { Replication } from '../session/replica-placement.ts';
import {
  createdName,
  liveTable,
  namedIndex,
  type Placing,
  replaced,
  withoutOptions,
} from './ddl-text.ts';
import { replicationLiteral } from './target-replication.ts';

export interface Made {
  /** Without quotes. */
  readonly name: string;
  readonly statement: string;
}

export interface TableStatements {
  readonly types: readonly Made[];
  readonly functions: readonly string[];
  readonly table: string;
  readonly indexes: readonly Made[];
  readonly views: readonly Made[];
}

export interface Naming {
  readonly keyspace: string;
  readonly table: string;
  readonly renames: readonly Rename[];
  /** Of the target, `4.1.10`. */
  readonly version: string;
  /** Indexes of the target's keyspace that other tables have. */
  readonly takenIndexes: ReadonlySet<string>;
}

/** A table in the target. */
export interface NamedTable {
  readonly keyspace: string;
  readonly table: string;
}

export const tableName = ({ keyspace, table }: NamedTable): string =>
  `${quoted(keyspace)}.${quoted(table)}`;

/** `ks.table` taken apart; names of Cassandra hold no points. */
export function namesOf(namespace: string): NamedTable {
  const at = namespace.indexOf('.');
  return { keyspace: namespace.slice(0, at), table: namespace.slice(at + 1) };
}

export function keyspaceStatement(
  name: string,
  replication: Replication,
  durableWrites: boolean,
): string {
  const literal = replicationLiteral(replication);
  return `CREATE KEYSPACE IF NOT EXISTS ${quoted(name)} WITH replication = ${literal} AND durable_writes = ${durableWrites}`;
}

export function tableStatements({ schema, ddl }: TableBody, naming: Naming): TableStatements {
  const source = schema.keyspace;
  const { keyspace, table, version } = naming;
  const refused = refusedOptions(version);
  const views = new Set(ddl.views.map(createdName));
  const place = (name: string) => {
    if (name === schema.table) return { keyspace, name: table };
    if (!views.has(name)) return { keyspace, name };
    return { keyspace, name: namesOf(renamed(naming.renames, `${source}.${name}`)).table };
  };
  const moved = (statement: string): string => replaced(statement, source, place);
  // A type or function may have the name of a table; it moves into the keyspace alone.
  const housed = (statement: string): string =>
    replaced(statement, source, (name) => ({ keyspace, name }));
  const taken = new Set(naming.takenIndexes);
  const columns = new Set(
    [...schema.partitionKey, ...schema.clustering, ...schema.statics, ...schema.regulars].map(
      ({ name }) => name,
    ),
  );
  const plain = (statement: string): string => statement.trim().replace(/;\s*$/, '');
  return {
    types: ddl.types.map((type) => ({ name: createdName(type), statement: housed(plain(type)) })),
    functions: ddl.functions.map((one) => housed(plain(one))),
    table: replaced(liveTable(ddl.table, columns, refused), source, ownName({ keyspace, table })),
    indexes: ddl.indexes.map((one) => indexOf(moved(plain(one)), table, taken)),
    views: ddl.views.map((view) => ({
      name: place(createdName(view)).name,
      statement: moved(withoutOptions(plain(view), refused)),
    })),
  };
}

/** The first name that CREATE TABLE holds is the table's; all others are those of types and functions. */
function ownName({ keyspace, table }: NamedTable): Placing {
  let isOwn = true;
  return (name) => {
    const given = isOwn ? table : name;
    isOwn = false;
    return { keyspace, name: given };
  };
}

/** Two tables of one keyspace cannot share the name of an index. What is given is added to `taken`. */
function indexOf(statement: string, table: string, taken: Set<string>): Made {
  const name = createdName(statement);
  if (!taken.has(name)) {
    taken.add(name);
    return { name, statement };
  }
  const whole = `${table}_${name}`;
  const digest = createHash('sha256').update(whole).digest('hex').slice(0, 8);
  const cut = whole.slice(0, 48);
  const other = cut === whole && !taken.has(cut) ? cut : `${cut.slice(0, 39)}_${digest}`;
  taken.add(other);
  return { name: other, statement: namedIndex(statement, other) };
}

/** Options that DESCRIBE of a newer version names and this one refuses. */
function refusedOptions(version: string): ReadonlySet<string> {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  if (major >= 5) return new Set();
  const newer = ['allow_auto_snapshot', 'incremental_backups'];
  return new Set(minor >= 1 ? newer : [...newer, 'memtable']);
}
