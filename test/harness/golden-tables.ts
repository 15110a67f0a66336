// What the golden SSTables hold: tables of the keyspace `golden` and the statements that fill them. All is
// fixed, timestamps too, so that only what a server makes up differs between two runs: deletion times,
// ids of list elements, counter ids.

import {
  at,
  codecRows,
  insert,
  orderingRows,
  range,
  rangeDeletes,
  scalarColumns,
  scalarList,
  scalarNames,
  scalars,
  sortedNames,
  tenYears,
  ttl,
  wide,
  wideNames,
} from './golden-values.ts';

/** File formats of Cassandra 5.0. */
export type GoldenFormat = 'nb' | 'oa' | 'da';

/** One table, written into one SSTable. */
export interface GoldenTable {
  readonly name: string;
  /** What stands in the brackets of CREATE TABLE. */
  readonly columns: string;
  readonly options?: string;
  /** CQL; `T` is replaced by `golden.<name>`. */
  readonly rows: readonly string[];
  /** Written into a second SSTable; the two are then compacted. */
  readonly laterRows?: readonly string[];
  /** Run after the flush: changes of the schema. */
  readonly afterwards?: readonly string[];
  /** Unset: all. */
  readonly formats?: readonly GoldenFormat[];
}

/** Types of the keyspace. */
export const goldenTypes: readonly string[] = [
  'CREATE TYPE golden.street (name text, number int)',
  'CREATE TYPE golden.place (home frozen<street>, tags frozen<set<text>>, pair frozen<tuple<int, text>>)',
  'CREATE TYPE golden.grown (a int)',
];

const nb: readonly GoldenFormat[] = ['nb'];
const bti: readonly GoldenFormat[] = ['nb', 'da'];

const codec = (name: string, compression: string): GoldenTable => ({
  name,
  columns: 'p int PRIMARY KEY, t text, b blob',
  options: `compression = {${compression}}`,
  rows: codecRows,
  formats: name === 'codec_lz4' ? bti : nb,
});

