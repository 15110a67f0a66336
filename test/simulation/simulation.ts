// One seed, one world: a database that changes at random, processes that protect it and die, a store that
// fails, restores in between. At the end all faults stop, and everything must come right within a bounded
// number of steps. Nothing here reads a real clock, so a seed always tells the same story.
import assert from 'node:assert/strict';
import { isCodrError } from '../../src/base/error.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { MemoryDatabase, MemoryDatabases } from '../../src/connector/memory/memory-database.ts';
import { epochsOf, holesOf, restorableIntervals } from '../../src/engine/history/source-history.ts';
import { everything, type Scope } from '../../src/model/namespace.ts';
import { maxTime } from '../../src/model/time.ts';
import { createRepository } from '../../src/repository/keys/repository-config.ts';
import type { Lineage } from '../../src/repository/lineage/lineage.ts';
import type { RunRecord } from '../../src/repository/lineage/records.ts';
import type { StateView } from '../../src/repository/lineage/state.ts';
import { currentWriter } from '../../src/repository/lineage/writer.ts';
import { cutParameterSet } from '../../src/repository/tree/cut-parameters.ts';
import { MemoryObjectStore } from '../../src/storage/memory/memory-object-store.ts';
import { ManualClock } from '../harness/manual-clock.ts';
import { RandomWorkload } from './random-workload.ts';
import { withRememberedKeys } from './remembered-keys.ts';
import { RestoreCheck } from './restore-check.ts';
import { RunningProcesses } from './running-processes.ts';
import { identityOf, type SharedWorld, SimulatedProcess } from './simulated-process.ts';
import { UnsteadyConnector } from './unsteady-connector.ts';
import { withoutStacks } from './without-stacks.ts';

export interface SimulationReport {
  readonly restores: number;
  readonly refusals: number;
  readonly backups: number;
  readonly crashes: number;
  readonly epochs: number;
  /** Open at the end, and those of them that were merged. */
  readonly runs: number;
  readonly merged: number;
  readonly entries: number;
}

/** Steps of the clock that a calm world needs at most for one backup. */
const calmStepsMax = 4000;
const processesMax = 2;
/** Ends of a process that faults explain. */
const passing = ['store-unreachable', 'source-unreachable', 'busy', 'lease-lost'] as const;

const told = ['epoch', 'hole', 'want', 'base', 'stream', 'run'];

export type Trace = (line: string) => void;

export async function simulate(seed: number, trace: Trace = () => {}): Promise<SimulationReport> {
  return await withoutStacks(async () => await (await Simulation.create(seed, trace)).run());
}

/** What the lineage says, for the trace of a seed that fails. */
export function describeState(state: StateView, kinds: readonly string[]): string[] {
  return kinds.flatMap((kind) =>
    state.list(kind).map(([rest, value]) => `${kind}/${rest} ${JSON.stringify(value)}`),
  );
}

/** From the first restorable moment to the last, each one can be restored or lies in a hole. */
export function assertAllTold(state: StateView): void {
  const holes = holesOf(state);
  const intervals = restorableIntervals(state);
  for (const [i, { from }] of intervals.entries()) {
    let told = intervals[i - 1]?.to ?? from;
    while (told + 1n < from) {
      const before = told;
      const begun = holes.filter((hole) => hole.from <= before);
      told = begun.map(({ to = from }) => to - 1n).reduce(maxTime, before);
      assert.ok(told > before, `${before + 1n} can't be restored, and no hole says so`);
    }
  }
}

/** Nobody takes a claim from a living process of the same host. */
function refuseTheft(pid: number, message: string): void {
  const { host } = identityOf(pid);
  const thief = /process (\d+) on (\w+) has taken over/.exec(message);
  assert.ok(thief?.[2] !== host, `process ${pid} lives on ${host}, and ${message}`);
}

class Simulation {
  readonly #random: SeededRandom;
  readonly #trace: Trace;
  readonly #clock: ManualClock;
  readonly #database: MemoryDatabase;
  readonly #connector: UnsteadyConnector;
  readonly #shared: SharedWorld;
  readonly #workload: RandomWorkload;
  readonly #check: RestoreCheck;
  readonly #running: RunningProcesses;
  #pid = 0;
  #backups = 0;
  #calm = false;
  /** Turns out of a hundred at which something happens to a process or the database. */
  readonly #stormPerCent: number;

  static async create(seed: number, trace: Trace): Promise<Simulation> {
    const random = new SeededRandom(seed);
    const clock = new ManualClock();
    const store = new MemoryObjectStore(clock);
    const created = await createRepository(store, undefined, { random, cut: cutParameterSet });
    const opened = withRememberedKeys(created);
    return new Simulation({ seed, random, clock, store, opened }, trace);
  }

