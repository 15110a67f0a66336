import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCodrError } from '../../base/error.ts';
import { silentLogger } from '../../base/log.ts';
import { SeededRandom } from '../../base/random.ts';
import { MemorySpill } from '../../base/spill.ts';
import { changeKinds } from '../../model/change.ts';
import { wholeRange } from '../../model/key-range.ts';
import { connectorConformance } from '../conformance.ts';
import type { ConformanceWorld, WorldWrite } from '../conformance-world.ts';
import type { ChangeBatch, ConnectorContext } from '../connector.ts';
import { MemoryConnector } from './memory-connector.ts';
import { MemoryDatabase, type MemoryDatabaseOptions, MemoryDatabases } from './memory-database.ts';
import type { MemoryTransaction } from './memory-transaction.ts';

const context: ConnectorContext = {
  clock: { now: () => 0, monotonic: () => 0, sleep: async () => {} },
  random: new SeededRandom(1),
  log: silentLogger,
  spill: new MemorySpill(),
  memoryBytesMax: 1 << 20,
};
const forever = new AbortController().signal;

const keyOf = (record: number): Uint8Array => Buffer.from(`record ${record}`);

/** What can be written to: the database itself or a transaction. */
function writeTo(
  to: MemoryDatabase | MemoryTransaction,
  namespace: string,
  writes: readonly WorldWrite[],
) {
  for (const { kind, record, seed } of writes) {
    const key = keyOf(record);
    const bytes = Buffer.from(`content ${seed};`);
    if (kind === 'put') to.put(namespace, key, bytes);
    else if (kind === 'delete') to.delete(namespace, key);
    else if (seed % 2 === 0) to.patch(namespace, key, { bytes });
    else to.patch(namespace, key, { at: seed % 8, removeCount: 1, bytes });
  }
}

async function openWorld(options: Partial<MemoryDatabaseOptions>): Promise<ConformanceWorld> {
  const databases = new MemoryDatabases();
  const source = databases.add(new MemoryDatabase({ name: 'source', ...options }));
  const target = databases.add(new MemoryDatabase({ name: 'target' }));
  const valuesAt = (database: MemoryDatabase, namespace: string, at: bigint) => {
    const there = database.definitionsAt(at).find((each) => each.namespace === namespace);
    return there && database.stateAt(there.dataset, at).map(({ value }) => value);
  };
  return {
    connector: new MemoryConnector(databases),
    context,
    source: { kind: 'memory', uri: 'memory:source' },
    target: { kind: 'memory', uri: 'memory:target' },
    create: async (namespace) => void source.create(namespace),
    rename: async (from, to) => source.rename(from, to, { dropTarget: true }),
    drop: async (namespace) => source.drop(namespace),
    write: async (namespace, writes) => writeTo(source, namespace, writes),
    async begin() {
      const transaction = source.begin();
      return {
        write: async (namespace, writes) => writeTo(transaction, namespace, writes),
        commit: async () => transaction.commit(),
        abort: async () => transaction.abort(),
      };
    },
    stateAt: async (namespace, at) => valuesAt(source, namespace, at),
    targetState: async (namespace) => valuesAt(target, namespace, target.now),
    async truncateLog() {
      source.truncateLogs(source.noop());
      return true;
    },
    async [Symbol.asyncDispose]() {},
  };
}

connectorConformance('memory with one stream', () => openWorld({}));
connectorConformance('memory with three streams', () => openWorld({ streamCount: 3 }));

/** A database with one dataset `t.a`, a connector and a session. */
async function opened(options: Partial<MemoryDatabaseOptions> = {}) {
  const databases = new MemoryDatabases();
  const database = databases.add(new MemoryDatabase({ name: 'm', ...options }));
  const dataset = database.create('t.a');
  database.advanceMajority();
  const connector = new MemoryConnector(databases);
  const session = await connector.connect({ kind: 'memory', uri: 'memory:m' }, context);
  const survey = await session.survey(forever);
  /** One batch after `from`. */
  const follow = async (at: number, from = [...survey.before.values()][at]) => {
    const stream = session.identity.streams[at];
    assert.ok(stream && from);
    for await (const batch of session.follow(stream, { resume: from, through: from }, forever)) {
      return batch;
    }
    throw new Error('no batch');
  };
  return { database, dataset, connector, session, survey, follow };
}

