// 01 to 10: every type of value, nested, empty, versioned; keys and clusterings at their limits.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sharedNode } from '../harness/cassandra.ts';
import { both, type CatalogueCase, catalogue, rowsOf, type Statement } from './catalogue.ts';
import { assertSameRows, dumped, seen } from './oracle.ts';

const longKey = 'k'.repeat(65_535);
const nearlyAsLong = `${longKey.slice(0, -1)}l`;
const clusterings = Array.from({ length: 35 }, (_, i) => `c${i}`);

const scalars: CatalogueCase = {
  title: '01 every scalar is the same to the byte: NaN, -0.0, extremes, no bytes at all',
  tables: ['scalars'],
  rounds: [
    [
      'CREATE TABLE scalars (k int PRIMARY KEY, a ascii, b bigint, bl blob, bo boolean, d date, ' +
        'de decimal, dou double, du duration, f float, i inet, n int, s smallint, ti tinyint, ' +
        'te text, tm time, ts timestamp, tu timeuuid, u uuid, v varint)',
      'INSERT INTO scalars (k, a, b, bl, bo, d, de, dou, du, f, i, n, s, ti, te, tm, ts, tu, u, v) ' +
        "VALUES (1, 'ascii', 9223372036854775807, 0x00ff, true, '2026-11-27', 1.00, 1.5e300, " +
        "1y2mo3d4h5ns, 1.5, '10.0.0.1', 2147483647, 32767, 127, 'größe 🙂', '23:59:59.999999999', " +
        "'2026-11-27 01:02:03.004Z', 50554d6e-29bb-11e5-b345-feff819cdc9f, " +
        '123e4567-e89b-42d3-a456-426614174000, 170141183460469231731687303715884105728)',
      'INSERT INTO scalars (k, a, b, bl, bo, d, de, dou, du, f, i, n, s, ti, te, tm, ts, tu, u, v) ' +
        "VALUES (2, '', -9223372036854775808, 0x, false, '0001-01-01', -1E-300, -1.7976931348623157e308, " +
        "-1mo1ns, -3.4028235e38, '2001:db8::1', -2147483648, -32768, -128, '', '00:00:00', -1, " +
        '00000000-0000-1000-8080-808080808080, 00000000-0000-0000-0000-000000000000, -128)',
      'INSERT INTO scalars (k, dou, f, de, v) VALUES (3, NaN, NaN, 1.0, 0)',
      'INSERT INTO scalars (k, dou, f, de, v) VALUES (4, -0.0, -0.0, 0.000, 127)',
      'INSERT INTO scalars (k, dou, f, de, v) VALUES (5, Infinity, -Infinity, 10E+2, 128)',
      'INSERT INTO scalars (k, dou, f, d) VALUES (6, 4.9e-324, 1.4e-45, 2147483648)',
    ],
  ],
  also: async (scene) => {
    const texts = await both(scene, 'SELECT JSON k, dou, de FROM scalars WHERE k IN (1, 4)');
    assert.match(texts.join(), /"de": 1\.00.*"dou": -0\.0/);
    // JSON has no word for what is no number.
    const bits = await both(scene, 'SELECT doubleAsBlob(dou) FROM scalars WHERE k = 3');
    assert.equal(bits.length, 1);
    await both(scene, 'SELECT floatAsBlob(f) FROM scalars');
    await both(scene, 'SELECT doubleAsBlob(dou) FROM scalars');
  },
};

const empties: CatalogueCase = {
  title: '02 a value of no bytes, null and a column never written stay what they were',
  tables: ['empties'],
  rounds: [
    [
      'CREATE TABLE empties (k int PRIMARY KEY, i int, t text, b blob, l bigint, u uuid)',
      "INSERT INTO empties (k, i, t, b, l) VALUES (1, blobAsInt(0x), '', 0x, blobAsBigint(0x))",
      "INSERT INTO empties (k, i, t, b, l) VALUES (2, 1, 'x', 0xff, 2)",
      "INSERT INTO empties (k, t) VALUES (3, 'alone')",
    ],
    ['INSERT INTO empties (k, i, t, b, l) VALUES (2, null, null, null, null)'],
  ],
  also: async (scene) => {
    const texts = await both(scene, 'SELECT JSON k, i, t FROM empties');
    assert.deepEqual(texts, [
      '{"k": 1, "i": "", "t": ""}',
      '{"k": 2, "i": null, "t": null}',
      '{"k": 3, "i": null, "t": "alone"}',
    ]);
  },
};

