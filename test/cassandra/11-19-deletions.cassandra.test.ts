// 11 to 19, 51: what deletions of every kind hide, which of two versions wins, what expires when.
// Timestamps are said, so that the order of arrival (rounds, each in files of its own) and their
// order are two things.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectCql, sharedNode } from '../harness/cassandra.ts';
import {
  both,
  type CatalogueCase,
  catalogue,
  oneReplica,
  rowsOf,
  type Statement,
  sayAll,
} from './catalogue.ts';
import { assertSameRows, dumped, seen } from './oracle.ts';
import { CassandraWorld } from './world.ts';

const cluster = sharedNode();

const cells: CatalogueCase = {
  title: '11 a deleted cell: newer and as new as a value it wins, older it does not',
  tables: ['cells'],
  rounds: [
    [
      'CREATE TABLE cells (k int PRIMARY KEY, a int, b int, c int, d int)',
      'INSERT INTO cells (k, a, b, c) VALUES (1, 1, 1, 1) USING TIMESTAMP 10',
      'DELETE d FROM cells USING TIMESTAMP 10 WHERE k = 1',
    ],
    [
      'DELETE a FROM cells USING TIMESTAMP 11 WHERE k = 1',
      'DELETE b FROM cells USING TIMESTAMP 10 WHERE k = 1',
      'DELETE c FROM cells USING TIMESTAMP 9 WHERE k = 1',
    ],
    ['UPDATE cells USING TIMESTAMP 10 SET d = 1 WHERE k = 1'],
  ],
  also: async (scene) => {
    assert.deepEqual(await both(scene, 'SELECT JSON * FROM cells'), [
      '{"k": 1, "a": null, "b": null, "c": 1, "d": null}',
    ]);
  },
};

const ties: CatalogueCase = {
  title:
    '12 of two values of one timestamp the larger in unsigned bytes wins, whichever came first',
  tables: ['ties'],
  rounds: [
    [
      'CREATE TABLE ties (k int PRIMARY KEY, v int, t text)',
      "INSERT INTO ties (k, v, t) VALUES (1, -1, 'a') USING TIMESTAMP 5",
      "INSERT INTO ties (k, v, t) VALUES (2, 1, 'ab') USING TIMESTAMP 5",
    ],
    [],
    [
      "INSERT INTO ties (k, v, t) VALUES (1, 1, 'ab') USING TIMESTAMP 5",
      "INSERT INTO ties (k, v, t) VALUES (2, -1, 'a') USING TIMESTAMP 5",
    ],
  ],
  also: async (scene) => {
    const texts = await both(scene, 'SELECT JSON v, t FROM ties');
    assert.deepEqual(texts, ['{"v": -1, "t": "ab"}', '{"v": -1, "t": "ab"}']);
  },
};

const plainOrExpiring: CatalogueCase = {
  title: '13 of a plain and an expiring value of one timestamp the expiring one wins',
  tables: ['expiring'],
  rounds: [
    [
      'CREATE TABLE expiring (k int PRIMARY KEY, v int)',
      'UPDATE expiring USING TIMESTAMP 5 AND TTL 80000 SET v = 1 WHERE k = 1',
      'UPDATE expiring USING TIMESTAMP 5 SET v = 9 WHERE k = 2',
    ],
    [
      'UPDATE expiring USING TIMESTAMP 5 SET v = 9 WHERE k = 1',
      'UPDATE expiring USING TIMESTAMP 5 AND TTL 80000 SET v = 1 WHERE k = 2',
    ],
  ],
  also: async (scene) => {
    assert.deepEqual(await both(scene, 'SELECT v FROM expiring'), ['1', '1']);
  },
};

const rows: CatalogueCase = {
  title: '14 a row written again after its deletion shows what is newer than it, and no more',
  tables: ['rows'],
  rounds: [
    [
      'CREATE TABLE rows (k int, c int, v int, w int, PRIMARY KEY (k, c))',
      ...[1, 2, 3].map((c) => `INSERT INTO rows (k, c, v) VALUES (1, ${c}, 1) USING TIMESTAMP 10`),
    ],
    ['DELETE FROM rows USING TIMESTAMP 20 WHERE k = 1 AND c IN (1, 2, 3)'],
    [
      'INSERT INTO rows (k, c, v) VALUES (1, 1, 2) USING TIMESTAMP 19',
      'INSERT INTO rows (k, c, v) VALUES (1, 2, 2) USING TIMESTAMP 21',
      'INSERT INTO rows (k, c, w) VALUES (1, 3, 2) USING TIMESTAMP 20',
      'UPDATE rows USING TIMESTAMP 21 SET w = 3 WHERE k = 1 AND c = 3',
    ],
  ],
  also: async (scene) => {
    assert.deepEqual(await both(scene, 'SELECT JSON c, v, w FROM rows'), [
      '{"c": 2, "v": 2, "w": null}',
      '{"c": 3, "v": null, "w": 3}',
    ]);
  },
};

