// One seed, one world of two to five whole peers over a simulated network, coordinator and store: peers are killed,
// frozen, cut off and told wrong times, the coordinator is wiped, and all goes on. At the end all faults stop, and
// everything must come right: no operation stands still, nothing is lost, nothing lies about that nobody can free.
import assert from 'node:assert/strict';
import { SeededRandom } from '../../src/base/random.ts';
import { MemoryDatabase, MemoryDatabases } from '../../src/connector/memory/memory-database.ts';
import { everything } from '../../src/model/namespace.ts';
import { timeFromHex, timeToHex } from '../../src/model/time.ts';
import { createRepository } from '../../src/repository/keys/repository-config.ts';
import { cutParameterSet } from '../../src/repository/tree/cut-parameters.ts';
import { ManualClock } from '../harness/manual-clock.ts';
import { ClusterClient, type Wish } from './cluster-client.ts';
import { ClusterFaults } from './cluster-faults.ts';
import { ClusterReader } from './cluster-reader.ts';
import type { ClusterWorld, SourceInWorld } from './cluster-world.ts';
import { WatchedStore } from './commit-watch.ts';
import { CoordinatorService } from './coordinator-service.ts';
import { RandomWorkload } from './random-workload.ts';
import { RestoreCheck } from './restore-check.ts';
import { SimulatedNetwork } from './simulated-network.ts';
import type { Trace } from './simulation.ts';
import { UnsteadyConnector } from './unsteady-connector.ts';

export interface ClusterSimulationReport {
  readonly restores: number;
  readonly refusals: number;
  readonly operations: number;
  /** Those that ended well. */
  readonly done: number;
  readonly terms: number;
  /** Entries that protect a source. */
  readonly commits: number;
  readonly faults: number;
  readonly lives: number;
  readonly expired: number;
  /** Leaves of worlds without faults, and those of them that are stored again. */
  readonly quietLeaves: number;
  readonly quietDuplicates: number;
}

/** What a calm world needs at most: steps of the clock, and minutes. */
const calmStepsMax = 60_000;
const calmMsMax = 15 * 60_000;
const dayMs = 86_400_000;

/** Ends of an operation that faults explain. */
const passing = [
  'store-unreachable',
  'source-unreachable',
  'busy',
  'lease-lost',
  'coordinator-unreachable',
  'coordinator-replaced',
  'transaction-in-doubt',
];

export async function simulateCluster(
  seed: number,
  trace: Trace = () => {},
): Promise<ClusterSimulationReport> {
  return await (await ClusterSimulation.create(seed, trace)).run();
}

class ClusterSimulation {
  readonly #world: ClusterWorld;
  readonly #random: SeededRandom;
  readonly #trace: Trace;
  readonly #broken: unknown[];
  readonly #faults: ClusterFaults;
  readonly #client: ClusterClient;
  readonly #reader: ClusterReader;
  readonly #judged = new Set<Wish>();
  readonly #isQuiet: boolean;
  /** Turns out of a hundred at which something fails or is mended. */
  readonly #stormPerCent: number;
  #targets = 0;
  #done = 0;
  #calm = false;

  static async create(seed: number, trace: Trace): Promise<ClusterSimulation> {
    const random = new SeededRandom(seed);
    const clock = new ManualClock();
    const store = new WatchedStore(clock);
    const opened = await createRepository(store, undefined, { random, cut: cutParameterSet });
    store.watch(opened, ['one', 'two']);
    const pick = <T>(...of: readonly [T, ...T[]]): T => of[random.below(of.length)] as T;
    const databases = new MemoryDatabases();
    const isQuiet = random.below(6) === 0;
    const connector = new UnsteadyConnector(databases, random, isQuiet ? 0 : pick(0, 0, 12));
    const delayMsMax = pick(5, 40, 400);
    const network = new SimulatedNetwork(clock, random, {
      ...{ delayMsMax: isQuiet ? 20 : delayMsMax, lostPerMille: 0, twicePerMille: 0 },
    });
    const broken: unknown[] = [];
    // In a quiet world there is enough to tell how often the same is stored.
    const records = isQuiet ? { count: 300, bytes: 400 } : { count: pick(40, 150), bytes: 60 };
    const sources = ['one', 'two'].map((name) => makeSource(name, databases, random, records));
    const world: ClusterWorld = {
      ...{ seed, clock, random, store, opened, databases, connector, sources, network, trace },
      scope: everything,
      limits: {
        workers: pick(1, 2),
        segmentBytes: isQuiet ? 20_000 : pick(400, 2000),
        tickBytesMax: pick(1000, 1 << 20),
        memoryBytesMax: 1 << 20,
      },
      packBytesTarget: pick(2000, 20_000),
      service: new CoordinatorService(clock),
      peers: new Map(),
      broken: (error) => void broken.push(error),
    };
    const reader = await ClusterReader.open(world);
    return new ClusterSimulation(world, { random, broken, isQuiet, reader });
  }

