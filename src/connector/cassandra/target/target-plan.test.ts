// What a plan says of a target that the driver's rows describe: what is left out, and what is in the way.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TargetOptions, TargetPlan } from '../../restore-target.ts';
import { entryOf } from '../catalog/catalog-fold.ts';
import type { TableDdl } from '../schema/table-body.ts';
import type { CqlSession } from '../session/cql.ts';
import type { Ring } from '../session/ring.ts';
import { scalar, testSchema } from '../sstable/write-records.fixture.ts';
import type { MakingRow, RestoreMarker } from './restore-marker.ts';
import { planTarget } from './target-plan.ts';

const { signal } = new AbortController();
const replication = { class: 'SimpleStrategy', replication_factor: '1' };
const ring = {
  ...{
    clusterName: 'c',
    partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner',
    version: '5.0.9',
  },
  ...{ up: ['h'], schemaVersions: ['v'] },
  nodes: [
    {
      ...{ hostId: 'h', address: 'n', nativeAddress: 'n', datacenter: 'd', rack: 'r' },
      tokens: ['0'],
    },
  ],
} as Ring;
const body =
  'CREATE FUNCTION a.f(b int)\n    CALLED ON NULL INPUT\n    RETURNS int\n    LANGUAGE java';
const functions = [
  `${body}\n    AS $$return b + 1;$$;`,
  'CREATE AGGREGATE a.total(int)\n    SFUNC f\n    STYPE int\n    INITCOND 0;',
];

function item(ddl: Partial<TableDdl>, namespace = 'b.t') {
  const schema = {
    ...testSchema({ regulars: [{ name: 'v', type: scalar('text') }] }),
    ...{ keyspace: 'a', table: 't' },
  };
  const entry = entryOf({
    schema,
    keyspace: { name: 'a', replication, durableWrites: true },
    ddl: {
      ...{ keyspace: '', types: [], functions: [], indexes: [], views: [] },
      table: 'CREATE TABLE a.t (p int PRIMARY KEY, v text);',
      ...ddl,
    },
  });
  return { entry, namespace };
}

interface There {
  /** Of all namespaces. */
  readonly drop?: boolean;
  /** Keyspaces with a table `u`. */
  readonly others?: readonly string[];
  /** Of its table `u`, in keyspace `b`. */
  readonly views?: readonly string[];
  /** What an earlier run has noted of the table. */
  readonly making?: MakingRow;
  /** Tables of the point that are left out. */
  readonly spared?: readonly string[];
  /** What the table is to be called. */
  readonly namespace?: string;
  /** Of keyspace `b`: fields of type int. */
  readonly types?: Readonly<Record<string, readonly string[]>>;
}

/** A target whose keyspace `b` has these functions and no table. */
async function plan(
  ...given: [ddl: Partial<TableDdl>, there?: readonly string[], more?: There]
): Promise<TargetPlan> {
  return (await planned(...given)).plan;
}

async function planned(
  ddl: Partial<TableDdl>,
  there: readonly string[] = [],
  {
    drop = false,
    others = [],
    views = [],
    types = {},
    namespace = 'b.t',
    spared = [],
    making,
  }: There = {},
) {
  const rows = async (query: string) => {
    if (query.includes('system_schema.keyspaces')) {
      return ['b', ...others.filter((one) => one !== 'b')].map((keyspace_name) => {
        return { keyspace_name, replication, durable_writes: true };
      });
    }
    if (query.includes('system_schema.tables')) {
      return others.map((keyspace_name) => ({ keyspace_name, table_name: 'u', id: keyspace_name }));
    }
    if (query.includes('system_schema.views')) {
      const upon = { keyspace_name: 'b', base_table_name: 'u' };
      return views.map((view_name) => ({ ...upon, view_name, id: view_name }));
    }
    if (query.includes('system_schema.types')) {
      return Object.entries(types).map(([type_name, field_names]) => {
        const field_types = field_names.map(() => 'int');
        return { keyspace_name: 'b', type_name, field_names, field_types };
      });
    }
    if (!query.startsWith('DESCRIBE KEYSPACE "b"')) return [];
    return there.map((create_statement) => ({
      ...{ type: 'function', name: 'f', create_statement },
    }));
  };
  const marker = { wasMaking: () => making, finished: () => undefined } as unknown as RestoreMarker;
  const options: TargetOptions = {
    ...{ operation: 'op', moment: '1', renames: [{ from: 'a.*', to: 'b.*' }], defined: [] },
    ...{ scope: { include: [drop ? '*' : 'a.*'], exclude: [] }, drop },
    ...{ ttl: 'keep', usersAndRoles: false },
  };
  const cql = { rows } as unknown as CqlSession;
  return await planTarget([item(ddl, namespace)], { cql, ring, marker, options, spared, signal });
}

