// Cursors that leave documents as bytes: each reply of find, aggregate and getMore is taken as one buffer
// (`raw: true`) and walked here. Session and connection rules: the session that opened a cursor serves its
// getMores (server: "cannot run getMore on cursor created in session"), and causal consistency is off,
// else the driver adds `afterClusterTime` beside our own read concern.
import type { ClientSession, Db, Document, MongoClient } from 'mongodb';
import { Long } from 'mongodb';
import { assert } from '../../../base/assert.ts';
import { view } from '../../../base/bytes.ts';
import type { Clock } from '../../../base/clock.ts';
import { CodrError } from '../../../base/error.ts';
import {
  documentsOf,
  elementsOf,
  hasName,
  stringOf,
  uint64Of,
  valueBytes,
} from '../bson/raw-bson.ts';

export interface RawBatch {
  /** Views on the reply; they keep it alive. */
  readonly documents: readonly Buffer[];
  readonly bytes: number;
}

/**
 * A member that does not answer a getMore for this long is silent. A reply is a few MiB of an index in order,
 * milliseconds of work. A find may rightly wait longer, for an undecided prepared transaction; a getMore does
 * not wait for those (seen on 6.0.5).
 */
export const silentMsMax = 60_000;
/** A cursor that is given up is closed within this time, or left to its session's end. */
const closeMsMax = 5_000;

/** How a cursor is read: until `signal` aborts, each reply within a time. */
export interface Reading {
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

export interface NextOptions {
  readonly batchSize?: number;
  /** The server may pass over many documents before it finds one. */
  readonly unhurried?: boolean;
  /** Tailable cursors: how long the server waits for more. */
  readonly maxTimeMs?: number;
}

export class RawCursor implements AsyncDisposable {
  /** The member that is read. */
  readonly client: MongoClient;
  readonly #db: Db;
  readonly #session: ClientSession;
  readonly #clock: Clock;
  readonly #silent = new AbortController();
  readonly #signal: AbortSignal;
  #collection: string;
  #id: bigint;
  #closed = false;
  /** What the opening command gave. */
  readonly first: RawBatch;

  private constructor(
    { client, db, session }: { client: MongoClient; db: Db; session: ClientSession },
    { signal, clock }: Reading,
    reply: RawReply,
  ) {
    this.client = client;
    this.#db = db;
    this.#session = session;
    this.#clock = clock;
    this.#signal = AbortSignal.any([signal, this.#silent.signal]);
    this.#id = reply.id;
    this.#collection = reply.collection;
    this.first = reply.batch;
  }

  /** Runs `command` (find or aggregate). Errors are the driver's own. */
  static async open(
    client: MongoClient,
    database: string,
    command: Document,
    reading: Reading,
  ): Promise<RawCursor> {
    const session = client.startSession({ causalConsistency: false });
    try {
      const db = client.db(database);
      const { signal } = reading;
      const options = { raw: true, session, signal, readPreference: 'primaryPreferred' as const };
      const reply = readReply(await db.command(command, options));
      return new RawCursor({ client, db, session }, reading, reply);
    } catch (error) {
      await session.endSession().catch(() => {});
      throw error;
    }
  }

  /** False: the server has no more, also for a tailable cursor that died. What is closed is not asked. */
  get alive(): boolean {
    assert(!this.#closed, 'a cursor is read before it is closed, not after');
    return this.#id !== 0n;
  }

  /** The server has not answered in time: this cursor is of no use any more. */
  get silent(): boolean {
    return this.#silent.signal.aborted;
  }

  /** Errors: the driver's own, and `source-unreachable` when the server is silent. */
  async next(options: NextOptions = {}): Promise<RawBatch> {
    const command = {
      getMore: Long.fromBigInt(BigInt.asIntN(64, this.#id)),
      collection: this.#collection,
      ...(options.batchSize && { batchSize: options.batchSize }),
      ...(options.maxTimeMs && { maxTimeMS: options.maxTimeMs }),
    };
    const answered = new AbortController();
    if (!options.unhurried) {
      this.#clock.sleep(silentMsMax, answered.signal).then(
        () => this.#silent.abort(this.#silence()),
        () => {},
      );
    }
    try {
      const reply = readReply(
        await this.#db.command(command, {
          raw: true,
          session: this.#session,
          signal: this.#signal,
          readPreference: 'primaryPreferred',
        }),
      );
      this.#id = reply.id;
      return reply.batch;
    } finally {
      answered.abort();
    }
  }

  #silence(): CodrError {
    const host = this.client.options.hosts.join(',');
    const message = `${host} has not answered for ${silentMsMax / 1000} s`;
    return new CodrError('source-unreachable', message, { object: host });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#id !== 0n) await this.#kill();
    await this.#session.endSession().catch(() => {});
  }

  /** A cursor that cannot be killed now ends with its session. */
  async #kill(): Promise<void> {
    const cursors = [Long.fromBigInt(BigInt.asIntN(64, this.#id))];
    const kill = { killCursors: this.#collection, cursors };
    const [late, done] = [new AbortController(), new AbortController()];
    this.#clock.sleep(closeMsMax, done.signal).then(
      () => late.abort(),
      () => {},
    );
    const options = { session: this.#session, readPreference: 'primaryPreferred' as const };
    await this.#db.command(kill, { ...options, signal: late.signal }).catch(() => {});
    done.abort();
  }
}

interface RawReply {
  readonly id: bigint;
  readonly collection: string;
  readonly batch: RawBatch;
}

/** `cursor: { firstBatch | nextBatch: [documents], id: int64, ns: string }`. */
function readReply(reply: Document): RawReply {
  const cursor = reply.cursor as Uint8Array;
  let id = 0n;
  let namespace = '';
  let documents: Buffer[] = [];
  for (const element of elementsOf(view(cursor))) {
    if (hasName(element, 'id')) id = uint64Of(element) ?? 0n;
    else if (hasName(element, 'ns')) namespace = stringOf(element) ?? '';
    else if (hasName(element, 'firstBatch') || hasName(element, 'nextBatch')) {
      documents = documentsOf(valueBytes(element));
    }
  }
  const collection = namespace.slice(namespace.indexOf('.') + 1);
  return { id, collection, batch: { documents, bytes: cursor.byteLength } };
}
