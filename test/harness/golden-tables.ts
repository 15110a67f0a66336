// What the golden SSTables hold: tables of the keyspace `golden` and the statements that fill them. All is
// fixed, timestamps too, so that only what a server makes up differs between two runs: deletion times,
// ids of list elements, counter ids.

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
/** µs since 1970 of the first write: 2023-11-14. */
const base = 1_700_000_000_000_000n;
const at = (n: number): string => `USING TIMESTAMP ${base + BigInt(n)}`;
const tenYears = 315_360_000;
const ttl = (n: number, seconds = tenYears): string => `${at(n)} AND TTL ${seconds}`;
const range = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));
const insert = (columns: string, values: string, n = 1, using = at(n)): string =>
  `INSERT INTO T (${columns}) VALUES (${values}) ${using}`;

const scalars: Readonly<Record<string, readonly string[]>> = {
  ascii: ["'plain'", "'~'", "'A'"],
  bigint: ['9223372036854775807', '-9223372036854775808', '0'],
  blob: ['0x00ff', '0xffffffffffffffffffff', '0x00'],
  boolean: ['true', 'false', 'true'],
  date: ["'2026-11-27'", "'1969-12-31'", "'1970-01-01'"],
  decimal: ['12345678901234567890.123456789', '-0.001', '1E+5'],
  double: ['1.7976931348623157E308', '-4.9E-324', '-0.0'],
  duration: ['1y2mo3d4h5m6s7ms8us9ns', '-2w3d', '0s'],
  float: ['3.4028235E38', '-1.4E-45', 'NaN'],
  inet: ["'192.0.2.1'", "'2001:db8::1'", "'0.0.0.0'"],
  int: ['2147483647', '-2147483648', '0'],
  smallint: ['32767', '-32768', '0'],
  text: ["'grüße 日本 😀'", "'x'", "'two\nlines'"],
  time: ["'23:59:59.999999999'", "'00:00:00'", "'12:30:00.5'"],
  timestamp: ["'2026-11-27T01:02:03.456Z'", "'1900-01-01T00:00:00Z'", '0'],
  timeuuid: [
    '5a1c395e-b41f-11e5-9f22-ba0be0483c18',
    '00000000-0000-1000-8080-808080808080',
    'ffffffff-ffff-1fff-bf7f-7f7f7f7f7f7f',
  ],
  tinyint: ['127', '-128', '0'],
  uuid: [
    '6f1d0e2a-8b1c-4f7e-9c55-0d3a1b2c3d4e',
    '00000000-0000-0000-0000-000000000000',
    'ffffffff-ffff-4fff-bfff-ffffffffffff',
  ],
  varint: ['123456789012345678901234567890', '-129', '0'],
};
const scalarNames = Object.keys(scalars);
const scalarColumns = scalarNames.map((name) => `v_${name} ${name}`).join(', ');
const scalarList = scalarNames.map((name) => `v_${name}`).join(', ');

/** Values that show how a clustering column sorts, among them pairs that bytes alone would sort wrongly. */
const sorted: Readonly<Record<string, readonly string[]>> = {
  ascii: ["'b'", "'B'", "'ba'", "''"],
  bigint: ['-1', '0', '256', '-300'],
  blob: ['0xff', '0x01', '0x0100', '0x'],
  boolean: ['true', 'false'],
  date: ["'1960-01-01'", "'2030-01-01'", "'1970-01-01'"],
  decimal: ['-1.5', '1.05', '1.5', '100', '9E-3', '-20'],
  double: ['-1.5', '0.0', '2.5', '-0.0', 'NaN', '-Infinity'],
  float: ['-1.5', '0.0', '2.5', 'NaN', 'Infinity'],
  inet: ["'10.0.0.1'", "'9.0.0.1'", "'200.0.0.1'", "'::1'", "'fe80::1'"],
  int: ['-1', '0', '70000', '-70000'],
  smallint: ['-1', '0', '300'],
  text: ["'é'", "'z'", "'😀'", "'\uFFFD'", "''"],
  time: ["'00:00:01'", "'23:00:00'"],
  timestamp: ["'1960-01-01T00:00:00Z'", "'2030-01-01T00:00:00Z'", '0'],
  timeuuid: [
    '00000001-0001-1001-8080-808080808080',
    '00000002-0000-1001-8080-808080808080',
    '00000001-0001-1001-7f80-808080808080',
    '00000001-0000-1002-8080-808080808080',
  ],
  tinyint: ['-1', '0', '100'],
  uuid: [
    '00000001-0001-1001-8080-808080808080',
    '00000002-0000-1001-8080-808080808080',
    '00000000-0000-4000-8000-000000000001',
    'f0000000-0000-4000-8000-000000000001',
    '00000000-0000-7000-8000-000000000001',
  ],
  varint: ['-1', '0', '-256', '255', '256', '-1000000000000000000000', '1000000000000000000000'],
};
const sortedNames = Object.keys(sorted);

