// Seeded changes of the schema under the writers: renames over and beside, drops, options, indexes, views,
// whole databases. Counts its changes, so that an observer knows whether the schema stood still.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Document, MongoClient } from 'mongodb';
import { SeededRandom } from '../../src/base/random.ts';
import { isDisturbance, writtenNames } from './workload.ts';

const pauseMsMax = 500;
const restMsMax = 3000;

/** What the server knows of what not all servers know. */
export interface SchemaAbilities {
  readonly clusters: boolean;
  readonly images: boolean;
}

export class SchemaChanger {
  /** Odd while a change is under way. */
  version = 0;
  /** How often each kind of change succeeded. */
  readonly done = new Map<string, number>();
  readonly #client: MongoClient;
  readonly #random: SeededRandom;
  readonly #can: SchemaAbilities;
  #number = 0;

  constructor(client: MongoClient, seed: number, can: SchemaAbilities) {
    this.#client = client;
    this.#can = can;
    this.#random = new SeededRandom(seed);
  }

  /** `rested` is called before most changes and gives an observer the time for one look. */
  async run(signal: AbortSignal, rested: () => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      await sleep(this.#random.below(pauseMsMax));
      if (this.#random.below(4) > 0) await Promise.race([rested(), sleep(restMsMax)]);
      const [name, change] = this.#one(this.#changes);
      this.version++;
      try {
        await change();
        this.done.set(name, (this.done.get(name) ?? 0) + 1);
      } catch (error) {
        if (!isDisturbance(error)) throw error;
      }
      this.version++;
    }
  }

  readonly #changes: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['rename', () => this.#rename(false)],
    ['rename over', () => this.#rename(true)],
    ['rename over', () => this.#rename(true)],
    ['swap', () => this.#swap()],
    ['drop', () => this.#drop()],
    ['create', () => this.#create()],
    ['create index', () => this.#createIndex()],
    ['create index', () => this.#createIndex()],
    ['drop index', () => this.#dropIndex()],
    ['modify', () => this.#modify()],
    ['out', () => this.#out()],
    ['view', () => this.#view()],
    ['drop database', () => this.#dropDatabase()],
    ['create in a transaction', () => this.#createInTransaction()],
  ];

  async #rename(dropTarget: boolean): Promise<void> {
    const [from, to] = [this.#one(writtenNames), this.#one(writtenNames)];
    if (from === to) return;
    await this.#admin({ renameCollection: from.join('.'), to: to.join('.'), dropTarget });
  }

  async #swap(): Promise<void> {
    const rename = (from: string, to: string): Promise<Document> =>
      this.#admin({ renameCollection: `app.${from}`, to: `app.${to}`, dropTarget: true });
    await rename('a', 'swap');
    await rename('b', 'a');
    await rename('swap', 'b');
  }

  async #drop(): Promise<void> {
    const [database, name] = this.#one(writtenNames);
    await this.#client.db(database).dropCollection(name);
  }

  async #create(): Promise<void> {
    const [database, name] = this.#one(writtenNames);
    const options: Document[] = [
      { collation: { locale: 'en', strength: 2 } },
      { validator: { group: { $gte: 0 } }, validationLevel: 'moderate', validationAction: 'warn' },
      ...(this.#can.images ? [{ changeStreamPreAndPostImages: { enabled: true } }] : []),
      ...(this.#can.clusters
        ? [{ clusteredIndex: { key: { _id: 1 }, unique: true, name: 'clustered' } }]
        : []),
      {},
    ];
    await this.#client
      .db(database)
      .dropCollection(name)
      .catch(() => {});
    await this.#client.db(database).createCollection(name, this.#one(options));
  }

  async #createIndex(): Promise<void> {
    const n = this.#number++;
    const specs: Document[] = [
      { key: { group: 1 }, name: 'group' },
      { key: { text: 'text' }, weights: { text: 3 }, default_language: 'french', name: 'text' },
      { key: { 'nested.b.c': -1, group: 1 }, name: 'compound', sparse: true },
      { key: { text: 'hashed' }, name: 'hashed' },
      { key: { '$**': 1 }, name: 'wildcard', wildcardProjection: { nested: 1 } },
      {
        key: { counter: 1 },
        name: 'unique',
        unique: true,
        partialFilterExpression: { counter: { $gt: 1e9 } },
      },
      { key: { touched: 1 }, name: 'expiry', expireAfterSeconds: 1_000_000_000 },
      { key: { place: '2d' }, name: 'place' },
      { key: { text: 1 }, name: 'collated', collation: { locale: 'de', strength: 1 } },
    ];
    const [database, name] = this.#one(writtenNames);
    const index = specs[n % specs.length];
    await this.#client.db(database).command({ createIndexes: name, indexes: [index] });
  }

  async #dropIndex(): Promise<void> {
    const [database, name] = this.#one(writtenNames);
    await this.#client.db(database).command({ dropIndexes: name, index: '*' });
  }

  async #modify(): Promise<void> {
    const n = this.#number++;
    const [database, name] = this.#one(writtenNames);
    const changes: Document[] = [
      { validator: { group: { $lt: 1000 + n } }, validationAction: 'warn' },
      { index: { name: 'group', hidden: n % 2 === 0 } },
      { index: { name: 'expiry', expireAfterSeconds: 1_000_000_000 + n } },
      ...(this.#can.images ? [{ changeStreamPreAndPostImages: { enabled: n % 2 === 0 } }] : []),
    ];
    await this.#client.db(database).command({ collMod: name, ...changes[n % changes.length] });
  }

  async #out(): Promise<void> {
    const pipeline = [{ $match: { group: { $lt: 20 } } }, { $out: 'c' }];
    await this.#client.db('app').collection('a').aggregate(pipeline).toArray();
  }

  async #view(): Promise<void> {
    const views = this.#client.db('app');
    const name = `view${this.#random.below(2)}`;
    await views.dropCollection(name).catch(() => {});
    const pipeline = [{ $match: { group: this.#random.below(9) } }];
    if (this.#random.below(4)) await views.createCollection(name, { viewOn: 'a', pipeline });
  }

  async #dropDatabase(): Promise<void> {
    await this.#client.db('other').dropDatabase();
  }

  async #createInTransaction(): Promise<void> {
    const name = `made${this.#number++ % 3}`;
    const made = this.#client.db('app').collection<Document & { _id: number }>(name);
    await made.drop().catch(() => {});
    await using session = this.#client.startSession();
    await session.withTransaction(async () => {
      await made.insertOne({ _id: 1, name }, { session });
      await this.#client.db('app').collection('d').insertOne({ made: name }, { session });
    });
    await made.createIndex({ name: 1 });
  }

  #admin(command: Document): Promise<Document> {
    return this.#client.db('admin').command(command);
  }

  #one<T>(items: readonly T[]): T {
    return items[this.#random.below(items.length)] as T;
  }
}
