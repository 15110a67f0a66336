// Cursors that leave documents as bytes: each reply of find, aggregate and getMore is taken as one buffer
// (`raw: true`) and walked here. Session and connection rules: the session that opened a cursor serves its
// getMores (server: "cannot run getMore on cursor created in session"), and causal consistency is off,
// else the driver adds `afterClusterTime` beside our own read concern.
import type { ClientSession, Db, Document, MongoClient } from 'mongodb';
import { Long } from 'mongodb';
import { assert } from '../../../base/assert.ts';
import { view } from '../../../base/bytes.ts';
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

export interface NextOptions {
  readonly batchSize?: number;
  /** Tailable cursors: how long the server waits for more. */
  readonly maxTimeMs?: number;
}

export class RawCursor implements AsyncDisposable {
  readonly #db: Db;
  readonly #session: ClientSession;
  readonly #signal: AbortSignal;
  #collection: string;
  #id: bigint;
  #closed = false;
  /** What the opening command gave. */
  readonly first: RawBatch;

  private constructor(db: Db, session: ClientSession, signal: AbortSignal, reply: RawReply) {
    this.#db = db;
    this.#session = session;
    this.#signal = signal;
    this.#id = reply.id;
    this.#collection = reply.collection;
    this.first = reply.batch;
  }

  /** Runs `command` (find or aggregate). Errors are the driver's own. */
  static async open(
    client: MongoClient,
    database: string,
    command: Document,
    signal: AbortSignal,
  ): Promise<RawCursor> {
    const session = client.startSession({ causalConsistency: false });
    try {
      const db = client.db(database);
      const options = { raw: true, session, signal, readPreference: 'primaryPreferred' as const };
      const reply = readReply(await db.command(command, options));
      return new RawCursor(db, session, signal, reply);
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

  async next(options: NextOptions = {}): Promise<RawBatch> {
    const command = {
      getMore: Long.fromBigInt(BigInt.asIntN(64, this.#id)),
      collection: this.#collection,
      ...(options.batchSize && { batchSize: options.batchSize }),
      ...(options.maxTimeMs && { maxTimeMS: options.maxTimeMs }),
    };
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
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#id !== 0n) {
      const cursors = [Long.fromBigInt(BigInt.asIntN(64, this.#id))];
      const kill = { killCursors: this.#collection, cursors };
      // A cursor that cannot be killed now ends with its session.
      await this.#db
        .command(kill, { session: this.#session, readPreference: 'primaryPreferred' })
        .catch(() => {});
    }
    await this.#session.endSession().catch(() => {});
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