const frozen: CatalogueCase = {
  title: '03 frozen collections three deep are equal',
  tables: ['nested'],
  rounds: [
    [
      'CREATE TABLE nested (k frozen<list<frozen<set<int>>>> PRIMARY KEY, l frozen<list<int>>, ' +
        's frozen<set<text>>, m frozen<map<text, frozen<list<frozen<set<int>>>>>>, ' +
        'open map<text, frozen<map<int, frozen<list<text>>>>>)',
      "INSERT INTO nested (k, l, s, m, open) VALUES ([{1, 2}, {3}], [3, 1, 3], {'b', 'a'}, " +
        "{'x': [{2, 1}, {}], 'y': []}, {'z': {1: ['p', 'q'], 2: []}})",
      'INSERT INTO nested (k, l, s, m) VALUES ([], [], {}, {})',
    ],
  ],
};

const lists: CatalogueCase = {
  title: '04 lists keep the ids, the order and the timestamps of their elements',
  tables: ['lists'],
  rounds: [
    [
      'CREATE TABLE lists (k int PRIMARY KEY, l list<int>)',
      'INSERT INTO lists (k, l) VALUES (1, [1, 2, 3])',
      'INSERT INTO lists (k, l) VALUES (2, [1, 2, 3])',
      'UPDATE lists SET l = l + [7] WHERE k = 3',
    ],
    ['UPDATE lists SET l = l + [4, 5] WHERE k = 1', 'UPDATE lists SET l = [0] + l WHERE k = 1'],
    [
      'UPDATE lists SET l[1] = 11 WHERE k = 1',
      'DELETE l[2] FROM lists WHERE k = 1',
      'INSERT INTO lists (k, l) VALUES (2, [9])',
      'UPDATE lists USING TTL 100000 SET l = l + [8] WHERE k = 3',
    ],
  ],
  also: async ({ cluster, keyspace, copy, restored, source }) => {
    assert.deepEqual(await rowsOf(restored, 'SELECT JSON l FROM lists WHERE k = 1'), [
      '{"l": [0, 11, 3, 4, 5]}',
    ]);
    const wanted = await dumped(cluster, keyspace, 'lists');
    assert.match(wanted.join(), /"path":\["[0-9a-f-]{36}"\]/);
    assert.deepEqual(await dumped(cluster, copy, 'lists'), wanted);
    // The same values in elements of other ids: only the files tell.
    await source.cql('UPDATE lists SET l = [9] WHERE k = 2');
    assert.notDeepEqual(await dumped(cluster, keyspace, 'lists'), wanted);
  },
};

const collections: CatalogueCase = {
  title: '05 sets and maps keep timestamps and times to live of each element',
  tables: ['collections'],
  rounds: [
    [
      'CREATE TABLE collections (k int PRIMARY KEY, s set<text>, m map<int, text>)',
      "INSERT INTO collections (k, s, m) VALUES (1, {'a', 'b'}, {1: 'one', 2: 'two'})",
      "INSERT INTO collections (k, s, m) VALUES (2, {'gone'}, {9: 'gone'}) USING TIMESTAMP 1000",
      "UPDATE collections SET s = {'only'} WHERE k = 3",
    ],
    [
      "UPDATE collections USING TTL 90000 SET s = s + {'c'}, m[3] = 'three' WHERE k = 1",
      "UPDATE collections USING TIMESTAMP 2000 SET s = {'new'}, m = {8: 'new'} WHERE k = 2",
    ],
    [
      "UPDATE collections SET s = s - {'a'}, m = m - {1} WHERE k = 1",
      "UPDATE collections USING TIMESTAMP 1999 SET s = s + {'hidden'} WHERE k = 2",
      "UPDATE collections USING TIMESTAMP 2000 SET s = s + {'beside'} WHERE k = 2",
      'DELETE s FROM collections WHERE k = 3',
    ],
  ],
  also: async (scene) => {
    const texts = await both(scene, 'SELECT JSON s, writetime(s) FROM collections WHERE k = 2');
    assert.deepEqual(texts, ['{"s": ["beside", "new"], "writetime(s)": [2000, 2000]}']);
    assert.equal((await both(scene, 'SELECT k FROM collections WHERE k = 3')).length, 0);
  },
};