const ranges: CatalogueCase = {
  title: '15 deletions of ranges hide what they enclose: by prefix, open-ended, overlapping, split',
  tables: ['ranges'],
  rounds: [
    ['CREATE TABLE ranges (k int, a int, b int, v int, PRIMARY KEY (k, a, b))', ...rangeRows(5)],
    [
      'DELETE FROM ranges USING TIMESTAMP 10 WHERE k = 1 AND a = 2',
      'DELETE FROM ranges USING TIMESTAMP 10 WHERE k = 2 AND a >= 3',
      'DELETE FROM ranges USING TIMESTAMP 10 WHERE k = 3 AND a > 1 AND a < 4',
      'DELETE FROM ranges USING TIMESTAMP 10 WHERE k = 4 AND a <= 2',
    ],
    [
      'DELETE FROM ranges USING TIMESTAMP 12 WHERE k = 3 AND a >= 3 AND a <= 5',
      'DELETE FROM ranges USING TIMESTAMP 8 WHERE k = 4 AND (a, b) > (1, 2) AND (a, b) <= (4, 1)',
      'DELETE FROM ranges USING TIMESTAMP 4 WHERE k = 5 AND a < 100',
      'INSERT INTO ranges (k, a, b, v) VALUES (1, 2, 7, 1) USING TIMESTAMP 9',
      'INSERT INTO ranges (k, a, b, v) VALUES (1, 2, 8, 1) USING TIMESTAMP 11',
      'INSERT INTO ranges (k, a, b, v) VALUES (3, 3, 9, 1) USING TIMESTAMP 11',
      'INSERT INTO ranges (k, a, b, v) VALUES (3, 2, 9, 1) USING TIMESTAMP 11',
    ],
  ],
  also: async (scene) => {
    const left = await both(scene, 'SELECT count(*) FROM ranges WHERE k = 3');
    // a = 1 with 4 rows, and the row of 11 that only the range of 10 encloses.
    assert.deepEqual(left, ['5']);
    assert.deepEqual(await both(scene, 'SELECT b FROM ranges WHERE k = 1 AND a = 2'), ['8']);
    assert.deepEqual(await both(scene, 'SELECT count(*) FROM ranges WHERE k = 5'), ['20']);
  },
};

function rangeRows(timestamp: number): string[] {
  const said: string[] = [];
  for (let i = 0; i < 100; i++) {
    const [k, a, b] = [1 + (i % 5), 1 + (Math.floor(i / 5) % 5), 1 + Math.floor(i / 25)];
    said.push(
      `INSERT INTO ranges (k, a, b, v) VALUES (${k}, ${a}, ${b}, ${i}) USING TIMESTAMP ${timestamp}`,
    );
  }
  return said;
}

const partitions: CatalogueCase = {
  title:
    '16, 18 a deleted partition shows what is newer; statics outlive rows, not their partition',
  tables: ['statics'],
  rounds: [
    [
      'CREATE TABLE statics (k int, c int, s int static, m set<int> static, v int, PRIMARY KEY (k, c))',
      'INSERT INTO statics (k, c, s, m, v) VALUES (1, 1, 1, {1}, 1) USING TIMESTAMP 10',
      'INSERT INTO statics (k, c, s, m, v) VALUES (2, 1, 1, {1, 2}, 1) USING TIMESTAMP 10',
      'INSERT INTO statics (k, s, m) VALUES (3, 3, {3}) USING TIMESTAMP 10',
      'INSERT INTO statics (k, c, v) VALUES (4, 1, 1) USING TIMESTAMP 10',
    ],
    [
      'DELETE FROM statics USING TIMESTAMP 20 WHERE k = 1',
      'DELETE FROM statics USING TIMESTAMP 20 WHERE k = 2 AND c >= 0',
      'DELETE FROM statics USING TIMESTAMP 20 WHERE k = 4',
    ],
    [
      'UPDATE statics USING TIMESTAMP 21 SET s = 2 WHERE k = 1',
      'UPDATE statics USING TIMESTAMP 20 SET m = m + {9} WHERE k = 1',
      'UPDATE statics USING TIMESTAMP 21 SET v = 2 WHERE k = 1 AND c = 2',
      'UPDATE statics USING TIMESTAMP 19 SET v = 3 WHERE k = 1 AND c = 3',
      'UPDATE statics USING TIMESTAMP 30 SET m = m - {1} WHERE k = 2',
    ],
  ],
  also: async (scene) => {
    assert.deepEqual(await both(scene, 'SELECT JSON k, c, s, m, v FROM statics'), [
      '{"k": 1, "c": 2, "s": 2, "m": null, "v": 2}',
      '{"k": 2, "c": null, "s": 1, "m": [2], "v": null}',
      '{"k": 3, "c": null, "s": 3, "m": [3], "v": null}',
    ]);
  },
};

