// The measure of merging: after 20,000 small ticks a restore does the work of one from a single merged run
// that holds the same changes, and no more runs are open than the policy allows. Work is counted (calls and
// bytes of the store); the times are printed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex } from '../../src/base/bytes.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { MemoryConnector } from '../../src/connector/memory/memory-connector.ts';
import { MemoryDatabase, MemoryDatabases } from '../../src/connector/memory/memory-database.ts';
import { Follower } from '../../src/engine/capture/follower.ts';
import { mergeDueRuns, mergeNeighbours } from '../../src/engine/capture/merge.ts';
import { openRuns } from '../../src/engine/capture/run-records.ts';
import { catalogChanges } from '../../src/engine/history/source-history.ts';
import { restore } from '../../src/engine/restore/restore.ts';
import { connectorContext, type SourceContext } from '../../src/engine/source-context.ts';
import { streamId } from '../../src/model/id.ts';
import { everything } from '../../src/model/namespace.ts';
import { lastTime } from '../../src/model/time.ts';
import { createRepository } from '../../src/repository/keys/repository-config.ts';
import { claimWriter, type WriterClaim } from '../../src/repository/lineage/writer.ts';
import { openRunsMax } from '../../src/repository/runs/tiers.ts';
import { cutParameterSet } from '../../src/repository/tree/cut-parameters.ts';
import { MemoryObjectStore } from '../../src/storage/memory/memory-object-store.ts';
import { ManualClock } from '../harness/manual-clock.ts';
import { withRememberedKeys } from './remembered-keys.ts';
import { type SharedWorld, SimulatedProcess } from './simulated-process.ts';

const ticks = Number(process.env.CODR_TICKS ?? 20_000);
const writesPerTick = 2;
const recordCount = 2000;
/** Restores of each kind; the fastest counts. */
const repeats = Number(process.env.CODR_REPEATS ?? 5);

class CountingStore extends MemoryObjectStore {
  gets = 0;
  bytes = 0;

  override async get(...args: Parameters<MemoryObjectStore['get']>): Promise<Uint8Array> {
    const bytes = await super.get(...args);
    this.gets++;
    this.bytes += bytes.length;
    return bytes;
  }
}

interface World {
  readonly database: MemoryDatabase;
  readonly databases: MemoryDatabases;
  readonly shared: SharedWorld;
  readonly store: CountingStore;
}

async function openWorld(): Promise<World> {
  const clock = new ManualClock();
  const store = new CountingStore(clock);
  const random = new SeededRandom(1);
  const created = await createRepository(store, undefined, { random, cut: cutParameterSet });
  const opened = withRememberedKeys(created);
  const databases = new MemoryDatabases();
  const database = databases.add(new MemoryDatabase({ name: 'source' }));
  const limits = {
    workers: 1,
    segmentBytes: 1 << 26,
    tickBytesMax: 1 << 26,
    memoryBytesMax: 1 << 26,
  };
  const shared: SharedWorld = {
    seed: 1,
    clock,
    store,
    opened,
    connector: new MemoryConnector(databases),
    config: { kind: 'memory', uri: 'memory:source' },
    scope: everything,
    limits,
    packBytesTarget: 1 << 26,
    retries: false,
    peers: 0,
    alive: new Set(),
  };
  return { database, databases, shared, store };
}

async function firstBackup({ shared }: World): Promise<void> {
  const process = await SimulatedProcess.start(1, shared);
  process.backup({ follow: false, rpoMs: 1000 });
  while (!process.ending) await shared.clock.step();
  assert.equal(process.ending.kind, 'done');
}

async function claimFor(context: SourceContext): Promise<WriterClaim> {
  const { probe, clock, random } = context.world;
  return await claimWriter(context.lineage, {
    probe,
    clock,
    tickMs: 1000,
    claim: toHex(random.bytes(16)),
    signal: new AbortController().signal,
  });
}

