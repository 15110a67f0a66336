// Seeded writers that never rest: single writes of every kind, and transactions of several collections that
// commit or abort. They share names with the schema changer, so a name may vanish between two writes.
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientSession, Collection, Document, MongoClient } from 'mongodb';
import { BSON } from 'mongodb';
import { SeededRandom } from '../../src/base/random.ts';

/** Databases and collections that are written to. */
export const writtenNames: readonly (readonly [string, string])[] = [
  ...['a', 'b', 'c', 'd'].map((name) => ['app', name] as const),
  ...['x', 'y'].map((name) => ['other', name] as const),
];

type Row = Document & { readonly _id: unknown };

const recordsPerCollection = 150;
const idMakers: readonly ((n: number) => unknown)[] = [
  (n) => n,
  (n) => new BSON.Double(n + 0.5),
  (n) => `id ${n}`,
  (n) => ({ part: n % 7, n }),
  (n) => new Date(n * 1000),
  (n) => BSON.Long.fromNumber(n).add(BSON.Long.fromString('9007199254740993')),
  (n) => new BSON.Binary(Buffer.from(`bytes ${n}`), n % 2 ? 0 : 128),
];

/** One writer: the same seed writes the same things, in an order that others disturb. */
export class Writer {
  readonly #client: MongoClient;
  readonly #random: SeededRandom;
  #number = 0;
  writes = 0;
  transactions = 0;
  aborts = 0;

