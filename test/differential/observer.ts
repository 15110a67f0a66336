// Watches a busy server and keeps what it held at some of its own log's times. A time counts only when the
// schema stood still around it, which the listing before and after and the schema changer's version tell.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Document, MongoClient, Timestamp } from 'mongodb';
import type { SeededRandom } from '../../src/base/random.ts';
import { look, type Seen } from '../mongodb/oracle.ts';
import type { SchemaChanger } from './schema-changer.ts';

/** What the server held at one time. */
export interface Observation {
  readonly at: Timestamp;
  readonly seen: Seen;
}

const ownDatabases = ['admin', 'config', 'local'];

export class Observer {
  readonly observations: Observation[] = [];
  /** Looks that a change of the schema spoilt. */
  spoilt = 0;
  readonly #client: MongoClient;
  readonly #schema: SchemaChanger;
  readonly #random: SeededRandom;

  #waiting: (() => void)[] = [];

  constructor(client: MongoClient, schema: SchemaChanger, random: SeededRandom) {
    this.#client = client;
    this.#schema = schema;
    this.#random = random;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#look();
      await sleep(this.#random.below(200));
    }
  }

  /** Resolves at the next look that nothing spoilt. */
  async looked(): Promise<void> {
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  async #look(): Promise<void> {
    const version = this.#schema.version;
    const isUnderWay = version % 2 === 1;
    const before = await this.#schemaText();
    const isSame = async (): Promise<boolean> =>
      this.#schema.version === version && (await this.#schemaText()) === before;
    const from = await this.#newest();
    await sleep(10 + this.#random.below(100));
    const times = await this.#timesSince(from);
    const at = times[this.#random.below(Math.max(1, times.length))];
    if (!at || isUnderWay) return;
    try {
      const seen = await look(this.#client, at);
      if (await isSame()) {
        this.observations.push({ at, seen });
        for (const wake of this.#waiting.splice(0)) wake();
      } else this.spoilt++;
    } catch (error) {
      if (await isSame()) throw error;
      this.spoilt++;
    }
  }

  /** Names, UUIDs and indexes of everything, as text to compare. */
  async #schemaText(): Promise<string> {
    const { databases } = await this.#client.db('admin').command({ listDatabases: 1 });
    const listed: unknown[] = [];
    for (const { name } of databases as { name: string }[]) {
      if (ownDatabases.includes(name)) continue;
      const database = this.#client.db(name);
      for (const one of await database.listCollections().toArray()) {
        listed.push(name, one, await indexesOf(this.#client, name, one));
      }
    }
    return JSON.stringify(listed);
  }

  async #newest(): Promise<Timestamp> {
    const [last] = await this.#log({}).sort({ $natural: -1 }).limit(1).toArray();
    return last?.ts;
  }

  async #timesSince(from: Timestamp): Promise<Timestamp[]> {
    const entries = await this.#log({ ts: { $gte: from } }).toArray();
    return entries.map(({ ts }) => ts);
  }

  #log(
    filter: Document,
  ): ReturnType<ReturnType<ReturnType<MongoClient['db']>['collection']>['find']> {
    const log = this.#client
      .db('local')
      .collection('oplog.rs', { readConcern: { level: 'majority' } });
    return log.find(filter, { projection: { ts: 1 } });
  }
}

/** None for a view, and for what has just gone. */
async function indexesOf(
  client: MongoClient,
  database: string,
  one: Document,
): Promise<Document[]> {
  if (one.type === 'view') return [];
  try {
    return await client.db(database).collection(one.name).listIndexes().toArray();
  } catch {
    return [];
  }
}