/** All golden tables. */
export const goldenTables: readonly GoldenTable[] = [
  {
    name: 'simple',
    columns: 'k text PRIMARY KEY, v text, n int',
    rows: range(5, (i) => insert('k, v, n', `'key ${i}', 'value ${i}', ${i}`, i)),
  },
  {
    name: 'scalars',
    columns: `id int PRIMARY KEY, ${scalarColumns}`,
    rows: range(3, (i) =>
      insert(
        `id, ${scalarList}`,
        `${i}, ${scalarNames.map((name) => scalars[name]?.[i]).join(', ')}`,
      ),
    ),
    formats: bti,
  },
  {
    name: 'empty_values',
    columns: 'id text PRIMARY KEY, a ascii, b blob, i int, l bigint, t text, u uuid, x varint',
    rows: [
      insert(
        'id, a, b, i, l, t, u, x',
        "'e', '', 0x, blobAsInt(0x), blobAsBigint(0x), '', blobAsUuid(0x), blobAsVarint(0x)",
      ),
      insert('id, a, t', "'n', null, ''", 2),
    ],
    formats: nb,
  },
  {
    name: 'collections',
    columns:
      'p int PRIMARY KEY, l list<int>, s set<text>, m map<text, int>, u street, ' +
      'n map<int, frozen<list<frozen<set<int>>>>>, v int',
    rows: [
      insert('p, l, s, m, v', "1, [3, 1, 2, 1], {'b', 'a', ''}, {'x': 1, '': 2}, 5", 10),
      insert('p, u, n', "1, {name: 'Elm', number: 3}, {7: [{3, 1}, {}], -1: []}", 11),
      `UPDATE T ${at(12)} SET l = l + [9], s = s + {'late'}, m['y'] = 3 WHERE p = 2`,
      `UPDATE T ${ttl(13)} SET m['ttl'] = 4, u.number = 8 WHERE p = 2`,
      `DELETE m['x'], s['b'], u.name FROM T ${at(14)} WHERE p = 1`,
      `UPDATE T ${at(15)} SET l = [], s = {'only'}, m = null WHERE p = 3`,
      insert('p, v', '4, 1', 16),
      insert('p, l, u', '4, [1], {number: 1}', 17, ttl(17)),
    ],
    formats: bti,
  },
  {
    name: 'frozen_values',
    columns:
      'p frozen<tuple<int, text>> PRIMARY KEY, l frozen<list<int>>, s frozen<set<text>>, ' +
      'm frozen<map<int, text>>, u frozen<place>, t tuple<int, text, frozen<list<uuid>>>, ' +
      'ls list<frozen<set<int>>>, mu map<frozen<tuple<int, int>>, frozen<place>>, ' +
      'fn frozen<map<text, frozen<list<frozen<street>>>>>',
    rows: [
      insert(
        'p, l, s, m, u, t, ls, mu, fn',
        "(1, 'a'), [2, 1], {'y', 'x'}, {2: 'b', 1: 'a'}, " +
          "{home: {name: 'Elm', number: 1}, tags: {'t'}, pair: (1, 'p')}, " +
          "(1, 'x', [00000000-0000-0000-0000-000000000001]), [{2, 1}, {}], " +
          "{(1, 2): {home: {name: 'Oak'}}, (0, 9): {tags: {}}}, {'k': [{name: 'A', number: 2}]}",
      ),
      insert(
        'p, l, s, m, u, t',
        "(null, ''), [], {}, {}, {pair: (null, 'q')}, (null, null, null)",
        2,
      ),
    ],
    formats: bti,
  },
  {
    name: 'vectors',
    columns:
      'p int PRIMARY KEY, f vector<float, 3>, i vector<int, 2>, t vector<text, 2>, ' +
      'v vector<vector<float, 2>, 2>, l frozen<list<vector<int, 1>>>, s vector<frozen<set<text>>, 1>',
    rows: [
      insert(
        'p, f, i, t, v, l, s',
        "1, [1.5, -2.5, 0], [7, -7], ['long word', ''], [[1, 2], [3, 4]], [[1], [2]], [{'b', 'a'}]",
      ),
      insert('p, f', '2, [0, 0, 1]', 2),
    ],
    formats: bti,
  },
  {
    name: 'composite_key',
    columns: 'a int, b text, c uuid, v int, PRIMARY KEY ((a, b, c))',
    rows: [
      insert('a, b, c, v', "1, 'x', 6f1d0e2a-8b1c-4f7e-9c55-0d3a1b2c3d4e, 1"),
      insert('a, b, c, v', "-1, '', 00000000-0000-0000-0000-000000000000, 2", 2),
      insert('a, b, c', "0, 'key only', 00000000-0000-0000-0000-000000000001", 3),
    ],
    formats: bti,
  },
  {
    name: 'clustering_mixed',
    columns:
      'p int, t text, u timeuuid, d decimal, i varint, b boolean, v text, PRIMARY KEY (p, t, u, d, i, b)',
    options: 'CLUSTERING ORDER BY (t DESC, u ASC, d DESC, i ASC, b DESC)',
    rows: ["'a'", "'b'", "''"].flatMap((t, n) =>
      [
        `${t}, 5a1c395e-b41f-11e5-9f22-ba0be0483c18, 1.5, 10, true`,
        `${t}, 5a1c395e-b41f-11e5-9f22-ba0be0483c18, 1.5, 10, false`,
        `${t}, 5a1c395e-b41f-11e5-9f22-ba0be0483c18, -1.25, -300, true`,
        `${t}, 4a1c395e-b420-11e5-9f22-ba0be0483c18, 100, 0, false`,
      ].map((key, k) => insert('p, t, u, d, i, b, v', `1, ${key}, 'v${k}'`, n * 10 + k)),
    ),
    formats: bti,
  },
  {
    name: 'ordering',
    columns:
      `p int, ${sortedNames.map((name) => `c_${name} ${name}`).join(', ')}, ` +
      `PRIMARY KEY (p, ${sortedNames.map((name) => `c_${name}`).join(', ')})`,
    rows: orderingRows(),
    formats: nb,
  },
  {
    name: 'clustering_nested',
    columns:
      'p int, l frozen<list<int>>, s frozen<set<text>>, m frozen<map<int, text>>, t tuple<int, text>, ' +
      'u frozen<street>, v int, PRIMARY KEY (p, l, s, m, t, u)',
    options: 'CLUSTERING ORDER BY (l DESC, s ASC, m ASC, t DESC, u ASC)',
    rows: [
      "[1], {'a'}, {1: 'x'}, (1, 'a'), {name: 'A', number: 1}",
      "[1, -1], {'a'}, {1: 'x'}, (1, 'a'), {name: 'A', number: 1}",
      "[-1], {'a'}, {1: 'x'}, (1, 'a'), {name: 'A', number: 1}",
      "[], {'a', 'b'}, {-1: 'x'}, (-1, 'a'), {name: 'A', number: -1}",
      "[], {'a', 'b'}, {-1: 'x'}, (-1, null), {name: 'A'}",
      "[], {'b'}, {}, (null, 'a'), {number: 2}",
    ].map((key, n) => insert('p, l, s, m, t, u, v', `1, ${key}, ${n}`, n)),
    formats: nb,
  },
  {
    name: 'clustering_34',
    columns:
      `p int, ${range(34, (i) => `k${i} int`).join(', ')}, ` +
      `PRIMARY KEY (p, ${range(34, (i) => `k${i}`).join(', ')})`,
    rows: range(2, (n) =>
      insert(
        `p, ${range(34, (i) => `k${i}`).join(', ')}`,
        [1, ...range(34, (i) => (n && i > 30 ? 'blobAsInt(0x)' : i))].join(', '),
        n,
      ),
    ),
    formats: nb,
  },
  {
    name: 'statics',
    columns:
      'p text, c int, s int static, sl list<text> static, sm map<int, text> static, v int, ' +
      'PRIMARY KEY (p, c)',
    rows: [
      insert('p, s, sl, sm', "'static only', 1, ['a', 'b'], {1: 'x'}"),
      insert('p, c, s, v', "'both', 1, 2, 3", 2),
      insert('p, c, v', "'both', 2, 4", 3),
      insert('p, c, v', "'rows only', 1, 1", 4),
      `UPDATE T ${at(5)} SET sm[2] = 'y', sl = sl + ['c'] WHERE p = 'added to'`,
      `DELETE s, sm FROM T ${at(6)} WHERE p = 'deleted'`,
      `UPDATE T ${ttl(7)} SET s = 9 WHERE p = 'expiring'`,
    ],
  },
  {
    name: 'tombstones',
    columns: 'p int, c int, a int, b text, m map<int, int>, PRIMARY KEY (p, c)',
    rows: [
      ...range(4, (c) => insert('p, c, a, b', `1, ${c}, ${c}, 'x'`, 1)),
      `DELETE a FROM T ${at(2)} WHERE p = 1 AND c = 0`,
      `DELETE FROM T ${at(3)} WHERE p = 1 AND c = 1`,
      insert('p, c, a', '1, 1, 5', 4),
      `DELETE FROM T ${at(5)} WHERE p = 1 AND c = 9`,
      `DELETE m FROM T ${at(6)} WHERE p = 1 AND c = 3`,
      `DELETE FROM T ${at(7)} WHERE p = 2`,
      `DELETE FROM T ${at(8)} WHERE p = 3`,
      insert('p, c, b', "3, 1, 'after'", 9),
      insert('p, c, a', '4, 1, null', 10),
    ],
  },
  {
    name: 'ranges',
    columns: 'p int, c1 int, c2 int, v int, PRIMARY KEY (p, c1, c2)',
    rows: rangeDeletes,
  },
  {
    name: 'ranges_desc',
    columns: 'p int, c1 int, c2 int, v int, PRIMARY KEY (p, c1, c2)',
    options: 'CLUSTERING ORDER BY (c1 DESC, c2 ASC)',
    rows: rangeDeletes,
    formats: nb,
  },
  {
    name: 'expiring',
    columns: 'p int, c int, a int, b int, m map<int, int>, PRIMARY KEY (p, c)',
    rows: [
      insert('p, c, a, b', '1, 1, 1, 1', 1, ttl(1)),
      insert('p, c, a', '1, 2, 1', 2),
      `UPDATE T ${ttl(3)} SET b = 2 WHERE p = 1 AND c = 2`,
      `UPDATE T ${ttl(4, tenYears - 7)} SET a = 3, m[1] = 1 WHERE p = 1 AND c = 1`,
      insert('p, c', '1, 3', 5, ttl(5)),
      insert('p, c, a', '1, 4, 4', 6, ttl(6, 1)),
    ],
  },
  {
    name: 'updates_only',
    columns: 'p int, c int, a int, b int, PRIMARY KEY (p, c)',
    rows: [
      `UPDATE T ${at(1)} SET a = 1 WHERE p = 1 AND c = 1`,
      `UPDATE T ${at(2)} SET b = 2 WHERE p = 1 AND c = 1`,
      insert('p, c', '1, 2', 3),
      insert('p, c', '2, 1', 4),
      `UPDATE T ${at(5)} SET a = 3 WHERE p = 1 AND c = 2`,
      // Timestamps far from the others: in the future, and before 1970.
      'UPDATE T USING TIMESTAMP 4611686018427387904 SET a = 4 WHERE p = 3 AND c = 1',
      'UPDATE T USING TIMESTAMP -1000 SET b = 5 WHERE p = 3 AND c = 1',
    ],
    formats: bti,
  },
  {
    name: 'counters',
    columns: 'p int, c int, s counter static, n counter, x counter, PRIMARY KEY (p, c)',
    rows: [
      'UPDATE T SET n = n + 5, x = x - 2 WHERE p = 1 AND c = 1',
      'UPDATE T SET n = n + 7 WHERE p = 1 AND c = 1',
      'UPDATE T SET s = s + 1 WHERE p = 1',
      'UPDATE T SET n = n - 9000000000 WHERE p = 1 AND c = 2',
      'DELETE x FROM T WHERE p = 2 AND c = 1',
    ],
    formats: bti,
  },
  {
    name: 'columns_70',
    columns: `p int PRIMARY KEY, ${wideNames.map((name) => `${name} int`).join(', ')}`,
    rows: [
      wide(1, wideNames.slice(3, 6)),
      wide(
        2,
        wideNames.filter((_, i) => i % 10 !== 4),
      ),
      wide(3, wideNames),
      wide(4, wideNames.slice(0, 35)),
      wide(5, wideNames.slice(0, 34)),
      wide(6, []),
    ],
    formats: nb,
  },
  {
    name: 'indexed_partition',
    columns: 'p int, c int, v text, PRIMARY KEY (p, c)',
    options: "compression = {'enabled': false}",
    rows: [
      ...range(30, (c) => insert('p, c, v', `1, ${c}, '${`${c} `.repeat(60)}'`, c)),
      `DELETE FROM T ${at(90)} WHERE p = 1 AND c > 10 AND c < 22`,
      insert('p, c, v', "2, 1, 'small'"),
    ],
    formats: bti,
  },
  codec('codec_lz4', "'class': 'LZ4Compressor', 'chunk_length_in_kb': 1"),
  codec('codec_snappy', "'class': 'SnappyCompressor', 'chunk_length_in_kb': 1"),
  codec('codec_zstd', "'class': 'ZstdCompressor', 'chunk_length_in_kb': 1"),
  codec('codec_deflate', "'class': 'DeflateCompressor', 'chunk_length_in_kb': 1"),
  codec('codec_none', "'enabled': false"),
  codec(
    'codec_raw',
    "'class': 'LZ4Compressor', 'chunk_length_in_kb': 1, 'min_compress_ratio': 1.5",
  ),
  {
    name: 'compacted',
    columns: 'p int, c int, v text, m map<int, int>, PRIMARY KEY (p, c)',
    options: "compression = {'class': 'ZstdCompressor', 'chunk_length_in_kb': 1}",
    rows: [
      ...range(6, (c) => insert('p, c, v, m', `${c % 2}, ${c}, 'first ${c}', {1: ${c}}`, c)),
      `DELETE FROM T ${at(8)} WHERE p = 1 AND c > 3`,
    ],
    laterRows: [
      insert('p, c, v', "1, 1, 'second'", 20),
      insert('p, c, v', "1, 9, 'new'", 21, ttl(21)),
      `DELETE FROM T ${at(22)} WHERE p = 1 AND c >= 5 AND c < 8`,
      `DELETE FROM T ${at(23)} WHERE p = 0 AND c = 2`,
      `UPDATE T ${at(24)} SET m[2] = 2 WHERE p = 0 AND c = 4`,
      `DELETE FROM T ${at(25)} WHERE p = 7`,
    ],
  },
  {
    name: 'dropped_column',
    columns: 'p int, c int, gone list<text>, old int static, kept int, PRIMARY KEY (p, c)',
    rows: [
      insert('p, c, gone, old, kept', "1, 1, ['x'], 2, 3"),
      insert('p, c, kept', '1, 2, 4', 2),
    ],
    afterwards: [
      `ALTER TABLE T DROP gone ${at(100)}`,
      `ALTER TABLE T DROP old ${at(100)}`,
      'ALTER TABLE T ADD old int static',
    ],
    formats: nb,
  },
  {
    name: 'evolved',
    columns: 'p int PRIMARY KEY, u grown, f frozen<grown>',
    rows: [insert('p, u, f', '1, {a: 1}, {a: 2}')],
    afterwards: ['ALTER TYPE golden.grown ADD b text', 'ALTER TABLE T ADD added text'],
    formats: nb,
  },
];