  constructor(client: MongoClient, seed: number) {
    this.#client = client;
    this.#random = new SeededRandom(seed);
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#random.below(5) === 0) await this.#transaction();
        else await this.#write();
      } catch (error) {
        if (!isDisturbance(error)) throw error;
      }
      await sleep(this.#random.below(6));
    }
  }

  #collection(): Collection<Row> {
    const [database, name] = this.#one(writtenNames);
    return this.#client.db(database).collection<Row>(name);
  }

  async #transaction(): Promise<void> {
    await using session = this.#client.startSession();
    session.startTransaction();
    try {
      for (let n = 1 + this.#random.below(7); n > 0; n--) await this.#write(session);
    } catch (error) {
      if (session.inTransaction()) await session.abortTransaction();
      throw error;
    }
    if (this.#random.below(5) === 0) {
      await session.abortTransaction();
      this.aborts++;
    } else {
      await session.commitTransaction();
      this.transactions++;
    }
  }

  async #write(session?: ClientSession): Promise<void> {
    const rows = this.#collection();
    const options = session ? { session } : {};
    const filter = { _id: this.#id() } as Document;
    const kind = this.#random.below(12);
    if (kind < 2) await rows.replaceOne(filter, this.#row(), { upsert: true, ...options });
    else if (kind === 2) await rows.insertMany(this.#rows(), { ordered: false, ...options });
    else if (kind === 3) await rows.deleteOne(filter, options);
    else if (kind === 4) await rows.deleteMany({ group: this.#random.below(40) }, options);
    else if (kind === 5)
      await rows.updateMany({ group: this.#random.below(20) }, this.#update(), options);
    else if (kind === 6)
      await rows.findOneAndUpdate(filter, this.#update(), { upsert: true, ...options });
    else if (kind === 7)
      await rows.updateOne(filter, this.#pipeline(), { upsert: true, ...options });
    else await rows.updateOne(filter, this.#update(), options);
    this.writes++;
  }

  #rows(): Row[] {
    const count = 1 + this.#random.below(6);
    return Array.from({ length: count }, () => ({ _id: this.#id(), ...this.#row() }));
  }

  #row(): Document {
    const n = this.#random.below(1000);
    return {
      group: n % 40,
      text: `text ${n}`.repeat(1 + (n % 9)),
      nested: { a: n, b: { c: new BSON.Double(n), d: [n, { e: `e ${n}` }, null] } },
      list: Array.from({ length: n % 8 }, (_, i) => (i % 3 ? i : { i, deep: { n } })),
      at: new BSON.Timestamp({ t: n, i: 1 }),
      long: BSON.Long.fromNumber(n),
      decimal: BSON.Decimal128.fromString(`${n}.50`),
      ...(n % 5 === 0 && { place: [n % 90, n % 45] }),
    };
  }

  #update(): Document {
    const n = this.#random.below(1000);
    const updates: Document[] = [
      { $set: { 'nested.b.c': n, [`field${n % 11}`]: `value ${n}` } },
      { $unset: { 'nested.a': 1, [`field${n % 11}`]: 1 }, $set: { group: n % 40 } },
      { $push: { list: { $each: [n, { n }], $position: n % 3 } } },
      { $push: { list: { $each: [n], $slice: -5 } } },
      { $pull: { list: { $gt: n } } },
      { $set: { [`list.${n % 10}`]: n } },
      { $set: { [`nested.b.d.${n % 4}.e`]: n } },
      { $set: { nested: n } },
      { $set: { nested: { a: 1, b: { d: [1, 2] } } } },
      { $rename: { text: 'renamed' }, $inc: { counter: 1 } },
      { $rename: { renamed: 'text' }, $mul: { long: BSON.Long.fromNumber(3) } },
      { $addToSet: { list: n % 5 }, $min: { group: n % 40 }, $currentDate: { touched: true } },
      { $bit: { bits: { xor: n } }, $set: { 'nested.b.x.y.z': [n, [n]] } },
      { $pop: { list: n % 2 ? 1 : -1 } },
    ];
    return this.#one(updates);
  }

  #pipeline(): Document[] {
    const n = this.#random.below(1000);
    return this.#one<Document[]>([
      [{ $set: { sum: { $add: [{ $ifNull: ['$sum', 0] }, n] }, group: n % 40 } }],
      [{ $unset: ['text', 'nested.b.c'] }, { $set: { copy: '$nested' } }],
      [{ $replaceWith: { _id: '$_id', group: n % 40, was: '$$ROOT.nested' } }],
    ]);
  }

  #id(): unknown {
    const n = this.#random.below(recordsPerCollection);
    // Now and then one that is new, so that collections grow and shrink.
    if (this.#random.below(10) === 0) return `new ${this.#number++} ${n}`;
    return (idMakers[n % idMakers.length] as (n: number) => unknown)(n);
  }

  #one<T>(items: readonly T[]): T {
    return items[this.#random.below(items.length)] as T;
  }
}

/** What concurrent writers and a changing schema do to each other; anything else is a fault. */
export function isDisturbance(error: unknown): boolean {
  const {
    code,
    errorLabels = [],
    message = '',
  } = error as {
    readonly code?: number;
    readonly errorLabels?: readonly string[];
    readonly message?: string;
  };
  if (errorLabels.includes('TransientTransactionError')) return true;
  return disturbances.has(code ?? -1) || /writeErrors|E11000/.test(message);
}

const disturbances = new Set([
  2, // BadValue: an update that does not fit the document's types
  14, // TypeMismatch
  26, // NamespaceNotFound
  27, // IndexNotFound
  28, // PathNotViable
  40, // ConflictingUpdateOperators
  67, // CannotCreateIndex
  72, // InvalidOptions: clustered collections
  48, // NamespaceExists
  85, // IndexOptionsConflict
  86, // IndexKeySpecsConflict
  112, // WriteConflict
  117, // ConflictingOperationInProgress
  121, // DocumentValidationFailure
  166, // CommandNotSupportedOnView
  175, // QueryPlanKilled: the collection was dropped or renamed
  211, // KeyNotFound
  215, // DatabaseDropPending
  246, // SnapshotUnavailable: in a transaction, after a rename
  251, // NoSuchTransaction
  263, // OperationNotSupportedInTransaction
  276, // IndexBuildAborted
  11000, // DuplicateKey
  11601, // Interrupted
  16837, // positional path
  50810, // a duplicate number in a clustered collection, whose message 6.0.5 cannot make
]);
