// Single stories of the engine on memory twins: what chance would tell too seldom.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodrError, isCodrError } from '../../src/base/error.ts';
import { SeededRandom } from '../../src/base/random.ts';
import type { SourceConfig, SourceSession } from '../../src/connector/connector.ts';
import { MemoryConnector } from '../../src/connector/memory/memory-connector.ts';
import { MemoryDatabase, MemoryDatabases } from '../../src/connector/memory/memory-database.ts';
import type { RestoreTarget } from '../../src/connector/restore-target.ts';
import { type RestoreOutcome, restore } from '../../src/engine/restore/restore.ts';
import { everything, type Scope } from '../../src/model/namespace.ts';
import type { RecordBatch } from '../../src/model/record.ts';
import type { SourceTime } from '../../src/model/time.ts';
import { createRepository } from '../../src/repository/keys/repository-config.ts';
import { cutParameterSet } from '../../src/repository/tree/cut-parameters.ts';
import { MemoryObjectStore } from '../../src/storage/memory/memory-object-store.ts';
import { ManualClock } from '../harness/manual-clock.ts';
import { withRememberedKeys } from './remembered-keys.ts';
import { type SharedWorld, SimulatedProcess } from './simulated-process.ts';

/** Most records that a snapshot lives for, and whether the target forgets a record. */
class FrailConnector extends MemoryConnector {
  recordsMax = Number.POSITIVE_INFINITY;
  forgetful = false;
  /** No segment may be read. */
  refusing = false;
  segments = 0;

  override async connect(...args: Parameters<MemoryConnector['connect']>): Promise<SourceSession> {
    const session = await super.connect(...args);
    const read = session.readSegment.bind(session);
    session.readSegment = async (...segment) => {
      if (this.refusing) throw new CodrError('source-rights', 'made by a test');
      const reader = await read(...segment);
      this.segments++;
      return reader && { ...reader, batches: this.#frail(reader.batches) };
    };
    return session;
  }

  override async openTarget(config: SourceConfig): Promise<RestoreTarget> {
    const target = await super.openTarget(config);
    if (!this.forgetful) return target;
    const readBack = target.readBack.bind(target);
    target.readBack = async function* (...range) {
      for await (const batch of readBack(...range)) yield batch.slice(1);
    };
    return target;
  }

  async *#frail(batches: AsyncIterable<RecordBatch>): AsyncGenerator<RecordBatch> {
    let count = 0;
    for await (const batch of batches) {
      count += batch.length;
      if (count > this.recordsMax) throw new CodrError('snapshot-too-old', 'made by a test');
      yield batch;
    }
  }
}

async function openWorld() {
  const clock = new ManualClock();
  const store = new MemoryObjectStore(clock);
  const random = new SeededRandom(1);
  const created = await createRepository(store, undefined, { random, cut: cutParameterSet });
  const opened = withRememberedKeys(created);
  const databases = new MemoryDatabases();
  const database = databases.add(new MemoryDatabase({ name: 'source' }));
  const target = databases.add(new MemoryDatabase({ name: 'target' }));
  const connector = new FrailConnector(databases);
  const shared: SharedWorld = {
    seed: 1,
    clock,
    store,
    opened,
    connector,
    config: { kind: 'memory', uri: 'memory:source' },
    scope: everything,
    limits: { workers: 2, segmentBytes: 1 << 20, tickBytesMax: 1 << 20, memoryBytesMax: 1 << 20 },
    packBytesTarget: 10_000,
    retries: false,
    peers: 0,
    alive: new Set(),
  };
  const fill = (namespace: string, count: number): void => {
    database.create(namespace);
    for (let i = 0; i < count; i++) {
      const key = Buffer.from(`k${String(i).padStart(4, '0')}`);
      database.put(namespace, key, Buffer.from(`value ${i}`));
    }
  };
  let pid = 0;
  const backup = async (): Promise<void> => {
    const process = await SimulatedProcess.start(++pid, shared);
    process.backup({ follow: false, rpoMs: 1000 });
    for (let i = 0; !process.ending; i++) {
      assert.ok(i < 1000, 'a backup ends');
      await clock.step();
    }
    if (process.ending.kind === 'failed') throw process.ending.error;
  };
  const restoreAt = async (when: string, scope: Scope): Promise<RestoreOutcome> => {
    const context = await (await SimulatedProcess.start(++pid, shared)).openSource();
    const options = {
      to: { kind: 'memory', uri: 'memory:target' },
      when: when === 'latest' ? when : (connector.parseTime(when) ?? 0n),
      scope,
      renames: [],
      drop: false,
      ttl: 'keep',
      usersAndRoles: false,
      verify: true,
    } as const;
    return await restore(context, options, new AbortController().signal);
  };
  const restoreLatest = (scope: Scope = everything): Promise<RestoreOutcome> =>
    restoreAt('latest', scope);
  return { database, target, connector, fill, backup, restoreAt, restoreLatest };
}

