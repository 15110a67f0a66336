// Tables of a real cluster come back under another name, equal in every cell, timestamp and time to live.
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { assertEachReplica, assertSameRows, seen } from '../../../../test/cassandra/oracle.ts';
import {
  connectCql,
  sharedCassandra,
  type TestClient,
} from '../../../../test/harness/cassandra.ts';
import { silentLogger } from '../../../base/log.ts';
import type { RecordStream } from '../../../model/record.ts';
import type { CassandraCluster } from '../../../node/demo/cassandra-server.ts';
import { systemClock } from '../../../node/system-clock.ts';
import { encodeTableBody, tableBodyOf } from '../schema/table-body.ts';
import {
  Captured,
  live,
  openTarget,
  optionsOf,
  proven,
  restoreAll,
  signal,
} from './target-world.fixture.ts';

const nodes = Number(process.env.CODR_TEST_NODES ?? 3);
const cluster = sharedCassandra({ nodes, hints: false });
const base = 1_700_000_000_000_000;

async function makeSource(client: TestClient, ks: string, factor: number): Promise<void> {
  const run = (...statements: readonly string[]) => inOrder(client, statements);
  await run(
    `CREATE KEYSPACE ${ks} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': ${factor}}`,
    `CREATE TYPE ${ks}.addr (street text, zip int)`,
    `CREATE TYPE ${ks}.person (name text, home frozen<addr>)`,
    `CREATE TABLE ${ks}.wide (p int, c bigint, d text, s text static, v int, l list<text>, m map<text, int>, u person, f frozen<person>, PRIMARY KEY (p, c, d)) WITH CLUSTERING ORDER BY (c DESC, d ASC) AND comment = 'it''s ${ks}.wide; AND more' AND default_time_to_live = 0`,
    `CREATE TABLE ${ks}.counts (k text PRIMARY KEY, n counter)`,
    `CREATE TABLE ${ks}.plain ("Key" text PRIMARY KEY, v text, gone int, again int) WITH compression = {'enabled': false}`,
    `CREATE INDEX wide_v ON ${ks}.wide (v)`,
    `CREATE MATERIALIZED VIEW ${ks}.by_v AS SELECT v, p, c, d, f FROM ${ks}.wide WHERE v IS NOT NULL AND p IS NOT NULL AND c IS NOT NULL AND d IS NOT NULL PRIMARY KEY (v, p, c, d)`,
  );
  for (let p = 0; p < 60; p++) {
    const at = `USING TIMESTAMP ${base + p}`;
    await run(
      `INSERT INTO ${ks}.wide (p, c, d, s, v, l, m, u, f) VALUES (${p}, ${p % 7}, 'a', 's${p}', ${p % 5}, ['a', 'b'], {'k': ${p}}, {name: 'n', home: {street: 's', zip: 1}}, {name: 'f', home: {street: 't', zip: ${p}}}) ${at}`,
      `INSERT INTO ${ks}.wide (p, c, d, v) VALUES (${p}, 100, 'ttl', 1) USING TTL ${90_000 + p}`,
      `INSERT INTO ${ks}.wide (p, c, d, v) VALUES (${p}, 101, 'gone', 1)`,
      `DELETE FROM ${ks}.wide WHERE p = ${p} AND c = 101`,
      `UPDATE ${ks}.counts SET n = n + ${p} WHERE k = 'k${p}'`,
      `UPDATE ${ks}.counts SET n = n + 1 WHERE k = 'k${p}'`,
      `INSERT INTO ${ks}.plain ("Key", v, gone, again) VALUES ('key ${p}', '${'v'.repeat(p)}', 1, 1)`,
    );
  }
  const plain = `ALTER TABLE ${ks}.plain`;
  await run(`${plain} DROP gone`, `${plain} DROP again`, `${plain} ADD again int`);
  await run(`INSERT INTO ${ks}.plain ("Key", again) VALUES ('key 1', 7)`);
}

async function inOrder({ cql }: TestClient, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await cql(statement);
}

