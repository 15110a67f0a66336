import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import { SeededRandom } from '../../src/base/random.ts';
import type { Connector } from '../../src/connector/connector.ts';
import { MemoryConnector } from '../../src/connector/memory/memory-connector.ts';
import { MemoryDatabase, MemoryDatabases } from '../../src/connector/memory/memory-database.ts';
import { restorableIntervals } from '../../src/engine/history/source-history.ts';
import { resolvePoint } from '../../src/engine/read/point.ts';
import { restore } from '../../src/engine/restore/restore.ts';
import type { SourceContext } from '../../src/engine/source-context.ts';
import { SourcePace } from '../../src/engine/source-pace.ts';
import { type VerifyOutcome, verify } from '../../src/engine/verify/verify.ts';
import { rangesBetween } from '../../src/model/key-range.ts';
import { everything } from '../../src/model/namespace.ts';
import type { SourceTime } from '../../src/model/time.ts';
import { createRepository } from '../../src/repository/keys/repository-config.ts';
import { cutParameterSet } from '../../src/repository/tree/cut-parameters.ts';
import { MemoryObjectStore } from '../../src/storage/memory/memory-object-store.ts';
import { ManualClock } from '../harness/manual-clock.ts';
import { withRememberedKeys } from './remembered-keys.ts';
import { type SharedWorld, SimulatedProcess } from './simulated-process.ts';

const clock = new ManualClock();
const databases = new MemoryDatabases();
const source = databases.add(new MemoryDatabase({ name: 'source' }));
const copy = databases.add(new MemoryDatabase({ name: 'copy' }));
/** What sessions were asked for, and what they say of their load. */
const seen = { reads: 0, targets: 0, pressure: undefined as string | undefined };
const records = 400;
const recordBytes = 100;
const [tables, tableRecords] = [5, 700];
let shared: SharedWorld;

const keyOf = (i: number): Buffer => Buffer.from(`k${String(i).padStart(4, '0')}`);

function fill(database: MemoryDatabase): void {
  const random = new SeededRandom(3);
  for (const name of ['a.large', 'a.small', 'a.empty']) database.create(name);
  for (let i = 0; i < records; i++) database.put('a.large', keyOf(i), random.bytes(recordBytes));
  database.put('a.small', keyOf(1), Buffer.from('one'));
  // Too large to be restored by who runs the restore, beside other small ones.
  for (let n = 0; n < tables; n++) {
    const name = `b.${n}`;
    database.create(name);
    for (let i = 0; i < tableRecords; i++) database.put(name, keyOf(i), random.bytes(recordBytes));
  }
}

/** Sessions read in four ranges, and are counted. */
function watched(connector: Connector): Connector {
  const own: Connector = Object.create(connector);
  own.openTarget = async (...args) => {
    seen.targets++;
    return await connector.openTarget(...args);
  };
  own.connect = async (...args) => {
    const session = await connector.connect(...args);
    const readAt = session.readAt.bind(session);
    session.plan = async () => rangesBetween([100, 200, 300].map(keyOf));
    session.readAt = async (...asked) => {
      seen.reads++;
      return await readAt(...asked);
    };
    session.pressure = async () => seen.pressure;
    return session;
  };
  return own;
}

before(async () => {
  const store = new MemoryObjectStore(clock);
  const random = new SeededRandom(1);
  const created = await createRepository(store, undefined, { random, cut: cutParameterSet });
  const opened = withRememberedKeys(created);
  fill(source);
  fill(copy);
  shared = {
    ...{ seed: 1, clock, store, opened, scope: everything, retries: false, peers: 2 },
    connector: watched(new MemoryConnector(databases)),
    config: { kind: 'memory', uri: 'memory:source' },
    limits: {
      ...{ workers: 2, segmentBytes: 1 << 20, tickBytesMax: 1 << 20, memoryBytesMax: 1 << 26 },
    },
    packBytesTarget: 1 << 20,
    alive: new Set(),
  };
  const process = await SimulatedProcess.start(1, shared);
  process.backup({ follow: false, rpoMs: 1000 });
  while (!process.ending) await clock.step();
  assert.equal(process.ending.kind, 'done');
});

/** Of the newest moment; `more` of the source as it is known here. */
async function compare(
  against: string | undefined,
  more: Partial<SourceContext> = {},
): Promise<VerifyOutcome> {
  return await run(async (context, at, signal) => {
    const { connector, lineage } = context;
    const scope = { include: ['a.*'], exclude: [] };
    const point = resolvePoint({ state: lineage.state, connector, scope: everything }, at, scope);
    const live = against && { against: { kind: 'memory', uri: `memory:${against}` } };
    const options = { point, scope, readData: true, ...live };
    return await verify({ ...context, ...more }, options, signal);
  });
}

