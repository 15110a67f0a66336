// Statements that make a table again, under whatever names and on whatever version: columns come from the
// schema, options from what DESCRIBE gave, less those that only the source's version knows.
import type { TargetItem } from '../../restore-target.ts';
import { quoted } from '../schema/read-schema.ts';
import { type TableBody, tableBodyOf } from '../schema/table-body.ts';
import type { Column, TableSchema } from '../schema/table-schema.ts';
import type { RingNode } from '../session/replica-placement.ts';
import { cqlTypeName } from '../type/cql-name.ts';

/** A table in the target. */
export interface NamedTable {
  readonly keyspace: string;
  readonly table: string;
}

/** `ks.table` as namespaces are written; names hold no dots. */
export function namedTable(namespace: string): NamedTable {
  const dot = namespace.indexOf('.');
  return { keyspace: namespace.slice(0, dot), table: namespace.slice(dot + 1) };
}

export const tableName = ({ keyspace, table }: NamedTable): string =>
  `${quoted(keyspace)}.${quoted(table)}`;

/** Everything of an item before its data, and after it. */
export interface ItemStatements {
  readonly types: readonly string[];
  readonly functions: readonly string[];
  readonly table: string;
  readonly indexes: readonly string[];
  readonly views: readonly string[];
}

export function statementsOf(
  { entry }: Pick<TargetItem, 'entry'>,
  to: NamedTable,
  version: string,
): ItemStatements {
  const body = tableBodyOf(entry);
  const { schema, ddl } = body;
  const from = { keyspace: schema.keyspace, table: schema.table };
  const renamedWithin = from.keyspace === to.keyspace && from.table !== to.table;
  const turned = (statement: string): string =>
    requalified(withoutOptions(statement, version), from, to);
  const apart = (statement: string): string =>
    renamedWithin ? withOwnName(turned(statement), to.table) : turned(statement);
  return {
    types: ddl.types.map((one) => ifNotExists(turned(one))),
    functions: ddl.functions.map((one) => ifNotExists(turned(one))),
    table: createTable(body, to, version),
    indexes: ddl.indexes.map((one) => ifNotExists(apart(one))),
    views: ddl.views.map((one) => ifNotExists(apart(one))),
  };
}

/** A definition of the keyspace with as many replicas as the target has nodes for. */
export function createKeyspace(
  { keyspace }: TableBody,
  name: string,
  nodes: readonly RingNode[],
): { readonly statement: string; readonly warning?: string } {
  const { replication, warning } = fittingReplication(keyspace.replication, nodes);
  const options = Object.entries(replication).map(([key, value]) => `'${key}': '${value}'`);
  const durable = keyspace.durableWrites ? '' : ' AND durable_writes = false';
  return {
    statement: `CREATE KEYSPACE IF NOT EXISTS ${quoted(name)} WITH replication = {${options.join(', ')}}${durable}`,
    ...(warning !== undefined && { warning: `keyspace ${name}: ${warning}` }),
  };
}

/** Data centres keep their names where the target has them; else every one of the target gets the most replicas. */
export function fittingReplication(
  replication: Readonly<Record<string, string>>,
  nodes: readonly RingNode[],
): { readonly replication: Record<string, string>; readonly warning?: string } {
  const { class: strategy = '', ...factors } = replication;
  const count = (datacenter?: string): number =>
    nodes.filter((node) => datacenter === undefined || node.datacenter === datacenter).length;
  if (!strategy.endsWith('NetworkTopologyStrategy')) {
    const wanted = whole(factors.replication_factor);
    const given = Math.max(1, Math.min(wanted, count()));
    const note = given < wanted ? `${given} replicas in place of ${wanted}` : undefined;
    return {
      replication: { class: 'SimpleStrategy', replication_factor: String(given) },
      ...(note !== undefined && { warning: note }),
    };
  }
  const datacenters = [...new Set(nodes.map(({ datacenter }) => datacenter))].sort();
  const known = Object.keys(factors).every((name) => datacenters.includes(name));
  const most = Math.max(1, ...Object.values(factors).map(whole));
  const wanted = known ? factors : Object.fromEntries(datacenters.map((name) => [name, `${most}`]));
  const given = Object.entries(wanted).map(
    ([name, factor]) => [name, String(Math.max(1, Math.min(whole(factor), count(name))))] as const,
  );
  const fitting = { class: 'NetworkTopologyStrategy', ...Object.fromEntries(given) };
  const same = given.every(([name, factor]) => factors[name] === factor) && known;
  const text = given.map(([name, factor]) => `${name}: ${factor}`).join(', ');
  return { replication: fitting, ...(!same && { warning: `replicas become ${text}` }) };
}

