// 20 to 22: expiry that the format of files from before 5.0 cannot hold, and counters. The node writes
// the newer format, which knows expiry after 2038.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCodrError } from '../../src/base/error.ts';
import { restoreCommand } from '../../src/cli/command-restore.ts';
import { connectCql, sharedCassandra } from '../harness/cassandra.ts';
import { type CatalogueCase, catalogue, oneReplica, rowsOf, sayAll } from './catalogue.ts';
import { assertSameRows, type SeenRows, seen } from './oracle.ts';
import { CassandraWorld } from './world.ts';

const cluster = sharedCassandra({ nodes: 1, compatibility: 'NONE' });

const add = (k: string, c: number, n: number): string =>
  `UPDATE counts SET hits = hits + ${n} WHERE k = '${k}' AND c = ${c}`;

const counters: CatalogueCase = {
  title: '21 counters come back as they were, stay deleted where deleted, and go on counting',
  tables: ['counts'],
  rounds: [
    [
      'CREATE TABLE counts (k text, c int, hits counter, misses counter, all counter static, ' +
        'PRIMARY KEY (k, c))',
      ...[1, 2, 3].flatMap((c) => [add('a', c, 10 * c), add('b', c, 1), add('gone', c, 7)]),
      "UPDATE counts SET all = all + 100 WHERE k = 'a'",
      "UPDATE counts SET misses = misses - 4 WHERE k = 'a' AND c = 1",
    ],
    [add('a', 1, 5), add('a', 1, -2), "DELETE FROM counts WHERE k = 'gone'"],
    [add('a', 1, 9223372036854), "UPDATE counts SET all = all + 1 WHERE k = 'a'"],
    ["DELETE hits FROM counts WHERE k = 'b' AND c = 2", add('b', 1, 41)],
  ],
  also: async (scene) => {
    const { source, restored, copy, keyspace } = scene;
    const of = `SELECT JSON hits, misses, all FROM counts WHERE k = 'a' AND c = 1`;
    const before = '{"hits": 9223372036867, "misses": -4, "all": 101}';
    assert.deepEqual(await rowsOf(restored, of), [before]);
    const more = [
      ...Array.from({ length: 5 }, () => add('a', 1, 1)),
      "UPDATE counts SET misses = misses + 4 WHERE k = 'a' AND c = 1",
      "UPDATE counts SET all = all - 1 WHERE k = 'a'",
      add('b', 1, 1),
    ];
    // At once, in both tables: each adds to what it had.
    await Promise.all(
      [source, restored].flatMap((client) => more.map(async (one) => await client.cql(one))),
    );
    const after = '{"hits": 9223372036872, "misses": 0, "all": 100}';
    assert.deepEqual(await rowsOf(restored, of), [after]);
    const [wanted, got] = [await seen(source, keyspace), await seen(restored, copy)];
    assertSameRows(got, wanted);
    await restored.cql(add('b', 3, 1));
    const changed = await seen(restored, copy);
    assert.throws(() => assertSameRows(changed, wanted), { code: 'ERR_ASSERTION' });
  },
};

const scene = catalogue(cluster, 'counters', [counters]);

test('21 a restore is refused when somebody counts on what it restores, and names the table', async () => {
  const { shop, source, cluster: one } = await scene();
  let going = true;
  const counting = (async () => {
    const increment = "UPDATE late.counts SET hits = hits + 1 WHERE k = 'a' AND c = 1";
    // Until the restore has made the table there is none.
    while (going) await source.cql(increment).catch(() => {});
  })();
  try {
    await assert.rejects(shop.restoreTo(one, { renames: ['counters.*=late.*'] }), (error) => {
      assert.ok(isCodrError(error, 'target-unfit'), String(error));
      assert.match(error.message, /counters of late\.counts were incremented/);
      return true;
    });
  } finally {
    going = false;
    await counting;
  }
});

test('22 statements cannot set counters: their table is left out, said so, and the exit code says in part', async () => {
  const { shop, source, cluster: one } = await scene();
  const to = `cassandra://${one.contactPoints[0]}`;
  const result = await shop.restore({ to, renames: ['counters.*=counters_cql.*'] });
  assert.deepEqual(result.datasets, []);
  assert.match(String(result.skipped[0]?.reason), /counters cannot be set by CQL/);
  assert.equal(restoreCommand.exitCode?.(result), 3);
  const made = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'counters_cql'";
  assert.deepEqual(await rowsOf(source, made), []);
});

test('20 expiry after 2038 is cut to what the files hold, counted, and the exit code says in part', async () => {
  const one = await cluster();
  await using admin = await connectCql(one);
  await admin.cql(`CREATE KEYSPACE far WITH replication = ${oneReplica}`);
  await using client = await connectCql(one, { keyspace: 'far' });
  const day2038 = Date.parse('2038-01-19T00:00:00Z') / 1000;
  const near = Math.floor(day2038 - Date.now() / 1000);
  const years20 = 630_720_000;
  await sayAll(client, [
    'CREATE TABLE ttls (k int PRIMARY KEY, v text, m map<int, int>)',
    `INSERT INTO ttls (k, v) VALUES (1, 'beyond') USING TTL ${years20}`,
    `INSERT INTO ttls (k, v) VALUES (2, 'just before') USING TTL ${near}`,
    "INSERT INTO ttls (k, v) VALUES (3, 'lasting')",
    `UPDATE ttls USING TTL ${years20} SET m[1] = 1 WHERE k = 3`,
  ]);
  await using world = await CassandraWorld.open();
  const far = await world.protect('far', one);
  await far.backup();
  const result = await far.restoreTo(one, { renames: ['far.*=far_back.*'] });
  assert.deepEqual(
    result.datasets.map(({ proven }) => proven),
    [true],
  );
  // Row and cell of the first, and the element.
  assert.match(String(result.skipped[0]?.reason), /^3 expiries after 2038/);
  assert.equal(restoreCommand.exitCode?.(result), 3);
  const [first] = (await seen(client, 'far_back')).get('ttls') ?? [];
  assert.match(first?.text ?? '', /beyond/);
  // As near as clocks are; uncut it would be in 2046.
  assert.ok(Math.abs((first?.expiries[0] ?? 0) - 2_147_483_646) <= 4, String(first?.expiries));
  const justBefore = async (keyspace: string): Promise<SeenRows> => {
    const rows = (await seen(client, keyspace)).get('ttls') ?? [];
    return new Map([['ttls', rows.filter(({ text }) => text.includes('just before'))]]);
  };
  const wanted = await justBefore('far');
  assert.equal(wanted.get('ttls')?.length, 1);
  assertSameRows(await justBefore('far_back'), wanted);
});
