// One seed, one world of replicas: a cluster that changes and fails at random, processes that take cuts of it, merge
// and collect, and die; a store that fails and loses packs; restores in between. At the end all faults stop, and the
// next cut must be whole. No real clock, no real chance: a seed always tells the same story.
import assert from 'node:assert/strict';
import { isCodrError } from '../../src/base/error.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { type CutGrade, cutGrades } from '../../src/connector/connector.ts';
import { ReplicaCluster, ReplicaClusters } from '../../src/connector/replicas/replica-cluster.ts';
import { ReplicasConnector } from '../../src/connector/replicas/replicas-connector.ts';
import { epochsOf } from '../../src/engine/history/source-history.ts';
import { everything, type Scope } from '../../src/model/namespace.ts';
import { createRepository } from '../../src/repository/keys/repository-config.ts';
import type { BaseRecord, DeltaRecord } from '../../src/repository/lineage/records.ts';
import { cutParameterSet } from '../../src/repository/tree/cut-parameters.ts';
import { MemoryObjectStore } from '../../src/storage/memory/memory-object-store.ts';
import { ManualClock } from '../harness/manual-clock.ts';
import { CutCheck } from './cut-check.ts';
import { CutWorkload } from './cut-workload.ts';
import { withRememberedKeys } from './remembered-keys.ts';
import { RunningProcesses } from './running-processes.ts';
import { losePack, makeUnreliable, registerSource } from './simulated-losses.ts';
import { type SharedWorld, SimulatedProcess } from './simulated-process.ts';
import { describeState, type Trace } from './simulation.ts';
import { withoutStacks } from './without-stacks.ts';

export interface CutSimulationReport {
  readonly restores: number;
  readonly refusals: number;
  readonly backups: number;
  readonly collections: number;
  readonly checkpoints: number;
  readonly folded: number;
  readonly crashes: number;
  readonly cuts: number;
  readonly poor: number;
  /** Trees in place of those of several cuts. */
  readonly merged: number;
  readonly epochs: number;
  readonly losses: number;
  /** Rows that a checkpoint let be seen again, as in the cluster. */
  readonly returned: number;
}

/** Steps of the clock that a calm world needs at most for one work. */
const calmStepsMax = 6000;
const processesMax = 2;
/** Turns of the event loop in which a restore ends without a step of the clock. */
const quietTurnsMax = 3000;
/** Ends of a process that faults explain. */
const passing = [
  'store-unreachable',
  'source-unreachable',
  'busy',
  'lease-lost',
  'partial',
] as const;

export async function simulateCuts(
  seed: number,
  trace: Trace = () => {},
): Promise<CutSimulationReport> {
  return await withoutStacks(async () => await (await CutSimulation.create(seed, trace)).run());
}

const told = ['epoch', 'hole', 'base', 'delta', 'cut', 'condemned'];

class CutSimulation {
  readonly #random: SeededRandom;
  readonly #trace: Trace;
  readonly #clock: ManualClock;
  readonly #store: MemoryObjectStore;
  readonly #cluster: ReplicaCluster;
  readonly #shared: SharedWorld;
  readonly #workload: CutWorkload;
  readonly #check: CutCheck;
  readonly #stormPerCent: number;
  readonly #losesPacks: boolean;
  readonly #purges: boolean;
  /** The store takes its time, so that processes meet. */
  readonly #isSlow: boolean;
  readonly #running: RunningProcesses;
  /** Grades that backups ask for, by pid. */
  readonly #wanted = new Map<number, CutGrade>();
  #pid = 0;
  #backups = 0;
  #collections = 0;
  #checkpoints = 0;
  #losses = 0;
  #calm = false;
  /** A collection begins while a cut is on its way. */
  #wantsCollection = false;

