// Writes of which each replica of three is told another part, since others are away: values of one timestamp, deletions
// of ranges that lie over one another, and counters that are deleted and counted on. They are called in the order in
// which nodes go and come; without hints nobody is told later.
import assert from 'node:assert/strict';
import { types } from 'cassandra-driver';
import type { CassandraCluster } from '../../src/node/demo/cassandra-server.ts';
import { connectThrough } from '../harness/cassandra.ts';
import type { SeenRows } from './oracle.ts';

const { all, one, quorum } = types.consistencies;

const add = (k: string, n: number): string =>
  `UPDATE counts SET hits = hits + ${n} WHERE k = '${k}' AND c = 1`;
const ranged = (k: number, a: number, b: number, timestamp: number): string =>
  `INSERT INTO ranges (k, a, b, v) VALUES (${k}, ${a}, ${b}, ${timestamp}) USING TIMESTAMP ${timestamp}`;

export class DividedWrites {
  readonly #cluster: CassandraCluster;
  readonly #keyspace: string;

  constructor(cluster: CassandraCluster, keyspace: string) {
    this.#cluster = cluster;
    this.#keyspace = keyspace;
  }

  /** All nodes are up: tables, and what all replicas have. */
  async whole(): Promise<void> {
    const rows = [1, 2, 3].flatMap((k) =>
      Array.from({ length: 20 }, (_, i) => ranged(k, 1 + (i % 5), Math.floor(i / 5), 5)),
    );
    await this.#say(1, all, [
      `CREATE KEYSPACE ${this.#keyspace} WITH replication = ` +
        "{'class': 'SimpleStrategy', 'replication_factor': 3}",
      'CREATE TABLE ties (k int PRIMARY KEY, v int, t text)',
      'CREATE TABLE ranges (k int, a int, b int, v int, PRIMARY KEY (k, a, b))',
      'CREATE TABLE counts (k text, c int, hits counter, PRIMARY KEY (k, c))',
      ...rows,
    ]);
    for (const node of this.#cluster.nodes) {
      await this.#say(node, all, [add('a', 10 ** node), add('gone', 7), add('again', 7)]);
    }
  }

  /** Node 3 has nothing of this: it keeps the counters as they were before they were deleted. */
  async without3(): Promise<void> {
    await this.#say(1, quorum, [
      "DELETE FROM counts WHERE k = 'gone'",
      "DELETE FROM counts WHERE k = 'again'",
      ...[add('again', 1), add('a', 2)],
      'DELETE FROM ranges USING TIMESTAMP 10 WHERE k = 1 AND a = 2',
    ]);
    await this.#say(2, quorum, [add('again', 1), add('a', 2)]);
  }

  /** The two others are away. */
  async byNode1(): Promise<void> {
    await this.#say(1, one, [
      "INSERT INTO ties (k, v, t) VALUES (1, -1, 'a') USING TIMESTAMP 5",
      "INSERT INTO ties (k, v, t) VALUES (2, 1, 'ab') USING TIMESTAMP 5",
      'DELETE FROM ranges USING TIMESTAMP 10 WHERE k = 2 AND a >= 2 AND a <= 4',
      'DELETE FROM ranges USING TIMESTAMP 12 WHERE k = 3 AND a < 3',
      ...[add('a', 3), add('again', 1)],
    ]);
  }

  /**
   * The two others are up. Either of them may lead a counter; node 3 would count on what it does not know to be deleted,
   * with a result that the server leaves open.
   */
  async without1(): Promise<void> {
    await this.#say(2, quorum, [
      "INSERT INTO ties (k, v, t) VALUES (1, 1, 'ab') USING TIMESTAMP 5",
      "INSERT INTO ties (k, v, t) VALUES (2, -1, 'a') USING TIMESTAMP 5",
      'DELETE FROM ranges USING TIMESTAMP 8 WHERE k = 2 AND a >= 3',
      ...[ranged(2, 3, 8, 9), ranged(2, 3, 9, 11), ranged(2, 5, 9, 9)],
      'DELETE FROM ranges USING TIMESTAMP 11 WHERE k = 3 AND a >= 2 AND a <= 4',
      ...[ranged(3, 2, 9, 12), ranged(3, 4, 9, 12), ranged(3, 1, 9, 13)],
      add('a', 4),
    ]);
    await this.#say(3, quorum, [add('a', 5)]);
  }

  /** By each node. */
  async countOn(keyspace: string): Promise<void> {
    for (const node of this.#cluster.nodes) {
      await this.#say(node, all, [add('a', 1), add('again', 1)], keyspace);
    }
  }

  /** What all replicas together must say, whoever is asked. */
  assertMerged(rows: SeenRows): void {
    const of = (table: string): Readonly<Record<string, unknown>>[] =>
      (rows.get(table) ?? []).map(({ text }) => JSON.parse(text));
    assert.deepEqual(
      of('ties').map(({ v, t }) => [v, t]),
      [
        [-1, 'ab'],
        [-1, 'ab'],
      ],
    );
    const left = (k: number): unknown[] =>
      of('ranges').flatMap((row) => (row.k === k ? [[row.a, row.b]] : []));
    const four = (a: number): number[][] => [0, 1, 2, 3].map((b) => [a, b]);
    assert.deepEqual(left(1), [1, 3, 4, 5].flatMap(four));
    assert.deepEqual(left(2), [...four(1), [3, 9], [5, 9]]);
    assert.deepEqual(left(3), [[1, 9], [4, 9], ...four(5)]);
    const hits = new Map(of('counts').map((row) => [row.k, row.hits]));
    assert.deepEqual([...hits.keys()], ['a', 'again']);
    assert.equal(hits.get('a'), 1110 + 2 + 2 + 3 + 4 + 5);
  }

  /** Through one node, which knows who else is up. */
  async #say(
    node: number,
    consistency: number,
    statements: readonly string[],
    keyspace = this.#keyspace,
  ): Promise<void> {
    await using client = await connectThrough(this.#cluster, node);
    for (const statement of statements) {
      const named = statement.replace(/\b(ties|ranges|counts)\b/, `${keyspace}.$1`);
      await client.client.execute(named, [], { consistency });
    }
  }
}
