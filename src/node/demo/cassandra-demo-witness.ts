// What the Cassandra demo asks the servers themselves, with the plain driver and no code of CODR: every row with
// the write times of its simple columns, at ALL or of one replica alone; and what nodes and files say beside it.
import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Client, types } from 'cassandra-driver';
import { connectShop } from './cassandra-demo-shop.ts';
import type { CassandraCluster } from './cassandra-server.ts';

/** What a reader sees of a keyspace. */
export interface SeenKeyspace {
  readonly rows: number;
  /** By table: hex MD5 of its rows as JSON, in the server's order. */
  readonly md5: ReadonlyMap<string, string>;
}

export interface SeenReplica extends SeenKeyspace {
  /** Reads of the keyspace that this node, and all others together, did for it. */
  readonly ownReads: number;
  readonly otherReads: number;
}

const pageRows = 1000;
const latencies = ['RangeLatency', 'ReadLatency'];

/** Every row of a keyspace: at `consistency`, from whatever nodes `client` reaches. */
export async function seeKeyspace(
  client: Client,
  keyspace: string,
  consistency: types.consistencies,
): Promise<SeenKeyspace> {
  const md5 = new Map<string, string>();
  let rows = 0;
  for (const [table, query] of await queriesOf(client, keyspace)) {
    const hash = createHash('md5');
    const asked = await client.execute(query, [], {
      ...{ consistency, prepare: false, fetchSize: pageRows, autoPage: false },
    });
    for await (const row of asked as AsyncIterable<types.Row>) {
      // How long it still lives changes while we read; that it expires does not.
      hash.update(String(row.values()[0]).replaceAll(/("ttl\([^"]*\)": )\d+/g, '$1"some"'));
      rows++;
    }
    md5.set(table, hash.digest('hex'));
  }
  return { rows, md5 };
}

/**
 * The same as one replica says it alone. The only node that is connected to coordinates, at ONE; with
 * GossipingPropertyFileSnitch, no dynamic snitch and no speculative retry it asks itself, which the read
 * counters of all nodes confirm. Nothing is repaired at ONE.
 */
export async function seeReplica(
  cluster: CassandraCluster,
  node: number,
  keyspace: string,
): Promise<SeenReplica> {
  const client = await connectShop(cluster, [`${cluster.address(node)}:${cluster.cqlPort}`]);
  try {
    const before = await readCounts(client, cluster, keyspace);
    const seen = await seeKeyspace(client, keyspace, types.consistencies.one);
    const after = await readCounts(client, cluster, keyspace);
    const grown = (one: number): number => (after.get(one) ?? 0) - (before.get(one) ?? 0);
    const others = cluster.nodes.filter((one) => one !== node);
    return {
      ...seen,
      ownReads: grown(node),
      otherReads: others.reduce((sum, one) => sum + grown(one), 0),
    };
  } finally {
    await client.shutdown();
  }
}

/** Tables whose rows differ. */
export function differingTables(a: SeenKeyspace, b: SeenKeyspace): string[] {
  const tables = new Set([...a.md5.keys(), ...b.md5.keys()]);
  return [...tables].filter((table) => a.md5.get(table) !== b.md5.get(table));
}

/** Repairs that the cluster remembers, of any table. */
export async function countRepairs(client: Client): Promise<number> {
  const query = 'SELECT id FROM system_distributed.repair_history';
  const { rowLength } = await client.execute(query, [], { prepare: false });
  return rowLength;
}

/** Bytes of the live SSTables of a keyspace, all nodes together. */
export async function sstableBytes(cluster: CassandraCluster, keyspace: string): Promise<number> {
  let bytes = 0;
  for (const node of cluster.nodes) {
    const folder = join(cluster.dataFolder(node), keyspace);
    for (const table of await readdir(folder)) {
      for (const file of await readdir(join(folder, table), { withFileTypes: true })) {
        if (!file.isFile()) continue;
        // A compaction may have removed it meanwhile.
        const found = await stat(join(file.parentPath, file.name)).catch(() => undefined);
        bytes += found?.size ?? 0;
      }
    }
  }
  return bytes;
}

async function readCounts(
  client: Client,
  cluster: CassandraCluster,
  keyspace: string,
): Promise<Map<number, number>> {
  const tables = [...(await queriesOf(client, keyspace)).keys()];
  const counts = new Map<number, number>();
  for (const node of cluster.nodes) {
    for (const table of tables) {
      for (const name of latencies) {
        const bean = `type=Table,keyspace=${keyspace},scope=${table},name=${name}`;
        const count = await cluster.jmx(node).read(`org.apache.cassandra.metrics:${bean}`, 'Count');
        counts.set(node, (counts.get(node) ?? 0) + Number(count));
      }
    }
  }
  return counts;
}

/** By table in the order of their names: the query that gives its rows as JSON. */
async function queriesOf(client: Client, keyspace: string): Promise<Map<string, string>> {
  const { rows } = await client.execute(
    'SELECT table_name, column_name, kind, type FROM system_schema.columns WHERE keyspace_name = ?',
    [keyspace],
    { consistency: types.consistencies.one },
  );
  const tables = Map.groupBy(rows, (row) => String(row.table_name));
  const sorted = [...tables].sort(([a], [b]) => (a < b ? -1 : 1));
  return new Map(
    sorted.map(([table, columns]) => {
      const asked = columns.flatMap(({ column_name: name, kind, type }) => {
        const isCell = kind === 'regular' || kind === 'static';
        const hasTime = isCell && !/^(list|set|map|counter)/.test(String(type));
        return hasTime ? [`${name}`, `writetime(${name})`, `ttl(${name})`] : [`${name}`];
      });
      return [table, `SELECT JSON ${asked.join(', ')} FROM ${keyspace}.${table}`];
    }),
  );
}
