// Statements as DESCRIBE … WITH INTERNALS writes them, made fit for another place.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  createdName,
  liveTable,
  namedIndex,
  replaced,
  statementsOf,
  viewMeaning,
  withoutOptions,
} from './ddl-text.ts';

const place = (name: string) => ({ keyspace: 'New', name: name === 't' ? 't2' : name });

test('only qualified names of the keyspace are replaced, never what strings and bodies hold', () => {
  const statement = `CREATE MATERIALIZED VIEW ks.v AS SELECT ks, t FROM ks.t WHERE ks IS NOT NULL WITH comment = 'ks.t and ''ks.v'''`;
  assert.equal(
    replaced(statement, 'ks', place),
    `CREATE MATERIALIZED VIEW "New"."v" AS SELECT ks, t FROM "New"."t2" WHERE ks IS NOT NULL WITH comment = 'ks.t and ''ks.v'''`,
  );
  const body = 'CREATE FUNCTION ks.f(a int) RETURNS int LANGUAGE java AS $$return ks.t;$$';
  assert.equal(
    replaced(body, 'ks', place),
    'CREATE FUNCTION "New"."f"(a int) RETURNS int LANGUAGE java AS $$return ks.t;$$',
  );
  assert.equal(replaced('SELECT a FROM "Ks"."t"', 'Ks', place), 'SELECT a FROM "New"."t2"');
  assert.equal(replaced('SELECT a FROM "Ks"."t"', 'ks', place), 'SELECT a FROM "Ks"."t"');
  assert.equal(replaced('SELECT a FROM KS.T', 'ks', place), 'SELECT a FROM "New"."t2"');
});

test('a table comes back with its live columns alone, without id and refused options', () => {
  const text = `CREATE TABLE ks.t (
    p int,
    "primary" text,
    c frozen<map<text, int>>,
    masked text MASKED WITH system.mask_inner(1, null),
    gone int,
    again int,
    PRIMARY KEY (p, c)
) WITH ID = 5a1c395e-b41f-11e5-9f22-ba0be0483c18
    AND CLUSTERING ORDER BY (c DESC)
    AND allow_auto_snapshot = true
    AND comment = 'x; AND memtable = y'
    AND compaction = {'class': 'a, b', 'max': '1'};
ALTER TABLE ks.t DROP gone USING TIMESTAMP 5;
ALTER TABLE ks.t DROP again USING TIMESTAMP 6;
ALTER TABLE ks.t ADD again text static;`;
  const live = liveTable(
    text,
    new Set(['p', 'primary', 'c', 'masked', 'again']),
    new Set(['allow_auto_snapshot', 'memtable']),
  );
  assert.equal(
    live.replace(/\s+/g, ' '),
    `CREATE TABLE ks.t ( again text static, p int, "primary" text, c frozen<map<text, int>>, masked text MASKED WITH system.mask_inner(1, null), PRIMARY KEY (p, c) ) WITH CLUSTERING ORDER BY (c DESC) AND comment = 'x; AND memtable = y' AND compaction = {'class': 'a, b', 'max': '1'}`,
  );
});

test('options of a view go without its id, and a statement without options stays', () => {
  const refused = new Set(['memtable']);
  assert.equal(
    withoutOptions(
      "CREATE MATERIALIZED VIEW k.v AS SELECT * FROM k.t PRIMARY KEY (a) WITH ID = 0e-1 AND memtable = 'default'",
      refused,
    ),
    'CREATE MATERIALIZED VIEW k.v AS SELECT * FROM k.t PRIMARY KEY (a)',
  );
  const comparing = 'CREATE MATERIALIZED VIEW k.v AS SELECT * FROM k.t WHERE c > 1 PRIMARY KEY (a)';
  assert.equal(withoutOptions(`${comparing} WITH ID = 0e-1`, refused), comparing);
  assert.equal(withoutOptions('CREATE TYPE k.a (b int)', refused), 'CREATE TYPE k.a (b int)');
});

test('names of what a statement makes are found and exchanged', () => {
  assert.equal(createdName('CREATE INDEX "By V" ON ks.t (v)'), 'By V');
  assert.equal(createdName('CREATE CUSTOM INDEX IF NOT EXISTS i ON ks.t (v)'), 'i');
  assert.equal(createdName('CREATE MATERIALIZED VIEW ks.mv AS SELECT *'), 'mv');
  assert.equal(createdName('CREATE TYPE ks.addr (a int)'), 'addr');
  assert.equal(
    namedIndex("CREATE CUSTOM INDEX i ON ks.t (v) USING 'I'", 'j'),
    `CREATE CUSTOM INDEX "j" ON ks.t (v) USING 'I'`,
  );
});

test('statements end at semicolons that stand outside of strings and brackets', () => {
  assert.deepEqual(statementsOf("a ';' b;\n-- c;\nd $$;$$;"), ["a ';' b", '-- c;\nd $$;$$']);
});

test('two statements mean one view whatever is quoted, set otherwise or an option, and no other view', () => {
  const text = (rest: string, columns = 'a, "B"') =>
    `CREATE MATERIALIZED VIEW ks.v AS SELECT ${columns} FROM ks.t WHERE a IS NOT NULL ${rest}`;
  const key = 'PRIMARY KEY (a, "B")';
  const wanted = viewMeaning(
    text(`${key} WITH ID = 1-2 AND CLUSTERING ORDER BY ("B" DESC) AND comment = 'x'`),
  );
  const order = `${key} WITH CLUSTERING ORDER BY ("B" DESC)`;
  assert.equal(
    viewMeaning(replaced(`${text(order, '"B",a')};`, 'ks', (name) => ({ keyspace: 'ks', name }))),
    wanted,
  );
  for (const other of [
    key,
    `${key} WITH CLUSTERING ORDER BY ("B" ASC)`,
    order.replaceAll('"B"', 'b'),
  ]) {
    assert.notEqual(viewMeaning(text(other)), wanted, other);
  }
  assert.notEqual(viewMeaning(text(order, 'a')), wanted);
});
