// What is defined beside the tables, on source and target: whether a keyspace writes its log, functions, triggers; and the
// clock of whoever restores. Each has a rule that a server by itself would not keep.
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Clock } from '../../src/base/clock.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import { connectCql, sharedNode } from '../harness/cassandra.ts';
import { oneReplica, sayAll } from './catalogue.ts';
import { assertSameRows, seen } from './oracle.ts';
import { pointsBeside } from './points.ts';
import { CassandraWorld, call } from './world.ts';

const cluster = sharedNode();
const assertPoint = pointsBeside(cluster);
const service = 'org.apache.cassandra.db:type=StorageService';
const proxy = 'org.apache.cassandra.db:type=StorageProxy';

let world: CassandraWorld;
before(async () => {
  world = await CassandraWorld.open();
});
after(async () => {
  await world[Symbol.asyncDispose]();
});

test('rows that no commit log ever held are in the next cut, links on or off, and the log is trusted again later', async () => {
  const source = await cluster();
  await using client = await connectCql(source);
  const durable = (yes: boolean) => `ALTER KEYSPACE unkept WITH durable_writes = ${yes}`;
  const put = (from: number) =>
    Array.from({ length: 20 }, (_, i) => `INSERT INTO unkept.t (k, v) VALUES (${from + i}, 'v')`);
  await sayAll(client, [
    `CREATE KEYSPACE unkept WITH replication = ${oneReplica}`,
    'CREATE TABLE unkept.t (k int PRIMARY KEY, v text)',
    ...put(0),
  ]);
  const unkept = await world.protect('unkept', source);
  const points: Awaited<ReturnType<typeof seen>>[] = [];
  const ids: string[] = [];
  const cut = async (rows: number): Promise<void> => {
    const { grade, point } = await unkept.backup();
    assert.equal(grade, 'complete');
    const wanted = await seen(client, 'unkept');
    assert.equal(wanted.get('t')?.length, rows);
    points.push(wanted);
    ids.push(point.id);
  };
  const jmx = source.jmx(1);
  const compacted = async (): Promise<void> => {
    await jmx.flush('unkept', 't');
    await jmx.compact('unkept', 't');
  };
  await cut(20);
  await sayAll(client, [durable(false), ...put(20)]);
  await cut(40);
  // Neither a link nor a span of the log tells of these, and the switch is as it was when the cut comes.
  await jmx.write(service, 'IncrementalBackupsEnabled', false);
  await sayAll(client, put(40));
  await compacted();
  await sayAll(client, [durable(true), ...put(60)]);
  await compacted();
  await jmx.write(service, 'IncrementalBackupsEnabled', true);
  await cut(80);
  await sayAll(client, put(80));
  await compacted();
  await cut(100);
  for (const [i, id] of ids.entries()) {
    await assertPoint(client, unkept, id, points[i] as (typeof points)[number]);
  }
});

const functionIn = (keyspace: string, more: number): string =>
  `CREATE FUNCTION ${keyspace}.more (n int) CALLED ON NULL INPUT RETURNS int LANGUAGE java ` +
  `AS 'return n + ${more};'`;

test('functions come back and work; one of the same name that does something else is named before anything is made', async () => {
  const source = await cluster();
  await using client = await connectCql(source);
  const aggregate = (keyspace: string) =>
    `CREATE AGGREGATE ${keyspace}.last (int) SFUNC later STYPE int INITCOND 0`;
  const later = (keyspace: string) =>
    `CREATE FUNCTION ${keyspace}.later (a int, b int) CALLED ON NULL INPUT RETURNS int ` +
    "LANGUAGE java AS 'return b;'";
  const keyspaces = ['made', 'made_same', 'made_other'];
  for (const keyspace of keyspaces) {
    await client.cql(`CREATE KEYSPACE ${keyspace} WITH replication = ${oneReplica}`);
  }
  const definitions = (keyspace: string, more: number) => [
    functionIn(keyspace, more),
    later(keyspace),
    aggregate(keyspace),
  ];
  await sayAll(client, [
    ...[...definitions('made', 1), ...definitions('made_same', 1)],
    ...definitions('made_other', 2),
    'CREATE TABLE made.t (k int PRIMARY KEY, v int)',
    'INSERT INTO made.t (k, v) VALUES (1, 41)',
  ]);
  const made = await world.protect('made', source);
  await made.backup();
  const wanted = await seen(client, 'made');
  for (const to of ['made_fresh', 'made_same']) {
    const { datasets } = await made.restoreTo(source, { renames: [`made.*=${to}.*`] });
    assert.deepEqual(
      datasets.map(({ proven }) => proven),
      [true],
    );
    assertSameRows(await seen(client, to), wanted);
    const [row] = (await client.cql(`SELECT ${to}.more(v) AS m, k FROM ${to}.t`)).rows;
    assert.equal(row?.m, 42);
    const [all] = (await client.cql(`SELECT ${to}.last(v) AS l FROM ${to}.t`)).rows;
    assert.equal(all?.l, 41);
  }
  await assert.rejects(made.restoreTo(source, { renames: ['made.*=made_other.*'] }), {
    code: 'target-unfit',
    object: 'made_other.more(int)',
    message: /does something else/,
  });
  assert.equal((await seen(client, 'made_other')).size, 0);
});

