// A live cluster as a world of the conformance suite of cuts: one keyspace for each case, all records of a table in
// one partition, so that a range of them is one deletion.
import { connectorContext } from '../../../test/harness/context.ts';
import type { CassandraCluster } from '../../node/demo/cassandra-server.ts';
import type { CutConformanceWorld } from '../conformance-cut-world.ts';
import { cassandraConnector } from './cassandra-connector.ts';
import { parseCassandraConfig } from './session/cassandra-config.ts';
import { openCql } from './session/cql.ts';

let worlds = 0;

export async function openCutWorld(cluster: CassandraCluster): Promise<CutConformanceWorld> {
  const signal = AbortSignal.timeout(600_000);
  const contactPoints = [...cluster.contactPoints];
  const nodes = Object.fromEntries(
    cluster.nodes.map((i) => [
      cluster.address(i),
      { dataDirectories: [cluster.dataFolder(i)], control: { jolokia: cluster.httpUrl(i) } },
    ]),
  );
  const settings = { contactPoints, nodes, ownsBackups: true };
  const source = { kind: 'cassandra', uri: `cassandra://${contactPoints[0]}/`, settings };
  const cql = await openCql(parseCassandraConfig({ contactPoints }), signal);
  const asked = { signal, consistency: 'all', timeoutMs: 60_000 } as const;
  const run = (statement: string): Promise<void> => cql.run(statement, asked);
  const keyspace = `conformance${++worlds}`;
  const count = cluster.nodes.length;
  const replication = `{'class': 'SimpleStrategy', 'replication_factor': ${count}}`;
  await run(`CREATE KEYSPACE ${keyspace} WITH replication = ${replication}`);
  const seen = async (namespace: string): Promise<string[]> => {
    const rows = await cql.rows(`SELECT c, v FROM ${namespace}`, asked);
    return rows.map(({ c, v }) => `${c}=${v}`);
  };
  return {
    ...{ connector: cassandraConnector, context: connectorContext(), source, target: source },
    ...{ prefix: `${keyspace}.`, seen, seenInTarget: seen },
    create: (name) => run(`CREATE TABLE ${name} (p int, c int, v int, PRIMARY KEY (p, c))`),
    drop: (name) => run(`DROP TABLE ${name}`),
    truncate: (name) => run(`TRUNCATE ${name}`),
    async write(name, writes) {
      for (const { kind, record, seed } of writes) {
        if (kind === 'delete') await run(`DELETE FROM ${name} WHERE p = 0 AND c = ${record}`);
        else await run(`INSERT INTO ${name} (p, c, v) VALUES (0, ${record}, ${seed})`);
      }
    },
    removeRange: (name, from, to) =>
      run(`DELETE FROM ${name} WHERE p = 0 AND c >= ${from} AND c < ${to}`),
    textsOf: (entry, records) =>
      cassandraConnector.renderValue(entry, records).map((text) => {
        const { c, v } = JSON.parse(text);
        return `${c}=${v?.value ?? v}`;
      }),
    withoutOne: async () => false,
    [Symbol.asyncDispose]: async () => {
      await run(`DROP KEYSPACE IF EXISTS ${keyspace}`);
      await cql[Symbol.asyncDispose]();
    },
  };
}
