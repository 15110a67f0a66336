// 26 to 35, 52: batches, schemas that change between cuts, names of every kind, many columns, every
// compression; a column that no schema knows; and an older point over newer data.
import assert from 'node:assert/strict';
import { cp, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isCodrError } from '../../src/base/error.ts';
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
import { assertSameRows, seen } from './oracle.ts';
import { CassandraWorld } from './world.ts';

const cluster = sharedNode();

const batches: CatalogueCase = {
  title: '26 all parts of a batch, over tables and partitions, come back with one timestamp',
  tables: ['batch_a', 'batch_b'],
  rounds: [
    [
      'CREATE TABLE batch_a (k int PRIMARY KEY, v text, w text)',
      'CREATE TABLE batch_b (k int, c int, v text, s text static, PRIMARY KEY (k, c))',
      "INSERT INTO batch_a (k, v, w) VALUES (3, 'before', 'before')",
      ...['', 'UNLOGGED '].map((kind, i) => {
        const word = kind === '' ? 'logged' : 'unlogged';
        const parts = [
          `INSERT INTO batch_a (k, v) VALUES (${10 * i + 1}, '${word}')`,
          `INSERT INTO batch_a (k, v) VALUES (${10 * i + 2}, '${word}')`,
          `UPDATE batch_b SET v = '${word}', s = '${word}' WHERE k = ${i} AND c = 1`,
          `UPDATE batch_b SET v = '${word}' WHERE k = ${i + 5} AND c = 2`,
          'DELETE w FROM batch_a WHERE k = 3',
        ];
        return `BEGIN ${kind}BATCH ${parts.join('; ')}; APPLY BATCH`;
      }),
    ],
    [
      'BEGIN BATCH USING TIMESTAMP 1000 ' +
        "INSERT INTO batch_a (k, v) VALUES (4, 'said'); " +
        "INSERT INTO batch_b (k, c, v) VALUES (4, 4, 'said'); APPLY BATCH",
    ],
  ],
  also: async (scene) => {
    for (const [word, parts] of [
      ['logged', 4],
      ['unlogged', 4],
      ['said', 2],
    ] as const) {
      const times = await Promise.all(
        ['batch_a', 'batch_b'].map((table) =>
          both(scene, `SELECT writetime(v) FROM ${table} WHERE v = '${word}' ALLOW FILTERING`),
        ),
      );
      assert.equal(times.flat().length, parts, word);
      assert.equal(new Set(times.flat()).size, 1, `${word}: ${times}`);
    }
    assert.deepEqual(await both(scene, 'SELECT w FROM batch_a WHERE k = 3'), ['null']);
  },
};

const dropped: CatalogueCase = {
  title: '27 what a dropped column held stays gone when the name comes back, what came later stays',
  tables: ['dropped'],
  rounds: [
    [
      'CREATE TABLE dropped (k int, c int, a int, b text, m map<int, int>, s int static, PRIMARY KEY (k, c))',
      "INSERT INTO dropped (k, c, a, b, m, s) VALUES (1, 1, 1, 'old', {1: 1}, 1)",
      "INSERT INTO dropped (k, c, a, b, m, s) VALUES (1, 2, 2, 'old', {2: 2}, 2)",
      "UPDATE dropped SET b = 'alone' WHERE k = 2 AND c = 1",
    ],
    ['ALTER TABLE dropped DROP (b, m, s)', 'INSERT INTO dropped (k, c, a) VALUES (1, 3, 3)'],
    [
      'ALTER TABLE dropped ADD (b text, m map<int, int>, s int static)',
      "INSERT INTO dropped (k, c, b, m) VALUES (1, 2, 'new', {3: 3})",
      'ALTER TABLE dropped DROP a',
    ],
  ],
  also: async (scene) => {
    assert.deepEqual(await both(scene, 'SELECT JSON c, b, m, s FROM dropped WHERE k = 1'), [
      '{"c": 1, "b": null, "m": null, "s": null}',
      '{"c": 2, "b": "new", "m": {"3": 3}, "s": null}',
      '{"c": 3, "b": null, "m": null, "s": null}',
    ]);
  },
};

