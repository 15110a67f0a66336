// Listens to one stream and turns what it hears into commits: a tick sorts the changes since the last
// one into a run and stores it together with the stream's position, the catalog's changes and every
// doubt, in one entry. What is not committed when the process dies is read again from the source's log.
import { assert } from '../../base/assert.ts';
import { once, untilAborted } from '../../base/async.ts';
import { toBase64 } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import type { CatalogFold, ChangeBatch, SourceSession } from '../../connector/connector.ts';
import type { UndecidedTransaction, UnknownEntry } from '../../connector/log-doubt.ts';
import type { CatalogChange, CatalogEntry } from '../../model/catalog.ts';
import type { Change } from '../../model/change.ts';
import type { DatasetId, StreamId } from '../../model/id.ts';
import {
  firstTime,
  maxTime,
  type Position,
  positionFromText,
  positionToText,
  type SourceTime,
  timeFromHex,
  timeToHex,
} from '../../model/time.ts';
import type { Draft } from '../../repository/lineage/draft.ts';
import { usePacks } from '../../repository/lineage/pack-table.ts';
import type {
  BaseRecord,
  EpochRecord,
  StreamRecord,
  UnknownRecord,
  WantRecord,
} from '../../repository/lineage/records.ts';
import type { StateView } from '../../repository/lineage/state.ts';
import type { WriterClaim } from '../../repository/lineage/writer.ts';
import { sortChanges, writeRun } from '../../repository/runs/run-writer.ts';
import { addHole, endWant } from '../history/ledger.ts';
import {
  baseKey,
  catalogKey,
  catalogRecord,
  epochKey,
  hasBase,
  inScope,
} from '../history/source-history.ts';
import type { SourceContext } from '../source-context.ts';
import { type CatalogDifference, CatalogTracker } from './catalog-tracker.ts';
import { QuietLog } from './quiet-log.ts';
import { groupsOf, runKey, runRecord } from './run-records.ts';

export interface FollowerOptions {
  readonly stream: StreamId;
  readonly epoch: number;
  /** Longest time between two commits while there are changes. */
  readonly rpoMs: number;
  /** That holds for quiet time too: all that moves is committed, and a quiet source is asked to move. */
  readonly follow: boolean;
  /** A stream that stands still is committed this often all the same: a writer shows that it lives. */
  readonly idleMs: number;
  readonly claim: WriterClaim;
  /** The epoch's catalog so far. */
  readonly catalog: readonly CatalogChange[];
  /** Called after a commit. */
  readonly onTick: (tick: TickReport) => void;
}

export interface TickReport {
  readonly changes: number;
  readonly bytesRead: number;
  readonly through: SourceTime;
  readonly undecided?: UndecidedTransaction | undefined;
  /** Datasets now want a base copy that did not before. */
  readonly wants: boolean;
}

interface Gathered {
  changes: Change[];
  catalog: CatalogChange[];
  unknown: UnknownEntry[];
  valueBytes: number;
  bytes: number;
  last: Pick<ChangeBatch, 'resume' | 'through' | 'settled' | 'undecided'> | undefined;
}

const empty = (): Gathered => ({
  changes: [],
  catalog: [],
  unknown: [],
  valueBytes: 0,
  bytes: 0,
  last: undefined,
});

/** Rough heap cost of a change beside its bytes. */
const changeOverheadBytes = 200;

export class Follower {
  readonly #context: SourceContext;
  readonly #options: FollowerOptions;
  readonly #catalog: CatalogTracker;
  #gathered = empty();
  #lastTickMs: number;
  #committed: StreamRecord;
  /** Time of the last entry of the tick that is being committed. */
  #heard = firstTime;
  #undecided: UndecidedTransaction | undefined;
  #waiting: { time: SourceTime; done: () => void }[] = [];

  constructor(context: SourceContext, options: FollowerOptions) {
    this.#context = context;
    this.#options = options;
    const stored = context.lineage.state.get<StreamRecord>(`stream/${options.stream}`);
    assert(stored, 'a stream is followed from a stored position');
    this.#committed = stored;
    this.#lastTickMs = context.world.clock.monotonic();
    const open = (): CatalogFold => context.connector.openCatalog();
    this.#catalog = new CatalogTracker(open, context.scope, options.catalog);
  }

  get catalog(): CatalogTracker {
    return this.#catalog;
  }

  /** What nothing later can be settled without, as last heard. */
  get undecided(): UndecidedTransaction | undefined {
    return this.#undecided;
  }

