// Reading a memory database: snapshot reads at its last settled time, and its logs up to what is safe.
import { CodrError } from '../../base/error.ts';
import type { CatalogChange, CatalogEntry } from '../../model/catalog.ts';
import type { StreamId } from '../../model/id.ts';
import { type KeyRange, rangeHolds, rangesBetween } from '../../model/key-range.ts';
import { type Scope, scopeHolds } from '../../model/namespace.ts';
import type { RecordBatch, RecordStream } from '../../model/record.ts';
import { comparePositions, type Position, type SourceTime } from '../../model/time.ts';
import type {
  ChangeBatch,
  ConnectorContext,
  Finding,
  SegmentReader,
  SourceIdentity,
  SourceSession,
  Survey,
} from '../connector.ts';
import type { FollowOptions } from '../follow-options.ts';
import { definitionBytes, type MemoryDatabase } from './memory-database.ts';
import { catalogEntry } from './memory-fold.ts';
import { MemoryFollower } from './memory-follow.ts';
import type { MemoryLog } from './memory-log.ts';

const segmentBatchCount = 50;
const followBatchCount = 20;
const idleMs = 1000;
/** Nobody sleeps any more. Made once: an error costs its stack. */
const awake = new Error('awake');

export class MemorySession implements SourceSession {
  readonly identity: SourceIdentity;
  readonly #database: MemoryDatabase;
  readonly #context: ConnectorContext;

  constructor(database: MemoryDatabase, context: ConnectorContext) {
    this.#database = database;
    this.#context = context;
    this.identity = memoryIdentity(database);
  }

  async check(scope: Scope): Promise<Finding[]> {
    const fine: Finding = { level: 'fine', message: `memory:${this.#database.id} answers` };
    const there = this.#database.definitionsAt(this.#database.settled);
    if (there.some(({ namespace }) => scopeHolds(scope, namespace))) return [fine];
    return [fine, { level: 'warning', message: 'nothing is in scope' }];
  }

  async survey(signal: AbortSignal): Promise<Survey> {
    signal.throwIfAborted();
    this.#database.maybeFail('survey');
    const at = this.#database.settled;
    const before = new Map(this.#database.logs.map((log) => [log.stream, surveyStart(log, at)]));
    const [first] = this.#database.logs;
    const catalog: CatalogChange[] = [];
    const datasets = this.#database.definitionsAt(at).map((definition, index) => {
      const body = definitionBytes(definition);
      const position = { time: at, term: 0n };
      const { dataset } = definition;
      catalog.push({
        time: at,
        stream: (first as MemoryLog).stream,
        position,
        index,
        dataset,
        kind: 'survey',
        body,
      });
      const records = this.#database.stateAt(dataset, at);
      const bytes = records.reduce((sum, { value }) => sum + value.length, 0);
      return { entry: catalogEntry(dataset, body), records: records.length, bytes };
    });
    return { before, exactFrom: at, datasets, catalog };
  }

  async plan(entry: CatalogEntry, hint: { readonly bytesPerSegment: number }): Promise<KeyRange[]> {
    const bounds: Uint8Array[] = [];
    let bytes = 0;
    for (const { key, value } of this.#database.stateAt(entry.dataset, this.#database.settled)) {
      if (bytes >= hint.bytesPerSegment) {
        bounds.push(key);
        bytes = 0;
      }
      bytes += key.length + value.length;
    }
    return rangesBetween(bounds);
  }

  async readSegment(
    entry: CatalogEntry,
    range: KeyRange,
    signal: AbortSignal,
  ): Promise<SegmentReader | undefined> {
    const at = this.#database.settled;
    const live = this.#database.definitionsAt(at).some(({ dataset }) => dataset === entry.dataset);
    if (!live) return undefined;
    return { after: at, exactFrom: () => at, batches: this.#records(entry, range, at, signal) };
  }

  async *follow(
    stream: StreamId,
    options: FollowOptions,
    signal: AbortSignal,
  ): AsyncGenerator<ChangeBatch, void, void> {
    const log = this.#log(stream);
    let next = log.find(options.resume);
    if (next === undefined) throw gap(stream, 'it no longer holds where following begins');
    const follower = new MemoryFollower(stream, options);
    for (;;) {
      signal.throwIfAborted();
      this.#database.maybeFail('follow');
      if (next < log.first) throw gap(stream, 'it was truncated while it was followed');
      const wake = this.#database.changed();
      let taken = 0;
      for (; taken < followBatchCount; taken++) {
        const entry = log.at(next);
        if (!entry || entry.position.time > this.#database.majorityTime) break;
        follower.take(entry);
        next++;
      }
      yield follower.batch();
      if (taken === 0) await this.#idle(wake, signal);
    }
  }

  async watermark(): Promise<SourceTime> {
    const now = this.#database.now;
    this.#database.noop(); // carries every stream past it
    return now;
  }

  async logBounds(stream: StreamId): Promise<{ oldest: SourceTime; newest: SourceTime }> {
    const log = this.#log(stream);
    return { oldest: log.oldest.position.time, newest: log.newest.position.time };
  }

  async readAt(
    entry: CatalogEntry,
    range: KeyRange,
    at: SourceTime,
    signal: AbortSignal,
  ): Promise<RecordStream | undefined> {
    return this.#records(entry, range, at, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** Looks the snapshot up again for each batch, so that it can be too old in the middle. */
  async *#records(
    entry: CatalogEntry,
    range: KeyRange,
    at: SourceTime,
    signal: AbortSignal,
  ): AsyncGenerator<RecordBatch, void, void> {
    for (let from = 0; ; from += segmentBatchCount) {
      signal.throwIfAborted();
      this.#database.maybeFail('read');
      const records = this.#database.stateAt(entry.dataset, at);
      const inRange = records.filter(({ key }) => rangeHolds(range, key));
      const batch = inRange.slice(from, from + segmentBatchCount);
      if (batch.length === 0) return;
      yield batch;
    }
  }

  /** Waits for more of the log, one second by the given clock at most. */
  async #idle(wake: Promise<void>, signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    const stop = (): void => woken.abort(signal.reason);
    signal.throwIfAborted();
    signal.addEventListener('abort', stop, { once: true });
    const sleep = this.#context.clock.sleep(idleMs, woken.signal);
    try {
      await Promise.race([wake, sleep]);
    } finally {
      signal.removeEventListener('abort', stop);
      woken.abort(awake);
      sleep.catch(() => {}); // ended by us
    }
  }

  #log(stream: StreamId): MemoryLog {
    const log = this.#database.logs.find((each) => each.stream === stream);
    if (!log)
      throw new CodrError('source-unfit', `there is no stream ${stream}`, { object: stream });
    return log;
  }
}

export function memoryIdentity(database: MemoryDatabase): SourceIdentity {
  return { id: database.id, version: '1', streams: database.logs.map(({ stream }) => stream) };
}

/** The first entry of the oldest transaction open at `at`, else the last entry until then. */
function surveyStart(log: MemoryLog, at: SourceTime): Position {
  const firsts = [...log.openUntil(at).values()].sort(comparePositions);
  return firsts[0] ?? log.lastUntil(at).position;
}

function gap(stream: StreamId, why: string): CodrError {
  return new CodrError('gap', `the log ${stream} has a gap: ${why}`, { object: stream });
}
