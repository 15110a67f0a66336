// Loads final documents as bytes: unordered messages of 16 MiB, several in flight; capped collections by one
// writer in insertion order. A document that an earlier try of the same message brought in is fine when its
// bytes are the same. What the server rewrites by itself is mended where it lets us, and named where not.
import { BSON } from 'mongodb';
import { forEachLimit } from '../../../base/async.ts';
import { compareBytes } from '../../../base/bytes.ts';
import { CodrError } from '../../../base/error.ts';
import type { DataRecord, RecordStream } from '../../../model/record.ts';
import type { ChangedRecord, LoadedRange } from '../../restore-target.ts';
import { type BsonElement, findElement, valueBytes } from '../bson/raw-bson.ts';
import { keyOfDocument } from '../key/key-codec.ts';
import { renderKey } from '../key/render-key.ts';
import { collectionOf, databaseOf } from '../oplog/namespace-rules.ts';
import type { MongodbConnection } from '../session/connection.ts';
import { RawCursor } from '../session/raw-cursor.ts';
import { codeOf, isPassing, serverCodes, translated } from '../session/translate-error.ts';
import { insertRaw, messageLimits, type RefusedDocument } from './raw-insert.ts';
import { emptyTimestamps, idIsFirst, mendTimestamps } from './server-rewrites.ts';

const messagesInFlight = 3;
const attemptsMax = 5;
const retryMs = 500;
/** The server's answer to a field of a command that it does not know. */
const unknownFieldCode = 40415;

export interface LoadOptions {
  readonly connection: MongodbConnection;
  readonly namespace: string;
  /** One writer that keeps the order. */
  readonly ordered: boolean;
  readonly memoryBytesMax: number;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** Values are native documents. Errors: `target-unfit` for a refused document, `target-rights`. */
export class BulkLoad {
  readonly #options: LoadOptions;
  readonly #signal: AbortSignal;
  readonly #changed: ChangedRecord[] = [];
  #records = 0;
  #bytes = 0;
  #keepsEmptyTimestamps = true;

  constructor(options: LoadOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  async run(records: RecordStream): Promise<LoadedRange> {
    const inFlight = this.#options.ordered ? 1 : messagesInFlight;
    const bytes = Math.min(messageLimits.bytes, this.#options.memoryBytesMax / (inFlight + 1));
    await forEachLimit(
      messagesOf(records, bytes),
      inFlight,
      (message) => this.#send(message),
      this.#signal,
    );
    return { records: this.#records, bytes: this.#bytes, changedByTarget: this.#changed };
  }

  async #send(message: readonly DataRecord[]): Promise<void> {
    const rewritten = message.filter(({ value }) => emptyTimestamps(value).length > 0);
    for (let attempt = 1; ; attempt++) {
      try {
        const keep = rewritten.length > 0 && this.#keepsEmptyTimestamps;
        await this.#insert(message, keep);
        if (!keep) await this.#mend(rewritten);
        break;
      } catch (error) {
        this.#signal.throwIfAborted();
        if (codeOf(error) === unknownFieldCode && this.#keepsEmptyTimestamps) {
          this.#keepsEmptyTimestamps = false;
          continue;
        }
        const { namespace } = this.#options;
        if (!isPassing(error) || attempt >= attemptsMax)
          throw translated(error, namespace, 'target');
        await this.#options.sleep(retryMs * attempt, this.#signal);
      }
    }
    this.#records += message.length;
    for (const { value } of message) {
      this.#bytes += value.length;
      // The server moves `_id` to the front; nothing a client may send moves it back.
      if (!idIsFirst(value)) this.#name(value);
    }
  }

  /** By its own key: records of a capped collection come here in another order. */
  #name(document: Uint8Array): void {
    this.#changed.push({ key: keyOfDocument(document), text: renderKey(document) });
  }

  async #insert(message: readonly DataRecord[], keepEmptyTimestamps: boolean): Promise<void> {
    const { connection, namespace, ordered } = this.#options;
    const signal = this.#signal;
    const database = connection.client.db(databaseOf(namespace));
    let rest = message;
    while (rest.length > 0) {
      const documents = rest.map(({ value }) => value);
      const options = { ordered, keepEmptyTimestamps, signal };
      const refused = await insertRaw(database, collectionOf(namespace), documents, options);
      for (const refusal of refused) await this.#accept(rest[refusal.index] as DataRecord, refusal);
      // An ordered insert stops at the first refusal: go on behind it.
      const [first] = refused;
      rest = ordered && first ? rest.slice(first.index + 1) : [];
    }
  }

  /** Returns when what the target holds under this `_id` is the very document. */
  async #accept(record: DataRecord, refusal: RefusedDocument): Promise<void> {
    const { namespace } = this.#options;
    const id = idOf(record);
    if (refusal.code === serverCodes.duplicateKey) {
      const held = await this.#find(id);
      if (held && compareBytes(held, record.value) === 0) return;
      // Brought in by an earlier try and rewritten by the server: mended after this.
      if (held && emptyTimestamps(record.value).length > 0) return;
      if (held && !idIsFirst(record.value)) return;
    }
    throw new CodrError(
      'target-unfit',
      `${namespace}: the document ${renderKey(record.value)} is refused: ${refusal.message}`,
      {
        object: namespace,
        facts: { code: refusal.code },
      },
    );
  }

  async #find(id: BsonElement): Promise<Uint8Array | undefined> {
    const { connection, namespace } = this.#options;
    const single = BSON.deserialize(documentWith(id), { promoteValues: false, bsonRegExp: true });
    const command = { find: collectionOf(namespace), filter: { _id: single.v }, limit: 1 };
    const database = databaseOf(namespace);
    const reading = connection.reading(this.#signal);
    await using cursor = await RawCursor.open(connection.client, database, command, reading);
    return cursor.first.documents[0];
  }

  async #mend(records: readonly DataRecord[]): Promise<void> {
    const { connection, namespace } = this.#options;
    for (const record of records) {
      const mended = await mendTimestamps(connection, namespace, record.value, this.#signal);
      if (!mended) this.#name(record.value);
    }
  }
}

function idOf(record: DataRecord): BsonElement {
  const id = findElement(record.value, '_id');
  if (!id) throw new CodrError('object-damaged', 'a document has no _id');
  return id;
}

/** `{v: value}` */
function documentWith(element: BsonElement): Uint8Array {
  const value = valueBytes(element);
  const head = Buffer.from([0, 0, 0, 0, element.type, 0x76, 0]);
  head.writeInt32LE(value.length + 8, 0);
  return Buffer.concat([head, value, Buffer.alloc(1)]);
}

/** Records in messages of at most `bytesMax` or one document. */
async function* messagesOf(
  records: RecordStream,
  bytesMax: number,
): AsyncGenerator<readonly DataRecord[], void, undefined> {
  let message: DataRecord[] = [];
  let bytes = 0;
  for await (const batch of records) {
    for (const record of batch) {
      const full = bytes + record.value.length > bytesMax;
      if (message.length > 0 && (full || message.length >= messageLimits.documents)) {
        yield message;
        message = [];
        bytes = 0;
      }
      message.push(record);
      bytes += record.value.length;
    }
  }
  if (message.length > 0) yield message;
}
