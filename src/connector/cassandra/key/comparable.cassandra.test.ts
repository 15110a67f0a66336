// The order of a real server as the oracle: random values are written as clusterings of each type, ascending and
// descending, and SELECT gives the rows in the order of our keys.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { connectCql, sharedNode } from '../../../../test/harness/cassandra.ts';
import { clusteringCodec } from './clustering-codec.ts';
import { type OrderCase, orderCases } from './order-cases.fixture.ts';

const valueCount = 60;
const cluster = sharedNode();

/** What a value of no bytes is to a server; for byte strings it is a value like others. */
function keyOf({ type }: OrderCase, value: Buffer, descending: boolean): Buffer {
  const codec = clusteringCodec([descending ? { kind: 'reversed', type } : type]);
  const target = Buffer.alloc(codec.lengthMax(value.length));
  return target.subarray(0, codec.encodeRow(value, Int32Array.of(0, value.length), target, 0));
}

/** The numbers of the values in the order of their keys; of equal keys the last one written stays. */
function expectedOrder(each: OrderCase, values: readonly Buffer[], descending: boolean): number[] {
  const rows = new Map<string, number>();
  values.forEach((value, i) => {
    rows.set(keyOf(each, value, descending).toString('hex'), i);
  });
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, i]) => i);
}

test('a server sorts the rows of every clustering type as our keys do', async () => {
  await using connection = await connectCql(await cluster());
  const { client, cql } = connection;
  await cql(
    `CREATE KEYSPACE ordered WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
  );
  for (const [i, each] of orderCases.entries()) {
    const values = fc.sample(each.values, { numRuns: valueCount, seed: 4 });
    for (const order of ['ASC', 'DESC'] as const) {
      const table = `ordered.t${i}_${order.toLowerCase()}`;
      await cql(
        `CREATE TABLE ${table} (p int, c ${each.cql}, n int, PRIMARY KEY (p, c))
         WITH CLUSTERING ORDER BY (c ${order})`,
      );
      // Raw bytes: the hint keeps the driver from encoding them as the column's type.
      for (const [n, value] of values.entries()) {
        const insert = `INSERT INTO ${table} (p, c, n) VALUES (1, ?, ?)`;
        await client.execute(insert, [value, n], { hints: ['blob', 'int'], prepare: false });
      }
      const { rows } = await cql(`SELECT n FROM ${table} WHERE p = 1`);
      const found = rows.map((row) => row.n as number);
      assert.deepEqual(
        found,
        expectedOrder(each, values, order === 'DESC'),
        `${each.cql} ${order}`,
      );
    }
  }
});