function orderingRows(): string[] {
  const zero = sortedNames.map((name) => (name === 'blob' ? '0x' : (sorted[name]?.[0] ?? '')));
  const columns = sortedNames.map((name) => `c_${name}`).join(', ');
  return sortedNames.flatMap((name, p) =>
    (sorted[name] ?? []).map((value) =>
      insert(`p, ${columns}`, [p, ...zero.with(p, value)].join(', ')),
    ),
  );
}

const wideNames = range(70, (i) => `c${String(i).padStart(2, '0')}`);
const wide = (p: number, present: readonly string[]): string =>
  insert(
    ['p', ...present].join(', '),
    [p, ...present.map((name) => Number(name.slice(1)) * 3)].join(', '),
  );

/** Numbers without a pattern, the same in each run. */
function noise(length: number, seed: number): string {
  let state = seed;
  return range(length, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 16) & 255;
  })
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');
}

/** About 4 KB in chunks of 1 KiB: repeated words, and one blob that no codec makes smaller. */
const codecRows = [
  ...range(6, (p) => insert('p, t', `${p}, '${`row ${p} of a codec `.repeat(24)}'`)),
  insert('p, b', `100, 0x${noise(1500, 7)}`),
];
const codec = (name: string, compression: string): GoldenTable => ({
  name,
  columns: 'p int PRIMARY KEY, t text, b blob',
  options: `compression = {${compression}}`,
  rows: codecRows,
  formats: name === 'codec_lz4' ? ['nb', 'da'] : nb,
});

const rangeDeletes = [
  ...range(6, (c1) => range(4, (c2) => insert('p, c1, c2, v', `1, ${c1}, ${c2}, 7`, 10))).flat(),
  `DELETE FROM T ${at(20)} WHERE p = 1 AND c1 = 1`,
  `DELETE FROM T ${at(21)} WHERE p = 1 AND c1 > 2 AND c1 < 5`,
  `DELETE FROM T ${at(5)} WHERE p = 1 AND c1 >= 4`,
  `DELETE FROM T ${at(30)} WHERE p = 1 AND c1 = 3 AND c2 >= 1 AND c2 < 3`,
  insert('p, c1, c2, v', '1, 3, 2, 8', 40),
  `DELETE FROM T ${at(22)} WHERE p = 1 AND c1 = 5 AND c2 <= 1`,
  `DELETE FROM T ${at(23)} WHERE p = 1 AND c1 = 5 AND c2 > 1`,
  // A partition that is one range, and one that is deleted with a range and newer rows besides.
  `DELETE FROM T ${at(50)} WHERE p = 2 AND c1 < 0`,
  `DELETE FROM T ${at(60)} WHERE p = 3`,
  `DELETE FROM T ${at(61)} WHERE p = 3 AND c1 <= 9`,
  insert('p, c1, c2, v', '3, 9, 9, 9', 62),
];

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
    formats: ['nb', 'da'],
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
    formats: ['nb', 'da'],
  },
  {
    name: 'composite_key',
    columns: 'a int, b text, c uuid, v int, PRIMARY KEY ((a, b, c))',
    rows: [
      insert('a, b, c, v', "1, 'x', 6f1d0e2a-8b1c-4f7e-9c55-0d3a1b2c3d4e, 1"),
      insert('a, b, c, v', "-1, '', 00000000-0000-0000-0000-000000000000, 2", 2),
      insert('a, b, c', "0, 'key only', 00000000-0000-0000-0000-000000000001", 3),
    ],
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
    name: 'default_ttl',
    columns: 'p int PRIMARY KEY, v int',
    options: 'default_time_to_live = 86400 AND gc_grace_seconds = 3600',
    rows: [insert('p, v', '1, 1'), insert('p, v', '2, 2', 2, `${at(2)} AND TTL 0`)],
    formats: nb,
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
    formats: ['nb', 'da'],
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
