// What Cassandra itself says of a keyspace: every row as JSON with the timestamps and times to live
// of its simple columns, since 5.0 of each element of the others too. At ALL, or at ONE through each
// node as coordinator: then a replica answers by itself. What CQL never shows, `dumped` takes from
// the files.
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { types } from 'cassandra-driver';
import type { CassandraCluster } from '../../src/node/demo/cassandra-server.ts';
import { connectCql, connectThrough, sstableDump, type TestClient } from '../harness/cassandra.ts';
import './null-elements.ts';
import { type TokenSpan, tokenSpansOf } from './token-spans.ts';

/** Rows in the order of their text, by table. */
export type SeenRows = ReadonlyMap<string, readonly SeenRow[]>;

export interface SeenRow {
  /** JSON; of times to live only whether there is one. */
  readonly text: string;
  /** Of its times to live: seconds since 1970, as near as the clocks are. */
  readonly expiries: readonly number[];
  /** Of its partition, as the server says it. */
  readonly token: bigint;
}

const clockSeconds = 4;
const goneMsMax = 20_000;

interface Column {
  readonly name: string;
  readonly hasTime: boolean;
  /** An open collection or user type. */
  readonly isComplex: boolean;
  /** Of the partition key: which place of it. */
  readonly keyPlace: number | undefined;
}

/** How a keyspace is read. */
interface Reading {
  readonly consistency: number;
  readonly host?: unknown;
  /** Of these tokens alone. */
  readonly spans?: readonly TokenSpan[];
}

/** Everything in a keyspace, read at ALL. */
export async function seen(client: TestClient, keyspace: string): Promise<SeenRows> {
  return await look(client, keyspace, { consistency: types.consistencies.all });
}

/** The same as each node says it at ONE; nodes must be replicas of it all. `centres`: theirs, where they differ. */
export async function assertEachReplica(
  cluster: CassandraCluster,
  keyspace: string,
  wanted: SeenRows,
  centres: readonly string[] = [],
): Promise<void> {
  for (const [at, i] of cluster.nodes.entries()) {
    await using one = await connectCql(cluster, {
      localDataCenter: centres[at] ?? cluster.dataCentre,
      contactPoints: [`${cluster.address(i)}:${cluster.cqlPort}`],
    });
    const host = one.client.hosts
      .values()
      .find(({ address }) => address.startsWith(`${cluster.address(i)}:`));
    const rows = await look(one, keyspace, {
      consistency: types.consistencies.one,
      ...(host && { host }),
    });
    assertSameRows(rows, wanted, `node ${i}`);
  }
}

/**
 * What each node has, with all others standing still (SIGSTOP): of the ranges of which the ring says that it is a replica,
 * the wanted rows and no others. The cluster is one of {@link askThemselves}, else another replica might be asked and is
 * waited for in vain.
 */
export async function assertEachAlone(
  cluster: CassandraCluster,
  keyspace: string,
  wanted: SeenRows,
): Promise<void> {
  const compared: number[] = [];
  for (const node of cluster.nodes) {
    const { spans, copies } = await tokenSpansOf(cluster, node, keyspace);
    const own = new Map(
      [...wanted].map(([table, rows]) => {
        const held = rows.filter(({ token }) => spans.some((span) => isWithin(token, span)));
        return [table, held] as const;
      }),
    );
    // Connected while all are awake; its driver knows this one node.
    await using one = await connectThrough(cluster, node);
    const others = cluster.nodes.filter((other) => other !== node);
    const rows = await frozen(cluster, others, () =>
      look(one, keyspace, { consistency: types.consistencies.one, spans }),
    );
    assertSameRows(rows, own, `node ${node} alone`);
    compared.push(countOf(own) / copies);
  }
  assert.equal(Math.round(sum(compared)), countOf(wanted), 'each row at each of its replicas');
  await cluster.waitRing();
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);
const countOf = (rows: SeenRows): number => sum([...rows.values()].map(({ length }) => length));
const isWithin = (token: bigint, { from, to }: TokenSpan): boolean => token > from && token <= to;

/** Nodes that ask themselves first where they are replicas: the snitch of clusters without data centres sorts nobody. */
export function askThemselves(nodes: number) {
  const dcs = new Array<string>(nodes).fill('dc1');
  return { nodes, dcs, yaml: ['dynamic_snitch: false'] } as const;
}

