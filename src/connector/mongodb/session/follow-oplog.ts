// Follows the oplog of a replica set: raw entries that a majority holds, from `resume` on, through the
// transaction assembler into change batches. Goes over to another member after an election or a cut; each
// (re)start must find the very entry it resumes at, else history was lost or rolled back: `gap`.
import type { MongoClient } from 'mongodb';
import { CodrError } from '../../../base/error.ts';
import type { CatalogChange } from '../../../model/catalog.ts';
import type { DatasetId, StreamId } from '../../../model/id.ts';
import { comparePositions, type Position, type SourceTime } from '../../../model/time.ts';
import type { ChangeBatch, ConnectorContext } from '../../connector.ts';
import type { FollowOptions } from '../../follow-options.ts';
import { documentOf, findElement, flagOf } from '../bson/raw-bson.ts';
import { positionOfEntry } from '../oplog/entry-decoder.ts';
import { TransactionAssembler } from '../oplog/transaction-assembler.ts';
import { describeTime, formatTime } from '../time-text.ts';
import type { MongodbConnection } from './connection.ts';
import { timestampOf } from './native-time.ts';
import { RawCursor, type Reading } from './raw-cursor.ts';
import { isPassing, translated } from './translate-error.ts';

/** How long a getMore waits for news: the longest time between two batches, about. */
const awaitMs = 500;
const retryMs = 250;
/** How often a member's tail is held against what a majority has. */
const lookMs = 5_000;
/** A log that cannot be reached for this long ends following. */
const unreachableMsMax = 60_000;

export interface FollowSource {
  readonly connection: MongodbConnection;
  readonly context: ConnectorContext;
  readonly stream: StreamId;
  /** Capped collections as they are now; the log tells of later ones. */
  capped(signal: AbortSignal): Promise<Iterable<DatasetId>>;
}

/** Never ends by itself. Errors: `gap`, `source-unreachable`, `source-rights`, `object-damaged`. */
export async function* followOplog(
  source: FollowSource,
  options: FollowOptions,
  signal: AbortSignal,
): AsyncGenerator<ChangeBatch, void, undefined> {
  const { connection, context } = source;
  let { resume, through } = options;
  const entries = options.entries ?? [];
  const capped = new Set(entries.filter(({ kind }) => kind === 'capped').map((e) => e.dataset));
  let failing: number | undefined;
  for (;;) {
    signal.throwIfAborted();
    let client = connection.client;
    try {
      [client] = await connection.readers(signal);
      const host = client.options.hosts.join(',');
      context.log.debug({ stream: source.stream, host }, 'following the oplog of this member');
      for await (const batch of followMember(source, client, { resume, through, capped }, signal)) {
        if (batch.bytes > 0) failing = undefined;
        ({ resume, through } = batch);
        for (const change of batch.catalog) noteCapped(change, capped);
        yield batch;
      }
      // The cursor died: this member's log ends before `resume`, or it was killed.
      connection.passOver(client);
      const now = context.clock.monotonic();
      failing ??= now;
      if (now - failing > unreachableMsMax) throw endsBefore(source.stream, resume);
      await context.clock.sleep(retryMs, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!isPassing(error)) throw translated(error, connection.hosts);
      const now = context.clock.monotonic();
      // What goes on is told once.
      const level = failing === undefined ? 'warn' : 'debug';
      failing ??= now;
      if (now - failing > unreachableMsMax) throw translated(error, connection.hosts);
      const seconds = Math.round((unreachableMsMax - (now - failing)) / 1000);
      const why = error instanceof Error ? error.message : String(error);
      const message = `the oplog cannot be read: ${why}: trying again for up to ${seconds} s`;
      context.log[level]({ stream: source.stream }, message);
      connection.passOver(client);
      yield emptyBatch(resume, through);
      await context.clock.sleep(retryMs, signal);
    }
  }
}

interface FollowedFrom {
  readonly resume: Position;
  readonly through: Position;
  /** Grows with what the server lists and what the log tells. */
  readonly capped: Set<DatasetId>;
}