/** `class Idle implements ITrigger { public Collection<Mutation> augment(Partition update) { return null; } }`. */
const idleTrigger = `
yv66vgAAADcAEAoAAgADBwAEDAAFAAYBABBqYXZhL2xhbmcvT2JqZWN0AQAGPGluaXQ+AQADKClWBwAIAQAESWRsZQ
cACgEAJm9yZy9hcGFjaGUvY2Fzc2FuZHJhL3RyaWdnZXJzL0lUcmlnZ2VyAQAEQ29kZQEAB2F1Z21lbnQBAEYoTG9y
Zy9hcGFjaGUvY2Fzc2FuZHJhL2RiL3BhcnRpdGlvbnMvUGFydGl0aW9uOylMamF2YS91dGlsL0NvbGxlY3Rpb247AQ
AJU2lnbmF0dXJlAQBqKExvcmcvYXBhY2hlL2Nhc3NhbmRyYS9kYi9wYXJ0aXRpb25zL1BhcnRpdGlvbjspTGphdmEv
dXRpbC9Db2xsZWN0aW9uPExvcmcvYXBhY2hlL2Nhc3NhbmRyYS9kYi9NdXRhdGlvbjs+OwAhAAcAAgABAAkAAAACAA
EABQAGAAEACwAAABEAAQABAAAABSq3AAGxAAAAAAABAAwADQACAAsAAAAOAAEAAgAAAAIBsAAAAAAADgAAAAIADwAA`;

test('a trigger of the source is said to be left out, and its table comes back without it', async () => {
  const source = await cluster();
  await using client = await connectCql(source);
  const conf = join(source.nodeFolder(1), 'conf');
  await mkdir(join(conf, 'triggers'), { recursive: true });
  await writeFile(join(conf, 'Idle.class'), Buffer.from(idleTrigger, 'base64'));
  await source.jmx(1).exec(proxy, 'reloadTriggerClasses');
  await sayAll(client, [
    `CREATE KEYSPACE watched WITH replication = ${oneReplica}`,
    'CREATE TABLE watched.t (k int PRIMARY KEY, v int)',
    "CREATE TRIGGER audit ON watched.t USING 'Idle'",
    'INSERT INTO watched.t (k, v) VALUES (1, 1)',
  ]);
  const watched = await world.protect('watched', source);
  await watched.backup();
  const { datasets, skipped } = await watched.restoreTo(source, {
    renames: ['watched.*=watched_back.*'],
  });
  assert.deepEqual(
    datasets.map(({ proven }) => proven),
    [true],
  );
  assert.deepEqual(
    skipped.map(({ namespace }) => namespace),
    ['trigger audit of watched_back.t'],
  );
  assert.match(String(skipped[0]?.reason), /CREATE TRIGGER/);
  assertSameRows(await seen(client, 'watched_back'), await seen(client, 'watched'));
  const { rows } = await client.cql('SELECT keyspace_name FROM system_schema.triggers');
  assert.deepEqual(
    rows.map((row) => row.keyspace_name),
    ['watched'],
  );
});

test('whoever restores by a clock that is an hour off is told both times, and nothing is made', async () => {
  const source = await cluster();
  await using client = await connectCql(source);
  await sayAll(client, [
    `CREATE KEYSPACE timed WITH replication = ${oneReplica}`,
    'CREATE TABLE timed.t (k int PRIMARY KEY, v int)',
    'INSERT INTO timed.t (k, v) VALUES (1, 1) USING TTL 1800',
  ]);
  const timed = await world.protect('timed', source);
  await timed.backup();
  const to = await world.configFile('target-timed', source);
  const asked = {
    ...{ source: 'timed', at: 'latest', include: [], exclude: [], to, drop: false, verify: true },
    ...{ ttl: 'keep' as const, renames: ['timed.*=timed_back.*'] },
  };
  const ahead: Clock = { ...systemClock, now: () => systemClock.now() + 3_600_000 };
  {
    await using node = await world.node(ahead);
    await assert.rejects(node.restore(asked, call()), {
      code: 'target-unfit',
      object: source.address(1),
      message: /says it is .*, by the clock of this machine it is /,
    });
  }
  assert.equal((await seen(client, 'timed_back')).size, 0);
  await using node = await world.node();
  await node.restore(asked, call());
  assertSameRows(await seen(client, 'timed_back'), await seen(client, 'timed'));
});