/** Runs `work` while nodes stand still: for seconds only, so that nobody takes them for dead. */
async function frozen<T>(
  cluster: CassandraCluster,
  nodes: readonly number[],
  work: () => Promise<T>,
): Promise<T> {
  const pids = nodes.map((node) => cluster.pid(node));
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  try {
    return await work();
  } finally {
    for (const pid of pids) process.kill(pid, 'SIGCONT');
  }
}

/** Tables and rows are the same, those of `wanted` at least. */
export function assertSameRows(actual: SeenRows, wanted: SeenRows, where = ''): void {
  for (const [table, rows] of wanted) {
    const there = actual.get(table) ?? [];
    const odd = Math.max(
      rows.findIndex(({ text }, i) => there[i]?.text !== text),
      -1,
    );
    if (odd >= 0 || there.length !== rows.length) {
      const at = odd >= 0 ? odd : Math.min(rows.length, there.length);
      const what = `${table} ${where}: ${there.length} rows in place of ${rows.length}; row ${at}`;
      assert.equal(there[at]?.text, rows[at]?.text, what);
      assert.fail(what);
    }
    rows.forEach(({ text, expiries }, i) => {
      expiries.forEach((expiry, j) => {
        const other = there[i]?.expiries[j] ?? 0;
        assert.ok(Math.abs(other - expiry) <= clockSeconds, `${table} ${where}: expiry of ${text}`);
      });
    });
  }
}

/** Times to live count down: they are turned into the moments at which they end. */
function rowOf(json: string, token: bigint, nowSeconds: number): SeenRow {
  const expiries: number[] = [];
  const ttls = /"ttl\(([^)]*)\)": (\d+|\[[^\]]*\])/g;
  const text = json.replace(ttls, (_, name: string, seconds: string) => {
    const said = seconds.replace(/\d+/g, (one) => {
      expiries.push(nowSeconds + Number(one));
      return 'true';
    });
    return `"ttl(${name})": ${said}`;
  });
  return { text, expiries, token };
}

async function look({ client }: TestClient, keyspace: string, reading: Reading): Promise<SeenRows> {
  const found = new Map<string, SeenRow[]>();
  const columns = await client.execute(
    'SELECT table_name, column_name, kind, position, type FROM system_schema.columns WHERE keyspace_name = ?',
    [keyspace],
    { prepare: true, consistency: types.consistencies.one },
  );
  const views = await client.execute(
    'SELECT view_name FROM system_schema.views WHERE keyspace_name = ?',
    [keyspace],
    { prepare: true, consistency: types.consistencies.one },
  );
  const [local] = (await client.execute('SELECT release_version FROM system.local')).rows;
  const hasElements = Number.parseInt(String(local?.release_version), 10) >= 5;
  const isView = new Set(views.rows.map((row) => String(row.view_name)));
  const tables = Map.groupBy(columns.rows, (row) => String(row.table_name));
  for (const [table, rows] of [...tables].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (isView.has(table)) continue;
    const asked = rows.map(columnOf);
    const seenRows = await rowsOf(
      client,
      { keyspace, table, columns: asked, hasElements },
      reading,
    );
    found.set(
      table,
      seenRows.sort((a, b) => (a.text < b.text ? -1 : 1)),
    );
  }
  return found;
}

interface Asked {
  readonly keyspace: string;
  readonly table: string;
  readonly columns: readonly Column[];
  /** The server tells times of elements, since 5.0. */
  readonly hasElements: boolean;
}

