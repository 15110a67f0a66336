// The shop of `codr demo --cassandra`: wide partitions of orders with static columns, lists and sets, stock of a
// few warehouses, carts that expire, counted page views. Data comes from a seed. Every write is at QUORUM.
import { Client, type ClientOptions, policies, types } from 'cassandra-driver';
import type { CassandraCluster } from './cassandra-server.ts';

export const shopKeyspace = 'shop';
/** What is truncated in the disaster. */
export const truncatedTable = 'orders';

export const shopDataCentre = 'dc1';

/** What the shop has done. */
export interface ShopWrites {
  readonly rows: number;
  /** Statements that deleted something: cells, a row, a range, a partition. */
  readonly deletes: number;
}

const warehouses = ['north', 'south', 'east'];
const goods = ['lamp', 'chair', 'kettle', 'notebook', 'bicycle bell', 'rain coat', 'globe'];
const states = ['new', 'paid', 'packed', 'sent', 'delivered'];
const names = ['Ada', 'Björk', 'Chidi', 'Dalia', 'Émile', 'Farah', 'Grace', '华', 'Ines', 'Jun'];

/** Of all records: orders, stock, carts; the rest are pages. */
const shares = { orders: 0.7, stock: 0.15, carts: 0.1 };
const ordersPerCustomer = 100;
const rowsPerBatch = 25;
const statementsAtOnce = 8;
/** Customers whose order ids are kept, to change and delete them later. */
const customersKnown = 200;
const cartSeconds = 86_400;

const schema = [
  `CREATE KEYSPACE ${shopKeyspace} WITH replication =
    {'class': 'NetworkTopologyStrategy', '${shopDataCentre}': 3}`,
  `CREATE TABLE ${shopKeyspace}.orders (customer int, placed timeuuid, name text STATIC,
    email text STATIC, state text, total decimal, tags set<text>,
    lines list<frozen<tuple<int, text, decimal>>>, PRIMARY KEY (customer, placed))
    WITH CLUSTERING ORDER BY (placed DESC) AND speculative_retry = 'NONE'`,
  `CREATE TABLE ${shopKeyspace}.stock (warehouse text, sku int, count int, price decimal,
    PRIMARY KEY (warehouse, sku)) WITH speculative_retry = 'NONE'`,
  `CREATE TABLE ${shopKeyspace}.carts (id int PRIMARY KEY, items map<text, int>, seen timestamp)
    WITH default_time_to_live = ${cartSeconds} AND speculative_retry = 'NONE'`,
  `CREATE TABLE ${shopKeyspace}.page_views (page text PRIMARY KEY, seen counter)
    WITH speculative_retry = 'NONE'`,
];

type Statement = { readonly query: string; readonly params: unknown[] };

/** A client of all nodes, or of those at `only` (`address:port`) and no other. */
export async function connectShop(
  cluster: CassandraCluster,
  only: readonly string[] = cluster.contactPoints,
): Promise<Client> {
  const { RoundRobinPolicy, AllowListPolicy } = policies.loadBalancing;
  const options: ClientOptions = {
    contactPoints: [...only],
    policies: { loadBalancing: new AllowListPolicy(new RoundRobinPolicy(), [...only]) },
    queryOptions: { consistency: types.consistencies.quorum, prepare: true },
    // Changes of a schema take seconds on three nodes of a busy machine.
    socketOptions: { readTimeout: 60_000 },
    protocolOptions: { maxSchemaAgreementWaitSeconds: 60 },
  };
  const client = new Client(options);
  await client.connect();
  return client;
}

