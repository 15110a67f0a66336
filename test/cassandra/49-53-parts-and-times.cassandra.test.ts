// 49, 50, 53: parts of a cut. Token ranges, round the end of the ring too, and rows by their primary key come back
// exactly, proven; rows are looked at without a restore. Deletions that were written around them play their part.
// Times between cuts are refused: the log is not captured, and its segments for CDC are left alone.
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isCodrError } from '../../src/base/error.ts';
import { connectCql, sharedNode, type TestClient } from '../harness/cassandra.ts';
import { assertSameRows, type SeenRows, seen } from './oracle.ts';
import { CassandraWorld, type ProtectedCluster } from './world.ts';

const cluster = sharedNode();

interface Key {
  readonly k: number;
  readonly c: number | null;
}

test('53: a token range, a partition and a slice come back alone; a row is shown as it was', async () => {
  const source = await cluster();
  await using client = await connectCql(source);
  await fill(client);
  await using world = await CassandraWorld.open();
  const shop = await world.protect('part', source);
  await shop.backup();
  await client.cql("UPDATE part.wide USING TIMESTAMP 2000 SET v = 'second' WHERE k = 3 AND c = 5");
  await client.cql('DELETE FROM part.wide USING TIMESTAMP 3000 WHERE k = 3 AND c > 20 AND c <= 25');
  await client.cql('DELETE FROM part.wide USING TIMESTAMP 3000 WHERE k = 4');
  const wanted = await seen(client, 'part');
  await shop.backup();
  const tokens = await tokensOf(client);
  const [low, high] = [
    [...tokens.values()].sort(compare)[5],
    [...tokens.values()].sort(compare)[12],
  ] as [bigint, bigint];
  const give = async (
    to: string,
    parts: { ranges?: string[]; queries?: string[] },
  ): Promise<SeenRows> => {
    const { datasets } = await shop.restoreTo(source, { renames: [`part.*=${to}.*`], ...parts });
    assert.ok(datasets.every(({ proven }) => proven));
    return await seen(client, to);
  };
  const tokenOf = ({ k }: Key): bigint => tokens.get(k) as bigint;

  const inside = await give('part_a', { ranges: [`${low}..${high}`] });
  assertSame(inside, wanted, (key) => tokenOf(key) > low && tokenOf(key) <= high);
  const around = await give('part_b', { ranges: [`${high}..${low}`] });
  assertSame(around, wanted, (key) => tokenOf(key) > high || tokenOf(key) <= low);
  const whole = await give('part_c', { queries: ['part.wide=k IN (3, 7, 4)'] });
  assertSame(whole, wanted, ({ k }) => [3, 7, 4].includes(k));
  const slice = await give('part_d', { queries: ['part.wide=k = 3 AND c >= 5 AND c < 23'] });
  assertSame(slice, wanted, ({ k, c }) => k === 3 && c !== null && c >= 5 && c < 23);
  // The partition has rows, but none of them is in the slice: the static row stays.
  const statics = await give('part_e', { queries: ['part.wide=k = 3 AND c > 900'] });
  assert.deepEqual(keysOf(statics), [{ k: 3, c: null }]);

  const plan = await shop.plan({
    to: await world.configFile('target-plan', source),
    renames: ['part.*=part_f.*'],
    queries: ['part.wide=k = 3'],
  });
  assert.deepEqual(
    plan.datasets.map(({ estimated }) => estimated),
    [true],
  );
  await assert.rejects(give('part_f', { queries: ['part.wide=v = 1'] }), { code: 'usage' });
  await assert.rejects(give('part_f', { queries: ['part.other=k = 1'] }), { code: 'usage' });
  await looksInside(world, shop);
});

