// The shop of the demo: customers, orders with nested arrays, sessions that expire, a view; and the traffic
// that goes on, whatever is done to the database. Data comes from a seed, ids and times from the server.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Db, Decimal128, type Document, type MongoClient, ObjectId } from 'mongodb';

export const shopDatabase = 'shop';
/** What the disaster hits. */
export const ordersCollection = 'orders';

const batchRecords = 2000;
const customersPerOrder = 0.25;
const writers = 3;
/** Pause of a writer between two writes: some 50 writes a second each, and a machine still free. */
const pauseMs = 15;
const expireSeconds = 3600;

const firstNames = [
  'Ada',
  'Björk',
  'Chidi',
  'Dalia',
  'Émile',
  'Farah',
  'Grace',
  '华',
  'Ines',
  'Jun',
];
const goods = [
  'lamp',
  'chair',
  'kettle',
  'notebook',
  'bicycle bell',
  'rain coat',
  'globe',
  'clock',
];
const states = ['new', 'paid', 'packed', 'sent', 'delivered'];

/** Makes collections, indexes and the view, and writes `records` records in all. */
export async function fillShop(
  client: MongoClient,
  records: number,
  signal: AbortSignal,
): Promise<{ customers: number; orders: number }> {
  const db = client.db(shopDatabase);
  const customers = Math.max(
    10,
    Math.floor((records * customersPerOrder) / (1 + customersPerOrder)),
  );
  const orders = records - customers;
  const chance = chanceOf(7);
  await db.createCollection('sessions');
  await db.collection('sessions').createIndex({ seen: 1 }, { expireAfterSeconds: expireSeconds });
  await db.collection('customers').createIndex({ email: 1 }, { unique: true });
  const sold = db.collection(ordersCollection);
  await sold.createIndex({ customer: 1, placed: -1 });
  await sold.createIndex({ 'lines.sku': 1 });
  await sold.createIndex({ note: 1 }, { partialFilterExpression: { note: { $exists: true } } });
  await db.createCollection('open_orders', {
    viewOn: ordersCollection,
    pipeline: [{ $match: { state: { $in: ['new', 'paid', 'packed'] } } }],
  });
  await insertMany(db, 'customers', customers, (i) => customer(i, chance), signal);
  await insertMany(db, ordersCollection, orders, () => order(customers, chance), signal);
  return { customers, orders };
}

async function insertMany(
  db: Db,
  collection: string,
  count: number,
  make: (index: number) => Document,
  signal: AbortSignal,
): Promise<void> {
  for (let done = 0; done < count; done += batchRecords) {
    signal.throwIfAborted();
    const length = Math.min(batchRecords, count - done);
    await db.collection(collection).insertMany(Array.from({ length }, (_, i) => make(done + i)));
  }
}

function customer(index: number, chance: () => number): Document {
  return {
    _id: index as unknown as ObjectId,
    name: pick(firstNames, chance),
    email: `customer${index}@shop.example`,
    balance: money(chance() * 500),
    address: {
      street: `${Math.floor(chance() * 900)} Long Road`,
      zip: `${10_000 + (index % 90_000)}`,
    },
    since: new Date(1_600_000_000_000 + Math.floor(chance() * 1e11)),
  };
}

function order(customers: number, chance: () => number): Document {
  const lines = Array.from({ length: 1 + Math.floor(chance() * 5) }, () => ({
    sku: `SKU-${Math.floor(chance() * 100_000)}`,
    name: pick(goods, chance),
    count: 1 + Math.floor(chance() * 9),
    price: money(chance() * 200),
    options: chance() < 0.3 ? [{ colour: 'green' }, { engraving: `no. ${chance()}` }] : [],
  }));
  return {
    _id: new ObjectId(),
    customer: Math.floor(chance() * customers),
    placed: new Date(),
    state: pick(states, chance),
    lines,
    note: chance() < 0.2 ? `leave it at door ${Math.floor(chance() * 1e6)}` : null,
  };
}

/** What the traffic did so far. */
export interface TrafficCounts {
  readonly writes: number;
  /** Longest time that one write took. */
  readonly slowestMs: number;
}

/** People who shop: new orders, changes of old ones, bookings. Ends with `stop`. */
export class ShopTraffic {
  readonly #db: Db;
  readonly #stop = new AbortController();
  readonly #customers: number;
  #running: Promise<void>[] = [];
  #writes = 0;
  #slowestMs = 0;
  #failure: unknown;

  constructor(client: MongoClient, customers: number) {
    this.#db = client.db(shopDatabase);
    this.#customers = customers;
  }

  start(): void {
    this.#running = Array.from({ length: writers }, (_, i) => this.#run(chanceOf(100 + i)));
  }

  get counts(): TrafficCounts {
    return { writes: this.#writes, slowestMs: this.#slowestMs };
  }

  /** Resolves when all writers have ended; throws when a write failed. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #run(chance: () => number): Promise<void> {
    const own: ObjectId[] = [];
    try {
      while (!this.#stop.signal.aborted) {
        const begun = performance.now();
        await this.#write(chance, own);
        this.#slowestMs = Math.max(this.#slowestMs, performance.now() - begun);
        this.#writes++;
        await sleep(pauseMs);
      }
    } catch (error) {
      this.#failure ??= error;
    }
  }

  async #write(chance: () => number, own: ObjectId[]): Promise<void> {
    const orders = this.#db.collection(ordersCollection);
    const dice = chance();
    const known = own[Math.floor(chance() * own.length)];
    if (dice < 0.4 || !known) {
      const { insertedId } = await orders.insertOne(order(this.#customers, chance));
      own.push(insertedId);
    } else if (dice < 0.6) {
      await orders.updateOne({ _id: known }, { $set: { state: pick(states, chance) } });
    } else if (dice < 0.75) {
      const line = {
        sku: 'SKU-GIFT',
        name: pick(goods, chance),
        count: 1,
        price: money(0),
        options: [],
      };
      await orders.updateOne({ _id: known }, { $push: { lines: line } } as Document);
    } else if (dice < 0.8) {
      await orders.deleteOne({ _id: known });
    } else if (dice < 0.95) {
      const _id = Math.floor(chance() * this.#customers) as unknown as ObjectId;
      const balance = money(chance() * 50);
      await this.#db.collection('customers').updateOne({ _id }, { $inc: { balance } });
    } else {
      await this.#db.collection('sessions').insertOne({ seen: new Date(), page: chance() });
    }
  }
}

const money = (amount: number): Decimal128 => Decimal128.fromString(amount.toFixed(2));

function pick<T>(from: readonly T[], chance: () => number): T {
  return from[Math.floor(chance() * from.length)] as T;
}

/** Numbers in [0, 1) from a seed: mulberry32, public domain. */
function chanceOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
