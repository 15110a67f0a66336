// Statements of a table in another place and on another version.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TableBody } from '../schema/table-body.ts';
import { scalar, testSchema } from '../sstable/write-records.fixture.ts';
import { keyspaceStatement, namesOf, tableStatements } from './table-statements.ts';

const schema = {
  ...testSchema({ regulars: [{ name: 'v', type: scalar('text') }] }),
  ...{ keyspace: 'a', table: 't' },
};
const body: TableBody = {
  schema,
  keyspace: { name: 'a', replication: { class: 'SimpleStrategy' }, durableWrites: true },
  ddl: {
    keyspace: '',
    types: ['CREATE TYPE a.pair (\n    b int\n);'],
    functions: [
      'CREATE FUNCTION a.f(b int) CALLED ON NULL INPUT RETURNS int LANGUAGE java AS $$;$$;',
    ],
    table:
      "CREATE TABLE a.t (\n    p int PRIMARY KEY,\n    v text\n) WITH ID = 0e\n    AND memtable = 'default'\n    AND incremental_backups = true;",
    indexes: ['CREATE INDEX i ON a.t (v);'],
    views: ['CREATE MATERIALIZED VIEW a.w AS\n    SELECT *\n    FROM a.t\n PRIMARY KEY (v, p);'],
  },
};
const naming = {
  ...{ keyspace: 'b', table: 'u', version: '5.0.9' },
  renames: [{ from: 'a.w', to: 'b.x' }],
  takenIndexes: new Set<string>(),
};
const flat = (text: string): string => text.replace(/\s+/g, ' ');

test('everything of a table moves into the keyspace and under the names that renames give', () => {
  const { types, functions, table, indexes, views } = tableStatements(body, naming);
  assert.deepEqual(types, [{ name: 'pair', statement: 'CREATE TYPE "b"."pair" (\n    b int\n)' }]);
  assert.match(functions[0] ?? '', /^CREATE FUNCTION "b"\."f"\(b int\) .* AS \$\$;\$\$$/);
  assert.equal(
    flat(table),
    `CREATE TABLE "b"."u" ( p int PRIMARY KEY, v text ) WITH memtable = 'default' AND incremental_backups = true`,
  );
  assert.deepEqual(indexes, [{ name: 'i', statement: 'CREATE INDEX i ON "b"."u" (v)' }]);
  const [view] = views;
  assert.equal(view?.name, 'x');
  assert.equal(
    flat(view?.statement ?? ''),
    'CREATE MATERIALIZED VIEW "b"."x" AS SELECT * FROM "b"."u" PRIMARY KEY (v, p)',
  );
});

test('older versions get no options that they refuse', () => {
  const of = (version: string): string => flat(tableStatements(body, { ...naming, version }).table);
  assert.match(of('4.1.10'), /v text \) WITH memtable = 'default'$/);
  assert.match(of('4.0.19'), /v text \)$/);
});

test('an index whose name another table has gets one of its own', () => {
  const { indexes } = tableStatements(body, { ...naming, takenIndexes: new Set(['i']) });
  assert.deepEqual(indexes, [{ name: 'u_i', statement: 'CREATE INDEX "u_i" ON "b"."u" (v)' }]);
});

test('names and keyspaces are written as Cassandra reads them', () => {
  assert.deepEqual(namesOf('Ks.t'), { keyspace: 'Ks', table: 't' });
  assert.equal(
    keyspaceStatement('Ks', { class: 'SimpleStrategy', replication_factor: '2' }, false),
    `CREATE KEYSPACE IF NOT EXISTS "Ks" WITH replication = {'class': 'SimpleStrategy', 'replication_factor': '2'} AND durable_writes = false`,
  );
});

test('a type with the name of a renamed table keeps its own, and long names of taken indexes stay apart', () => {
  const table = 'a_name_of_a_table_that_has_forty_five_letters';
  const ddl = {
    ...body.ddl,
    types: ['CREATE TYPE a.t (b int);'],
    indexes: ['CREATE INDEX first ON a.t (v);', 'CREATE INDEX first_too ON a.t (v);'],
  };
  const takenIndexes = new Set(['first', 'first_too']);
  const { types, indexes } = tableStatements({ ...body, ddl }, { ...naming, table, takenIndexes });
  assert.deepEqual(types, [{ name: 't', statement: 'CREATE TYPE "b"."t" (b int)' }]);
  assert.equal(new Set(indexes.map(({ name }) => name)).size, 2);
  for (const { name, statement } of indexes) {
    assert.ok(name.length <= 48);
    assert.ok(statement.includes(name));
  }
});

test('columns of a type and masks of a function that are called as a renamed table keep their names', () => {
  const table =
    'CREATE TABLE a.t (\n    p int PRIMARY KEY,\n    v frozen<a.t> MASKED WITH a.t(5),\n    w frozen<t>\n) WITH ID = 0e;';
  const regulars = ['v', 'w'].map((name) => ({ name, type: scalar('text') }));
  const odd = { ...body, schema: { ...schema, regulars }, ddl: { ...body.ddl, table } };
  const columns = 'p int PRIMARY KEY, v frozen<"b"."t"> MASKED WITH "b"."t"(5), w frozen<t>';
  const wanted = `CREATE TABLE "b"."u" ( ${columns} )`;
  assert.equal(flat(tableStatements(odd, naming).table), wanted);
});