test('49, 50: a time between two cuts is refused, the nearest are named, and segments for CDC stay where they are', async () => {
  const source = await cluster();
  await using client = await connectCql(source);
  await client.cql(
    "CREATE KEYSPACE moments WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
  );
  await client.cql('CREATE TABLE moments.t (k int PRIMARY KEY, v text) WITH cdc = true');
  await using world = await CassandraWorld.open();
  const moments = await world.protect('moments', source);
  const put = async (v: string): Promise<unknown> =>
    await client.cql(`INSERT INTO moments.t (k, v) VALUES (1, '${v}')`);
  await put('first');
  const first = await moments.backup();
  const begun = wallMs(first.point.wall);
  // A second that no cut ended in: at it the cell had a value that a memtable forgot.
  await until(begun + 2100);
  await put('between');
  await until(begun + 3200);
  await put('last');
  const second = await moments.backup();

  // Others the server removes by itself.
  const segments = (await readdir(join(source.nodeFolder(1), 'cdc_raw'))).filter((name) =>
    name.endsWith('_cdc.idx'),
  );
  assert.ok(segments.length > 0, 'the node keeps segments for CDC');
  const at = new Date(begun + 2100).toISOString();
  const give = (when: string, to: string) =>
    moments.restoreTo(source, { at: when, renames: [`moments.*=${to}.*`] });
  await assert.rejects(give(at, 'moments_at'), (error) => {
    assert.ok(isCodrError(error, 'time-not-restorable'));
    assert.equal(error.exitCode, 4);
    const named = `${error.message} ${error.remedy}`;
    for (const { point } of [first, second]) assert.ok(named.includes(point.id), named);
    assert.match(error.message, /cut/);
    return true;
  });
  const made =
    "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = 'moments_at'";
  assert.equal((await client.cql(made)).rowLength, 0);
  // Each cut by its number and by the second in which it ended.
  for (const [when, to, value] of [
    [first.point.id, 'moments_a', 'first'],
    [new Date(begun).toISOString().replace(/\.\d+/, ''), 'moments_b', 'first'],
    [second.point.id, 'moments_c', 'last'],
  ] as const) {
    await give(when, to);
    const [row] = (await client.cql(`SELECT v FROM ${to}.t`)).rows;
    assert.equal(row?.v, value, when);
  }
  const left = await readdir(join(source.nodeFolder(1), 'cdc_raw'));
  assert.deepEqual(
    segments.filter((name) => !left.includes(name)),
    [],
  );
});

const wallMs = (text: string): number => Date.parse(text);

async function until(ms: number): Promise<void> {
  while (Date.now() < ms) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function fill(client: TestClient): Promise<void> {
  await client.cql(
    "CREATE KEYSPACE part WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
  );
  await client.cql(
    'CREATE TABLE part.wide (k int, c int, s text static, v text, PRIMARY KEY (k, c)) ' +
      'WITH CLUSTERING ORDER BY (c DESC)',
  );
  for (let k = 0; k < 20; k++) {
    await client.cql(`INSERT INTO part.wide (k, s) VALUES (${k}, 's${k}') USING TIMESTAMP 1000`);
    for (let c = 0; c < 30; c++) {
      await client.cql(
        `INSERT INTO part.wide (k, c, v) VALUES (${k}, ${c}, 'v${c}') USING TIMESTAMP 1000`,
      );
    }
  }
}

async function looksInside(world: CassandraWorld, { name }: ProtectedCluster): Promise<void> {
  await using node = await world.node();
  const wanted = { source: name, namespace: 'part.wide', at: 'latest' };
  const get = async (key: string, history = false) =>
    await node.getRecord({ ...wanted, key, history });
  const row = await get('{"k": 3, "c": 5}', true);
  const shown = (v: string, writetime: number): unknown => ({
    ...{ k: 3, c: 5, s: { value: 's3', writetime: 1000 } },
    v: { value: v, writetime },
  });
  assert.deepEqual(JSON.parse(row.value ?? ''), shown('second', 2000));
  assert.deepEqual(
    row.history?.map(({ change, value = '' }) => [change, JSON.parse(value)]),
    [
      ['base', shown('v5', 1000)],
      ['put', shown('second', 2000)],
    ],
  );
  const gone = await get('k = 3 AND c = 22', true);
  assert.equal(gone.value, undefined);
  assert.deepEqual(
    gone.history?.map(({ change }) => change),
    ['base', 'delete'],
  );
  const all = JSON.parse((await get('k = 3')).value ?? '') as Key[];
  assert.deepEqual(
    all.map(({ c }) => c),
    range(30)
      .reverse()
      .filter((c) => c <= 20 || c > 25),
  );
  assert.equal((await get('k = 4')).value, undefined);
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

async function tokensOf(client: TestClient): Promise<ReadonlyMap<number, bigint>> {
  const { rows } = await client.cql('SELECT DISTINCT k, token(k) AS t FROM part.wide');
  return new Map(rows.map((row) => [Number(row.k), BigInt(String(row.t))]));
}

function keysOf(rows: SeenRows): Key[] {
  return (rows.get('wide') ?? []).map(({ text }) => keyOf(text));
}

function keyOf(text: string): Key {
  const { k, c } = JSON.parse(text) as Key;
  return { k, c };
}

function assertSame(actual: SeenRows, all: SeenRows, holds: (key: Key) => boolean): void {
  const rows = (all.get('wide') ?? []).filter(({ text }) => holds(keyOf(text)));
  assert.ok(rows.length > 0);
  assertSameRows(actual, new Map([['wide', rows]]));
}