test('a dataset whose snapshot grows too old is cut smaller until its pieces fit', async () => {
  const { connector, fill, backup, restoreLatest, database, target } = await openWorld();
  fill('a.big', 400);
  connector.recordsMax = 60;
  await backup();
  assert.ok(connector.segments > 8, `${connector.segments} segments`);
  connector.recordsMax = Number.POSITIVE_INFINITY;
  await restoreLatest();
  assert.deepEqual(
    target.stateAt(target.datasetOf('a.big'), target.now),
    database.stateAt(database.datasetOf('a.big'), database.now),
  );
});

test('a restore whose proof fails is an error and leaves no name behind', async () => {
  const { connector, fill, backup, restoreLatest, target } = await openWorld();
  fill('a.one', 20);
  await backup();
  connector.forgetful = true;
  await assert.rejects(restoreLatest(), (error) => isCodrError(error, 'proof-failed'));
  assert.equal(target.definition('a.one'), undefined);
});

test('a target that holds a name already is refused and not touched', async () => {
  const { fill, backup, restoreLatest, target } = await openWorld();
  fill('a.one', 3);
  await backup();
  target.create('a.one');
  const before = target.now;
  await assert.rejects(restoreLatest(), (error) => isCodrError(error, 'target-not-empty'));
  assert.equal(target.now, before);
});

test('transactions that a partial restore cuts in two are counted, whole ones are not', async () => {
  const { fill, backup, restoreLatest, database, target } = await openWorld();
  fill('a.one', 3);
  fill('b.one', 3);
  await backup();
  for (const namespaces of [['a.one', 'b.one'], ['a.one', 'b.one'], ['a.one']]) {
    const transaction = database.begin();
    for (const name of namespaces) transaction.put(name, Buffer.from('k'), Buffer.from('v'));
    transaction.commit();
  }
  await backup();
  const outcome = await restoreLatest({ include: ['a.*'], exclude: [] });
  assert.equal(outcome.tornTransactions, 2);
  database.drop('b.one');
  fill('b.two', 1);
  await backup();
  target.drop('a.one');
  const later = await restoreLatest({ include: ['a.*'], exclude: [] });
  assert.equal(later.tornTransactions, 0, 'what is gone by then cuts nothing');
});

test('an unknown entry closes the interval, and a version that knows it opens it again', async () => {
  const { fill, backup, restoreAt, connector, database, target } = await openWorld();
  fill('a.one', 3);
  fill('a.two', 3);
  await backup();
  database.frobnicate('a.one', [{ key: Buffer.from('k0001'), value: Buffer.from('by it') }]);
  const named = database.now;
  await backup();
  database.frobnicate();
  const whole = database.now;
  database.put('a.two', Buffer.from('k0002'), Buffer.from('later'));
  await backup();
  const restore = async (at: SourceTime): Promise<void> => {
    await restoreAt(connector.formatTime(at), everything);
    for (const name of ['a.one', 'a.two']) {
      const restored = target.stateAt(target.datasetOf(name), target.now);
      assert.deepEqual(restored, database.stateAt(database.datasetOf(name), at));
      target.drop(name);
    }
  };
  const isRefused = (error: unknown): boolean => isCodrError(error, 'time-not-restorable');
  await restore(named - 1n);
  await assert.rejects(restore(named), isRefused);
  await assert.rejects(restore(whole), isRefused);
  await backup();
  await assert.rejects(restore(named), isRefused);
  connector.knowing = true;
  await backup();
  for (const at of [named - 1n, named, whole - 1n, whole, whole + 1n]) await restore(at);
});

test('a new base copy that an unknown entry wanted is not made once the entry is known', async () => {
  const { fill, backup, restoreAt, connector, database, target } = await openWorld();
  fill('a.one', 3);
  await backup();
  database.frobnicate('a.one', [{ key: Buffer.from('k0001'), value: Buffer.from('by it') }]);
  const at = database.now;
  connector.refusing = true;
  await assert.rejects(backup(), (error) => isCodrError(error, 'source-rights'));
  connector.knowing = true;
  await backup();
  await restoreAt(connector.formatTime(at), everything);
  assert.deepEqual(
    target.stateAt(target.datasetOf('a.one'), target.now),
    database.stateAt(database.datasetOf('a.one'), at),
  );
});