/** `3`, or `3/1` where one of them is transient. */
const whole = (factor: string | undefined): number => Number.parseInt(factor ?? '1', 10);

function createTable({ schema, ddl }: TableBody, to: NamedTable, version: string): string {
  const column = ({ name, type }: Column): string => `${quoted(name)} ${cqlTypeName(type)}`;
  const columns = [
    ...schema.partitionKey.map(column),
    ...schema.clustering.map(column),
    ...schema.statics.map((one) => `${column(one)} static`),
    ...schema.regulars.map(column),
  ];
  const partition = schema.partitionKey.map(({ name }) => quoted(name)).join(', ');
  const clustering = schema.clustering.map(({ name }) => `, ${quoted(name)}`).join('');
  const options = tableOptions(ddl.table, schema, version);
  return (
    `CREATE TABLE ${tableName(to)} (${columns.join(', ')}, PRIMARY KEY ((${partition})${clustering}))` +
    (options.length > 0 ? ` WITH ${options.join(' AND ')}` : '')
  );
}

function tableOptions(described: string, schema: TableSchema, version: string): string[] {
  const order = schema.clustering.map(
    ({ name, type }) => `${quoted(name)} ${type.kind === 'reversed' ? 'DESC' : 'ASC'}`,
  );
  const rest = optionTexts(described).filter((text) => isTaken(text, version));
  return [...(order.length > 0 ? [`CLUSTERING ORDER BY (${order.join(', ')})`] : []), ...rest];
}

/** What stands behind WITH, one option each, as DESCRIBE lays them out: a line each. */
function optionTexts(described: string): string[] {
  const at = described.search(/\)\s+WITH\s/);
  if (at < 0) return [];
  const options = described.slice(at).replace(/^\)\s+WITH\s+/, '');
  const [first = ''] = options.split(/;\s*(?:\n|$)/);
  return first.split(/\n\s+AND /).map((text) => text.trim());
}

const neverTaken = /^(ID\s*=|CLUSTERING ORDER|COMPACT STORAGE)/i;

function isTaken(option: string, version: string): boolean {
  if (neverTaken.test(option)) return false;
  return !unknownOptions(version).some((name) => option.startsWith(`${name} `));
}

/** Options that newer servers print and older ones refuse. */
function unknownOptions(version: string): readonly string[] {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major >= 5) return [];
  const of50 = ['allow_auto_snapshot', 'incremental_backups'];
  return major === 4 && minor >= 1 ? of50 : [...of50, 'memtable'];
}

/** Of views and the like: an id is the source's, and options of newer versions are left out. */
function withoutOptions(statement: string, version: string): string {
  let text = statement.replace(/\bWITH ID = [0-9a-f-]{36}\s+AND /i, 'WITH ');
  text = text.replace(/\bWITH ID = [0-9a-f-]{36}/i, '');
  for (const name of unknownOptions(version)) {
    text = text.replace(new RegExp(`\\n\\s+AND ${name} = [^\\n;]+`, 'g'), '');
  }
  return text;
}

function ifNotExists(statement: string): string {
  return statement
    .replace(/^(CREATE (?:CUSTOM )?(?:TYPE|INDEX|MATERIALIZED VIEW)) (?!IF )/i, '$1 IF NOT EXISTS ')
    .replace(/^CREATE (FUNCTION|AGGREGATE) (?!IF )/i, 'CREATE OR REPLACE $1 ')
    .replace(/;\s*$/, '');
}

/** Index and view names belong to the keyspace: beside the original they need another one. */
function withOwnName(statement: string, suffix: string): string {
  return statement.replace(
    /^(CREATE (?:CUSTOM )?INDEX) ("?)(\w+)\2 ON/i,
    (_, create: string, __, name: string) => `${create} ${quoted(`${name}_${suffix}`)} ON`,
  );
}

/** Tokens of CQL: strings, dollar strings, quoted names, words, anything else. */
const tokens = /'(?:[^']|'')*'|\$\$[\s\S]*?\$\$|"(?:[^"]|"")*"|[A-Za-z_]\w*|[\s\S]/g;

/** Qualified names of the old keyspace get the new one, and the table its new name. */
export function requalified(statement: string, from: NamedTable, to: NamedTable): string {
  const parts = statement.match(tokens) ?? [];
  const isName = (part: string | undefined, name: string): boolean =>
    part === name || part === quoted(name);
  for (let i = 0; i < parts.length; i++) {
    if (!isName(parts[i], from.keyspace) || parts[i + 1] !== '.') continue;
    if (parts[i - 1] === '.') continue;
    parts[i] = quoted(to.keyspace);
    if (isName(parts[i + 2], from.table)) parts[i + 2] = quoted(to.table);
  }
  return parts.join('');
}