const timesOf = (batch: ChangeBatch) => batch.changes.map(({ time }) => time);

test('a prepared transaction holds settled times back until it is decided', async () => {
  const { database, follow } = await opened({ streamCount: 2 });
  const transaction = database.begin();
  for (const record of [1, 2, 3]) transaction.put('t.a', keyOf(record), keyOf(record));
  transaction.prepare();
  const before = await follow(0);
  assert.ok(before.settled < before.through.time);
  assert.ok(database.settled < (transaction.preparedAt as bigint));
  transaction.commit();
  const after = [await follow(0), await follow(1)];
  assert.equal(after[0]?.settled, after[0]?.through.time);
  const times = new Set(after.flatMap(timesOf));
  assert.equal(times.size, 1, 'one time in both streams');
  assert.ok([...times].every((time) => time < (after[0] as ChangeBatch).through.time));
});

test('what no majority had is never followed, and a step-down undoes it', async () => {
  const { database, dataset, follow } = await opened({ majority: 'manual' });
  database.put('t.a', keyOf(1), keyOf(1));
  database.advanceMajority();
  database.put('t.a', keyOf(1), keyOf(2));
  database.create('t.lost');
  assert.equal((await follow(0)).changes.length, 1);
  database.stepDown();
  database.advanceMajority();
  const batch = await follow(0);
  assert.equal(batch.changes.length, 1);
  assert.equal(batch.through.term, 2n);
  assert.deepEqual(database.get(dataset, keyOf(1)), keyOf(1));
  assert.equal(database.definition('t.lost'), undefined);
});

test('a commit that was rolled back aborts its transaction', async () => {
  const { database, dataset, follow } = await opened({ majority: 'manual' });
  const transaction = database.begin();
  transaction.put('t.a', keyOf(1), keyOf(1));
  database.advanceMajority();
  transaction.commit();
  database.stepDown();
  database.advanceMajority();
  const batch = await follow(0);
  assert.deepEqual([batch.changes.length, batch.resume], [0, batch.through]);
  assert.equal(database.get(dataset, keyOf(1)), undefined);
});

test('a segment whose snapshot is forgotten in the middle fails with snapshot-too-old', async () => {
  const { database, session, survey } = await opened();
  for (let record = 0; record < 120; record++) database.put('t.a', keyOf(record), keyOf(record));
  const entry = survey.datasets[0]?.entry;
  assert.ok(entry);
  const segment = await session.readSegment(entry, wholeRange, forever);
  assert.ok(segment);
  const batches = segment.batches[Symbol.asyncIterator]();
  assert.equal((await batches.next()).value?.length, 50);
  database.noop();
  database.forgetHistory();
  await assert.rejects(batches.next(), (error) => isCodrError(error, 'snapshot-too-old'));
});

test('a clear removes what is older and nothing newer', async () => {
  const { database, dataset, connector, survey, follow } = await opened();
  database.put('t.a', keyOf(1), keyOf(1));
  database.clear('t.a');
  database.put('t.a', keyOf(2), keyOf(2));
  const { changes } = await follow(0);
  const isClear = ({ kind }: { kind: number }) => kind === changeKinds.clear;
  const records = [];
  const at = database.now;
  for await (const batch of connector.foldRange({
    range: wholeRange,
    base: (async function* () {})(),
    baseAfter: [],
    exactFrom: survey.exactFrom,
    changes: (async function* () {
      yield changes.filter((change) => !isClear(change));
    })(),
    clears: changes.filter(isClear),
    at,
  })) {
    records.push(...batch);
  }
  assert.deepEqual(
    records.map(({ value }) => Buffer.from(value).toString()),
    ['record 2'],
  );
  assert.equal(database.stateAt(dataset, at).length, 1);
});

