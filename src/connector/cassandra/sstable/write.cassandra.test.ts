// A real Cassandra takes what the writer writes, and writes the same for the same rows.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectCql, sharedNode } from '../../../../test/harness/cassandra.ts';
import type { CassandraCluster } from '../../../node/demo/cassandra-server.ts';
import { ofRows, statistics, uncompressed } from './write-compare.fixture.ts';
import {
  bigint,
  int,
  MemorySink,
  scalar,
  TestRecords,
  type TestRow,
  testSchema,
  text,
} from './write-records.fixture.ts';
import {
  assertCompactedAgain,
  flushed,
  imported,
  mixed,
  mixedColumns,
  mixedOrder,
  writtenTo,
} from './write-server.fixture.ts';
import { basesOf } from './write-statistics.ts';

const cassandra = sharedNode();
const keyspace = 'writer';
const base = 1_700_000_000_000_000;

async function prepared(cluster: CassandraCluster, ...statements: string[]) {
  const session = await connectCql(cluster);
  await session.cql(
    `CREATE KEYSPACE IF NOT EXISTS ${keyspace} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
  );
  for (const statement of statements) await session.cql(statement);
  return session;
}

test('the files hold the bytes that Cassandra writes for the same rows', async () => {
  const cluster = await cassandra();
  await using session = await prepared(
    cluster,
    `CREATE TABLE ${keyspace}.twin (${mixedColumns}) ${mixedOrder}`,
  );
  const records = new TestRecords(mixed);
  for (let p = 0; p < 5; p++) {
    if (p % 2 === 0) {
      const using = `USING TIMESTAMP ${base + p}`;
      await session.cql(`INSERT INTO ${keyspace}.twin (p, s) VALUES (${p}, ${7 * p}) ${using}`);
      records.staticRow(int(p), { cells: { s: { micros: base + p, value: int(7 * p) } } });
    }
    // One partition is wide enough for a promoted index.
    for (let c = 0; c < (p === 3 ? 700 : 3); c++) {
      const micros = base + 100 * c;
      const a = `${c}-`.repeat(60);
      await session.cql(
        `INSERT INTO ${keyspace}.twin (p, c, d, a) VALUES (?, ?, ?, ?) USING TIMESTAMP ${micros}`,
        [p, c, `d${c % 2}`, a],
      );
      const later = micros + 5;
      if (c % 3 === 1) {
        await session.cql(
          `UPDATE ${keyspace}.twin USING TIMESTAMP ${later} SET v = ${c}, m = m + {'x': 1, 'y': 2} WHERE p = ${p} AND c = ${c} AND d = 'd${c % 2}'`,
        );
      }
      const x = { micros: later, value: int(1), path: text('x') };
      const y = { micros: later, value: int(2), path: text('y') };
      const more: TestRow['cells'] =
        c % 3 === 1 ? { v: { micros: later, value: int(c) }, m: [x, y] } : {};
      const cells = { a: { micros, value: text(a) }, ...more };
      records.row(int(p), [bigint(c), text(`d${c % 2}`)], { micros, cells });
    }
  }
  await cluster.jmx(1).flush(keyspace, 'twin');
  const theirs = await flushed(cluster, keyspace, 'twin', 'Statistics.db');
  const sink = new MemorySink();
  const bases = basesOf(BigInt(base), 1_442_880_000, 0);
  await writtenTo(sink, records, { keyspace, schema: mixed, bases });
  const ours = sink.bytes('Statistics.db');

  assert.deepEqual(statistics(ours, 3), statistics(theirs, 3), 'HEADER');
  const theirData = await flushed(cluster, keyspace, 'twin', 'Data.db');
  const theirInfo = await flushed(cluster, keyspace, 'twin', 'CompressionInfo.db');
  const raw = uncompressed(sink.bytes('Data.db'), sink.bytes('CompressionInfo.db'));
  assert.ok(raw.equals(uncompressed(theirData, theirInfo)), 'Data.db, uncompressed');
  assert.ok(
    sink.bytes('Index.db').equals(await flushed(cluster, keyspace, 'twin', 'Index.db')),
    'Index.db',
  );
  assert.deepEqual(ofRows(ours), ofRows(theirs));
});

test('rows, deletions and expiring cells come back as written, also after a major compaction', async () => {
  const cluster = await cassandra();
  const table = `${keyspace}.taken`;
  await using session = await prepared(
    cluster,
    `CREATE TABLE ${table} (${mixedColumns}) ${mixedOrder}`,
  );
  const records = new TestRecords(mixed);
  const now = Math.floor(Date.now() / 1000);
  const later = now + 100_000;
  const deletion = { micros: base + 50, seconds: now };
  for (let c = 0; c < 40; c++) {
    // The range deletions below would hide the others.
    if (c % 10 >= 3 && c % 10 <= 6) continue;
    const cells = {
      a: { micros: base, value: text(`a${c}`) },
      v: { micros: base + 1, value: int(c) },
    };
    records.row(int(1), [bigint(c), text('d')], { micros: base, cells });
  }
  for (let tens = 0; tens < 4; tens++) {
    // Descending: the greater value comes first.
    records.marker(int(1), [bigint(10 * tens + 6)], 'before', deletion);
    records.marker(int(1), [bigint(10 * tens + 5), text('b')], 'after', {
      ...deletion,
      micros: base + 60,
    });
    records.marker(int(1), [bigint(10 * tens + 3)], 'after');
  }
  records.partitionDeletion(int(2), { micros: base, seconds: now });
  const v = { micros: base + 9, value: int(5), ttl: 200_000, expiry: later };
  records.row(int(2), [bigint(1), text('')], {
    micros: base + 9,
    ttl: 200_000,
    expiry: later,
    cells: { v },
  });
  const gone = { micros: base + 9, expiry: now };
  records.row(int(3), [bigint(-1), text('x')], {
    cells: { a: gone, v: { micros: base, value: int(1) } },
  });
  records.row(int(3), [bigint(-2), text('x')], { deletion, cells: {} });
  records.staticRow(int(4), { cells: { s: { micros: base, value: int(44) } } });
  const sink = new MemorySink();
  const result = await writtenTo(sink, records, { keyspace, schema: mixed });
  await imported(cluster, keyspace, 'taken', sink);

  const query = `SELECT JSON p, c, d, s, a, m, v, writetime(a) AS wa, writetime(v) AS wv FROM ${table}`;
  const read = async () => (await session.cql(query)).rows.map((row) => JSON.parse(row['[json]']));
  const before = await read();
  const first = before.filter((row) => row.p === 1);
  const expected = Array.from({ length: 40 }, (_, i) => 39 - i).filter(
    (c) => c % 10 < 3 || c % 10 > 6,
  );
  assert.equal(result.partitions, 4);
  assert.deepEqual(
    first,
    expected.map((c) => ({
      p: 1,
      c,
      d: 'd',
      s: null,
      a: `a${c}`,
      m: null,
      v: c,
      wa: base,
      wv: base + 1,
    })),
  );
  const rest = before.filter((row) => row.p !== 1).sort((x, y) => x.p - y.p);
  assert.deepEqual(
    rest.map(({ p, c, d, s, v, wv }) => [p, c, d, s, v, wv]),
    [
      [2, 1, '', null, 5, base + 9],
      [3, -1, 'x', null, 1, base],
      [4, null, null, 44, null, null],
    ],
  );
  const [left] = (await session.cql(`SELECT ttl(v) AS left FROM ${table} WHERE p = 2`)).rows;
  assert.ok(left?.left <= 100_000 && left?.left > 99_000, `${left?.left}`);
  // What is under the range deletions stays hidden, what is beside them does not.
  for (const c of [3, 4, 5, 6, 7]) {
    const using = `USING TIMESTAMP ${base + 50}`;
    await session.cql(`INSERT INTO ${table} (p, c, d, v) VALUES (1, ${c}, 'a', 0) ${using}`);
  }
  const hidden = await session.cql(`SELECT c FROM ${table} WHERE p = 1 AND c >= 3 AND c <= 7`);
  assert.deepEqual(
    hidden.rows.map((row) => Number(row.c)),
    [7, 7],
  );
  await session.cql(`DELETE FROM ${table} WHERE p = 1 AND c = 7 AND d = 'a'`);
  await cluster.jmx(1).flush(keyspace, 'taken');
  await cluster.jmx(1).compact(keyspace, 'taken');
  assert.deepEqual(await read(), before);
});

test('what Cassandra compacts of our file is our file again', async () => {
  const cluster = await cassandra();
  await using session = await prepared(cluster);
  const { cql } = session;
  await assertCompactedAgain(cluster, keyspace, { cql, beyond2038: false });
  await assertCompactedAgain(cluster, keyspace, { cql, beyond2038: true, roundsPast2038: true });
});

test('a partition of 100,000 rows is read by its promoted index, forward and backward', async () => {
  const cluster = await cassandra();
  const table = `${keyspace}.wide`;
  const schema = testSchema({
    clustering: [{ name: 'c', type: scalar('int') }],
    regulars: [{ name: 'v', type: scalar('text') }],
  });
  await using session = await prepared(
    cluster,
    `CREATE TABLE ${table} (p int, c int, v text, PRIMARY KEY (p, c))`,
  );
  const records = new TestRecords(schema);
  const count = 100_000;
  for (let c = 0; c < count; c++) {
    const v = { micros: base, value: text(`value ${c}`) };
    records.row(int(1), [int(c)], { micros: base, cells: { v } });
  }
  // Holds over several blocks of the index.
  records.marker(int(2), [], 'before', { micros: base - 1, seconds: 1_700_000_000 });
  for (let c = 0; c < 10_000; c++) {
    const v = { micros: base, value: text(`value ${c}`) };
    records.row(int(2), [int(c)], { micros: base, cells: { v } });
  }
  records.marker(int(2), [], 'after');
  const sink = new MemorySink();
  await writtenTo(sink, records, { keyspace, schema });
  assert.ok(sink.bytes('Index.db').length > 1000, 'the index is a promoted one');
  await imported(cluster, keyspace, 'wide', sink);

  const values = async (where: string) =>
    (await session.cql(`SELECT c, v FROM ${table} WHERE ${where}`)).rows.map((row) => [
      row.c,
      row.v,
    ]);
  const span = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => [from + i, `value ${from + i}`]);
  for (const c of [0, 1, 777, 50_000, count - 1]) {
    assert.deepEqual(await values(`p = 1 AND c = ${c}`), span(c, c + 1));
  }
  assert.deepEqual(await values(`p = 1 AND c >= 64123 AND c < 64323`), span(64_123, 64_323));
  const reversed = 'p = 1 AND c > 31000 AND c <= 31100 ORDER BY c DESC';
  assert.deepEqual(await values(reversed), span(31_001, 31_101).reverse());
  assert.deepEqual(await values('p = 2 AND c >= 9000 AND c < 9100'), span(9000, 9100));
  assert.deepEqual(await values('p = 2 ORDER BY c DESC LIMIT 3'), span(9997, 10_000).reverse());
  const [all] = (await session.cql(`SELECT count(*) FROM ${table} WHERE p = 1`)).rows;
  assert.equal(Number(all?.count), count);
});