/** One member's log until its cursor dies. */
async function* followMember(
  source: FollowSource,
  client: MongoClient,
  { resume, through, capped }: FollowedFrom,
  signal: AbortSignal,
): AsyncGenerator<ChangeBatch, void, undefined> {
  const { connection, context, stream } = source;
  for (const dataset of await source.capped(signal)) capped.add(dataset);
  await using assembler = new TransactionAssembler({
    stream,
    spill: context.spill,
    heldBytesMax: context.memoryBytesMax,
    through,
    capped,
  });
  await using cursor = await connection.within(client, signal, (member, stop) =>
    openOplog(member, resume, connection.reading(stop)),
  );
  const progress = new TailProgress(connection, context);
  let { documents } = cursor.first;
  let started = false;
  let caughtUp = false;
  for (;;) {
    if (!started && documents[0]) {
      checkEntry(stream, resume, positionOfEntry(documents[0]));
      started = true;
    }
    if (!caughtUp) {
      // Entries read again only tell what is open. Until the last of them the old places count, since
      // a transaction that was open at `through` may begin later among them.
      const news = documents.findIndex(
        (raw) => comparePositions(positionOfEntry(raw), through) >= 0,
      );
      const again = news < 0 ? documents : documents.slice(0, news);
      for await (const batch of assembler.consume(again)) {
        yield { ...emptyBatch(resume, through), bytes: batch.bytes };
      }
      documents = documents.slice(again.length);
      caughtUp = news >= 0;
      if (documents[0]) checkEntry(stream, through, positionOfEntry(documents[0]));
    }
    if (caughtUp) yield* assembler.consume(documents);
    if (!cursor.alive) return;
    ({ documents } = await cursor.next({ maxTimeMs: awaitMs }));
    const last = documents.at(-1);
    if (client !== connection.client) progress.check(last && positionOfEntry(last).time, signal);
  }
}

/** Leaves a member that stands still while a majority goes on. */
class TailProgress {
  readonly #connection: MongodbConnection;
  readonly #context: ConnectorContext;
  #lookedAtMs: number;
  /** Newest time that this member gave, and what it was one look ago. */
  #reached: SourceTime | undefined;
  #reachedThen: SourceTime | undefined;
  /** What a majority held one look ago. */
  #majorityThen: SourceTime | undefined;

  constructor(connection: MongodbConnection, context: ConnectorContext) {
    this.#connection = connection;
    this.#context = context;
    this.#lookedAtMs = context.clock.monotonic();
  }

  /** Errors: `source-unreachable`, which another member mends. The primary is asked aside: it may be away. */
  check(newest: SourceTime | undefined, signal: AbortSignal): void {
    this.#reached = newest ?? this.#reached;
    const nowMs = this.#context.clock.monotonic();
    if (nowMs - this.#lookedAtMs < lookMs) return;
    const isBehind = (this.#reached ?? 0n) < (this.#majorityThen ?? 0n);
    if (isBehind && this.#reached === this.#reachedThen) {
      throw new CodrError('source-unreachable', 'the member stands still, and a majority goes on');
    }
    this.#lookedAtMs = nowMs;
    this.#reachedThen = this.#reached;
    this.#connection.majority(signal).then(
      ({ time }) => {
        this.#majorityThen = time;
      },
      () => {},
    );
  }
}

/** The next member's reader must know what the log told this one. */
function noteCapped({ dataset, kind, body }: CatalogChange, capped: Set<DatasetId>): void {
  const o = kind === 'create' ? documentOf(findElement(body, 'o')) : undefined;
  if (dataset && o && flagOf(findElement(o, 'capped'))) capped.add(dataset);
}

function openOplog(client: MongoClient, from: Position, reading: Reading): Promise<RawCursor> {
  const command = {
    find: 'oplog.rs',
    filter: { ts: { $gte: timestampOf(from.time) } },
    tailable: true,
    awaitData: true,
    readConcern: { level: 'majority' },
  };
  return RawCursor.open(client, 'local', command, reading);
}

/** The entry found at or after `wanted` must be that very one. */
function checkEntry(stream: StreamId, wanted: Position, found: Position): void {
  if (comparePositions(found, wanted) === 0) return;
  const rolledBack = found.time === wanted.time;
  const [wantedAt, foundAt] = [describeTime(wanted.time), describeTime(found.time)];
  const message = rolledBack
    ? `the oplog of ${stream} holds another history at ${wantedAt}: term ${found.term}, not ${wanted.term}`
    : `the oplog of ${stream} does not hold ${wantedAt}: the next entry is of ${foundAt}`;
  throw new CodrError('gap', message, {
    object: stream,
    facts: { wanted: formatTime(wanted.time), found: formatTime(found.time) },
  });
}

function endsBefore(stream: StreamId, resume: Position): CodrError {
  return new CodrError('gap', `the oplog of ${stream} ends before ${describeTime(resume.time)}`, {
    object: stream,
    remedy: 'see whether the source was restored or rolled back; a new base copy closes the hole',
  });
}

/** Nothing new; `settled` is what is sure whatever is open. */
function emptyBatch(resume: Position, through: Position): ChangeBatch {
  return {
    changes: [],
    catalog: [],
    resume,
    through,
    settled: resume.time < through.time ? resume.time - 1n : through.time,
    unknown: [],
    bytes: 0,
  };
}