const markers: CatalogueCase = {
  title: '17 a row that was inserted outlives its cells, one that was only updated does not',
  tables: ['markers'],
  rounds: [
    [
      'CREATE TABLE markers (k int, c int, v int, PRIMARY KEY (k, c))',
      'INSERT INTO markers (k, c) VALUES (1, 1) USING TIMESTAMP 7',
      'UPDATE markers USING TIMESTAMP 7 SET v = 1 WHERE k = 1 AND c = 2',
      'INSERT INTO markers (k, c, v) VALUES (1, 3, 1) USING TIMESTAMP 7',
      'UPDATE markers USING TIMESTAMP 7 SET v = 1 WHERE k = 1 AND c = 4',
      'INSERT INTO markers (k, c, v) VALUES (1, 5, 1) USING TIMESTAMP 7 AND TTL 70000',
    ],
    [
      'DELETE v FROM markers USING TIMESTAMP 8 WHERE k = 1 AND c = 3',
      'DELETE v FROM markers USING TIMESTAMP 8 WHERE k = 1 AND c = 4',
    ],
  ],
  also: async (scene) => {
    const { cluster: one, keyspace, copy, restored, source } = scene;
    assert.deepEqual(await both(scene, 'SELECT c FROM markers'), ['1', '2', '3', '5']);
    const wanted = await dumped(one, keyspace, 'markers');
    assert.match(wanted.join(), /"liveness_info":\{"tstamp":"7","ttl":70000/);
    assert.deepEqual(await dumped(one, copy, 'markers'), wanted);
    for (const client of [source, restored]) {
      await client.cql('DELETE v FROM markers WHERE k = 1 AND c IN (2, 5)');
    }
    assert.deepEqual(await both(scene, 'SELECT c FROM markers'), ['1', '3', '5']);
  },
};

const timestamps: CatalogueCase = {
  title: "51 the client's timestamps decide: far ahead, 0, negative, the extremes",
  tables: ['stamps'],
  rounds: [
    [
      'CREATE TABLE stamps (k int PRIMARY KEY, v text)',
      "INSERT INTO stamps (k, v) VALUES (1, 'ahead') USING TIMESTAMP 9223372036854775806",
      "INSERT INTO stamps (k, v) VALUES (2, 'zero') USING TIMESTAMP 0",
      "INSERT INTO stamps (k, v) VALUES (3, 'negative') USING TIMESTAMP -1",
      "INSERT INTO stamps (k, v) VALUES (4, 'least') USING TIMESTAMP -9223372036854775807",
      "INSERT INTO stamps (k, v) VALUES (5, 'gone') USING TIMESTAMP 5",
    ],
    ['DELETE FROM stamps USING TIMESTAMP 4611686018427387904 WHERE k = 5'],
    [
      "INSERT INTO stamps (k, v) VALUES (1, 'hidden')",
      "INSERT INTO stamps (k, v) VALUES (3, 'hidden') USING TIMESTAMP -2",
      "INSERT INTO stamps (k, v) VALUES (5, 'hidden')",
    ],
  ],
  also: async (scene) => {
    const { restored } = scene;
    const texts = await both(scene, 'SELECT JSON v, writetime(v) FROM stamps WHERE k IN (1, 4)');
    assert.deepEqual(texts, [
      '{"v": "ahead", "writetime(v)": 9223372036854775806}',
      '{"v": "least", "writetime(v)": -9223372036854775807}',
    ]);
    assert.equal((await both(scene, 'SELECT v FROM stamps WHERE k = 5')).length, 0);
    // A point is what had arrived: the deletion from ahead is no part of what is given back.
    await restored.cql("INSERT INTO stamps (k, v) VALUES (5, 'anew')");
    assert.deepEqual(await rowsOf(restored, 'SELECT v FROM stamps WHERE k = 5'), ['anew']);
  },
};

const scene = catalogue(cluster, 'deletions', [
  ...[cells, ties, plainOrExpiring, rows, ranges, partitions, markers, timestamps],
]);

test('what a deletion hides is missed when it comes back', async () => {
  const { restored, wanted, copy } = await scene();
  const mistakes = [
    ['cells', 'UPDATE cells SET d = 1 WHERE k = 1'],
    ['rows', 'INSERT INTO rows (k, c, v) VALUES (1, 1, 2)'],
    ['statics', 'UPDATE statics SET m = m + {9} WHERE k = 1'],
    ['ranges', 'DELETE FROM ranges WHERE k = 5 AND a = 5'],
    ['expiring', 'UPDATE expiring USING TIMESTAMP 6 SET v = 1 WHERE k = 1'],
  ] as const;
  for (const [table, mistake] of mistakes) {
    await restored.cql(mistake);
    const own = new Map([[table, wanted.get(table) ?? []]]);
    const changed = await seen(restored, copy);
    assert.throws(() => assertSameRows(changed, own), { code: 'ERR_ASSERTION' }, mistake);
  }
});

/** Of `early` seconds, of `late` ones, and of some that outlast the test. */
function lifetimes(early: number, late: number): Statement[] {
  return [
    'CREATE TABLE ttls (k int PRIMARY KEY, v text, m map<int, text>)',
    'CREATE TABLE by_default (k int PRIMARY KEY, v text) WITH default_time_to_live = 60000',
    "INSERT INTO by_default (k, v) VALUES (1, 'default')",
    "INSERT INTO by_default (k, v) VALUES (2, 'own') USING TTL 50000",
    "INSERT INTO by_default (k, v) VALUES (3, 'none') USING TTL 0",
    `INSERT INTO ttls (k, v) VALUES (1, 'before the cut') USING TTL ${early}`,
    `INSERT INTO ttls (k, v) VALUES (2, 'after the cut') USING TTL ${late}`,
    "INSERT INTO ttls (k, v) VALUES (3, 'after the restore') USING TTL 40000",
    "INSERT INTO ttls (k, v) VALUES (4, 'lasting')",
    `UPDATE ttls USING TTL ${late} SET m[1] = 'after the cut' WHERE k = 4`,
    `INSERT INTO ttls (k) VALUES (5) USING TTL ${late}`,
  ];
}

test('19 expiry is kept, moved or frozen; what had expired by the cut never comes back', async () => {
  const one = await cluster();
  await using admin = await connectCql(one);
  await admin.cql(`CREATE KEYSPACE lives WITH replication = ${oneReplica}`);
  await using client = await connectCql(one, { keyspace: 'lives' });
  await using world = await CassandraWorld.open();
  const lives = await world.protect('lives', one);
  await client.cql('CREATE TABLE first (k int PRIMARY KEY)');
  const begun = Date.now();
  await lives.backup();
  // A cut of a busy machine takes as long again, and what expires after it must outlive it.
  const late = Math.max(15, Math.ceil((3 * (Date.now() - begun)) / 1000));
  await sayAll(client, lifetimes(2, late));
  const written = Date.now();
  const gone = async (k: number): Promise<void> => {
    const deadline = Date.now() + (late + 60) * 1000;
    while ((await rowsOf(client, `SELECT v FROM ttls WHERE k = ${k}`)).length > 0) {
      assert.ok(Date.now() < deadline, `row ${k} does not expire`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  };
  await gone(1);
  await lives.backup();
  assert.ok(Date.now() - written < late * 1000, 'the cut came too late to hold all');
  const cutAt = Date.now() / 1000;
  await gone(2);

  const texts = async (keyspace: string): Promise<string[]> => {
    const columns = 'k, v, ttl(v) AS ttl, m';
    return (await rowsOf(client, `SELECT JSON ${columns} FROM ${keyspace}.ttls`)).sort();
  };
  for (const ttl of ['keep', 'rebase', 'freeze'] as const) {
    await lives.restoreTo(one, { ttl, renames: [`lives.*=lives_${ttl}.*`] });
  }
  assertSameRows(await seen(client, 'lives_keep'), await seen(client, 'lives'));
  assert.deepEqual(await rowsOf(client, 'SELECT k FROM lives_keep.ttls'), ['4', '3']);

  const frozen = await texts('lives_freeze');
  assert.deepEqual(frozen, [
    '{"k": 2, "v": "after the cut", "ttl": null, "m": null}',
    '{"k": 3, "v": "after the restore", "ttl": null, "m": null}',
    '{"k": 4, "v": "lasting", "ttl": null, "m": {"1": "after the cut"}}',
    '{"k": 5, "v": null, "ttl": null, "m": null}',
  ]);
  // Later by the time from the cut to the restore, as far as seconds tell.
  const [kept, moved] = [await seen(client, 'lives_keep'), await seen(client, 'lives_rebase')];
  const expiryOf3 = (rows: typeof kept): number =>
    rows.get('ttls')?.find(({ text }) => text.includes('after the restore'))?.expiries[0] ?? 0;
  const shift = expiryOf3(moved) - expiryOf3(kept);
  assert.ok(shift >= late - 8 && shift <= Date.now() / 1000 - cutAt + 2, `moved by ${shift} s`);
});