const added: CatalogueCase = {
  title: '29 columns that are added between flushes and cuts are null in what was written before',
  tables: ['added'],
  rounds: [
    [
      'CREATE TYPE grown (a int)',
      'CREATE TABLE added (k int, c int, v text, PRIMARY KEY (k, c))',
      "INSERT INTO added (k, c, v) VALUES (1, 1, 'three columns')",
      "INSERT INTO added (k, c, v) VALUES (2, 1, 'three columns')",
    ],
    [
      'ALTER TABLE added ADD (a_first int, m map<text, int>, u grown)',
      "INSERT INTO added (k, c, v, a_first, m, u) VALUES (1, 2, 'six', 6, {'x': 1}, {a: 1})",
      "UPDATE added SET m['late'] = 2 WHERE k = 2 AND c = 1",
    ],
    [
      'ALTER TABLE added ADD s text static',
      'ALTER TYPE grown ADD b text',
      "INSERT INTO added (k, c, s, u) VALUES (1, 3, 'seven', {a: 2, b: 'later'})",
    ],
  ],
  also: async (scene) => {
    assert.deepEqual(await both(scene, 'SELECT JSON c, s, a_first, m FROM added WHERE k = 1'), [
      '{"c": 1, "s": "seven", "a_first": null, "m": null}',
      '{"c": 2, "s": "seven", "a_first": 6, "m": {"x": 1}}',
      '{"c": 3, "s": "seven", "a_first": null, "m": null}',
    ]);
    assert.deepEqual(await both(scene, 'SELECT JSON s, m FROM added WHERE k = 2'), [
      '{"s": null, "m": {"late": 2}}',
    ]);
  },
};

const renamed: CatalogueCase = {
  title:
    '30 a renamed clustering column and other options: rows are equal, options as they were last',
  tables: ['renamed'],
  rounds: [
    [
      'CREATE TABLE renamed (k int, before int, v text, PRIMARY KEY (k, before)) ' +
        'WITH CLUSTERING ORDER BY (before DESC)',
      ...[1, 2, 3].map((c) => `INSERT INTO renamed (k, before, v) VALUES (1, ${c}, 'v${c}')`),
    ],
    [
      'ALTER TABLE renamed RENAME before TO later',
      "INSERT INTO renamed (k, later, v) VALUES (1, 4, 'after')",
    ],
    [
      "ALTER TABLE renamed WITH gc_grace_seconds = 77 AND comment = 'it''s; (a) WITH x = 1' AND " +
        "compaction = {'class': 'LeveledCompactionStrategy', 'sstable_size_in_mb': '77'} AND " +
        "compression = {'class': 'ZstdCompressor', 'chunk_length_in_kb': '4'} AND default_time_to_live = 0",
      'DELETE FROM renamed WHERE k = 1 AND later = 2',
    ],
  ],
  also: async ({ source, keyspace, copy }) => {
    const optionsOf = async (name: string): Promise<string[]> =>
      await rowsOf(
        source,
        'SELECT JSON gc_grace_seconds, comment, compaction, compression FROM system_schema.tables ' +
          `WHERE keyspace_name = '${name}' AND table_name = 'renamed'`,
      );
    const wanted = await optionsOf(keyspace);
    assert.match(wanted.join(), /77.*Leveled/);
    assert.deepEqual(await optionsOf(copy), wanted);
  },
};

const longName = 'n'.repeat(48);
const names: CatalogueCase = {
  title:
    '31 names with capitals, reserved words, 48 letters and text beyond ASCII are quoted right',
  tables: ['Mixed_Case', 'select', longName],
  rounds: [
    [
      'CREATE TYPE "Odd Type" ("Field One" int, "table" text)',
      'CREATE TABLE "Mixed_Case" ("Key" int, "the ""clustering""" text, "größe" text, "select" text, ' +
        '"col.with.dot" "Odd Type", key text, PRIMARY KEY ("Key", "the ""clustering"""))',
      'CREATE INDEX "Index_One" ON "Mixed_Case" ("größe")',
      'INSERT INTO "Mixed_Case" ("Key", "the ""clustering""", "größe", "select", "col.with.dot", key) ' +
        `VALUES (1, 'π', 'größer 🙂', 'it''s', {"Field One": 1, "table": 'x'}, 'lower')`,
      'CREATE TABLE "select" ("from" text PRIMARY KEY, "where" int, "WHERE" int)',
      `INSERT INTO "select" ("from", "where", "WHERE") VALUES ('日本', 1, 2)`,
      `CREATE TABLE ${longName} (k int PRIMARY KEY, v int)`,
      `INSERT INTO ${longName} (k, v) VALUES (1, 1)`,
    ],
  ],
  also: async (scene) => {
    const found = await both(scene, `SELECT key FROM "Mixed_Case" WHERE "größe" = 'größer 🙂'`);
    assert.deepEqual(found, ['lower']);
  },
};

const few = Array.from({ length: 64 }, (_, i) => `c${i}`);
const many = Array.from({ length: 1000 }, (_, i) => `c${i}`);
const columns: CatalogueCase = {
  title: '33 tables of 64 and of 1,000 columns with all, most, few and none of them',
  tables: ['wide64', 'wide1000'],
  rounds: [
    [
      `CREATE TABLE wide64 (k int PRIMARY KEY, ${few.map((c) => `${c} int`).join(', ')})`,
      `CREATE TABLE wide1000 (k int PRIMARY KEY, ${many.map((c) => `${c} int`).join(', ')})`,
      ...wideRows('wide64', few),
      ...wideRows('wide1000', many),
    ],
    [],
    ['DELETE c0, c5 FROM wide64 WHERE k = 1', 'DELETE c0, c5 FROM wide1000 WHERE k = 1'],
  ],
};