const userTypes: CatalogueCase = {
  title: '06 user types: frozen, updated by field, with a field that came later',
  tables: ['homes'],
  rounds: [
    [
      'CREATE TYPE address (street text, zip int)',
      'CREATE TYPE person (name text, home frozen<address>)',
      'CREATE TABLE homes (k int PRIMARY KEY, f frozen<address>, a address, p frozen<list<person>>)',
      "INSERT INTO homes (k, f, a, p) VALUES (1, {street: 'x', zip: 1}, {street: 'y', zip: 2}, " +
        "[{name: 'n', home: {street: 'z'}}])",
      "INSERT INTO homes (k, a) VALUES (2, {street: 'all', zip: 9})",
    ],
    ['UPDATE homes SET a.zip = 3 WHERE k = 1', 'UPDATE homes SET a.street = null WHERE k = 2'],
    [
      'ALTER TYPE address ADD country text',
      "UPDATE homes SET a.country = 'de' WHERE k = 2",
      "INSERT INTO homes (k, f) VALUES (3, {street: 'n', zip: 4, country: 'fr'})",
    ],
  ],
  also: async (scene) => {
    const texts = await both(scene, 'SELECT JSON f FROM homes WHERE k = 1');
    assert.deepEqual(texts, ['{"f": {"street": "x", "zip": 1, "country": null}}']);
  },
};

const tuples: CatalogueCase = {
  title: '07 tuples with nulls, alone and in collections, are equal',
  tables: ['tuples'],
  rounds: [
    [
      'CREATE TABLE tuples (k tuple<int, text> PRIMARY KEY, t tuple<int, text, boolean>, ' +
        'l list<frozen<tuple<int, text>>>, m map<text, frozen<tuple<int, tuple<text, int>>>>)',
      "INSERT INTO tuples (k, t, l, m) VALUES ((1, 'a'), (null, 'x', null), [(1, null), (null, 'y')], " +
        "{'deep': (1, ('z', null))})",
      "INSERT INTO tuples (k, t) VALUES ((null, 'b'), (null, null, null))",
      'INSERT INTO tuples (k, t) VALUES ((2, null), (7, null, true))',
    ],
  ],
};

const vectors: CatalogueCase = {
  title: '08 vectors of fixed and variable elements are equal, and their index answers',
  tables: ['vectors'],
  rounds: [
    [
      'CREATE TABLE vectors (k int PRIMARY KEY, v vector<float, 3>, t vector<text, 2>, ' +
        'n vector<frozen<list<int>>, 2>, by_set map<int, frozen<vector<int, 2>>>)',
      "CREATE CUSTOM INDEX ON vectors (v) USING 'StorageAttachedIndex'",
      "INSERT INTO vectors (k, v, t, n, by_set) VALUES (1, [0.1, 0.2, 0.3], ['a', ''], [[1], []], " +
        '{1: [1, 2]})',
      "INSERT INTO vectors (k, v, t) VALUES (2, [-0.9, 0.5, 1], ['long enough to matter', 'b'])",
    ],
  ],
  also: async (scene) => {
    const nearest = 'SELECT k FROM vectors ORDER BY v ANN OF [0.1, 0.2, 0.2] LIMIT 1';
    assert.deepEqual(await both(scene, nearest), ['1']);
  },
};

const keys: CatalogueCase = {
  title: '09 partition keys of several parts, with empty ones, and of 65,535 bytes',
  tables: ['parts', 'long_keys'],
  rounds: [
    [
      'CREATE TABLE parts (a text, b int, c blob, v text, PRIMARY KEY ((a, b, c)))',
      "INSERT INTO parts (a, b, c, v) VALUES ('', 1, 0x, 'empty ends')",
      "INSERT INTO parts (a, b, c, v) VALUES ('', blobAsInt(0x), 0x, 'empty all')",
      "INSERT INTO parts (a, b, c, v) VALUES ('a', -1, 0x0000, 'zeros')",
      'CREATE TABLE long_keys (k text PRIMARY KEY, v text)',
      ['INSERT INTO long_keys (k, v) VALUES (?, ?)', [longKey, 'longest']],
      ['INSERT INTO long_keys (k, v) VALUES (?, ?)', [nearlyAsLong, 'differs at its end']],
    ],
    [["UPDATE long_keys SET v = 'again' WHERE k = ?", [longKey]]],
    ["UPDATE parts SET v = 'again' WHERE a = '' AND b = 1 AND c = 0x"],
  ],
  also: async ({ restored }) => {
    const { rows } = await restored.cql('SELECT v FROM long_keys WHERE k = ?', [longKey]);
    assert.deepEqual(
      rows.map(({ v }) => v),
      ['again'],
    );
  },
};