  private constructor(
    world: ClusterWorld,
    own: { random: SeededRandom; broken: unknown[]; isQuiet: boolean; reader: ClusterReader },
  ) {
    this.#world = world;
    this.#random = own.random;
    this.#trace = world.trace;
    this.#broken = own.broken;
    this.#isQuiet = own.isQuiet;
    this.#stormPerCent = own.isQuiet ? 0 : ([10, 20, 32][own.random.below(3)] ?? 0);
    this.#reader = own.reader;
    this.#client = new ClusterClient(world);
    this.#faults = new ClusterFaults(
      world,
      2 + own.random.below(4),
      own.isQuiet ? 50 : own.random.below(4) > 0 ? 0 : 500,
    );
    world.connector.beforeRead = () => this.#writeBetween();
  }

  async run(): Promise<ClusterSimulationReport> {
    await this.#reader.register();
    await this.#faults.startAll();
    // All are there before equal sources are copied side by side.
    if (this.#isQuiet) await this.#advance(3000);
    const { sources } = this.#world;
    for (const { name } of sources) this.#client.wish('backup', { source: name, follow: true });
    if (!this.#isQuiet && this.#random.below(2) === 0) this.#collect();
    const turns = 18 + this.#random.below(32);
    for (let turn = 0; turn < turns; turn++) await this.#turn();
    return await this.#finish();
  }

  async #turn(): Promise<void> {
    const pick = this.#random.below(100);
    if (pick < 15) for (let n = 1 + this.#random.below(4); n > 0; n--) this.#write();
    else if (pick < 48) await this.#step(1 + this.#random.below(30));
    else if (pick < 56) await this.#advance(this.#random.below(15_000));
    else if (pick < 65) this.#wish();
    else if (pick < 65 + this.#stormPerCent) await this.#strikeOrMend();
    else if (pick === 97) await this.#restore();
    else for (const { database } of this.#world.sources) database.advanceMajority();
    this.#judgeAll();
  }

  async #strikeOrMend(): Promise<void> {
    if (this.#random.below(3) > 0) await this.#faults.strike();
    else await this.#faults.mend();
  }

  #write(): void {
    this.#tickWall();
    const { sources } = this.#world;
    const one = sources[this.#random.below(sources.length)] as SourceInWorld;
    this.#trace(`${one.name} ${one.database.now} ${one.workload.step()}`);
  }

  /** Applications do not wait for a base copy. */
  #writeBetween(): void {
    if (this.#calm || this.#isQuiet || this.#random.below(6) > 0) return;
    this.#write();
  }

  #tickWall(): void {
    for (const { database } of this.#world.sources) {
      database.wallSeconds = Math.floor(this.#world.clock.now() / 1000);
    }
  }

  async #step(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      await this.#world.clock.step();
      if (!this.#calm) continue;
      this.#tickWall();
      for (const { database } of this.#world.sources) database.advanceMajority();
    }
  }

  async #advance(ms: number): Promise<void> {
    this.#trace(`${ms} ms pass`);
    await this.#world.clock.advance(ms);
    this.#tickWall();
  }

  #wish(): void {
    const { sources } = this.#world;
    const { name: source } = sources[this.#random.below(sources.length)] as SourceInWorld;
    const follows = this.#client.wishes.some(
      ({ ended, request }) => !ended && request.follow && request.source === source,
    );
    const pick = this.#random.below(10);
    if (pick < 2 && !follows) this.#client.wish('backup', { source, follow: true, rpoMs: 1000 });
    else if (pick === 2) this.#client.wish('backup', { source });
    else if (pick === 3) this.#client.wish('checkpoint', { source });
    else if (pick < 6) this.#collect();
    else void this.#wishToRead(source, pick === 6 ? 'verify' : 'restore');
  }

  /** Often nobody is given the day that would hide a mistake. */
  #collect(): void {
    this.#client.wish('collect', { impatient: this.#random.below(3) > 0 });
  }

  async #wishToRead(source: string, kind: 'verify' | 'restore'): Promise<void> {
    const times = await this.#reader.restorable(source);
    const at = times[this.#random.below(times.length || 1)];
    if (at === undefined) return;
    const to = `wanted-${this.#targets++}`;
    this.#world.databases.add(new MemoryDatabase({ name: to }));
    this.#client.wish(kind, { source, at: timeToHex(at), ...(kind === 'restore' && { to }) });
  }

  #judgeAll(): void {
    const { service, store } = this.#world;
    for (const error of [...this.#broken, ...service.broken, ...store.broken]) throw error;
    for (const wish of this.#client.wishes) {
      if (!wish.ended || this.#judged.has(wish)) continue;
      this.#judged.add(wish);
      this.#judge(wish);
    }
  }

  /** Which ends a world with these faults may have. */
  #judge({ kind, request, ended, isUnwanted, key }: Wish): void {
    if (!ended) return;
    if (ended === 'forgotten') {
      assert.ok(this.#world.service.life > 1, `${key} is forgotten`);
    } else if (ended.state === 'cancelled') assert.ok(isUnwanted, `${key} was cancelled by nobody`);
    else if (ended.state === 'failed') {
      const { code = '', message, remedy = '' } = ended.error ?? {};
      // It had ended, and the peer, or what the coordinator knew, was lost before that was written.
      const isTold = this.#world.service.life > 1 || /may have ended it/.test(remedy);
      const isThere = code === 'target-not-empty' && isTold;
      if (isThere) this.#compare(request);
      const early = kind === 'checkpoint' && code === 'time-not-restorable';
      const mayPass = early || isThere || isUnwanted || (!this.#isQuiet && passing.includes(code));
      assert.ok(code === 'busy' || mayPass, `${key}, ${kind}, failed: ${code} ${message}`);
    } else {
      this.#done++;
      if (kind === 'verify') assert.deepEqual(ended.result, { damaged: [] });
      if (kind === 'restore') this.#compare(request);
    }
  }

  #compare({ source, at = '', to = '' }: Wish['request']): void {
    const { databases, sources } = this.#world;
    const target = databases.get(to);
    const check = sources.find(({ name }) => name === source)?.check;
    assert.ok(target && check);
    check.compare(target, timeFromHex(at), everything, []);
  }

  async #restore(): Promise<void> {
    for (const source of this.#world.sources) await this.#until(this.#reader.check(source, 1));
  }

  /** Steps until the work has ended. */
  async #until(work: Promise<unknown>): Promise<void> {
    let ended: { error?: unknown } | undefined;
    work.then(
      () => {
        ended = {};
      },
      (error: unknown) => {
        ended = { error };
      },
    );
    for (let i = 0; i < 50 && !ended; i++) await new Promise((turn) => setImmediate(turn));
    for (let i = 0; !ended; i++) {
      assert.ok(i < calmStepsMax, 'a reader does not come to its end');
      await this.#step(1);
    }
    if ('error' in ended) throw ended.error;
  }

  async #finish(): Promise<ClusterSimulationReport> {
    this.#calm = true;
    this.#world.connector.oneIn = 0;
    for (const { workload } of this.#world.sources) workload.settle();
    await this.#faults.mendAll();
    this.#trace('the world is calm');
    const endless = (wish: Wish): boolean => wish.request.follow === true;
    await this.#calmly('an operation stands still', () =>
      this.#client.wishes.every((wish) => wish.ended || endless(wish)),
    );
    for (const wish of this.#client.wishes) wish.isUnwanted ||= endless(wish);
    await this.#calmly('a follower does not stop', () =>
      this.#client.wishes.every(({ ended }) => ended),
    );
    const before = this.#world.sources.map(({ database }) => database.settled);
    for (const { name } of this.#world.sources) await this.#succeed('backup', { source: name });
    const quiet = this.#isQuiet ? await this.#reader.leaves() : { leaves: 0, duplicates: 0 };
    for (const peer of this.#world.peers.values()) peer.clock.aheadMs = 2 * dayMs;
    for (let i = 0; i < 2; i++) await this.#succeed('collect', {});
    await this.#until(this.#reader.assertWhole());
    for (const [i, source] of this.#world.sources.entries()) {
      await this.#until(this.#reader.check(source, 3));
      await this.#reader.assertSettled(source, before[i] ?? 0n);
    }
    this.#judgeAll();
    return this.#report(quiet);
  }

  /** Asks again while an older process still looks alive. */
  async #succeed(kind: 'backup' | 'collect', request: Wish['request']): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      assert.ok(attempt < 5, `${kind} never succeeds in a calm world`);
      const wish = this.#client.wish(kind, request);
      await this.#calmly(`${wish.key}, ${kind}, stands still`, () => wish.ended !== undefined);
      assert.ok(wish.ended && wish.ended !== 'forgotten');
      if (wish.ended.state === 'done') return;
      const { code, message } = wish.ended.error ?? {};
      assert.equal(code, 'busy', `${kind} in a calm world: ${message}`);
    }
  }

  async #calmly(what: string, isSo: () => boolean): Promise<void> {
    const untilMs = this.#world.clock.monotonic() + calmMsMax;
    for (let i = 0; !isSo(); i++) {
      const isLate = i >= calmStepsMax || this.#world.clock.monotonic() > untilMs;
      assert.ok(!isLate, `${what}: ${this.#describeOpen()}`);
      await this.#step(1);
      await this.#faults.revive();
      this.#judgeAll();
    }
  }

  #describeOpen(): string {
    const open = this.#client.wishes.filter(({ ended }) => !ended);
    return open.map(({ key, kind, id }) => `${key} ${kind} ${id}`).join(', ');
  }

  #report(quiet: { leaves: number; duplicates: number }): ClusterSimulationReport {
    const { sources, service } = this.#world;
    const sum = (of: (check: RestoreCheck) => number): number =>
      sources.reduce((all, { check }) => all + of(check), 0);
    return {
      restores: sum(({ restores }) => restores),
      refusals: sum(({ refusals }) => refusals),
      operations: this.#client.wishes.length,
      done: this.#done,
      terms: service.counts.terms,
      commits: this.#world.store.commits,
      faults: this.#faults.count,
      lives: service.life,
      expired: service.counts.expired,
      quietLeaves: quiet.leaves,
      quietDuplicates: quiet.duplicates,
    };
  }
}

/** Both sources begin with the same records. */
function makeSource(
  name: string,
  databases: MemoryDatabases,
  random: SeededRandom,
  records: { readonly count: number; readonly bytes: number },
): SourceInWorld {
  const database = databases.add(new MemoryDatabase({ name }));
  const habits = { transactions: false, renames: false, truncations: false, stepDowns: false };
  const workload = new RandomWorkload(database, random, everything, {
    ...{ ...habits, unknownEntries: false, valueBytesMax: 60, keyCount: 40 },
  });
  const own = new SeededRandom(7);
  database.create('a.one');
  for (let i = 0; i < records.count; i++) {
    const key = Buffer.from(`k${String(i).padStart(4, '0')}`);
    database.putAll('a.one', [{ key, value: own.bytes(records.bytes) }]);
  }
  const check = new RestoreCheck({ database, databases, workload, scope: everything, random });
  return { name, database, workload, check };
}