async function leftFiles(there: CassandraCluster): Promise<string[]> {
  const all = await Promise.all(
    there.nodes.map((i) => readdir(there.dataFolder(i), { recursive: true })),
  );
  return all.flat().filter((path) => /codr-(import|proof)/.test(path));
}

/** `tries`: a node may not have heard yet of what was dropped. */
async function keyspaces(client: TestClient, tries = 1): Promise<string[]> {
  const { rows } = await client.cql('SELECT keyspace_name FROM system_schema.keyspaces');
  const own = rows.map((row) => String(row.keyspace_name)).filter((name) => /^codr/.test(name));
  const isLeft = own.length <= 1 || tries === 1;
  return isLeft ? own : systemClock.sleep(200).then(() => keyspaces(client, tries - 1));
}

test('tables of every kind come back on each replica, with indexes and views, and nothing else stays', async () => {
  const there = await cluster();
  await using client = await connectCql(there);
  await makeSource(client, 'src', nodes);
  await using captured = await Captured.of(there, 'src');
  const { plan, finish } = await restoreAll(there, captured, optionsOf('src', 'dst'), 'dst');

  assert.deepEqual(finish, { dropped: [], skipped: [], warnings: [] });
  assert.match(plan.warnings.join(), /dst\.counts: its counters/);
  const wanted = await seen(client, 'src');
  assert.equal(wanted.get('wide')?.length, 120);
  assert.match(
    wanted
      .get('plain')
      ?.map(({ text }) => text)
      .join() ?? '',
    /"again": 7/,
  );
  assertSameRows(await seen(client, 'dst'), wanted);
  if (nodes === 3) await assertEachReplica(there, 'dst', wanted);
  const view = await client.cql('SELECT count(*) FROM dst.by_v');
  assert.equal(Number(view.rows[0]?.count), 120);
  const found = await client.cql('SELECT p FROM dst.wide WHERE v = 3');
  assert.equal(found.rowLength, (await client.cql('SELECT p FROM src.wide WHERE v = 3')).rowLength);
  await client.cql("UPDATE dst.counts SET n = n + 5 WHERE k = 'k7'");
  const [counted] = (await client.cql("SELECT n FROM dst.counts WHERE k = 'k7'")).rows;
  assert.equal(Number(counted?.n), 13);
  const [comment] = (
    await client.cql(
      "SELECT comment FROM system_schema.tables WHERE keyspace_name = 'dst' AND table_name = 'wide'",
    )
  ).rows;
  assert.equal(comment?.comment, "it's src.wide; AND more");
  assert.deepEqual(await keyspaces(client), []);
  assert.deepEqual(await leftFiles(there), []);
});

test('each node of three gets what it owns, and a table of one replica is proven on it', async () => {
  const there = await cluster();
  await using client = await connectCql(there);
  await inOrder(client, [
    "CREATE KEYSPACE once WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    'CREATE TABLE once.t (k int PRIMARY KEY, v text)',
  ]);
  for (let k = 0; k < 500; k++) {
    await client.cql(
      `INSERT INTO once.t (k, v) VALUES (${k}, 'v${k}') USING TIMESTAMP ${base + k}`,
    );
  }
  await using captured = await Captured.of(there, 'once');
  const { records } = await restoreAll(there, captured, optionsOf('once', 'again'), 'again');
  assert.equal(records, 500);
  assertSameRows(await seen(client, 'again'), await seen(client, 'once'));
  await using target = await openTarget(there, [1]);
  if (nodes > 1) {
    await assert.rejects(target.plan(captured.items('fresh'), optionsOf('once', 'fresh'), signal), {
      code: 'target-unfit',
      message: new RegExp(`not configured: .*${there.address(2)}`),
    });
  }
});