/** With the newest moment, by a process that has two peers. */
async function run<T>(
  work: (context: SourceContext, at: SourceTime, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const process = await SimulatedProcess.start(2, shared);
  let outcome: { readonly value: T } | undefined;
  process.run(async (context, signal) => {
    const at = restorableIntervals(context.lineage.state).at(-1)?.to ?? 0n;
    outcome = { value: await work(context, at, signal) };
    return undefined;
  });
  while (!process.ending) await clock.step();
  if (process.ending.kind === 'failed') throw process.ending.error;
  assert.ok(outcome);
  return outcome.value;
}

const verdicts = ({ datasets }: VerifyOutcome): Record<string, string> =>
  Object.fromEntries(datasets.map((one) => [one.namespace, `${one.verdict} ${one.detail ?? ''}`]));

test('each range is held against the live cluster once, here and on peers of which some are lost', async () => {
  const single = await compare(undefined);
  for (const live of ['source', 'copy']) {
    seen.reads = 0;
    const outcome = await compare(live);
    assert.deepEqual(
      outcome.datasets.map(({ verdict }) => verdict),
      ['equal', 'equal', 'equal'],
    );
    assert.deepEqual(
      outcome.datasets.map(({ root, records: count }) => [root, count]),
      single.datasets.map(({ root, records: count }) => [root, count]),
    );
    assert.ok(seen.reads >= 12 && seen.reads < 24, `${seen.reads} reads of 12 ranges`);
  }
});

test('the first record that differs is named, whatever range it is in', async () => {
  const was = copy.stateAt(copy.definition('a.large')?.dataset as never, copy.settled);
  copy.put('a.large', keyOf(350), Buffer.from('later'));
  copy.put('a.large', keyOf(250), Buffer.from('changed'));
  copy.create('a.more');
  assert.deepEqual(verdicts(await compare('copy')), {
    'a.large': 'different the record k0250 is changed',
    'a.small': 'equal ',
    'a.empty': 'equal ',
    'a.more': 'surplus ',
  });
  for (const { key, value } of was) copy.put('a.large', key, value);
  copy.drop('a.more');
  copy.drop('a.small');
  copy.put('a.empty', keyOf(7), Buffer.from('x'));
  const later = verdicts(await compare('copy'));
  assert.equal(later['a.small'], 'absent ');
  assert.equal(later['a.large'], 'equal ');
  assert.match(later['a.empty'] ?? '', /^different the record k0007 is surplus$/);
});

test('the source is read at no more than its limit, and gives way under pressure; another cluster has no limit', async () => {
  const bytes = records * (recordBytes + 5);
  const limits = { bytesPerSecond: bytes / 200 };
  const took = async (live: string, more: Partial<SourceContext>): Promise<number> => {
    const from = clock.monotonic();
    await compare(live, more);
    return (clock.monotonic() - from) / 1000;
  };
  assert.ok((await took('source', {})) < 100);
  const held = await took('source', { limits });
  assert.ok(held >= 150, `${held} s for what takes 200 s but for the last batches`);
  assert.ok((await took('copy', { limits })) < 100);
  seen.pressure = 'a test says so';
  const pace = new SourcePace({ name: 'source', clock, log: silentLogger });
  await compare('source', { limits, pace });
  assert.ok(pace.share < 1, 'it was asked, and heard');
  assert.match(pace.note ?? '', /a test says so/);
});

test('a restore with a limit is shared, and all peers together keep to it', async () => {
  const bytes = tables * tableRecords * (recordBytes + 5);
  const target = databases.add(new MemoryDatabase({ name: 'target' }));
  const from = clock.monotonic();
  seen.targets = 0;
  const { items } = await run(async (context, at, signal) => {
    const asked = { renames: [], drop: false, ttl: 'keep', usersAndRoles: false } as const;
    const scope = { include: ['b.*'], exclude: [] };
    const to = { kind: 'memory', uri: 'memory:target' };
    const limit = { verify: true, bytesPerSecond: bytes / 200 };
    return await restore(context, { ...asked, ...limit, when: at, scope, to }, signal);
  });
  assert.deepEqual(
    items.map(({ proven, records: count }) => [proven, count]),
    Array.from({ length: tables }, () => [true, tableRecords]),
  );
  assert.ok(target.definition('b.4'));
  assert.ok(seen.targets >= 2, 'another peer has opened the target too');
  const seconds = (clock.monotonic() - from) / 1000;
  assert.ok(seconds >= 300, `${seconds} s for what takes 400 s but for the last batches`);
});