test('drop takes away what the point lacks, and nothing of restores that go on beside it', async () => {
  const others = ['c', 'codr_restore', 'codr_try_other_0'];
  assert.deepEqual((await plan({}, [], { drop: true, others })).dropped, ['c.u']);
  assert.deepEqual((await plan({}, [], { others })).dropped, []);
  const left = { drop: true, others, spared: ['c.u'] };
  assert.deepEqual((await plan({}, [], left)).dropped, []);
});

test('views go with their tables, and a plan says so', async () => {
  const there = { others: ['b'], views: ['v1', 'v2'] };
  const { dropped } = await plan({}, [], { drop: true, ...there });
  assert.deepEqual(dropped, ['b.u', 'b.v1', 'b.v2']);
  assert.deepEqual((await plan({}, [], there)).dropped, []);
});

test('names that are taken by something else are refused before anything is dropped', async () => {
  const taken = { code: 'target-unfit', object: 'b.t', message: /is a view in the target/ };
  await assert.rejects(plan({}, [], { drop: true, others: ['b'], views: ['t'] }), taken);
  const views = [
    'CREATE MATERIALIZED VIEW a.u AS SELECT * FROM a.t WHERE p IS NOT NULL PRIMARY KEY (p)',
  ];
  const table = { code: 'target-unfit', object: 'b.u', message: /is a table in the target/ };
  await assert.rejects(plan({ views }, [], { drop: true, others: ['b'] }), table);
});

test('a type that is there with other fields is refused by the plan, before drop has taken its tables', async () => {
  const types = ['CREATE TYPE a.pair (x int, "y" int);'];
  assert.deepEqual((await plan({ types }, [], { types: { pair: ['x', 'y'] } })).conflicts, []);
  await assert.rejects(plan({ types }, [], { drop: true, types: { pair: ['x', 'y', 'z'] } }), {
    ...{ code: 'target-unfit', object: 'b.pair' },
    message: /is there with other fields/,
  });
});

test("nothing is restored into Cassandra's own keyspaces, nor into those that restores keep their state in", async () => {
  for (const keyspace of ['system_auth', 'codr_restore', 'codr_try_op_0']) {
    const namespace = `${keyspace}.roles`;
    await assert.rejects(plan({}, [], { namespace }), { code: 'usage', object: namespace });
  }
});

test('a table that somebody made is filled again by a run that goes on, and one of an earlier run made anew', async () => {
  // The target's table `u` has its keyspace for an id.
  const made = async (making: MakingRow) => {
    const there = { others: ['b'], namespace: 'b.u', making };
    return (await planned({}, [], there)).tables.get('b.u')?.making;
  };
  assert.equal(await made({ tableIds: ['b'], filled: 'b' }), 'refill');
  assert.equal(await made({ tableIds: ['b'] }), 'replace');
  assert.equal(await made({ tableIds: ['a', 'b'], filled: 'a' }), 'replace');
});

test('triggers are said to be left out, and their table is not', async () => {
  const { skipped } = await plan({ triggers: ['audit'] });
  assert.deepEqual(
    skipped.map(({ namespace }) => namespace),
    ['trigger audit of b.t'],
  );
  assert.match(skipped[0]?.reason ?? '', /CREATE TRIGGER/);
  assert.deepEqual((await plan({})).skipped, []);
});

test('functions that are there and the same are kept, however they are set and quoted', async () => {
  const same = [
    `CREATE FUNCTION "b"."f"("b" int) CALLED ON NULL INPUT RETURNS int LANGUAGE java AS 'return b + 1;'`,
    'create aggregate b.total(int) sfunc f stype int initcond 0',
    'CREATE FUNCTION b.f(b text) RETURNS NULL ON NULL INPUT RETURNS int LANGUAGE java AS $$return 0;$$;',
  ];
  assert.deepEqual((await plan({ functions }, same)).conflicts, []);
});

test('a function or an aggregate of the same name and arguments that does something else is refused', async () => {
  const bodies = [
    `${body.replace('a.f', 'b.f')} AS $$return b + 2;$$;`,
    'CREATE AGGREGATE b.total(int) SFUNC f STYPE int INITCOND 7;',
  ];
  for (const [i, name] of ['b.f(int)', 'b.total(int)'].entries()) {
    await assert.rejects(plan({ functions }, bodies.slice(i, i + 1)), {
      code: 'target-unfit',
      object: name,
      message: /does something else/,
    });
  }
});