const orders: CatalogueCase = {
  title: '10 clusterings up and down, of time, and 35 columns of it, come in their order',
  tables: ['mixed', 'times', 'wide_name'],
  rounds: [
    [
      'CREATE TABLE mixed (k int, a int, b text, c double, v int, PRIMARY KEY (k, a, b, c)) ' +
        'WITH CLUSTERING ORDER BY (a DESC, b ASC, c DESC)',
      ...mixedRows(),
      'CREATE TABLE times (k int, t timeuuid, d date, v int, PRIMARY KEY (k, t, d)) ' +
        'WITH CLUSTERING ORDER BY (t DESC, d DESC)',
      ...[1, 5, 3].map(
        (n) =>
          'INSERT INTO times (k, t, d, v) VALUES ' +
          `(1, ${n}0554d6e-29bb-11e${n}-b345-feff819cdc9f, '2020-01-0${n}', ${n})`,
      ),
      `CREATE TABLE wide_name (k int, ${clusterings.map((c) => `${c} text`).join(', ')}, v int, ` +
        `PRIMARY KEY (k, ${clusterings.join(', ')}))`,
      ...[1, 2].map((n): Statement => wideRow(n)),
    ],
  ],
  also: async (scene) => {
    for (const order of ['', ' ORDER BY a ASC, b DESC, c ASC']) {
      const texts = await both(scene, `SELECT JSON a, b, c FROM mixed WHERE k = 1${order}`);
      assert.equal(texts.length, 36);
    }
    await both(scene, 'SELECT JSON t, d FROM times WHERE k = 1');
    await both(scene, "SELECT JSON * FROM wide_name WHERE k = 1 AND c0 = 'c0 of 2'");
  },
};

function mixedRows(): string[] {
  const rows: string[] = [];
  for (const a of [-2147483648, -1, 0, 7]) {
    for (const b of ['', 'a', 'a b']) {
      for (const c of ['NaN', '-1.5', '2']) {
        rows.push(`INSERT INTO mixed (k, a, b, c, v) VALUES (1, ${a}, '${b}', ${c}, 1)`);
      }
    }
  }
  return rows;
}

/** Some of its clustering values are empty. */
function wideRow(n: number): string {
  const values = clusterings.map((c, i) => (i % 7 === 3 ? "''" : `'${c} of ${n}'`));
  return `INSERT INTO wide_name (k, ${clusterings.join(', ')}, v) VALUES (1, ${values.join(', ')}, ${n})`;
}

const scene = catalogue(sharedNode(), 'values', [
  ...[scalars, empties, frozen, lists, collections],
  ...[userTypes, tuples, vectors, keys, orders],
]);

test('a value, a timestamp or a time to live that differs is seen', async () => {
  const { restored, wanted, copy } = await scene();
  // Each alone; the next one starts from what the one before has left.
  const mistakes = [
    ['scalars', 'UPDATE scalars SET dou = 0.0 WHERE k = 4'],
    ['empties', 'UPDATE empties SET i = null WHERE k = 1'],
    ['collections', "UPDATE collections SET m[2] = 'two' WHERE k = 1"],
    ['nested', 'DELETE FROM nested WHERE k = []'],
    ['homes', 'UPDATE homes USING TTL 1000 SET a.zip = 3 WHERE k = 1'],
    ['tuples', "INSERT INTO tuples (k, t) VALUES ((1, 'a'), (null, 'x', null))"],
  ] as const;
  for (const [table, mistake] of mistakes) {
    await restored.cql(mistake);
    const changed = await seen(restored, copy);
    const own = new Map([[table, wanted.get(table) ?? []]]);
    assert.throws(() => assertSameRows(changed, own), { code: 'ERR_ASSERTION' }, mistake);
  }
});
