// Protects one source: claims it, opens or continues its history, copies what has no base copy, and
// listens. Dies anywhere without harm: the next run goes on from what is stored.

import { toHex } from '../../base/bytes.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import type { CutGrade, SourceConfig, SourceSession } from '../../connector/connector.ts';
import type { StreamId } from '../../model/id.ts';
import type { Interval } from '../../model/point.ts';
import { lastTime, type SourceTime, timeFromHex, timeToHex } from '../../model/time.ts';
import type {
  BaseRecord,
  PointRecord,
  RunRecord,
  WantRecord,
} from '../../repository/lineage/records.ts';
import { claimWriter, type WriterClaim } from '../../repository/lineage/writer.ts';
import {
  baseAt,
  catalogChanges,
  epochAt,
  inScope,
  restorableIntervals,
} from '../history/source-history.ts';
import { describeUndecided } from '../history/undecided.ts';
import { type ProgressListener, ProgressMeter } from '../progress.ts';
import { baseTimeOf } from '../read/fold.ts';
import { describeTime } from '../read/point.ts';
import { connectorContext, type SourceContext } from '../source-context.ts';
import { auditOnce } from './audit.ts';
import { BaseCopyJob } from './base-copy.ts';
import { backupByCuts } from './cut-cycle.ts';
import { openEpoch, runningEpoch } from './epoch.ts';
import { Follower, type TickReport } from './follower.ts';
import { mergeDueRuns } from './merge.ts';
import { rereadUnknown } from './reread.ts';
import { runTouches } from './run-records.ts';

export interface BackupOptions {
  readonly follow: boolean;
  /** It followed before: what a follower passes over is passed over from the beginning. */
  readonly goesOn?: boolean;
  readonly rpoMs: number;
  /** What the source called itself when it was added; another is refused. */
  readonly identity: string;
  /** Time between two audits of the live source while following. */
  readonly auditEveryMs: number;
  /** Of cuts: a point that is less sure is not made. */
  readonly minGrade: CutGrade;
  readonly listener?: ProgressListener;
}

export interface BackupOutcome {
  readonly point: PointRecord & { readonly id: string };
  readonly interval: Interval;
  readonly records: number;
  readonly changes: number;
  readonly bytesRead: number;
  readonly bytesDeduplicated: number;
  /** Of cuts: what is less sure than `complete`, and why. */
  readonly notes?: readonly string[];
  readonly seconds: number;
}

/** Longest silence of a writer, unless the recovery point objective is longer. */
const idleCommitMs = 60_000;
/** A backup that is held back by an undecided transaction says so after this time, and then this often. */
const heldToldAfterMs = 5_000;
const heldToldEveryMs = 30_000;

/** Runs until a point is committed, or, when following, until `signal` aborts. */
export async function backup(
  context: SourceContext,
  options: BackupOptions,
  signal: AbortSignal,
): Promise<BackupOutcome> {
  const { world, lineage } = context;
  const claim = await claimWriter(lineage, {
    source: context.name,
    probe: world.probe,
    clock: world.clock,
    tickMs: silenceMsMax(options),
    claim: toHex(world.random.bytes(16)),
    signal,
  });
  try {
    const outside = { ...connectorContext(world), owner: lineage.name };
    const config = await context.config();
    await using session = await context.connector.connect(config, outside, signal);
    checkIdentity(context, config, session, options.identity);
    context.pace?.asks(session, signal);
    if (!context.connector.capabilities.orderedLog) {
      return await backupByCuts(context, options, { session, claim }, signal);
    }
    return await new Backup(context, options, session, claim).run(signal);
  } finally {
    await claim.release().catch((error: unknown) => {
      world.log.warn({ error }, 'the source could not be released');
    });
  }
}

function silenceMsMax({ rpoMs }: Pick<BackupOptions, 'rpoMs'>): number {
  return Math.max(rpoMs, idleCommitMs);
}

function checkIdentity(
  { name, connector }: SourceContext,
  { uri }: SourceConfig,
  session: SourceSession,
  wanted: string,
): void {
  if (session.identity.id === wanted) return;
  throw new CodrError(
    'source-other-identity',
    `${connector.redact(uri)} is ${session.identity.id}, not ${wanted}`,
    { object: name },
  );
}

class Backup {
  readonly #context: SourceContext;
  readonly #options: BackupOptions;
  readonly #session: SourceSession;
  readonly #claim: WriterClaim;
  readonly #meter: ProgressMeter;
  #changes = 0;
  #logBytes = 0;
  #auditedMs = Number.NEGATIVE_INFINITY;
  #point: (PointRecord & { id: string }) | undefined;