/** All; all but one; half and one less; the last; none. */
function wideRows(table: string, all: readonly string[]): string[] {
  const half = all.length / 2;
  const chosen = [
    ...[all, all.slice(1), all.slice(0, half), all.slice(0, half - 1)],
    ...[all.filter((_, i) => i % 3 === 0), all.slice(-1), []],
  ];
  return chosen.map((some, k) => {
    const values = some.map((_, i) => i);
    return `INSERT INTO ${table} (${['k', ...some].join(', ')}) VALUES (${[k + 1, ...values].join(', ')})`;
  });
}

/** By table: options of its compression. */
const codecs: ReadonlyMap<string, string> = new Map([
  ['lz4', "'class': 'LZ4Compressor', 'chunk_length_in_kb': '4'"],
  [
    'lz4_high',
    "'class': 'LZ4Compressor', 'lz4_compressor_type': 'high', 'chunk_length_in_kb': '64'",
  ],
  ['snappy', "'class': 'SnappyCompressor', 'chunk_length_in_kb': '16'"],
  ['zstd', "'class': 'ZstdCompressor', 'compression_level': '5', 'chunk_length_in_kb': '16'"],
  ['deflate', "'class': 'DeflateCompressor', 'chunk_length_in_kb': '16'"],
  ['noop', "'class': 'NoopCompressor', 'chunk_length_in_kb': '16'"],
  ['raw_chunks', "'class': 'LZ4Compressor', 'min_compress_ratio': '4', 'chunk_length_in_kb': '4'"],
  ['plain', "'enabled': 'false'"],
]);

const compressions: CatalogueCase = {
  title: '35 files of every codec, of raw chunks and of none are read as their own headers say',
  tables: [...codecs.keys()],
  rounds: [
    [...codecs].flatMap(([table, options]): Statement[] => [
      `CREATE TABLE ${table} (k int, c int, v text, b blob, PRIMARY KEY (k, c)) ` +
        `WITH compression = {${options}}`,
      ...textRows(table),
    ]),
    [],
    // Those of Zstd and Deflate are LZ4 until then, unless flushes are told to compress alike.
    [...codecs.keys()].map((table) => `DELETE FROM ${table} WHERE k = 1 AND c = 1`),
  ],
};

/** 64 KiB of text that repeats and of bytes that do not. */
function textRows(table: string): Statement[] {
  return Array.from({ length: 8 }, (_, c): Statement => {
    const noise = Buffer.from(
      Array.from({ length: 4000 }, (_, i) => (Math.imul(i + c * 4000, 2654435761) >>> 13) & 0xff),
    );
    const text = `${table} ${c} `.repeat(400);
    return [`INSERT INTO ${table} (k, c, v, b) VALUES (?, ?, ?, ?)`, [1, c, text, noise]];
  });
}

const scene = catalogue(cluster, 'schemas', [
  ...[batches, dropped, added, renamed],
  ...[names, columns, compressions],
]);

test('35 a cut after a major compaction, by the codecs of the tables themselves, is the same', async () => {
  const { cluster: one, shop, source, keyspace, wanted } = await scene();
  await one.jmx(1).compact(keyspace);
  await shop.backup();
  const renames = ['schemas.*=schemas_compacted.*'];
  await shop.restoreTo(one, {
    renames,
    include: ['schemas.zstd', 'schemas.deflate', 'schemas.snappy'],
  });
  const some = new Map(['zstd', 'deflate', 'snappy'].map((name) => [name, wanted.get(name) ?? []]));
  const got = await seen(source, 'schemas_compacted');
  assertSameRows(got, some);
  assert.equal(got.size, 3);
});

test('a column, a row or a name that differs is seen', async () => {
  const { restored, wanted, copy } = await scene();
  const mistakes = [
    ['dropped', 'INSERT INTO dropped (k, c, s) VALUES (1, 1, 1)'],
    ['wide1000', 'DELETE c999 FROM wide1000 WHERE k = 1'],
    ['zstd', "UPDATE zstd SET v = 'x' WHERE k = 1 AND c = 3"],
    [
      'Mixed_Case',
      `UPDATE "Mixed_Case" SET "col.with.dot" = null WHERE "Key" = 1 AND "the ""clustering""" = 'π'`,
    ],
    ['renamed', 'ALTER TABLE renamed RENAME later TO before'],
  ] as const;
  for (const [table, mistake] of mistakes) {
    await restored.cql(mistake);
    const own = new Map([[table, wanted.get(table) ?? []]]);
    const changed = await seen(restored, copy);
    assert.throws(() => assertSameRows(changed, own), { code: 'ERR_ASSERTION' }, mistake);
  }
});