export class CassandraShop {
  readonly #client: Client;
  readonly #chance = chanceOf(11);
  readonly #placed = new Map<number, types.TimeUuid[]>();
  #customers = 0;
  #skus = 0;
  #carts = 0;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Makes keyspace and tables, and writes about `records` rows. */
  async fill(records: number, signal: AbortSignal): Promise<ShopWrites> {
    for (const statement of schema) {
      signal.throwIfAborted();
      await this.#client.execute(statement, [], { prepare: false });
    }
    const orders = Math.floor(records * shares.orders);
    this.#customers = Math.max(10, Math.floor(orders / ordersPerCustomer));
    this.#skus = Math.max(10, Math.floor((records * shares.stock) / warehouses.length));
    this.#carts = Math.floor(records * shares.carts);
    const pages = Math.max(10, records - orders - this.#skus * warehouses.length - this.#carts);
    await this.#run(this.#filling(orders, pages), signal);
    return { rows: orders + this.#skus * warehouses.length + this.#carts + pages, deletes: 0 };
  }

  *#filling(orders: number, pages: number): Generator<Statement[]> {
    const each = Math.ceil(orders / this.#customers);
    for (let customer = 0; customer < this.#customers; customer++) {
      yield [this.#customer(customer)];
      const left = Math.min(each, orders - customer * each);
      yield* batched(left, () => this.#order(customer));
    }
    for (const warehouse of warehouses) {
      yield* batched(this.#skus, (sku) => this.#article(warehouse, sku));
    }
    for (let id = 0; id < this.#carts; id++) yield [this.#cart(id)];
    for (let page = 0; page < pages; page++) yield [this.#view(page)];
  }

  /** Orders, changes, deletions of every kind: of cells, rows, ranges and partitions. */
  async tradeAndDelete(signal: AbortSignal): Promise<ShopWrites> {
    const { rows } = await this.trade(0.5, signal);
    const deletions = [...this.#deletions()];
    await this.#run(deletions, signal);
    return { rows, deletes: deletions.length };
  }

  /** Orders and changes by `share` of the customers. */
  async trade(share: number, signal: AbortSignal): Promise<ShopWrites> {
    const made = [...this.#trade(share)];
    await this.#run(made, signal);
    return { rows: made.length, deletes: 0 };
  }

  /** A release with a bug: every price becomes 0. Gives the number of rows. */
  async spoilPrices(signal: AbortSignal): Promise<number> {
    const query = `UPDATE ${shopKeyspace}.stock SET price = ? WHERE warehouse = ? AND sku = ?`;
    const zero = money(0);
    for (const warehouse of warehouses) {
      const spoilt = batched(this.#skus, (sku) => ({ query, params: [zero, warehouse, sku] }));
      await this.#run(spoilt, signal);
    }
    return this.#skus * warehouses.length;
  }

  *#trade(share: number): Generator<Statement[]> {
    for (const [customer, placed] of this.#placed) {
      if (this.#chance() > share) continue;
      yield [this.#order(customer)];
      const change = `UPDATE ${shopKeyspace}.orders SET state = ?, tags = tags + ?
        WHERE customer = ? AND placed = ?`;
      yield [
        { query: change, params: ['sent', ['changed'], customer, pick(placed, this.#chance)] },
      ];
      yield [this.#customer(customer)];
    }
    for (let page = 0; page < 10; page++) yield [this.#view(page)];
    for (let id = 0; id < this.#carts * share; id += 3) yield [this.#cart(id)];
  }

  *#deletions(): Generator<Statement[]> {
    const from = `FROM ${shopKeyspace}.`;
    for (const [customer, placed] of this.#placed) {
      const row = `${from}orders WHERE customer = ? AND placed`;
      const dice = customer % 10;
      if (dice === 1) {
        yield [{ query: `DELETE ${from}orders WHERE customer = ?`, params: [customer] }];
      } else if (dice === 2) {
        const middle = placed[Math.floor(placed.length / 2)];
        yield [{ query: `DELETE ${row} < ?`, params: [customer, middle] }];
      } else if (dice < 6) {
        yield [{ query: `DELETE ${row} = ?`, params: [customer, placed[0]] }];
      } else {
        yield [{ query: `DELETE tags ${row} = ?`, params: [customer, placed.at(-1)] }];
      }
    }
    const shelf = Math.floor(this.#skus / 3);
    yield [
      {
        query: `DELETE ${from}stock WHERE warehouse = ? AND sku >= ? AND sku < ?`,
        params: [warehouses[0], shelf, shelf * 2],
      },
    ];
    for (let id = 0; id < this.#carts; id += 5) {
      yield [{ query: `DELETE ${from}carts WHERE id = ?`, params: [id] }];
    }
  }

  #customer(customer: number): Statement {
    const query = `UPDATE ${shopKeyspace}.orders SET name = ?, email = ? WHERE customer = ?`;
    const email = `customer${customer}.${Math.floor(this.#chance() * 1e6)}@shop.example`;
    return { query, params: [pick(names, this.#chance), email, customer] };
  }

  #order(customer: number): Statement {
    const placed = types.TimeUuid.now();
    if (customer < customersKnown) {
      const known = this.#placed.get(customer) ?? [];
      this.#placed.set(customer, known);
      known.push(placed);
    }
    const chance = this.#chance;
    const lines = Array.from({ length: 1 + Math.floor(chance() * 4) }, () =>
      types.Tuple.fromArray([Math.floor(chance() * 9), pick(goods, chance), money(chance() * 200)]),
    );
    const query = `INSERT INTO ${shopKeyspace}.orders
      (customer, placed, state, total, tags, lines) VALUES (?, ?, ?, ?, ?, ?)`;
    const tags = chance() < 0.3 ? ['gift', pick(goods, chance)] : undefined;
    const total = money(chance() * 900);
    return { query, params: [customer, placed, pick(states, chance), total, tags, lines] };
  }

  #article(warehouse: string, sku: number): Statement {
    const query = `INSERT INTO ${shopKeyspace}.stock (warehouse, sku, count, price)
      VALUES (?, ?, ?, ?)`;
    const count = Math.floor(this.#chance() * 100);
    return { query, params: [warehouse, sku, count, money(1 + this.#chance() * 99)] };
  }

  #cart(id: number): Statement {
    const query = `INSERT INTO ${shopKeyspace}.carts (id, items, seen) VALUES (?, ?, ?)`;
    const items = { [pick(goods, this.#chance)]: 1, [pick(goods, this.#chance)]: 2 };
    return { query, params: [id, items, new Date()] };
  }

  #view(page: number): Statement {
    const query = `UPDATE ${shopKeyspace}.page_views SET seen = seen + ? WHERE page = ?`;
    return { query, params: [types.Long.fromInt(1 + (page % 7)), `/goods/${page}`] };
  }

  /** Every element is one statement, or an unlogged batch of one partition; some run at once. */
  async #run(work: Iterable<Statement[]>, signal: AbortSignal): Promise<void> {
    const next = work[Symbol.iterator]();
    const worker = async (): Promise<void> => {
      for (let step = next.next(); !step.done; step = next.next()) {
        signal.throwIfAborted();
        const [first, ...more] = step.value;
        if (!first) continue;
        if (more.length === 0) await this.#client.execute(first.query, first.params);
        else await this.#client.batch(step.value, { prepare: true, logged: false });
      }
    };
    await Promise.all(Array.from({ length: statementsAtOnce }, worker));
  }
}

function* batched(count: number, make: (index: number) => Statement): Generator<Statement[]> {
  for (let done = 0; done < count; done += rowsPerBatch) {
    const length = Math.min(rowsPerBatch, count - done);
    yield Array.from({ length }, (_, i) => make(done + i));
  }
}

const money = (amount: number): types.BigDecimal => types.BigDecimal.fromString(amount.toFixed(2));

function pick<T>(from: readonly T[], chance: () => number): T {
  return from[Math.floor(chance() * from.length)] as T;
}

/** Numbers in [0, 1) from a seed: a linear congruence of 48 bits, of which the high ones are used. */
function chanceOf(seed: number): () => number {
  let state = BigInt(seed);
  return () => {
    state = (state * 0x5deece66dn + 11n) & 0xffff_ffff_ffffn;
    return Number(state >> 16n) / 2 ** 32;
  };
}
