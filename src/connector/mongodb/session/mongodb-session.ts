// One replica set as a source: who it is, what it holds, segments of it, its log. Everything long is in
// the files beside; this one holds the connection and what is known of the collections.
import type { Document } from 'mongodb';
import { CodrError } from '../../../base/error.ts';
import type { CatalogEntry } from '../../../model/catalog.ts';
import { type DatasetId, datasetId, type StreamId, streamId } from '../../../model/id.ts';
import { type KeyRange, wholeRange } from '../../../model/key-range.ts';
import type { Scope } from '../../../model/namespace.ts';
import type { RecordStream } from '../../../model/record.ts';
import { firstTime, maxTime, type SourceTime } from '../../../model/time.ts';
import type {
  ChangeBatch,
  ConnectorContext,
  Finding,
  SegmentReader,
  SourceIdentity,
  SourceSession,
  Survey,
} from '../../connector.ts';
import type { FollowOptions } from '../../follow-options.ts';
import { checkScope } from './check-scope.ts';
import { checkSource } from './check-source.ts';
import { MongodbConnection } from './connection.ts';
import { followOplog } from './follow-oplog.ts';
import { isCapped, listAllCollections } from './list-collections.ts';
import { timeOf } from './native-time.ts';
import { planRanges } from './plan-ranges.ts';
import { SourcePressure } from './pressure.ts';
import { readIdentity } from './read-identity.ts';
import { scanKindOf } from './scan-kind.ts';
import { readAt, readSegment, type SegmentSource } from './segment.ts';
import { surveySource } from './survey-source.ts';

export class MongodbSession implements SourceSession {
  readonly identity: SourceIdentity;
  readonly #connection: MongodbConnection;
  readonly #context: ConnectorContext;
  readonly #pressure = new SourcePressure();
  /** Where following begins at the earliest: reads are never older. */
  #notBefore: SourceTime = firstTime;

  private constructor(
    connection: MongodbConnection,
    context: ConnectorContext,
    identity: SourceIdentity,
  ) {
    this.#connection = connection;
    this.#context = context;
    this.identity = identity;
  }

  /** Errors: `source-unreachable`, `source-rights`, `source-unfit`, `config-invalid`. */
  static async open(
    uri: string,
    context: ConnectorContext,
    signal: AbortSignal,
  ): Promise<MongodbSession> {
    const connection = await MongodbConnection.open(uri, context.clock, 'source', signal);
    try {
      return new MongodbSession(connection, context, await readIdentity(connection, signal));
    } catch (error) {
      await connection[Symbol.asyncDispose]();
      throw error;
    }
  }

  async check(scope: Scope, signal: AbortSignal): Promise<Finding[]> {
    const findings = await checkSource(this.#connection, signal);
    return [...findings, ...(await checkScope(this.#connection, scope, signal))];
  }

  async survey(signal: AbortSignal): Promise<Survey> {
    const survey = await this.#connection.patiently(signal, () =>
      surveySource(this.#connection, this.#stream, signal),
    );
    for (const { time } of survey.before.values()) this.#notBefore = maxTime(this.#notBefore, time);
    return survey;
  }

  async plan(
    entry: CatalogEntry,
    hint: { readonly bytesPerSegment: number },
    signal: AbortSignal,
  ): Promise<KeyRange[]> {
    if (scanKindOf(entry) !== 'ordered') return [wholeRange];
    return this.#connection.patiently(signal, () =>
      planRanges(this.#connection, entry, hint.bytesPerSegment, signal),
    );
  }

  readSegment(
    entry: CatalogEntry,
    range: KeyRange,
    signal: AbortSignal,
    { fuzzy } = { fuzzy: false },
  ): Promise<SegmentReader | undefined> {
    return readSegment(this.#source, entry, scanKindOf(entry), { range, fuzzy }, signal);
  }

  follow(
    stream: StreamId,
    options: FollowOptions,
    signal: AbortSignal,
  ): AsyncIterable<ChangeBatch> {
    const capped = async (stop: AbortSignal): Promise<DatasetId[]> => {
      const all = await listAllCollections(this.#connection, stop);
      return all.filter(({ options: made }) => isCapped(made)).map(({ uuid }) => datasetId(uuid));
    };
    const source = { connection: this.#connection, context: this.#context, stream, capped };
    return followOplog(source, options, signal);
  }

  watermark(signal: AbortSignal): Promise<SourceTime> {
    return this.#connection.patiently(signal, () =>
      this.#connection.note('codr: watermark', signal),
    );
  }

  pressure(signal: AbortSignal): Promise<string | undefined> {
    return this.#pressure.look(this.#connection, signal);
  }

  async logBounds(
    stream: StreamId,
    signal: AbortSignal,
  ): Promise<{ oldest: SourceTime; newest: SourceTime }> {
    const end = async (direction: 1 | -1): Promise<SourceTime> => {
      const reply = await this.#connection.command(
        'local',
        {
          find: 'oplog.rs',
          sort: { $natural: direction },
          projection: { ts: 1 },
          limit: 1,
          singleBatch: true,
          readConcern: { level: 'majority' },
        },
        signal,
      );
      const row = reply.cursor.firstBatch[0] as Document | undefined;
      if (!row) throw new CodrError('gap', `the oplog of ${stream} is empty`, { object: stream });
      return timeOf(row.ts);
    };
    return { oldest: await end(1), newest: await end(-1) };
  }

  async readAt(
    entry: CatalogEntry,
    range: KeyRange,
    at: SourceTime,
    signal: AbortSignal,
  ): Promise<RecordStream | undefined> {
    const kind = scanKindOf(entry);
    if (kind === 'capped' || kind === 'views') return undefined;
    try {
      return await readAt(this.#source, entry, kind, range, at, signal);
    } catch (error) {
      if (error instanceof CodrError && error.code === 'snapshot-too-old') return undefined;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]();
  }

  get #stream(): StreamId {
    return this.identity.streams[0] ?? streamId('');
  }

  get #source(): SegmentSource {
    return {
      connection: this.#connection,
      context: this.#context,
      notBefore: this.#notBefore,
    };
  }
}