  private constructor(
    base: Pick<SharedWorld, 'seed' | 'clock' | 'store' | 'opened'> & {
      readonly random: SeededRandom;
    },
    trace: Trace,
  ) {
    const { random, seed, clock, store, opened } = base;
    const pick = <T>(...of: readonly [T, ...T[]]): T => of[random.below(of.length)] as T;
    this.#random = random;
    this.#trace = trace;
    this.#running = new RunningProcesses(trace);
    this.#clock = clock;
    const databases = new MemoryDatabases();
    this.#database = databases.add(
      new MemoryDatabase({ name: 'source', majority: pick('manual', 'at-once') }),
    );
    this.#connector = new UnsteadyConnector(databases, random, pick(0, 0, 8));
    const scope: Scope = pick(
      everything,
      { include: ['a.*', 'b.*'], exclude: [] },
      { include: [], exclude: ['tmp.*'] },
    );
    this.#shared = {
      seed,
      clock,
      store,
      opened,
      connector: this.#connector,
      config: { kind: 'memory', uri: 'memory:source' },
      scope,
      limits: {
        workers: pick(1, 3),
        segmentBytes: pick(200, 1000, 1 << 20),
        tickBytesMax: pick(500, 3000, 1 << 20),
        memoryBytesMax: 1 << 20,
      },
      packBytesTarget: pick(2000, 20_000),
      retries: random.below(2) === 0,
      peers: pick(0, 0, 1, 2),
      alive: new Set(),
    };
    this.#workload = new RandomWorkload(this.#database, random, scope, {
      transactions: random.below(2) === 0,
      renames: random.below(2) === 0,
      truncations: random.below(4) === 0,
      stepDowns: random.below(4) === 0,
      unknownEntries: random.below(12) === 0,
      valueBytesMax: pick(8, 60, 60, 3000),
      keyCount: pick(5, 40),
    });
    this.#stormPerCent = pick(0, 1, 6);
    this.#connector.beforeRead = () => this.#writeBetween();
    const database = this.#database;
    const workload = this.#workload;
    this.#check = new RestoreCheck({ database, databases, workload, scope, random });
  }

  async run(): Promise<SimulationReport> {
    this.#tickWall();
    for (let i = 0; i < 40; i++) this.#write();
    const turns = 30 + this.#random.below(80);
    for (let turn = 0; turn < turns; turn++) await this.#turn();
    return await this.#finish();
  }

  async #turn(): Promise<void> {
    const pick = this.#random.below(100);
    if (pick < 35) for (let n = 1 + this.#random.below(6); n > 0; n--) this.#write();
    else if (pick < 85) await this.#step(1 + this.#random.below(8));
    else if (pick < 90) await this.#start();
    else if (pick < 90 + this.#stormPerCent) this.#disturb();
    else if (pick === 97) await this.#restores(1);
    else this.#database.advanceMajority();
    this.#running.collectEnded((process) => this.#judge(process));
  }

  #write(): void {
    this.#tickWall();
    const what = this.#workload.step();
    this.#trace(`${this.#database.now} ${what}`);
  }

  /** Applications do not wait for a base copy. */
  #writeBetween(): void {
    if (this.#calm || this.#random.below(3) > 0) return;
    for (let n = 1 + this.#random.below(3); n > 0; n--) this.#write();
  }

  /** The database's own clock goes with ours. */
  #tickWall(): void {
    this.#database.wallSeconds = Math.floor(this.#clock.now() / 1000);
  }

  async #step(count: number): Promise<void> {
    for (let i = 0; i < count && (await this.#clock.step()); i++) {
      this.#tickWall();
      if (this.#calm) this.#database.advanceMajority();
    }
  }

  async #start(): Promise<SimulatedProcess | undefined> {
    if (this.#running.count >= processesMax) return undefined;
    const process = await SimulatedProcess.start(++this.#pid, this.#shared);
    if (!this.#calm) this.#makeUnreliable(process);
    const follow = !this.#calm && this.#random.below(3) > 0;
    const rpoMs = [1000, 5000, 30_000][this.#random.below(3)] as number;
    this.#running.add(process);
    if (!this.#calm && this.#random.below(5) === 0) {
      this.#trace(`process ${process.pid} merges`);
      process.merge(2 + this.#random.below(6), this.#random.below(20));
      return process;
    }
    this.#trace(`process ${process.pid} starts${follow ? ' to follow' : ''}, rpo ${rpoMs} ms`);
    process.backup({ follow, rpoMs });
    this.#backups++;
    return process;
  }

  #makeUnreliable({ store }: SimulatedProcess): void {
    const pick = this.#stormPerCent === 0 ? 4 : this.#random.below(8);
    if (pick === 0) store.faults = { errorPerMille: 20 };
    if (pick === 1) store.faults = { lostReplyPerMille: 20 };
    if (pick === 2) store.faults = { delayMsMax: 2000 };
    if (pick === 3) store.faults = { errorPerMille: 5, lostReplyPerMille: 5, delayMsMax: 100 };
    if (pick > 4) {
      const when = this.#random.below(2) === 0 ? 'before' : 'after';
      const pickLimit = this.#random.below(2) === 0 ? 12 : 60;
      store.crashAtWrite(1 + this.#random.below(pickLimit), when);
    }
  }

  #disturb(): void {
    const process = this.#running.pick((count) => this.#random.below(count));
    if (!process) return;
    const pick = this.#random.below(4);
    if (pick === 0) {
      this.#trace(`process ${process.pid} is told to stop`);
      process.abort.abort(new Error('told to stop'));
    } else if (pick === 1) {
      this.#database.faults = { random: this.#random, oneIn: 10 };
    } else if (pick === 2) {
      this.#database.faults = undefined;
    } else this.#running.kill(process);
  }

  /** Which endings a world with these faults may have. */
  #judge({ ending, abort, store, pid }: SimulatedProcess): void {
    assert.ok(ending);
    if (ending.kind === 'done') {
      this.#trace(`process ${pid} is done: ${ending.outcome?.point.time ?? 'merged'}`);
      return;
    }
    const { error } = ending;
    this.#trace(`process ${pid} failed: ${error}`);
    if (abort.signal.aborted || store.crashed) return;
    if (isCodrError(error, 'lease-lost')) refuseTheft(pid, error.message);
    if (!this.#calm && passing.some((code) => isCodrError(error, code))) return;
    const doubted = this.#workload.unknown.length > 0;
    if (doubted && isCodrError(error, 'time-not-restorable')) return;
    throw error;
  }

  async #restores(count: number): Promise<void> {
    const faults = this.#database.faults;
    this.#database.faults = undefined;
    const reader = await SimulatedProcess.start(++this.#pid, this.#shared);
    const context = await reader.openSource();
    const work = this.#check.run(context, count).then(
      () => ({}),
      (error: unknown) => ({ error }),
    );
    let ended: { error?: unknown } | undefined;
    void work.then((outcome) => {
      ended = outcome;
    });
    for (let i = 0; !ended; i++) {
      assert.ok(i < calmStepsMax, 'a restore does not end');
      await this.#step(1);
    }
    if ('error' in ended) {
      for (const line of describeState(context.lineage.state, told)) this.#trace(line);
      throw ended.error;
    }
    this.#shared.alive.delete(reader.pid);
    this.#database.faults = faults;
  }

  /** Everybody dies, all faults end; one more backup must then succeed, and all restores be right. */
  async #finish(): Promise<SimulationReport> {
    this.#running.killAll();
    this.#calm = true;
    this.#database.faults = undefined;
    this.#connector.oneIn = 0;
    this.#workload.settle();
    this.#trace('the world is calm');
    const before = this.#database.settled;
    while (!(await this.#calmBackup())) {
      assert.ok(this.#backups < 100, 'a backup in a calm world never gets its turn');
    }
    await this.#restores(5);
    return await this.#report(before);
  }

  /** False when what a dead process had on its way still looked like a sign of life. */
  async #calmBackup(): Promise<boolean> {
    const process = await this.#start();
    assert.ok(process);
    for (let i = 0; !process.ending; i++) {
      assert.ok(i < calmStepsMax, 'a backup in a calm world does not end');
      await this.#step(1);
    }
    this.#running.clear();
    const { ending } = process;
    if (
      ending.kind === 'failed' &&
      isCodrError(ending.error, 'busy') &&
      this.#running.crashes > 0
    ) {
      return false;
    }
    this.#judge(process);
    return true;
  }

  async #report(before: bigint): Promise<SimulationReport> {
    const reader = await SimulatedProcess.start(++this.#pid, this.#shared);
    const { lineage } = await reader.openSource();
    const { state } = lineage;
    assert.equal(currentWriter(state), undefined, 'a backup that has ended still holds its claim');
    assert.equal(state.keys('want').length, 0, 'a dataset still wants its base copy');
    const epochs = epochsOf(state).length;
    assertAllTold(state);
    assert.ok(epochs <= 1 + this.#workload.breaks, `${epochs} epochs for no reason`);
    if (this.#workload.unknown.length > 0) return this.#counts(lineage, epochs);
    const latest = restorableIntervals(state).at(-1)?.to ?? 0n;
    assert.ok(latest >= before, 'the last backup does not reach the time of its start');
    return this.#counts(lineage, epochs);
  }

  #counts({ state, seq }: Lineage, epochs: number): SimulationReport {
    return {
      restores: this.#check.restores,
      refusals: this.#check.refusals,
      backups: this.#backups,
      crashes: this.#running.crashes,
      epochs,
      runs: state.keys('run').length,
      merged: state.list<RunRecord>('run').filter(([, { tier }]) => tier > 0).length,
      entries: seq + 1,
    };
  }
}