test('a change that does not fit is an error after the exact time and passed over before it', async () => {
  const { database, connector, follow } = await opened();
  database.put('t.a', keyOf(1), keyOf(1));
  database.patch('t.a', keyOf(1), { bytes: keyOf(2) });
  const { changes } = await follow(0);
  const foldWithout = async (exactFrom: bigint): Promise<number> => {
    let count = 0;
    for await (const batch of connector.foldRange({
      range: wholeRange,
      base: (async function* () {})(),
      baseAfter: [],
      exactFrom,
      changes: (async function* () {
        yield changes.slice(1);
      })(),
      clears: [],
      at: database.now,
    })) {
      count += batch.length;
    }
    return count;
  };
  await assert.rejects(foldWithout(0n), (error) => isCodrError(error, 'object-damaged'));
  assert.equal(await foldWithout(database.now), 0);
});

test('an entry that the connector does not know is given as unknown, with its dataset', async () => {
  const { database, dataset, follow } = await opened();
  database.frobnicate('t.a');
  const { unknown } = await follow(0);
  assert.deepEqual(
    unknown.map((each) => [each.name, each.dataset]),
    [['frobnicate', dataset]],
  );
});

test('a log that is truncated while it is followed gives a gap', async () => {
  const { database, session, survey } = await opened();
  const [[stream, from] = []] = [...survey.before];
  assert.ok(stream && from);
  const batches = session
    .follow(stream, { resume: from, through: from }, forever)
    [Symbol.asyncIterator]();
  await batches.next();
  for (let i = 0; i < 5; i++) database.noop();
  database.truncateLogs(database.now);
  await assert.rejects(batches.next(), (error) => isCodrError(error, 'gap'));
});

test('faults come by chance and are errors of the source', async () => {
  const { database, session } = await opened();
  database.faults = { random: new SeededRandom(3), oneIn: 2 };
  let failed = 0;
  for (let i = 0; i < 40; i++) {
    await session.survey(forever).catch((error: unknown) => {
      assert.ok(isCodrError(error, 'source-unreachable'));
      failed++;
    });
  }
  assert.ok(failed > 5 && failed < 35, `${failed} of 40`);
});

test('a restore with --drop swaps names at its end and drops what the point lacks', async () => {
  const { database, connector, survey } = await opened();
  database.put('t.a', keyOf(1), keyOf(1));
  database.create('t.extra');
  const entry = survey.datasets[0]?.entry;
  assert.ok(entry);
  const target = await connector.openTarget({ kind: 'memory', uri: 'memory:m' });
  const items = [{ entry, namespace: 't.a' }];
  const options = {
    moment: 'then',
    renames: [],
    defined: [],
    scope: { include: [], exclude: [] },
    ttl: 'keep',
    usersAndRoles: false,
  } as const;
  const plan = await target.plan(items, { ...options, operation: 'op', drop: true }, forever);
  assert.deepEqual(plan.dropped, ['t.a', 't.extra']);
  await target.begin(forever);
  for (const item of items) await target.create(item, forever);
  assert.ok(database.definition('t.extra'), 'nothing is dropped before the end');
  const other = await connector.openTarget({ kind: 'memory', uri: 'memory:m' });
  await assert.rejects(
    other.plan(items, { ...options, operation: 'another', drop: true }, forever),
    (error) => isCodrError(error, 'target-unfit'),
  );
  const finished = { namespace: 't.a', root: 'a1', records: 0, bytes: 0, proven: true };
  const result = { ...finished, changedByTarget: [] };
  for (const item of items) await target.done(item, result, forever);
  const again = await other.plan(items, { ...options, operation: 'op', drop: true }, forever);
  assert.deepEqual(again.finished, [result]);
  await target.finish(items, forever);
  assert.deepEqual(
    database.definitionsAt(database.now).map((each) => each.namespace),
    ['t.a'],
  );
  assert.equal(database.stateAt(database.datasetOf('t.a'), database.now).length, 0);
});

test('times are written as seconds and increment, and a whole second means all of it', async () => {
  const { connector } = await opened();
  const time = connector.parseTime('1763816700:42') as bigint;
  assert.equal(connector.formatTime(time), '1763816700:42');
  assert.equal(connector.wallMs(time), 1_763_816_700_000);
  assert.ok(connector.timeOfWall(1_763_816_700_000) > time);
  assert.ok(connector.timeOfWall(1_763_816_700_001) < time, 'a part of it means nothing of it');
  assert.equal(connector.parseTime('yesterday'), undefined);
});