test('29 a file with a column that no schema knows stops its table, names both, and nothing else', async () => {
  const one = await cluster();
  await using admin = await connectCql(one);
  await admin.cql(`CREATE KEYSPACE unknown WITH replication = ${oneReplica}`);
  await using client = await connectCql(one, { keyspace: 'unknown' });
  await using world = await CassandraWorld.open();
  const unknown = await world.protect('unknown', one);
  await sayAll(client, [
    'CREATE TABLE narrow (k int PRIMARY KEY, v text)',
    'CREATE TABLE other (k int PRIMARY KEY, v text)',
    'CREATE TABLE wide (k int PRIMARY KEY, v text, "Not Known" text)',
    "INSERT INTO narrow (k, v) VALUES (1, 'own')",
    "INSERT INTO other (k, v) VALUES (1, 'other')",
  ]);
  const first = await unknown.backup();
  await client.cql(`INSERT INTO wide (k, v, "Not Known") VALUES (2, 'two', 'three')`);
  await one.jmx(1).flush('unknown', 'wide');
  // As a node leaves it that flushed under a schema which nobody has any more.
  const parent = join(one.dataFolder(1), 'unknown');
  const folders = await readdir(parent);
  const folderOf = (table: string): string =>
    join(parent, folders.find((name) => name.startsWith(`${table}-`)) ?? '');
  const links = join(folderOf('narrow'), 'backups');
  await mkdir(links, { recursive: true });
  for (const name of await readdir(folderOf('wide'))) {
    if (!/^nb-\d+-big-/.test(name)) continue;
    await cp(join(folderOf('wide'), name), join(links, name.replace(/^nb-\d+-/, 'nb-987654-')));
  }
  await unknown.backup();
  const give = async (to: string, at: string, include: string[] = []) =>
    await unknown.restoreTo(one, { at, include, renames: [`unknown.*=${to}.*`] });
  await assert.rejects(give('unknown_all', 'latest'), (error) => {
    assert.ok(isCodrError(error, 'source-unfit'));
    assert.match(error.message, /unknown\.narrow has a column "Not Known"/);
    return true;
  });
  const { datasets } = await give('unknown_rest', 'latest', ['unknown.other', 'unknown.wide']);
  assert.deepEqual(
    datasets.map(({ proven }) => proven),
    [true, true],
  );
  await give('unknown_before', first.point.id);
  assert.deepEqual(await rowsOf(client, 'SELECT v FROM unknown_before.narrow'), ['own']);
});

test('28, 52 a table made anew has no rows of the old one; an older point never lands on newer rows', async () => {
  const one = await cluster();
  await using admin = await connectCql(one);
  await admin.cql(`CREATE KEYSPACE anew WITH replication = ${oneReplica}`);
  await using client = await connectCql(one, { keyspace: 'anew' });
  await using world = await CassandraWorld.open();
  const anew = await world.protect('anew', one);
  const create = 'CREATE TABLE same_name (k int PRIMARY KEY, v text)';
  await sayAll(client, [
    create,
    "INSERT INTO same_name (k, v) VALUES (1, 'first table')",
    "INSERT INTO same_name (k, v) VALUES (2, 'first table')",
  ]);
  const first = await anew.backup();
  const wantedFirst = await seen(client, 'anew');
  // Between two cuts, with rows of an older timestamp in the new table.
  await sayAll(client, [
    'DROP TABLE same_name',
    create,
    "INSERT INTO same_name (k, v) VALUES (1, 'second table') USING TIMESTAMP 1000",
  ]);
  const wantedSecond = await seen(client, 'anew');
  await anew.backup();

  await anew.restoreTo(one, { renames: ['anew.*=anew_second.*'] });
  assertSameRows(await seen(client, 'anew_second'), wantedSecond);
  const at = first.point.id;
  await anew.restoreTo(one, { at, renames: ['anew.*=anew_first.*'] });
  assertSameRows(await seen(client, 'anew_first'), wantedFirst);
  assert.throws(() => assertSameRows(wantedFirst, wantedSecond), { code: 'ERR_ASSERTION' });

  // 52: over itself only when told to empty it first.
  await assert.rejects(anew.restoreTo(one, { at }), { code: 'target-not-empty' });
  assertSameRows(await seen(client, 'anew'), wantedSecond);
  // In scope alone: what else the cluster holds would go with it.
  const restored = await anew.restoreTo(one, { at, drop: true, include: ['anew.*'] });
  assert.deepEqual(
    restored.datasets.map(({ to, proven }) => [to, proven]),
    [['anew.same_name', true]],
  );
  assertSameRows(await seen(client, 'anew'), wantedFirst);
});