/** The engine's own follower, one commit after every few writes, merging when it is due. */
async function follow(world: World, context: SourceContext, claim: WriterClaim): Promise<number> {
  const { database } = world;
  const random = new SeededRandom(2);
  const stop = new AbortController();
  let ticked = Promise.withResolvers<void>();
  const follower = new Follower(context, {
    stream: streamId('source-0'),
    epoch: 0,
    rpoMs: 0,
    follow: false,
    idleMs: 60_000,
    claim,
    catalog: catalogChanges(context.lineage.state, 0, lastTime),
    onTick: () => ticked.resolve(),
  });
  const { connector, config } = context;
  const outside = connectorContext(context.world);
  const session = await connector.connect(await config(), outside, stop.signal);
  const running = follower.run(session, stop.signal);
  let openMax = 0;
  for (let tick = 0; tick < ticks; tick++) {
    ticked = Promise.withResolvers();
    for (let n = 0; n < writesPerTick; n++) {
      const key = Buffer.from(`k${random.below(recordCount)}`);
      database.put('a.one', key, Buffer.from(`tick ${tick} write ${n} ${'x'.repeat(60)}`));
    }
    await ticked.promise;
    await mergeDueRuns(context, claim, 0, stop.signal);
    openMax = Math.max(openMax, context.lineage.state.keys('run').length);
  }
  stop.abort();
  await running;
  return openMax;
}

interface Measured {
  readonly ms: number;
  readonly gets: number;
  readonly bytes: number;
}

/** A restore by a process of its own, with nothing in its caches. */
async function measureRestore(world: World, n: number): Promise<Measured> {
  const { databases, database, shared, store } = world;
  const process = await SimulatedProcess.start(100 + n, shared);
  const context = await process.openSource();
  const target = databases.add(new MemoryDatabase({ name: `target-${n}` }));
  store.gets = 0;
  store.bytes = 0;
  const start = performance.now();
  await restore(
    context,
    {
      to: { kind: 'memory', uri: `memory:${target.id}` },
      when: 'latest',
      scope: everything,
      renames: [],
      drop: false,
      ttl: 'keep',
      usersAndRoles: false,
      verify: false,
    },
    new AbortController().signal,
  );
  const ms = performance.now() - start;
  const restored = target.stateAt(target.datasetOf('a.one'), target.now);
  assert.deepEqual(restored, database.stateAt(database.datasetOf('a.one'), database.now));
  return { ms, gets: store.gets, bytes: store.bytes };
}

async function fastest(world: World, first: number): Promise<Measured> {
  const all: Measured[] = [];
  for (let i = 0; i < repeats; i++) all.push(await measureRestore(world, first + i));
  return all.reduce((a, b) => (a.ms < b.ms ? a : b));
}

test(`a restore after ${ticks} ticks does the work of one merged run`, async (t) => {
  const world = await openWorld();
  world.database.create('a.one');
  for (let i = 0; i < recordCount; i++) {
    world.database.put('a.one', Buffer.from(`k${i}`), Buffer.from(`first ${i}`));
  }
  await firstBackup(world);
  await fastest(world, 1000); // the machine is warm from here on
  const process = await SimulatedProcess.start(2, world.shared);
  const context = await process.openSource();
  const claim = await claimFor(context);
  const start = performance.now();
  const openMax = await follow(world, context, claim);
  const perTick = (performance.now() - start) / ticks;
  const open = openRuns(context.lineage.state);
  assert.ok(openMax <= openRunsMax, `${openMax} runs were open`);
  const many = await fastest(world, 0);

  assert.ok(await mergeNeighbours(context, claim, open));
  assert.equal(openRuns(context.lineage.state).length, 1);
  const one = await fastest(world, repeats);

  t.diagnostic(
    `${perTick.toFixed(2)} ms a tick; at most ${openMax} runs open, ${open.length} at the end`,
  );
  t.diagnostic(`${open.length} runs: ${JSON.stringify(many)}`);
  t.diagnostic(`1 run: ${JSON.stringify(one)}; time ratio ${(many.ms / one.ms).toFixed(2)}`);
  assert.ok(many.bytes <= 1.3 * one.bytes, `${many.bytes} bytes read, ${one.bytes} from one run`);
  assert.ok(
    many.gets <= one.gets + 3 * open.length,
    `${many.gets} calls, ${one.gets} from one run`,
  );
});