test('tables that hold data are in the way until drop removes them, and what the point lacks', async () => {
  const there = await cluster();
  await using client = await connectCql(there);
  const replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}";
  await inOrder(client, [
    `CREATE KEYSPACE a WITH replication = ${replication}`,
    `CREATE KEYSPACE b WITH replication = ${replication}`,
    'CREATE TABLE a.t (k int PRIMARY KEY, v text)',
    "INSERT INTO a.t (k, v) VALUES (1, 'ours') USING TIMESTAMP 5",
    'CREATE TABLE b.t (k int PRIMARY KEY, other int)',
    'CREATE TABLE b.u (k int PRIMARY KEY)',
    'INSERT INTO b.t (k, other) VALUES (1, 2)',
  ]);
  await using captured = await Captured.of(there, 'a');
  {
    await using target = await openTarget(there);
    const plan = await target.plan(captured.items('b'), optionsOf('a', 'b'), signal);
    assert.deepEqual([plan.conflicts, plan.dropped], [['b.t'], []]);
    await client.cql('TRUNCATE b.t');
    await assert.rejects(target.plan(captured.items('b'), optionsOf('a', 'b'), signal), {
      code: 'target-unfit',
      message: /its columns are others/,
    });
  }
  const options = optionsOf('a', 'b', { drop: true });
  const { plan, finish } = await restoreAll(there, captured, options, 'b');
  assert.deepEqual(plan.dropped, ['b.t', 'b.u']);
  assert.deepEqual(finish.dropped, ['b.t', 'b.u']);
  assertSameRows(await seen(client, 'b'), await seen(client, 'a'));
  assert.equal((await seen(client, 'b')).has('u'), false);

  // An empty table of the same columns is filled, whatever was deleted in it.
  await inOrder(client, ['DELETE FROM b.t WHERE k = 1']);
  await restoreAll(there, captured, optionsOf('a', 'b'), 'b');
  assertSameRows(await seen(client, 'b'), await seen(client, 'a'));
});

test('a run that ended is gone on with: what is finished stays, what was begun is made anew', async () => {
  const there = await cluster();
  await using client = await connectCql(there);
  await inOrder(client, [
    "CREATE KEYSPACE e WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    'CREATE TABLE e.first (k int PRIMARY KEY, v text)',
    'CREATE TABLE e.second (k int PRIMARY KEY, v text)',
    "INSERT INTO e.first (k, v) VALUES (1, 'x')",
    "INSERT INTO e.second (k, v) VALUES (2, 'y')",
  ]);
  await using captured = await Captured.of(there, 'e');
  const owner = { id: 'one', name: 'process 1', isAlive: async () => 'alive' as const };
  const options = optionsOf('e', 'g', { owner });
  const [first, second] = captured.items('g');
  assert.ok(first && second);
  {
    await using target = await openTarget(there);
    await target.plan([first, second], options, signal);
    await target.begin(signal);
    for (const item of [first, second]) {
      await target.create(item, signal);
      await target.load(item, live(item.dataset, Date.now()), signal);
    }
    await target.index(first, signal);
    await proven(target, first);
    const { namespace } = first;
    const finished = { namespace, root: 'ab', records: 1, bytes: 9, proven: true };
    await target.done(first, { ...finished, changedByTarget: [] }, signal);
    await using other = await openTarget(there);
    await other.plan([first, second], options, signal);
    await assert.rejects(other.begin(signal), { code: 'busy', message: /process 1/ });
    const left = await target.leftBehind(signal);
    assert.deepEqual(left?.names, ['g.first', 'g.second']);
  }
  await using target = await openTarget(there);
  const unfinished = await target.unfinished(options.operation, signal);
  assert.equal(unfinished?.moment, '0001');
  const { plan } = await restoreAll(there, captured, options, 'g');
  assert.deepEqual(
    plan.finished.map(({ namespace, root, proven: was }) => [namespace, root, was]),
    [['g.first', 'ab', true]],
  );
  assertSameRows(await seen(client, 'g'), await seen(client, 'e'));
  assert.equal(await target.unfinished(options.operation, signal), undefined);
});