  /** Follows until aborted; then commits what was heard and returns. Errors: `gap`, those of the source. */
  async run(session: SourceSession, signal: AbortSignal): Promise<void> {
    const from = {
      resume: positionFromText(this.#committed.resume),
      through: positionFromText(this.#committed.through),
      entries: this.#catalog.followed,
    };
    const { follow, rpoMs, stream } = this.#options;
    const quiet = follow ? new QuietLog(session, this.#context.world, rpoMs) : undefined;
    let through = this.#committed.through;
    try {
      for await (const batch of session.follow(stream, from, signal)) {
        const now = positionToText(batch.through);
        if (now !== through) quiet?.heard();
        through = now;
        this.#take(batch);
        if (this.#isDue()) await this.#tick();
        if (signal.aborted) break;
        quiet?.look(this.#lastTickMs, signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    assert(signal.aborted, 'a stream is followed until it is told to stop');
    if (this.#gathered.last) await this.#tick();
  }

  /** Resolves when everything up to `time` is committed and settled. */
  async reached(time: SourceTime, signal: AbortSignal): Promise<void> {
    if (timeFromHex(this.#committed.settled) >= time) return;
    await untilAborted(
      new Promise<void>((done) => {
        this.#waiting.push({ time, done });
      }),
      signal,
    );
  }

  #take(batch: ChangeBatch): void {
    const gathered = this.#gathered;
    for (const change of batch.changes) {
      gathered.changes.push(change);
      gathered.valueBytes += change.value.length + change.key.length + changeOverheadBytes;
    }
    gathered.catalog.push(...batch.catalog);
    gathered.unknown.push(...batch.unknown);
    gathered.bytes += batch.bytes;
    gathered.last = batch;
    this.#undecided = batch.undecided;
  }

  #isDue(): boolean {
    const { changes, catalog, unknown, last, valueBytes } = this.#gathered;
    if (!last) return false;
    const sinceMs = this.#context.world.clock.monotonic() - this.#lastTickMs;
    const { follow, rpoMs, idleMs } = this.#options;
    const isToldOf = last.undecided?.name === this.#committed.undecided?.name;
    const something =
      changes.length > 0 ||
      catalog.length > 0 ||
      unknown.length > 0 ||
      !isToldOf ||
      (follow && positionToText(last.through) !== this.#committed.through);
    return (
      valueBytes > this.#context.world.limits.tickBytesMax ||
      sinceMs >= (something ? rpoMs : idleMs) ||
      this.#waiting.some(({ time }) => last.settled >= time)
    );
  }

  async #tick(): Promise<void> {
    const gathered = this.#gathered;
    this.#gathered = empty();
    this.#lastTickMs = this.#context.world.clock.monotonic();
    const { last } = gathered;
    assert(last, 'a tick has a position');
    const before = this.#catalog.entries;
    const differences = this.#catalog.apply(gathered.catalog);
    const changes = sortChanges(this.#protected(gathered.changes, before));
    const session = this.#context.repository.session();
    const run = await writeRun(once(changes), session.blocks, { tier: 0 });
    const used = await session.flush();
    const groups = groupsOf(changes);
    // A follower that has to find its place again first says less than was sure before.
    const settled = maxTime(last.settled, timeFromHex(this.#committed.settled));
    const stream = streamRecord({ ...last, settled });
    let wants = 0;
    await this.#context.lineage.commit((draft): undefined => {
      this.#options.claim.check(draft);
      this.#checkStream(draft);
      draft.set(`stream/${this.#options.stream}`, stream);
      this.#noteCatalog(draft, gathered.catalog);
      wants = 0;
      for (const step of differences) wants += this.#noteScope(draft, step);
      this.#heard = last.through.time;
      wants += this.#noteDoubts(draft, gathered.unknown);
      const packs = String(usePacks(draft, used));
      if (run) {
        const offset = run.inline ? draft.attach(run.inline) : 0;
        const where = { epoch: this.#options.epoch, seq: draft.seq, offset, packs };
        draft.set(runKey(draft.seq), runRecord(run, where, groups));
      }
    });
    this.#context.repository.committed(used);
    this.#committed = stream;
    this.#wake();
    this.#options.onTick({
      changes: changes.length,
      bytesRead: gathered.bytes,
      through: last.through.time,
      undecided: last.undecided,
      wants: wants > 0,
    });
  }

  /**
   * Without changes of datasets outside of the scope. One that the log saw being made is kept all the same:
   * a rename may bring it into the scope, with its whole history. Others get a base copy then.
   */
  #protected(changes: readonly Change[], before: ReadonlyMap<DatasetId, CatalogEntry>): Change[] {
    const { scope, lineage } = this.#context;
    const isOut = (entry: CatalogEntry | undefined): boolean =>
      entry !== undefined && !inScope(scope, entry);
    const known = new Map<DatasetId, boolean>();
    return changes.filter(({ dataset }) => {
      let isKept = known.get(dataset);
      if (isKept === undefined) {
        isKept =
          !(isOut(before.get(dataset)) && isOut(this.#catalog.entries.get(dataset))) ||
          hasBase(lineage.state, dataset, this.#options.epoch);
        known.set(dataset, isKept);
      }
      return isKept;
    });
  }

  /**
   * A stream's next interval begins where the stored one ends; else somebody else has gone on. An epoch that
   * somebody closed (a check that gave a run up) goes on as the next one.
   */
  #checkStream(state: StateView): void {
    if (state.get<EpochRecord>(epochKey(this.#options.epoch))?.closedAt !== undefined) {
      throw new CodrError('gap', 'the history of the source was closed: a new base copy follows');
    }
    const stored = state.get<StreamRecord>(`stream/${this.#options.stream}`);
    if (stored?.through === this.#committed.through) return;
    throw new CodrError('lease-lost', `another process has followed ${this.#options.stream}`);
  }

  #noteCatalog(draft: Draft, changes: readonly CatalogChange[]): void {
    for (const change of changes) {
      draft.set(catalogKey(this.#options.epoch, change), catalogRecord(change));
    }
  }

  /** Returns how many datasets now want a base copy that did not before. */
  #noteScope(draft: Draft, difference: CatalogDifference): number {
    const { epoch, stream } = this.#options;
    let wants = 0;
    for (const { entry, time } of difference.born) {
      const base: BaseRecord = { epoch, exactFrom: timeToHex(time), steps: [], packs: '' };
      draft.set(baseKey(entry.dataset, time), base);
    }
    for (const { entry, time } of difference.entered) {
      if (hasBase(draft, entry.dataset, epoch)) continue;
      const from = timeToHex(time);
      // Changes before it entered are not kept: a copy begun then would lack them.
      const want = { epoch, from, notBefore: from, initial: false, records: 0, bytes: 0 };
      draft.set(`want/${entry.dataset}`, want satisfies WantRecord);
      wants++;
    }
    for (const { dataset, time } of difference.left) {
      const { unknown, ...want } = draft.get<WantRecord>(`want/${dataset}`) ?? {};
      if (unknown) draft.set(`want/${dataset}`, want); // as above
      endWant(draft, dataset, time, stream);
    }
    return wants;
  }

  /** Unknown entries are kept raw and close the interval just before them. Returns new wants. */
  #noteDoubts(draft: Draft, unknown: readonly UnknownEntry[]): number {
    let wants = 0;
    const record = draft.get<EpochRecord>(epochKey(this.#options.epoch));
    const surveyed = record ? timeFromHex(record.catalogFrom) : firstTime;
    for (const { time, position, dataset, name, body } of unknown) {
      this.#context.world.log.error({ name, time: timeToHex(time) }, 'unknown log entry');
      const place = positionToText(position);
      const before = draft.get<UnknownRecord>(`unknown/${place}`);
      draft.set(`unknown/${place}`, this.#rawRecord({ time, dataset, name, body }, before));
      // Read again for a transaction that was open at the survey: every base copy is newer.
      if (time <= surveyed) continue;
      const reason = `unknown log entry: ${name}`;
      const [stream, from] = [this.#options.stream, timeToHex(time)];
      const why = { reason, unknown: place };
      if (!dataset) addHole(draft, { stream, from: timeToHex(time - 1n), ...why });
      else if (this.#isWanted(dataset)) wants += this.#wantAnew(draft, dataset, { from, ...why });
      else {
        // It may have been in scope until this tick; when it comes again it needs a new copy.
        const to = timeToHex(this.#heard + 1n);
        // What is written outside of the scope is not kept: knowing the entry later does not fill this hole.
        addHole(draft, { stream, dataset, from: timeToHex(time - 1n), to, reason });
      }
    }
    return wants;
  }

  /** `before`: of another unknown operation of the same entry. */
  #rawRecord(
    { time, dataset, name, body }: Omit<UnknownEntry, 'position'>,
    before: UnknownRecord | undefined,
  ): UnknownRecord {
    const { epoch, stream } = this.#options;
    const datasets = new Set([...(before?.datasets ?? []), ...(dataset ? [dataset] : [])]);
    const at = { epoch, stream, time: timeToHex(time), datasets: [...datasets] };
    return { ...at, name, body: toBase64(body) };
  }

  #isWanted(dataset: DatasetId): boolean {
    const entry = this.#catalog.entries.get(dataset);
    return entry !== undefined && inScope(this.#context.scope, entry);
  }

  /** A doubt about one dataset ends with its next base copy. One that is on its way will be newer. */
  #wantAnew(
    draft: Draft,
    dataset: DatasetId,
    why: { readonly from: string; readonly reason: string; readonly unknown: string },
  ): number {
    const pending = draft.get<WantRecord>(`want/${dataset}`);
    for (const rest of [...draft.keys('segment', `${dataset}/`)]) {
      draft.set(`segment/${rest}`, null); // read before the doubt
    }
    const { epoch } = this.#options;
    const fresh = { epoch, ...why, initial: false, records: 0, bytes: 0 };
    const want: WantRecord = { ...(pending ?? fresh), notBefore: why.from };
    draft.set(`want/${dataset}`, want);
    return pending ? 0 : 1;
  }

  #wake(): void {
    const settled = timeFromHex(this.#committed.settled);
    const done = this.#waiting.filter(({ time }) => time <= settled);
    this.#waiting = this.#waiting.filter(({ time }) => time > settled);
    for (const waiter of done) waiter.done();
  }
}

export function streamRecord(at: {
  readonly resume: Position;
  readonly through: Position;
  readonly settled: SourceTime;
  readonly undecided?: UndecidedTransaction;
}): StreamRecord {
  const { undecided } = at;
  return {
    resume: positionToText(at.resume),
    through: positionToText(at.through),
    settled: timeToHex(at.settled),
    ...(undecided && {
      undecided: { name: undecided.name, preparedAt: timeToHex(undecided.preparedAt) },
    }),
  };
}
