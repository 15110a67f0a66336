// A live cluster as a source for tests of cuts: sessions, controls, requests, and what Cassandra itself says.
import { join } from 'node:path';
import { silentLogger } from '../../../base/log.ts';
import type { CassandraCluster } from '../../../node/demo/cassandra-server.ts';
import { systemClock } from '../../../node/system-clock.ts';
import { parseCassandraConfig } from './cassandra-config.ts';
import { type CqlSession, openCql } from './cql.ts';
import { type CutState, firstState, parseCutState } from './cut-state.ts';
import { localFiles } from './local-files.ts';
import type { CutNode } from './node-cut.ts';
import { openControl } from './open-control.ts';
import { type CutRequest, type TakenCut, takeCut } from './take-cut.ts';

export class CutWorld implements AsyncDisposable {
  readonly cluster: CassandraCluster;
  readonly cql: CqlSession;
  readonly signal = AbortSignal.timeout(600_000);
  readonly keyspace: string;
  state: CutState = firstState;
  #count = 0;

  private constructor(cluster: CassandraCluster, cql: CqlSession, keyspace: string) {
    this.cluster = cluster;
    this.cql = cql;
    this.keyspace = keyspace;
  }

  /** A keyspace of its own with `t (k int primary key, v text)` on all nodes. */
  static async open(cluster: CassandraCluster, keyspace: string): Promise<CutWorld> {
    const contactPoints = [...cluster.contactPoints];
    const signal = AbortSignal.timeout(600_000);
    const cql = await openCql(parseCassandraConfig({ contactPoints }), signal);
    const world = new CutWorld(cluster, cql, keyspace);
    await world.run(
      `CREATE KEYSPACE ${keyspace} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': ${cluster.nodes.length}}`,
    );
    await world.run(`CREATE TABLE ${keyspace}.t (k int PRIMARY KEY, v text)`);
    return world;
  }

  node(number: number): CutNode {
    const address = this.cluster.address(number);
    return {
      address,
      control: openControl(address, { jolokia: this.cluster.httpUrl(number) }),
      files: localFiles,
      dataDirectories: [this.cluster.dataFolder(number)],
    };
  }

  /** Schema changes take seconds on a busy machine. */
  run(statement: string): Promise<void> {
    return this.cql.run(statement, {
      signal: this.signal,
      consistency: 'quorum',
      timeoutMs: 60_000,
    });
  }

  async write(...keys: readonly number[]): Promise<void> {
    for (const k of keys)
      await this.run(`INSERT INTO ${this.keyspace}.t (k, v) VALUES (${k}, 'v')`);
  }

  /** Taken, read and committed. */
  async cut(more: Partial<CutRequest> = {}): Promise<TakenCut> {
    const cut = await this.take(more);
    await cut.release(true);
    // As the repository would give it back.
    this.state = parseCutState(JSON.parse(JSON.stringify(cut.nextState)));
    return cut;
  }

  take(more: Partial<CutRequest> = {}): Promise<TakenCut> {
    this.#count += 1;
    return takeCut({
      cql: this.cql,
      nodes: this.cluster.nodes.map((number) => this.node(number)),
      datacenters: [],
      ownsBackups: true,
      linkLimit: { share: 1 },
      pendingCompactionsMax: 1_000,
      scope: (keyspace) => keyspace === this.keyspace,
      state: this.state,
      owner: this.keyspace,
      id: String(this.#count),
      clock: systemClock,
      log: silentLogger,
      signal: this.signal,
      ...more,
    });
  }

  /** Below the data folder of a node. */
  path(number: number, ...parts: readonly string[]): string {
    return join(this.cluster.dataFolder(number), ...parts);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cql[Symbol.asyncDispose]();
  }
}

/** Files of a cut of the table `t`, as `address name`. */
export function filesOf(cut: TakenCut, table = 't'): string[] {
  const found = [...cut.tables.values()].find(({ schema }) => schema.table === table);
  return (found?.sstables ?? []).map(({ hostId, name }) => `${hostId} ${name}`).sort();
}
