// The proof's reads through every node of a real cluster: what they find equal, and each thing that they find wrong.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  connectCql,
  sharedCassandra,
  type TestClient,
} from '../../../../test/harness/cassandra.ts';
import type { Clock } from '../../../base/clock.ts';
import { systemClock } from '../../../node/system-clock.ts';
import type { TargetItem } from '../../restore-target.ts';
import {
  Captured,
  live,
  openTarget,
  optionsOf,
  provenReads,
  signal,
} from './target-world.fixture.ts';

const nodes = Number(process.env.CODR_TEST_NODES ?? 3);
const cluster = sharedCassandra({ nodes, hints: false });
const base = 1_700_000_000_000_000;

type Item = TargetItem & { readonly dataset: Captured['datasets'][number] };

/** Loads and indexes the only table of a keyspace, and gives what proves it. `planned`: before anything is loaded. */
async function loaded(
  from: string,
  to: string,
  clock: Clock = systemClock,
  planned: () => void = () => {},
) {
  const there = await cluster();
  await using open = new AsyncDisposableStack();
  const captured = open.use(await Captured.of(there, from));
  const target = open.use(await openTarget(there, there.nodes, { clock }));
  const items = captured.items(to);
  const item = items[0] as Item;
  await target.plan(items, optionsOf(from, to), signal);
  planned();
  await target.begin(signal);
  await target.create(item, signal);
  await target.load(item, live(item.dataset, clock.now()), signal);
  await target.index(item, signal);
  const all = open.move();
  return {
    prove: (meanwhile?: () => Promise<void>) => provenReads(target, item, meanwhile),
    finish: async () => {
      await target.finish(items, signal);
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function run({ cql }: TestClient, ...statements: readonly string[]): Promise<void> {
  for (const statement of statements) await cql(statement);
}

const keyspace = (name: string): string =>
  `CREATE KEYSPACE ${name} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': ${nodes}}`;

test('rows of every kind are asked of each replica by point, slice and reversed slice, and found equal', async () => {
  const there = await cluster();
  await using client = await connectCql(there);
  await run(
    client,
    keyspace('a'),
    'CREATE TYPE a.pair (x int, y text, z int)',
    `CREATE TABLE a.t (p int, q text, c bigint, d text, s text static, sm map<text, int> static, v int, l list<text>, m map<text, frozen<pair>>, st set<decimal>, u pair, f frozen<list<pair>>, e int, PRIMARY KEY ((p, q), c, d)) WITH CLUSTERING ORDER BY (c DESC, d ASC)`,
    'CREATE INDEX t_v ON a.t (v)',
    'CREATE MATERIALIZED VIEW a.by_v AS SELECT v, p, q, c, d FROM a.t WHERE v IS NOT NULL AND p IS NOT NULL AND q IS NOT NULL AND c IS NOT NULL AND d IS NOT NULL PRIMARY KEY (v, p, q, c, d)',
  );
  for (let p = 0; p < 40; p++) {
    await run(
      client,
      `INSERT INTO a.t (p, q, s, sm) VALUES (${p}, 'q', 's${p}', {'a': 1, 'b': ${p}}) USING TIMESTAMP ${base}`,
      `UPDATE a.t USING TTL 9000 SET u.y = 'y', v = ${p}, m['k'] = {x: 1}, st = st + {1.0, 2.00}, l = l + ['a'] WHERE p = ${p} AND q = 'q' AND c = ${p % 3} AND d = 'a'`,
      `UPDATE a.t USING TIMESTAMP ${base + p} SET l = l + ['b', ''], m = m + {'j': {y: '', z: 2}}, st = st + {-1}, f = [{x: 1}] WHERE p = ${p} AND q = 'q' AND c = ${p % 3} AND d = 'a'`,
      `INSERT INTO a.t (p, q, c, d) VALUES (${p}, 'q', ${p % 3}, 'b')`,
      `INSERT INTO a.t (p, q, c, d, e, u) VALUES (${p}, 'q', 7, 'c', ${p}, {x: 1, y: 'z', z: 3}) USING TTL 86400`,
      `DELETE FROM a.t WHERE p = ${p} AND q = 'q' AND c = 9`,
    );
  }
  await using one = await loaded('a', 'b');
  await compact('b', 't');
  const { reads } = await one.prove();
  assert.deepEqual(reads.warnings, []);
  assert.equal(reads.expired, 0);
  // Eight windows of each node, of three reads but where a static row alone is asked for; more where others answer.
  assert.ok(reads.made >= nodes * 8, `${reads.made} reads`);
  assert.ok(reads.own >= nodes * 8, `${reads.own} of ${reads.made} by the replica itself`);
  await one.finish();
});

/** Waits until a read at ONE finds as many rows: nothing but time changes them. */
async function until({ cql }: TestClient, query: string, rows: number): Promise<void> {
  const deadline = Date.now() + 120_000;
  while ((await cql(query)).rowLength !== rows) {
    assert.ok(Date.now() < deadline, `${query} never gave ${rows} rows`);
  }
}

async function compact(keyspaceName: string, table: string): Promise<void> {
  const there = await cluster();
  for (const i of there.nodes) await there.jmx(i).compact(keyspaceName, table);
}

test('a major compaction, gc_grace 0 and cells that expire meanwhile change nothing that is proven', async () => {
  const there = await cluster();
  await using client = await connectCql(there);
  await run(
    client,
    keyspace('c'),
    'CREATE TABLE c.t (k int, c int, s text static, v text, PRIMARY KEY (k, c)) WITH gc_grace_seconds = 0',
    'CREATE INDEX c_v ON c.t (v)',
  );
  for (let k = 0; k < 20; k++) {
    await run(
      client,
      `INSERT INTO c.t (k, c, v, s) VALUES (${k}, 1, 'v', 's')`,
      `INSERT INTO c.t (k, c, v) VALUES (${k}, 2, 'w') USING TTL 100000`,
      `INSERT INTO c.t (k, c, v) VALUES (${k}, 3, 'gone')`,
      `DELETE FROM c.t WHERE k = ${k} AND c = 3`,
    );
  }
  const lives = Date.now();
  for (let k = 0; k < 20; k++) {
    await run(client, `INSERT INTO c.t (k, c, v) VALUES (${k}, 4, 'soon') USING TTL 20`);
  }
  // Loaded and looked at as of a second at which they lived, and asked for after the servers forgot them. A plan would
  // find such a clock slow.
  let now = (): number => Date.now();
  const clock: Clock = {
    now: () => now(),
    monotonic: () => systemClock.monotonic(),
    sleep: (ms, stop) => systemClock.sleep(ms, stop),
  };
  await using one = await loaded('c', 'd', clock, () => {
    now = () => lives;
  });
  await until(client, 'SELECT k FROM d.t WHERE c = 4 ALLOW FILTERING', 0);
  // A compaction forgets what expired in a second before its own.
  await systemClock.sleep(1500);
  const before = await one.prove(() => compact('d', 't'));
  assert.equal(before.records, 80);
  assert.ok(before.reads.expired > 0 && before.reads.made > 0, JSON.stringify(before.reads));
  now = () => Date.now();
  const after = await one.prove();
  assert.equal(after.records, 60);
  assert.equal(after.reads.expired, 0);
  assert.ok(after.reads.own >= nodes * 8, JSON.stringify(after.reads));
  await one.finish();
});

test('a row that the replicas no longer give as it was restored ends the proof, with node, table and key', async () => {
  await using client = await connectCql(await cluster());
  await run(
    client,
    keyspace('e'),
    'CREATE TABLE e.t (k text, c int, v text, PRIMARY KEY (k, c)) WITH CLUSTERING ORDER BY (c DESC)',
  );
  for (let c = 0; c < 5; c++) {
    await run(
      client,
      `INSERT INTO e.t (k, c, v) VALUES ('one', ${c}, 'v') USING TIMESTAMP ${base}`,
    );
  }
  await using one = await loaded('e', 'f');
  await assert.rejects(
    one.prove(async () => {
      await client.cql("UPDATE f.t SET v = 'other' WHERE k = 'one' AND c = 2");
    }),
    (error: Error & { readonly code: string; readonly facts: Record<string, unknown> }) => {
      assert.equal(error.code, 'proof-failed');
      assert.match(
        error.message,
        /^f\.t: asked for \{"k": "one", "c": \d\} \((point|slice|reversed)\)/,
      );
      assert.match(error.message, /the replica 127\.[\d.]+ gives another "v" in row \d of \d$/);
      assert.match(String(error.facts.node), /^127\./);
      return true;
    },
  );
});