test('files that a node had taken when a run ended are not loaded again, and the rest is imported', async () => {
  const there = await cluster();
  await using client = await connectCql(there);
  await inOrder(client, [
    "CREATE KEYSPACE v WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    'CREATE TABLE v.t (k int PRIMARY KEY, v text)',
    'CREATE MATERIALIZED VIEW v.by_v AS SELECT * FROM v.t WHERE v IS NOT NULL AND k IS NOT NULL PRIMARY KEY (v, k)',
  ]);
  for (let k = 0; k < 40; k++) await client.cql(`INSERT INTO v.t (k, v) VALUES (${k}, 'v${k}')`);
  await using captured = await Captured.of(there, 'v');
  const [item] = captured.items('w');
  assert.ok(item);
  const options = optionsOf('v', 'w');
  const stop = new AbortController();
  const info = (): void => stop.abort(new Error('killed'));
  const told = { ...silentLogger, info };
  {
    await using target = await openTarget(there, there.nodes, { groupBytes: 1, log: told });
    await target.plan([item], options, signal);
    await target.begin(signal);
    await target.create(item, signal);
    const half = async function* (isUpper: boolean): RecordStream {
      for await (const batch of live(item.dataset, Date.now())) {
        yield batch.filter(({ key }) => (key[0] as number) >= 0x80 === isUpper);
      }
    };
    // A stream that does not follow the one before has files of its own.
    for (const isUpper of [true, false]) await target.load(item, half(isUpper), signal);
    await assert.rejects(target.index(item, stop.signal), /killed/);
  }
  const taken = Number((await client.cql('SELECT count(*) AS n FROM w.t')).rows[0]?.n);
  assert.ok(taken > 0 && taken < 40, `${taken} rows were there`);
  const query = "SELECT id FROM system_schema.tables WHERE keyspace_name = 'w'";
  const ids = async () => (await client.cql(query)).rows.map(({ id }) => String(id));
  const before = await ids();

  // One that ends behind its views, and one that goes on with it.
  {
    await using target = await openTarget(there);
    await target.plan([item], options, signal);
    await target.begin(signal);
    assert.equal(target.loaded(item)?.records, 40);
    await target.index(item, signal);
  }
  await using target = await openTarget(there);
  await target.plan([item], options, signal);
  await target.begin(signal);
  assert.equal(target.loaded(item)?.records, 40);
  await target.index(item, signal);
  assert.equal((await client.cql('SELECT * FROM w.by_v')).rowLength, 40);
  assert.equal(await proven(target, item), 40);
  const finished = { namespace: item.namespace, root: 'ab', records: 40, bytes: 9, proven: true };
  await target.done(item, { ...finished, changedByTarget: [] }, signal);
  await target.finish([item], signal);
  assertSameRows(await seen(client, 'w'), await seen(client, 'v'));
  assert.deepEqual(await ids(), before);
  assert.deepEqual(await leftFiles(there), []);
});

test('a keyspace that is altered before the proof ends the restore, and its tables are made anew', async () => {
  const there = await cluster();
  await using client = await connectCql(there);
  const alter = 'ALTER KEYSPACE k WITH replication = ';
  await inOrder(client, [
    "CREATE KEYSPACE j WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    'CREATE TABLE j.t (k int PRIMARY KEY, v text)',
    "INSERT INTO j.t (k, v) VALUES (1, 'x')",
  ]);
  await using captured = await Captured.of(there, 'j');
  const [item] = captured.items('k');
  assert.ok(item);
  const options = optionsOf('j', 'k');
  const { namespace } = item;
  const finished = { namespace, root: 'ab', records: 1, bytes: 9, proven: true };
  {
    await using target = await openTarget(there);
    await target.plan([item], options, signal);
    await target.begin(signal);
    await target.create(item, signal);
    await target.load(item, live(item.dataset, Date.now()), signal);
    await target.index(item, signal);
    await proven(target, item);
    await target.done(item, { ...finished, changedByTarget: [] }, signal);
    await client.cql(`${alter}{'class': 'SimpleStrategy', 'replication_factor': 2}`);
    const moved = { code: 'target-unfit', message: /the replication of keyspace k has changed/ };
    await assert.rejects(target.freeze(item, signal), moved);
    await assert.rejects(target.finish([item], signal), moved);
  }
  const { plan } = await restoreAll(there, captured, options, 'k');
  assert.deepEqual(plan.finished, []);
  assertSameRows(await seen(client, 'k'), await seen(client, 'j'));
});

