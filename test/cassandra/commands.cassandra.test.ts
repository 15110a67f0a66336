// The commands of a user on a cluster of Cassandra that no other test runs there: each says what is so, as the JSON that it
// prints. Other tests run `backup`, `restore` and `source add` with all their options (world.ts).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BackupResult, Points, RestoreResult } from '../../src/api/codr-api.ts';
import type { Clock } from '../../src/base/clock.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import { connectCql, sharedNode } from '../harness/cassandra.ts';
import { oneReplica, sayAll } from './catalogue.ts';
import { CassandraWorld } from './world.ts';

const cluster = sharedNode();

/** A minute between two cuts takes a moment. */
const hasty: Clock = {
  now: () => systemClock.now(),
  monotonic: () => systemClock.monotonic(),
  sleep: (ms, stop) => systemClock.sleep(ms >= 60_000 ? 300 : ms, stop),
};

async function scene(keyspace: string) {
  const source = await cluster();
  await using open = new AsyncDisposableStack();
  const admin = open.use(await connectCql(source));
  await admin.cql(`CREATE KEYSPACE ${keyspace} WITH replication = ${oneReplica}`);
  const client = open.use(await connectCql(source, { keyspace }));
  await sayAll(client, [
    'CREATE TABLE t (k int PRIMARY KEY, v text)',
    'CREATE TABLE other (k int PRIMARY KEY, v text)',
    ...[1, 2, 3].map((k) => `INSERT INTO t (k, v) VALUES (${k}, 'v${k}')`),
    "INSERT INTO other (k, v) VALUES (1, 'one')",
  ]);
  const world = open.use(await CassandraWorld.open());
  const shop = await world.protect(keyspace, source);
  const all = open.move();
  const close = async (): Promise<void> => await all.disposeAsync();
  return { source, client, world, shop, [Symbol.asyncDispose]: close };
}

test('what is asked of a source, its points, its rows and its repository is told', async () => {
  await using one = await scene('asked');
  const { world, shop } = one;
  const says = async <R>(...words: string[]): Promise<R> => await world.codr<R>(...words);
  const checked = await says<{ findings: { level: string }[] }>('source', 'check', 'asked');
  assert.deepEqual(
    checked.findings.filter(({ level }) => level === 'error'),
    [],
  );
  const limits = ['--readers', '2', '--mib-per-second', '50'];
  const limited = await says<Record<string, unknown>>('source', 'limit', 'asked', ...limits);
  assert.deepEqual([limited.readers, limited.bytesPerSecond], [2, 50 * 2 ** 20]);
  const base = await shop.backup();
  assert.deepEqual([base.point.id, base.datasets, base.records], ['cut:1', 2, 4]);
  await one.client.cql("UPDATE t SET v = 'later' WHERE k = 2");
  await shop.backup({ minGrade: 'complete' });

  const { points } = await says<Points>('points', 'asked');
  assert.deepEqual(points.map(({ id, grade }) => [id, grade]).sort(), [
    ['cut:1', 'complete'],
    ['cut:2', 'complete'],
  ]);
  const { datasets } = await says<{ datasets: { namespace: string }[] }>('ls', 'asked');
  assert.deepEqual(datasets.map(({ namespace }) => namespace).sort(), ['asked.other', 'asked.t']);
  for (const [at, value] of [
    ['cut:1', 'v2'],
    ['latest', 'later'],
  ] as const) {
    const row = await says<{ value: unknown }>('get', 'asked', 'asked.t', 'k = 2', '--at', at);
    assert.match(JSON.stringify(row.value), new RegExp(value));
  }
  const verified = await says<{ datasets: { verdict: string }[] }>(
    ...['verify', 'asked', '--read-data', '--exclude', 'asked.other'],
  );
  assert.deepEqual(
    verified.datasets.map(({ verdict }) => verdict),
    ['whole'],
  );
  const status = await says<{ sources: { source: string }[] }>('status');
  assert.equal(status.sources.length, 1);
  const restored = await says<RestoreResult>(
    ...['restore', 'asked', '--at', 'cut:1', '--exclude', 'asked.other', '--no-verify'],
    ...['--to', await world.configFile('target-asked', one.source)],
    ...['--rename', 'asked.*=told.*', '--mib-per-second', '100'],
  );
  assert.deepEqual(
    restored.datasets.map(({ to, records, proven }) => [to, records, proven]),
    [['told.t', 3, false]],
  );
  const { rows } = await one.client.cql('SELECT v FROM told.t WHERE k = 2');
  assert.deepEqual([rows.length, rows[0]?.v], [1, 'v2']);
});

test('a backup that follows cuts again and again until it is interrupted, and a rebase reads all anew', async () => {
  await using one = await scene('followed');
  const { world, shop, client } = one;
  let interrupt = (): void => {};
  const following = world.codrBy<BackupResult>(['backup', 'followed', '--follow', '--rpo', '60s'], {
    clock: hasty,
    interruptible: (stop) => {
      interrupt = stop;
    },
  });
  const reached = async (count: number): Promise<Points> => {
    const deadline = Date.now() + 60_000;
    for (;;) {
      const found = await world.codr<Points>('points', 'followed');
      if (found.points.length >= count) return found;
      assert.ok(Date.now() < deadline, `${found.points.length} cuts were taken`);
    }
  };
  try {
    await reached(1);
    await client.cql("INSERT INTO t (k, v) VALUES (4, 'meanwhile')");
    const known = (await world.codr<Points>('points', 'followed')).points.length;
    // The cut that is on its way may have begun before the row.
    await reached(known + 2);
  } finally {
    interrupt();
  }
  const last = await following;
  assert.equal(last.records, 5);
  await client.cql("INSERT INTO t (k, v) VALUES (5, 'after')");
  assert.equal((await shop.backup()).records, 1);
  await world.codr('source', 'rebase', 'followed');
  const anew = await shop.backup();
  assert.deepEqual([anew.grade, anew.records], ['complete', 6]);
  await shop.remove();
  await assert.rejects(shop.backup(), { code: 'source-unknown' });
});
