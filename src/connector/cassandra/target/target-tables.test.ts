// Keyspaces where statements are tried go from the target however a restore ends.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodrError } from '../../../base/error.ts';
import { systemClock } from '../../../node/system-clock.ts';
import type { TargetOptions } from '../../restore-target.ts';
import { entryOf } from '../catalog/catalog-fold.ts';
import type { CqlSession, QueryOptions } from '../session/cql.ts';
import type { Ring } from '../session/ring.ts';
import { scalar, testSchema } from '../sstable/write-records.fixture.ts';
import { TargetTables } from './target-tables.ts';

const { signal } = new AbortController();
const replication = { class: 'SimpleStrategy', replication_factor: '1' };
const place = { hostId: 'h', address: 'n', nativeAddress: 'n', datacenter: 'd', rack: 'r' };
const ring = {
  ...{ clusterName: 'c', partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner' },
  ...{ version: '5.0.9', up: ['h'], schemaVersions: ['v'], nodes: [{ ...place, tokens: ['0'] }] },
} as Ring;
const owner = { id: 'one', name: 'process 1', isAlive: async () => 'alive' as const };
const options: TargetOptions = {
  ...{ operation: 'op', moment: '1', renames: [{ from: 'a.*', to: 'b.*' }], defined: [], owner },
  ...{ scope: { include: ['a.*'], exclude: [] }, drop: false, ttl: 'keep', usersAndRoles: false },
};
const itemWith = (views: readonly string[]) => ({
  namespace: 'b.t',
  entry: entryOf({
    schema: {
      ...testSchema({ regulars: [{ name: 'v', type: scalar('text') }] }),
      ...{ keyspace: 'a', table: 't' },
    },
    keyspace: { name: 'a', replication, durableWrites: true },
    ddl: {
      ...{ keyspace: '', types: [], functions: [], indexes: [], views },
      table: 'CREATE TABLE a.t (p int PRIMARY KEY, v text);',
    },
  }),
});
const item = itemWith([]);

/** A node that knows keyspaces by their names and the steps of a marker; `refuses`: statements. */
class FakeTarget {
  readonly keyspaces = new Set<string>();
  readonly steps = new Map<string, string>();
  refuses = /^$/;
  /** What ran in keyspace `b`. */
  readonly ran: string[] = [];
  /** Its table `t` is there, with this view. */
  view: string | undefined;

  async rows(query: string, { params = [], signal: one }: QueryOptions) {
    one.throwIfAborted();
    const [first, second, third] = params.map(String) as [string, string, string];
    if (query.includes('schema_version')) return [{ schema_version: 'v' }];
    if (query.startsWith('SELECT step')) {
      return [...this.steps].map(([step, body]) => ({ step, body }));
    }
    if (query.startsWith('SELECT body')) {
      return this.steps.has(first) ? [{ body: this.steps.get(first) }] : [];
    }
    if (query.startsWith('INSERT')) {
      if (this.steps.has(first)) return [{ '[applied]': false }];
      this.steps.set(first, second);
      return [{ '[applied]': true }];
    }
    if (query.startsWith('UPDATE')) {
      if (this.steps.get(second) !== third) return [{ '[applied]': false }];
      this.steps.set(second, first);
      return [{ '[applied]': true }];
    }
    if (query.includes('FROM system_schema.tables') && this.view !== undefined) {
      return [{ keyspace_name: 'b', table_name: 't', id: 'one' }];
    }
    if (query.includes('FROM system_schema.views') && this.view !== undefined) {
      return [{ keyspace_name: 'b', view_name: this.view, base_table_name: 't', id: 'two' }];
    }
    if (!query.includes('FROM system_schema.keyspaces') || params.length > 0) return [];
    return [...this.keyspaces].map((keyspace_name) => {
      return { keyspace_name, replication, durable_writes: true };
    });
  }

  async run(statement: string, { params, signal: one }: QueryOptions): Promise<void> {
    one.throwIfAborted();
    if (statement.startsWith('DELETE')) this.steps.delete(String(params?.[0]));
    if (/"b"/.test(statement)) this.ran.push(statement);
    if (this.refuses.test(statement)) throw new CodrError('target-unfit', 'it is refused');
    const [, what, name = ''] =
      /^(CREATE|DROP) KEYSPACE (?:IF (?:NOT )?EXISTS )?"?(\w+)/.exec(statement) ?? [];
    if (what === 'CREATE') this.keyspaces.add(name);
    if (what === 'DROP') this.keyspaces.delete(name);
  }

  hosts() {
    return [{ address: 'n', port: 9042, isUp: true, datacenter: 'd' }];
  }
}

async function begun(target: FakeTarget): Promise<TargetTables> {
  const cql = target as unknown as CqlSession;
  const tables = new TargetTables(cql, ring, { clock: systemClock });
  await tables.plan([item], options, signal);
  await tables.begin(signal);
  return tables;
}

test('a restore that is stopped after its statements were tried leaves no keyspace of theirs', async () => {
  const target = new FakeTarget();
  const tables = await begun(target);
  assert.deepEqual([...target.keyspaces], ['codr_restore', 'codr_try_op_0']);
  await tables.release(signal);
  assert.deepEqual([...target.keyspaces], ['codr_restore']);
  assert.equal(target.steps.get('owner'), '');
});

test('a restore that another process has taken over leaves that one its keyspaces', async () => {
  const target = new FakeTarget();
  const tables = await begun(target);
  target.steps.set('owner', '{"id":"two","name":"process 2"}');
  await tables.release(signal);
  assert.ok(target.keyspaces.has('codr_try_op_0'));
  assert.match(target.steps.get('owner') ?? '', /process 2/);
});

test('a refused statement is what is told, and nothing of it stays, at the latest when the target is left', async () => {
  const target = new FakeTarget();
  target.refuses = /^CREATE TABLE.*"?codr_try/;
  await assert.rejects(begun(target), {
    message: /it is refused; the statement was: CREATE TABLE/,
  });
  assert.deepEqual([...target.keyspaces], []);
  target.steps.clear();
  target.refuses = /^CREATE TABLE.*"?codr_try|^DROP KEYSPACE/;
  const tables = new TargetTables(target as unknown as CqlSession, ring, { clock: systemClock });
  await tables.plan([item], options, signal);
  await assert.rejects(tables.begin(signal), { message: /the statement was: CREATE TABLE/ });
  assert.ok(target.keyspaces.has('codr_try_op_0'));
  target.refuses = /^$/;
  await tables.release(signal);
  assert.deepEqual([...target.keyspaces], ['codr_restore']);
});

test('a marker stays where something of an earlier run is noted, and where the run was only stopped', async () => {
  const refuses = /^CREATE TABLE.*"?codr_try/;
  for (const cause of ['noted', 'stopped']) {
    const target = new FakeTarget();
    const stop = new AbortController();
    const tables = new TargetTables(target as unknown as CqlSession, ring, { clock: systemClock });
    if (cause === 'noted') {
      target.keyspaces.add('b');
      target.view = 'w';
      target.steps.set('making b.t', '{"tableIds":["one"]}');
    }
    await tables.plan([item], options, signal);
    target.refuses = refuses;
    const run = target.run.bind(target);
    target.run = async (statement, more) => {
      if (cause === 'stopped' && refuses.test(statement)) stop.abort(new Error('stopped'));
      await run(statement, more);
    };
    await assert.rejects(tables.begin(stop.signal));
    assert.ok(target.keyspaces.has('codr_restore'), cause);
  }
});

test('a table that an earlier run was filling is emptied without its own views, and never dropped', async () => {
  const own =
    'CREATE MATERIALIZED VIEW a.w AS SELECT * FROM a.t WHERE p IS NOT NULL PRIMARY KEY (p)';
  const filling = itemWith([own]);
  for (const view of ['w', 'other']) {
    const target = new FakeTarget();
    target.keyspaces.add('b');
    target.view = view;
    target.steps.set('making b.t', '{"tableIds":["one"],"filled":"one"}');
    target.steps.set('taken one h', '2');
    const cql = target as unknown as CqlSession;
    const tables = new TargetTables(cql, ring, { clock: systemClock });
    const { plan } = await tables.plan([filling], options, signal);
    assert.deepEqual(plan.conflicts, []);
    await tables.begin(signal);
    const creating = tables.create(filling, signal);
    if (view === 'other') {
      await assert.rejects(creating, { code: 'target-unfit', object: 'b.other' });
      assert.deepEqual(target.ran, []);
    } else {
      await creating;
      assert.deepEqual(target.ran, [
        'DROP MATERIALIZED VIEW IF EXISTS "b"."w"',
        'TRUNCATE "b"."t"',
      ]);
    }
    await tables.release(signal);
  }
});