test('a table that somebody made in place of a begun one is in the way, and is never replaced unasked', async () => {
  const there = await cluster();
  await using client = await connectCql(there);
  await inOrder(client, [
    "CREATE KEYSPACE l WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    'CREATE TABLE l.t (k int PRIMARY KEY, v text)',
    "INSERT INTO l.t (k, v) VALUES (1, 'x')",
  ]);
  await using captured = await Captured.of(there, 'l');
  const [item] = captured.items('m');
  assert.ok(item);
  {
    await using target = await openTarget(there);
    await target.plan([item], optionsOf('l', 'm'), signal);
    await target.begin(signal);
    await target.create(item, signal);
  }
  const mine = [
    'CREATE TABLE m.t (k int PRIMARY KEY, v text)',
    "INSERT INTO m.t (k, v) VALUES (1, 'mine')",
  ];
  {
    await using target = await openTarget(there);
    assert.deepEqual((await target.plan([item], optionsOf('l', 'm'), signal)).conflicts, []);
    await inOrder(client, ['DROP TABLE m.t', ...mine]);
    await target.begin(signal);
    await assert.rejects(target.create(item, signal), { code: 'target-not-empty' });
  }
  assert.deepEqual(await keyspaces(client, 100), ['codr_restore'], 'where statements were tried');
  await using target = await openTarget(there);
  const plan = await target.plan([item], optionsOf('l', 'm'), signal);
  assert.deepEqual(plan.conflicts, ['m.t']);
  const { rows } = await client.cql('SELECT v FROM m.t');
  assert.deepEqual(String(rows.map(({ v }) => v)), 'mine');
  await inOrder(client, ['DROP KEYSPACE m']);
  const again = await restoreAll(there, captured, optionsOf('l', 'm'), 'm');
  assert.deepEqual(again.plan.conflicts, []);
});

test('an empty table that gets a row after the plan is not emptied', async () => {
  const there = await cluster();
  await using client = await connectCql(there);
  const factor = `{'class': 'SimpleStrategy', 'replication_factor': ${nodes}}`;
  await inOrder(client, [
    `CREATE KEYSPACE n WITH replication = ${factor}`,
    `CREATE KEYSPACE o WITH replication = ${factor}`,
    'CREATE TABLE n.t (k int PRIMARY KEY, v text)',
    'CREATE TABLE o.t (k int PRIMARY KEY, v text)',
  ]);
  await using captured = await Captured.of(there, 'n');
  const [item] = captured.items('o');
  assert.ok(item);
  await using target = await openTarget(there);
  assert.deepEqual((await target.plan([item], optionsOf('n', 'o'), signal)).conflicts, []);
  await target.begin(signal);
  await inOrder(client, ["INSERT INTO o.t (k, v) VALUES (1, 'late')"]);
  const late = { code: 'target-not-empty', message: /got rows/ };
  await assert.rejects(target.create(item, signal), late);
  assert.equal((await client.cql('SELECT * FROM o.t')).rowLength, 1);
  await using other = await openTarget(there);
  const options = optionsOf('n', 'o', { operation: 'another' });
  assert.deepEqual((await other.plan([item], options, signal)).conflicts, ['o.t']);
});

test('a statement that the target refuses is named before anything is made', async () => {
  const there = await cluster();
  await using client = await connectCql(there);
  await inOrder(client, [
    "CREATE KEYSPACE h WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    'CREATE TABLE h.t (k int PRIMARY KEY, v text)',
  ]);
  await using captured = await Captured.of(there, 'h');
  const [item] = captured.items('i');
  assert.ok(item);
  const body = tableBodyOf(item.entry);
  const index = "CREATE CUSTOM INDEX odd ON h.t (v) USING 'org.example.Odd';";
  const ddl = { ...body.ddl, indexes: [index] };
  const odd = { ...item, entry: { ...item.entry, body: encodeTableBody({ ...body, ddl }) } };
  const before = await keyspaces(client);
  await using target = await openTarget(there);
  await target.plan([odd], optionsOf('h', 'i'), signal);
  await assert.rejects(target.begin(signal), { code: 'target-unfit', message: /INDEX odd ON/ });
  assert.deepEqual(await keyspaces(client), before);
  assert.equal((await seen(client, 'i')).size, 0);
});