/** One query tells values and times: between two of them a row might expire. */
async function rowsOf(
  client: TestClient['client'],
  { keyspace, table, columns, hasElements }: Asked,
  { spans, ...options }: Reading,
): Promise<SeenRow[]> {
  const labels: string[] = [];
  const selected: string[] = [];
  for (const { name, hasTime, isComplex } of columns) {
    const bare = name.slice(1, -1);
    labels.push(bare);
    selected.push(`toJson(${name})`);
    if (!hasTime && !(isComplex && hasElements)) continue;
    labels.push(`writetime(${bare})`, `ttl(${bare})`);
    selected.push(`writetime(${name})`, `ttl(${name})`);
  }
  const key = columns
    .filter(({ keyPlace }) => keyPlace !== undefined)
    .sort((a, b) => (a.keyPlace as number) - (b.keyPlace as number));
  const token = `token(${key.map(({ name }) => name).join(', ')})`;
  const query = `SELECT ${selected.join(', ')}, ${token} FROM "${keyspace}"."${table}"`;
  const found: SeenRow[] = [];
  for (const span of spans ?? [undefined]) {
    const where = span ? ` WHERE ${token} > ${span.from} AND ${token} <= ${span.to}` : '';
    const asked = await client.execute(query + where, [], {
      fetchSize: 2000,
      autoPage: false,
      ...options,
    } as never);
    for await (const row of asked as AsyncIterable<types.Row>) {
      const values = row.values();
      const parts = labels.map((label, i) => timesText(label, values[i]));
      const at = BigInt(String(values[labels.length]));
      found.push(rowOf(`{${parts.join(', ')}}`, at, Date.now() / 1000));
    }
  }
  return found;
}

/** A value as the server wrote it in JSON; times as numbers, of elements as a list of them. */
function timesText(name: string, value: unknown): string {
  return `"${name}": ${Array.isArray(value) ? `[${value.map(String).join(', ')}]` : String(value)}`;
}

const complex = /^(list|set|map)</;

function columnOf(row: types.Row): Column {
  const type = String(row.type);
  const isComplex = complex.test(type) || isOpenUdt(type);
  const isValue = row.kind === 'regular' || row.kind === 'static';
  return {
    name: `"${String(row.column_name).replaceAll('"', '""')}"`,
    hasTime: !isComplex && type !== 'counter' && isValue,
    isComplex: isComplex && type !== 'counter' && isValue,
    keyPlace: row.kind === 'partition_key' ? Number(row.position) : undefined,
  };
}

/** Names that are no built-in type and not frozen. */
function isOpenUdt(type: string): boolean {
  return !/^(ascii|bigint|blob|boolean|date|decimal|double|duration|float|inet|int|smallint|text|time|timestamp|timeuuid|tinyint|uuid|varint|varchar|frozen<.*|tuple<.*|vector<.*)$/.test(
    type,
  );
}

/**
 * The live rows of a table as its one file says them, after a major compaction: liveness, and of
 * each cell its path, so the ids of a list's elements too. A line for each partition.
 */
export async function dumped(
  cluster: CassandraCluster,
  keyspace: string,
  table: string,
): Promise<string[]> {
  await cluster.jmx(1).flush(keyspace, table);
  await cluster.jmx(1).compact(keyspace, table);
  const folder = join(cluster.dataFolder(1), keyspace);
  const [own, ...others] = (await readdir(folder)).filter((name) => name.startsWith(`${table}-`));
  assert.ok(own !== undefined && others.length === 0, `one folder of ${keyspace}.${table}`);
  const dataFiles = async (): Promise<string[]> =>
    (await readdir(join(folder, own))).filter((name) => name.endsWith('-Data.db'));
  // What was compacted is removed a while after the compaction has ended.
  const deadline = Date.now() + goneMsMax;
  let files = await dataFiles();
  while (files.length > 1 && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    files = await dataFiles();
  }
  assert.equal(files.length, 1, `files of ${keyspace}.${table}`);
  const partitions = await sstableDump(cluster.program, join(folder, own, files[0] as string));
  return partitions.map((one) => JSON.stringify(withoutDeletions(one)));
}

/** Positions are the file's own; what says a deletion is no part of the live form. */
function withoutDeletions(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.filter((one) => !(isObject(one) && isGone(one))).map(withoutDeletions);
  }
  if (!isObject(value)) return value;
  const kept = Object.entries(value).filter(
    ([name]) => name !== 'position' && name !== 'deletion_info',
  );
  return Object.fromEntries(kept.map(([name, one]) => [name, withoutDeletions(one)]));
}

/** A cell without a value, the deletion of a collection, a marker of a range, a row of such alone. */
function isGone(one: Readonly<Record<string, unknown>>): boolean {
  if ('name' in one) return 'deletion_info' in one;
  if (one.type !== 'row') return String(one.type).startsWith('range_tombstone');
  const cells = (one.cells ?? []) as readonly Readonly<Record<string, unknown>>[];
  return !('liveness_info' in one) && cells.every(isGone);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