  constructor(
    context: SourceContext,
    options: BackupOptions,
    session: SourceSession,
    claim: WriterClaim,
  ) {
    this.#context = context;
    this.#options = options;
    this.#session = session;
    this.#claim = claim;
    this.#meter = new ProgressMeter(context.world.clock, options.listener);
  }

  async run(signal: AbortSignal): Promise<BackupOutcome> {
    let reason = 'the source was added';
    for (;;) {
      const epoch = runningEpoch(this.#context) ?? (await this.#openEpoch(reason, signal));
      try {
        await this.#runEpoch(epoch, signal);
        break;
      } catch (error) {
        if (!isCodrError(error, 'gap')) throw error;
        this.#context.world.log.error({ error: error.message }, 'the log has a hole');
        reason = error.message;
        await this.#openEpoch(reason, signal);
      }
    }
    return this.#outcome(signal);
  }

  async #openEpoch(reason: string, signal: AbortSignal): Promise<number> {
    this.#meter.phase('survey');
    return await openEpoch(this.#context, this.#session, { claim: this.#claim, reason }, signal);
  }

  /** Follower and copier side by side: whichever fails stops the other, and its error is thrown. */
  async #runEpoch(epoch: number, signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const both = AbortSignal.any([signal, stop.signal]);
    const pulse = new Pulse(both);
    const follower = new Follower(this.#context, {
      stream: this.#session.identity.streams[0] as StreamId,
      epoch,
      rpoMs: this.#options.rpoMs,
      follow: this.#options.follow,
      idleMs: silenceMsMax(this.#options),
      claim: this.#claim,
      catalog: catalogChanges(this.#context.lineage.state, epoch, lastTime),
      onTick: (tick) => {
        this.#onTick(tick);
        pulse.beat();
      },
    });
    const entries = follower.catalog.followed;
    await rereadUnknown(this.#context, { claim: this.#claim, epoch, entries });
    const telling = this.#tellWhatHolds(follower, both);
    let failure: { error: unknown } | undefined;
    const guarded = async (work: Promise<void>): Promise<void> => {
      try {
        await work;
      } catch (error) {
        if (!both.aborted) failure ??= { error };
        stop.abort(error);
      }
    };
    const copying = this.#copyAndKeep(epoch, follower, pulse, both).then(() =>
      stop.abort(finished),
    );
    await Promise.all([guarded(follower.run(this.#session, both)), guarded(copying)]);
    await telling;
    if (failure) throw failure.error;
    if (signal.aborted && this.#point) await this.#commitPoint();
  }

  /** Until the first point: a copy may have to wait, and nothing is restorable, while one is undecided. */
  async #tellWhatHolds(follower: Follower, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#context.world;
    for (let ms = heldToldAfterMs; !this.#point; ms = follower.undecided ? heldToldEveryMs : ms) {
      try {
        await clock.sleep(ms, signal);
      } catch {
        return; // the work has ended
      }
      const { undecided } = follower;
      if (!undecided || this.#point) continue;
      const held = `waits for ${describeUndecided(this.#context.connector, undecided)}`;
      log.warn({ source: this.#context.name }, held);
      this.#meter.report(held);
    }
  }

  async #copyAndKeep(
    epoch: number,
    follower: Follower,
    pulse: Pulse,
    signal: AbortSignal,
  ): Promise<void> {
    do {
      await this.#copy(follower, signal);
      await this.#catchUp(follower, signal);
    } while (this.#context.lineage.state.keys('want').length > 0); // more may have entered meanwhile
    await mergeDueRuns(this.#context, this.#claim, epoch, signal);
    await this.#commitPoint();
    if (!this.#options.follow) return;
    this.#meter.phase('following');
    for (;;) {
      await pulse.next();
      await mergeDueRuns(this.#context, this.#claim, epoch, signal);
      await this.#auditWhenDue(epoch, follower, signal);
      if (this.#context.lineage.state.keys('want').length === 0) continue;
      await this.#copy(follower, signal);
      this.#meter.phase('following');
    }
  }

  async #copy(follower: Follower, signal: AbortSignal): Promise<void> {
    const wants = this.#context.lineage.state.list<WantRecord>('want').map(([, want]) => want);
    if (wants.length === 0) return;
    this.#meter.phase('base copy', {
      recordsTotal: wants.reduce((sum, want) => sum + want.records, 0),
      bytesTotal: wants.reduce((sum, want) => sum + want.bytes, 0),
    });
    const job = new BaseCopyJob(this.#context, {
      session: this.#session,
      claim: this.#claim,
      stream: this.#session.identity.streams[0] as string,
      entryOf: (dataset) => follower.catalog.entries.get(dataset),
      meter: this.#meter,
      caughtUp: (task) => this.#catchUp(follower, task),
    });
    await this.#context.world.runJob(job, signal);
  }

  async #catchUp(follower: Follower, signal: AbortSignal): Promise<void> {
    await follower.reached(await this.#session.watermark(signal), signal);
  }

  /** A source that cannot be read right now is audited the next time. */
  async #auditWhenDue(epoch: number, follower: Follower, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#context.world;
    if (clock.monotonic() - this.#auditedMs < this.#options.auditEveryMs) return;
    this.#auditedMs = clock.monotonic();
    const entries = [...follower.catalog.entries.values()].filter(
      (entry) => entry.role === 'data' && inScope(this.#context.scope, entry),
    );
    const options = { session: this.#session, claim: this.#claim, epoch, entries };
    try {
      await auditOnce(this.#context, options, signal);
    } catch (error) {
      const isPassing =
        isCodrError(error, 'snapshot-too-old') || isCodrError(error, 'source-unreachable');
      if (!isPassing) throw error;
      log.info({ error: error.message }, 'audit: the source could not be read');
    }
  }

  #onTick(tick: TickReport): void {
    this.#changes += tick.changes;
    this.#logBytes += tick.bytesRead;
    if (!this.#options.follow || !this.#point) return;
    const time = describeTime(this.#context.connector, tick.through);
    const { undecided } = tick;
    const held = undecided && describeUndecided(this.#context.connector, undecided);
    const told = `committed up to ${time}${held ? `, held back by ${held}` : ''}`;
    this.#meter.add(tick.changes, tick.bytesRead, told);
    this.#meter.report(told);
  }

  async #commitPoint(): Promise<void> {
    const { lineage, connector } = this.#context;
    await lineage.commit((draft) => {
      this.#claim.check(draft);
      const to = restorableIntervals(draft).at(-1)?.to;
      if (to === undefined) return false;
      const point = this.#describe(to);
      const id = `p${draft.seq}`;
      draft.set(`point/${id}`, point);
      this.#point = { ...point, id };
    });
    if (this.#point) return;
    throw new CodrError('time-not-restorable', 'the history of the source is not whole yet', {
      object: this.#context.name,
      remedy: `see \`codr points ${this.#context.name}\``,
      facts: { kind: connector.kind },
    });
  }

  #describe(at: SourceTime): PointRecord {
    const { lineage, connector, scope } = this.#context;
    const epoch = epochAt(lineage.state, at)?.number ?? 0;
    const entries = connector.foldCatalog(catalogChanges(lineage.state, epoch, at));
    const runs = lineage.state.list<RunRecord>('run').map(([, run]) => run);
    const touches = (run: RunRecord, base: BaseRecord): boolean =>
      run.epoch === base.epoch && runTouches(run, baseTimeOf({ base }), at);
    let [datasets, records, bytes] = [0, 0, 0];
    let estimated = false;
    for (const entry of entries) {
      if (!inScope(scope, entry)) continue;
      datasets++;
      const base: BaseRecord | undefined = baseAt(lineage.state, entry.dataset, epoch, at);
      records += base?.tree?.records ?? 0;
      bytes += base?.tree?.bytes ?? 0;
      // Which datasets a run tells of is not read here: a point must not wait for its runs.
      estimated ||= !base || runs.some((run) => touches(run, base));
    }
    const wallMs = connector.wallMs(at);
    const counts = { datasets, records, bytes, ...(estimated && { estimated }) };
    return { time: timeToHex(at), wallMs, ...counts };
  }

  #outcome(signal: AbortSignal): BackupOutcome {
    const point = this.#point;
    if (!point) {
      signal.throwIfAborted();
      throw new CodrError('failed', 'the backup ended without a point');
    }
    const at = timeFromHex(point.time);
    const intervals = restorableIntervals(this.#context.lineage.state);
    const interval = intervals.find(({ from, to }) => from <= at && at <= to);
    return {
      point,
      interval: interval ?? { from: at, to: at },
      records: this.#meter.recordsAll,
      changes: this.#changes,
      bytesRead: this.#meter.bytesAll + this.#logBytes,
      bytesDeduplicated: this.#meter.bytesDeduplicated,
      seconds: this.#meter.seconds,
    };
  }
}

const finished = new Error('the backup is done');

/** Wakes one waiter; beats that nobody waits for are remembered once. */
class Pulse {
  readonly #signal: AbortSignal;
  #beaten = false;
  #wake: () => void = () => {};

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', () => this.#wake(), { once: true });
  }

  beat(): void {
    this.#beaten = true;
    this.#wake();
  }

  /** Rejects when the signal aborts. */
  async next(): Promise<void> {
    while (!this.#beaten) {
      this.#signal.throwIfAborted();
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
    this.#beaten = false;
  }
}