  static async create(seed: number, trace: Trace): Promise<CutSimulation> {
    const random = new SeededRandom(seed);
    const clock = new ManualClock();
    const store = new MemoryObjectStore(clock);
    const created = await createRepository(store, undefined, { random, cut: cutParameterSet });
    const opened = withRememberedKeys(created);
    const world = new CutSimulation({ seed, random, clock, store, opened }, trace);
    const process = await SimulatedProcess.start(++world.#pid, world.#shared);
    await registerSource(process);
    return world;
  }

  private constructor(
    base: Pick<SharedWorld, 'seed' | 'clock' | 'opened'> & {
      readonly random: SeededRandom;
      readonly store: MemoryObjectStore;
    },
    trace: Trace,
  ) {
    const { random, seed, clock, store, opened } = base;
    const pick = <T>(...of: readonly [T, ...T[]]): T => of[random.below(of.length)] as T;
    this.#random = random;
    this.#trace = trace;
    this.#running = new RunningProcesses(trace);
    this.#clock = clock;
    this.#store = store;
    const nowMs = (): number => clock.now();
    const clusters = new ReplicaClusters();
    const nodes = pick(1, 3, 3, 4);
    const replicationFactor = 1 + random.below(Math.min(nodes, 3));
    const gcGraceSeconds = pick(60, 60, 300, 3000);
    const ring = { name: 'source', nodes, replicationFactor, nowMs, gcGraceSeconds };
    this.#cluster = clusters.add(new ReplicaCluster(ring));
    this.#shared = {
      ...{ seed, clock, store, opened, alive: new Set() },
      connector: new ReplicasConnector(clusters),
      config: { kind: 'replicas', uri: 'replicas:source' },
      scope: pick<Scope>(everything, { include: [], exclude: ['tmp.*'] }),
      limits: {
        workers: pick(1, 3),
        segmentBytes: pick(300, 3000, 1 << 20),
        ...{ tickBytesMax: 1 << 20, memoryBytesMax: 1 << 20 },
      },
      packBytesTarget: pick(500, 20_000),
      retries: random.below(2) === 0,
      peers: seed % 3,
    };
    this.#purges = random.below(2) === 0;
    this.#workload = new CutWorkload(this.#cluster, random, {
      missPerCent: pick(0, 10, 40),
      stops: random.below(2) === 0,
      damage: random.below(4) === 0,
      topology: random.below(4) === 0,
      schema: random.below(2) === 0,
      purges: this.#purges,
      partitions: pick(2, 20),
      rows: pick(3, 20),
      textBytesMax: pick(8, 60, 3000),
    });
    this.#stormPerCent = pick(0, 1, 6);
    this.#losesPacks = random.below(4) === 0;
    this.#isSlow = random.below(3) === 0;
    this.#cluster.between = () => this.#changeBetween();
    const [cluster, workload] = [this.#cluster, this.#workload];
    this.#check = new CutCheck({ cluster, clusters, workload, random, nowMs });
  }

  async run(): Promise<CutSimulationReport> {
    for (const name of ['a.one', 'b.one']) this.#cluster.create(name);
    for (let i = 0; i < 20; i++) this.#change();
    const turns = 30 + this.#random.below(60);
    for (let turn = 0; turn < turns; turn++) await this.#turn();
    return await this.#finish();
  }

  async #turn(): Promise<void> {
    const pick = this.#random.below(100);
    if (pick < 33) for (let n = 1 + this.#random.below(6); n > 0; n--) this.#change();
    else if (pick < 65) await this.#step(1 + this.#random.below(6));
    else if (pick < 82) await this.#start();
    else if (pick < 82 + this.#stormPerCent) this.#disturb();
    else if (pick < 92) await this.#restores(1);
    else if (pick < 94) await this.#clock.advance(this.#random.below(400_000));
    else if (pick < 97 && this.#losesPacks) await this.#lose();
    this.#running.collectEnded((process) => this.#judge(process));
  }

  #change(): void {
    this.#trace(`${this.#cluster.seq} ${this.#workload.step()}`);
  }

  /** Nobody waits for a cut. */
  #changeBetween(): void {
    if (this.#calm) return;
    this.#wantsCollection ||= this.#isSlow && this.#random.below(4) === 0;
    if (this.#random.below(8) > 0) return;
    for (let n = 1 + this.#random.below(3); n > 0; n--) this.#change();
  }

  async #step(count: number): Promise<void> {
    for (let i = 0; i < count && (await this.#clock.step()); i++) {
      if (!this.#wantsCollection) continue;
      this.#wantsCollection = false;
      const process = await SimulatedProcess.start(++this.#pid, this.#shared);
      process.store.faults = { delayMsMax: [0, 100, 500][this.#random.below(3)] ?? 0 };
      this.#running.add(process);
      this.#collect(process, -1);
    }
  }

  async #start(): Promise<void> {
    if (this.#running.count >= processesMax) return;
    const process = await SimulatedProcess.start(++this.#pid, this.#shared);
    this.#makeUnreliable(process);
    this.#running.add(process);
    if (this.#random.below(this.#purges ? 3 : 6) === 0) {
      this.#trace(`process ${process.pid} folds a checkpoint`);
      this.#checkpoints++;
      process.checkpoint(this.#random.below(3) > 0, this.#random);
      return;
    }
    if (this.#random.below(this.#isSlow ? 2 : 3) === 0) {
      // Often nobody is given the day that would hide a mistake.
      this.#collect(process, this.#random.below(2) === 0 ? -1 : 86_400_000);
      return;
    }
    const follow = this.#random.below(3) > 0;
    const minGrade = cutGrades[this.#random.below(cutGrades.length)] ?? 'complete';
    this.#trace(`process ${process.pid} takes cuts${follow ? ' on and on' : ''}, ${minGrade}`);
    this.#backups++;
    this.#wanted.set(process.pid, minGrade);
    process.backup({ follow, rpoMs: 60_000, minGrade });
  }

  #collect(process: SimulatedProcess, uncommittedAgeMs: number): void {
    this.#trace(`process ${process.pid} collects`);
    this.#collections++;
    process.collect(uncommittedAgeMs);
  }

  #makeUnreliable({ store }: SimulatedProcess): void {
    if (this.#isSlow) store.faults = { delayMsMax: 500 };
    if (this.#stormPerCent > 0) makeUnreliable(store, this.#random);
  }

  #disturb(): void {
    const process = this.#running.pick((count) => this.#random.below(count));
    if (!process) return;
    if (this.#random.below(2) === 0) {
      this.#running.kill(process);
      return;
    }
    this.#trace(`process ${process.pid} is told to stop`);
    process.abort.abort(new Error('told to stop'));
  }

  /** Which endings a world with these faults may have. */
  #judge({ ending, abort, store, pid }: SimulatedProcess): void {
    assert.ok(ending);
    if (ending.kind === 'done') {
      const { id = 'collected', grade = 'complete' } = ending.outcome?.point ?? {};
      this.#trace(`process ${pid} is done: ${id}`);
      const wanted = cutGrades.indexOf(this.#wanted.get(pid) ?? 'best-effort');
      assert.ok(cutGrades.indexOf(grade) <= wanted, `${id} is ${grade} only`);
      return;
    }
    const { error } = ending;
    this.#trace(`process ${pid} failed: ${error}`);
    if (abort.signal.aborted || store.crashed) return;
    if (!this.#calm && passing.some((code) => isCodrError(error, code))) return;
    // An older cut, which only the merge of lost ones lies behind, is no place for a base copy.
    if (this.#check.hasLosses && isCodrError(error, 'time-not-restorable')) return;
    throw error;
  }

  /** A reader that has no faults works to its end. */
  async #reads(work: (reader: SimulatedProcess) => Promise<void>): Promise<void> {
    const reader = await SimulatedProcess.start(++this.#pid, this.#shared);
    let ended: { error?: unknown } | undefined;
    work(reader).then(
      () => {
        ended = {};
      },
      (error: unknown) => {
        ended = { error };
      },
    );
    const steps = quietTurnsMax + calmStepsMax;
    for (let i = 0; !ended; i++) {
      assert.ok(i < steps, 'a restore does not end');
      if (i < quietTurnsMax) await new Promise((turn) => setImmediate(turn));
      else await this.#step(1);
    }
    this.#shared.alive.delete(reader.pid);
    if (!('error' in ended)) return;
    const { lineage } = await reader.openSource();
    for (const line of describeState(lineage.state, told)) this.#trace(line);
    throw ended.error;
  }

  async #restores(count: number): Promise<void> {
    await this.#reads(async (reader) => {
      const context = await reader.openSource();
      this.#check.look(context);
      for (let i = 0; i < count; i++) await this.#check.restoreOne(context);
    });
  }

  /** A pack is lost while nobody works; a check finds it, and gives up what needs it. */
  async #lose(): Promise<void> {
    this.#running.killAll();
    await this.#reads(async (reader) => {
      this.#check.look(await reader.openSource());
      const lost = await losePack(reader, this.#store, this.#random);
      if (lost === undefined) return;
      this.#trace(`${lost} is lost, and given up`);
      this.#losses++;
      this.#check.hasLosses = true;
    });
  }

  /** Everybody dies, all faults end; one more cut must then be complete, and all that is promised be right. */
  async #finish(): Promise<CutSimulationReport> {
    this.#running.killAll();
    this.#calm = true;
    this.#workload.settle();
    this.#trace('the world is calm');
    await this.#calmBackups();
    if (this.#purges) await this.#letGo();
    for (let i = 0; this.#losesPacks && i < 3; i++) {
      await this.#lose();
      await this.#calmBackups();
    }
    this.#judge(await this.#calmWork((process) => process.collect(-1)));
    this.#judge(await this.#calmWork((process) => process.checkpoint(true, this.#random)));
    await this.#restores(3);
    let counts = { merged: 0, epochs: 0, folded: 0 };
    await this.#reads(async (reader) => {
      const context = await reader.openSource();
      this.#check.look(context);
      await this.#check.foldAll(context);
      const { state } = context.lineage;
      const deltas = state.list<DeltaRecord>('delta');
      const merged = deltas.filter(([, { tier }]) => tier).length;
      const folded = state.list<BaseRecord>('base').filter(([, one]) => one.folded).length;
      counts = { merged, folded, epochs: epochsOf(state).length };
    });
    const { restores, refusals, cuts, poor, returned } = this.#check;
    const [backups, collections, crashes] = [
      this.#backups,
      this.#collections,
      this.#running.crashes,
    ];
    const [losses, checkpoints] = [this.#losses, this.#checkpoints];
    return {
      ...{ restores, refusals, cuts, poor, backups, collections, checkpoints, crashes, losses },
      ...{ returned, ...counts },
    };
  }

  /** The cluster forgets old deletions, a checkpoint does, and what they hid may be in files that are new. */
  async #letGo(): Promise<void> {
    await this.#clock.advance((this.#cluster.gcGraceSeconds + 100) * 1000);
    this.#workload.purgeAll();
    await this.#calmBackups();
    this.#judge(await this.#calmWork((process) => process.checkpoint(true, this.#random)));
    this.#workload.purgeAll();
    for (let i = 0; i < 5; i++) this.#change();
    this.#workload.settle();
    await this.#calmBackups();
    this.#judge(await this.#calmWork((process) => process.checkpoint(false, this.#random)));
  }

  async #calmBackups(): Promise<void> {
    while (!(await this.#calmBackup())) {
      assert.ok(this.#backups < 100, 'a backup in a calm world never gets its turn');
    }
  }

  /** False when what a dead process had on its way still looked like a sign of life. */
  async #calmBackup(): Promise<boolean> {
    this.#backups++;
    const options = { follow: false, rpoMs: 60_000, minGrade: 'complete' } as const;
    const process = await this.#calmWork((one) => one.backup(options));
    const { ending } = process;
    if (ending?.kind !== 'failed') return true;
    assert.ok(isCodrError(ending.error, 'busy') && this.#running.crashes > 0, `${ending.error}`);
    return false;
  }

  async #calmWork(work: (process: SimulatedProcess) => void): Promise<SimulatedProcess> {
    const process = await SimulatedProcess.start(++this.#pid, this.#shared);
    work(process);
    for (let i = 0; !process.ending; i++) {
      assert.ok(i < calmStepsMax, 'a work in a calm world does not end');
      await this.#step(1);
    }
    return process;
  }
}
