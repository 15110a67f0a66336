// One seed, one world of two to five whole peers over a simulated network, coordinator and store: peers are killed,
// frozen, cut off and told wrong times, the coordinator is wiped, and all goes on. At the end all faults stop, and
// everything must come right: no operation stands still, nothing is lost, nothing lies about that nobody can free.
import assert from 'node:assert/strict';
import type { SeededRandom } from '../../src/base/random.ts';
import { MemoryDatabase } from '../../src/connector/memory/memory-database.ts';
import { everything } from '../../src/model/namespace.ts';
import { timeFromHex, timeToHex } from '../../src/model/time.ts';
import { ClusterClient, type Wish } from './cluster-client.ts';
import { ClusterFaults } from './cluster-faults.ts';
import { ClusterReader } from './cluster-reader.ts';
import { type ClusterSetup, makeCluster, storeDelays } from './cluster-setup.ts';
import type { ClusterWorld, SourceInWorld } from './cluster-world.ts';
import type { RestoreCheck } from './restore-check.ts';
import type { Trace } from './simulation.ts';
import { SourceRenewal } from './source-renewal.ts';
import { withoutStacks } from './without-stacks.ts';

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
  /** Sources that were removed, and protected anew. */
  readonly renewed: number;
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
  return await withoutStacks(async () => await (await ClusterSimulation.create(seed, trace)).run());
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
  readonly #isLong: boolean;
  /** Turns out of a hundred at which something fails or is mended. */
  readonly #stormPerCent: number;
  #renewal: Promise<void> = Promise.resolve();
  #targets = 0;
  #done = 0;
  #calm = false;

  static async create(seed: number, trace: Trace): Promise<ClusterSimulation> {
    const setup = await makeCluster(seed, trace);
    return new ClusterSimulation(setup, await ClusterReader.open(setup.world));
  }

  private constructor({ world, random, broken, isQuiet }: ClusterSetup, reader: ClusterReader) {
    this.#world = world;
    this.#random = random;
    this.#trace = world.trace;
    this.#broken = broken;
    this.#isQuiet = isQuiet;
    this.#isLong = random.below(10) === 0;
    this.#stormPerCent = isQuiet ? 0 : ([10, 20, 32][random.below(3)] ?? 0);
    this.#reader = reader;
    const peers = [2, 2, 3, 3, 4, 5][random.below(6)] ?? 2;
    this.#client = new ClusterClient(world);
    this.#faults = new ClusterFaults(world, peers, storeDelays(random, isQuiet));
    world.connector.beforeRead = () => this.#writeBetween();
  }

  async run(): Promise<ClusterSimulationReport> {
    for (const source of this.#world.sources) await this.#reader.register(source);
    await this.#faults.startAll();
    // All are there before equal sources are copied side by side.
    if (this.#isQuiet) await this.#advance(3000);
    const { sources } = this.#world;
    for (const { name } of sources) this.#client.wish('backup', { source: name, follow: true });
    if (!this.#isQuiet) void this.#collectOften();
    // Most worlds are short, so that there may be many; what needs time to come about comes in the long ones.
    const turns = this.#isLong ? 18 + this.#random.below(32) : 5 + this.#random.below(12);
    // In the first half nothing may be restorable yet.
    const isRenewed = !this.#isQuiet && this.#random.below(5) < 2;
    const renewed = isRenewed ? (turns >> 2) + this.#random.below(turns - (turns >> 2)) : -1;
    for (let turn = 0; turn < turns; turn++) {
      if (turn === renewed) this.#renewOne();
      await this.#turn();
    }
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

  /** In the background, as it takes its time: a source is removed, and its database protected anew. */
  #renewOne(): void {
    const at = this.#random.below(this.#world.sources.length);
    const renewal = new SourceRenewal(this.#world, this.#client, this.#reader);
    this.#renewal = renewal.run(at).catch((error: unknown) => this.#world.broken(error));
  }

  /** While base copies are stored: what they have not committed yet is taken from them. */
  async #collectOften(): Promise<void> {
    for (let left = this.#random.below(5); left > 0; left--) {
      await this.#world.clock.sleep(this.#random.below(3000));
      this.#client.wish('collect', { impatient: true });
    }
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
      const isGone = code === 'source-unknown' && this.#isRemoved(request.source);
      const mayPass =
        early || isThere || isGone || isUnwanted || (!this.#isQuiet && passing.includes(code));
      assert.ok(code === 'busy' || mayPass, `${key}, ${kind}, failed: ${code} ${message}`);
    } else {
      this.#done++;
      if (kind === 'verify') assert.deepEqual(ended.result, { damaged: [] });
      if (kind === 'restore') this.#compare(request);
    }
  }

  #isRemoved(source: string | undefined): boolean {
    return this.#world.removed.some(({ name }) => name === source);
  }

  #compare({ source, at = '', to = '' }: Wish['request']): void {
    const { databases, sources, removed } = this.#world;
    const target = databases.get(to);
    const check = [...sources, ...removed].find(({ name }) => name === source)?.check;
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
    let isRenewed = false;
    void this.#renewal.then(() => (isRenewed = true));
    await this.#calmly('a source is not renewed', () => isRenewed);
    const endless = (wish: Wish): boolean => wish.request.follow === true;
    await this.#calmly('an operation stands still', () =>
      this.#client.wishes.every((wish) => wish.ended || endless(wish)),
    );
    for (const wish of this.#client.wishes) wish.isUnwanted ||= endless(wish);
    await this.#calmly('a follower does not stop', () =>
      this.#client.wishes.every(({ ended }) => ended),
    );
    const before = this.#world.sources.map(({ database }) => database.settled);
    const requests = this.#world.sources.map(({ name }) => ({ source: name }));
    await this.#succeed('backup', requests);
    const quiet = this.#isQuiet ? await this.#reader.leaves() : { leaves: 0, duplicates: 0 };
    const most = quiet.leaves / 10;
    assert.ok(
      quiet.duplicates <= most,
      `${quiet.duplicates} of ${quiet.leaves} leaves stored twice`,
    );
    for (const peer of this.#world.peers.values()) peer.clock.aheadMs = 2 * dayMs;
    for (let i = 0; i < 2; i++) await this.#succeed('collect', [{}]);
    await this.#until(this.#reader.assertWhole());
    for (const [i, source] of this.#world.sources.entries()) {
      await this.#until(this.#reader.check(source, 2));
      await this.#reader.assertSettled(source, before[i] ?? 0n);
    }
    this.#judgeAll();
    return this.#report(quiet);
  }

  /** Asks again while an older process still looks alive. */
  async #succeed(kind: 'backup' | 'collect', requests: readonly Wish['request'][]): Promise<void> {
    let left = requests;
    for (let attempt = 0; left.length > 0; attempt++) {
      assert.ok(attempt < 5, `${kind} never succeeds in a calm world`);
      const wishes = left.map((request) => this.#client.wish(kind, request));
      const areOver = (): boolean => wishes.every(({ ended }) => ended !== undefined);
      await this.#calmly(`a ${kind} stands still`, areOver);
      left = wishes.filter((wish) => !this.#isDone(wish)).map(({ request }) => request);
    }
  }

  #isDone({ kind, ended }: Wish): boolean {
    assert.ok(ended && ended !== 'forgotten');
    if (ended.state === 'done') return true;
    const { code, message } = ended.error ?? {};
    assert.equal(code, 'busy', `${kind} in a calm world: ${message}`);
    return false;
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
    const { sources, removed, service } = this.#world;
    const sum = (of: (check: RestoreCheck) => number): number =>
      [...sources, ...removed].reduce((all, { check }) => all + of(check), 0);
    return {
      restores: sum(({ restores }) => restores),
      refusals: sum(({ refusals }) => refusals),
      operations: this.#client.wishes.length,
      done: this.#done,
      terms: service.counts.terms,
      commits: this.#world.store.commits,
      faults: this.#faults.count,
      lives: service.life,
      renewed: removed.length,
      expired: service.counts.expired,
      quietLeaves: quiet.leaves,
      quietDuplicates: quiet.duplicates,
    };
  }
}
