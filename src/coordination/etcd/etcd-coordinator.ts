// Agreement through etcd 3.4 or later. What of the package `etcd3` is used and what each of its traps is met
// with stands in README.md; what a lost answer means, in etcd-receipts.ts.
import { assert } from '../../base/assert.ts';
import { Semaphore } from '../../base/async.ts';
import type { Clock } from '../../base/clock.ts';
import { CodrError } from '../../base/error.ts';
import type { Logger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type {
  Coordinator,
  CoordinatorEntry,
  Guard,
  Lease,
  Operation,
  Outcome,
} from '../coordinator.ts';
import { assertTransaction } from '../limits.ts';
import { EtcdChannel, type EtcdTls } from './etcd-channel.ts';
import { closedError } from './etcd-error.ts';
import { EtcdKeys } from './etcd-keys.ts';
import { EtcdLease } from './etcd-lease.ts';
import { EtcdLife } from './etcd-life.ts';
import { EtcdLink, unaryMsMax } from './etcd-link.ts';
import { readAll, readGuards, readOne } from './etcd-read.ts';
import { EtcdReceipts } from './etcd-receipts.ts';
import { transactOnce } from './etcd-transaction.ts';
import { EtcdWatch } from './etcd-watch.ts';

/** Transactions of one coordinator at a time; more wait. */
const transactionsMax = 32;

export interface EtcdOptions {
  /** `http://host:port` or `https://host:port`, of members of one cluster. */
  readonly endpoints: readonly string[];
  /** All keys lie below it; one for each installation. */
  readonly prefix: string;
  readonly tls?: EtcdTls;
}

export interface EtcdWorld {
  /** Real time: etcd counts its seconds too. */
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

interface Parts {
  readonly life: EtcdLife;
  readonly keys: EtcdKeys;
  readonly kv: EtcdLink;
  readonly leases: EtcdLink;
  readonly watches: EtcdLink;
  readonly receipts: EtcdReceipts;
  readonly watch: EtcdWatch;
  readonly clock: Clock;
  readonly close: AbortController;
}

export class EtcdCoordinator implements Coordinator {
  readonly clusterId: string;
  readonly #parts: Parts;
  readonly #leases = new Set<EtcdLease>();
  readonly #transactions = new Semaphore(transactionsMax);
  #disposed = false;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.clusterId = parts.life.clusterId;
    parts.life.ended.addEventListener('abort', () => {
      for (const lease of this.#leases) lease.lose('was of a store that is gone');
    });
  }

  /** Joins the store. Errors: `coordinator-unreachable`, `coordinator-refused`, `config-invalid`. */
  static async open(
    options: EtcdOptions,
    { clock, random, log }: EtcdWorld,
  ): Promise<EtcdCoordinator> {
    checkOptions(options);
    const keys = new EtcdKeys(options.prefix);
    const name = Buffer.from(random.bytes(12)).toString('hex');
    const close = new AbortController();
    const deadline = (): number => clock.now() + unaryMsMax;
    const { endpoints, prefix, tls } = options;
    const connect = (endpoint: string): EtcdChannel => new EtcdChannel(endpoint, tls, deadline);
    // Peers spread over the members; the links of one begin at the same.
    const first = random.below(endpoints.length);
    const link = (): EtcdLink =>
      new EtcdLink({ endpoints, first, prefix, connect, clock, log, closed: close.signal });
    const [kv, leases, watches] = [link(), link(), link()];
    try {
      const life = await EtcdLife.join(kv, keys, name);
      const receipts = new EtcdReceipts({ life, keys, kv, leases, clock, name });
      const watch = new EtcdWatch({ life, keys, link: watches, clock });
      const parts = { life, keys, kv, leases, watches, receipts, watch, clock, close };
      return new EtcdCoordinator(parts);
    } catch (error) {
      kv.close();
      throw error;
    }
  }

  async get(key: string): Promise<CoordinatorEntry | undefined> {
    this.#assertOpen();
    return await readOne(this.#parts, key);
  }

  async list(prefix: string): Promise<CoordinatorEntry[]> {
    this.#assertOpen();
    return await readAll(this.#parts, prefix);
  }

  async transact(guards: readonly Guard[], operations: readonly Operation[]): Promise<Outcome> {
    this.#assertOpen();
    assertTransaction(guards, operations);
    for (const operation of operations) {
      if ('put' in operation && operation.lease) this.#checkLease(operation.lease);
    }
    if (operations.length === 0) return await readGuards(this.#parts, guards);
    await this.#transactions.take();
    try {
      return await transactOnce(this.#parts, guards, operations);
    } finally {
      this.#transactions.give();
    }
  }

  async lease(ttlMs: number): Promise<Lease> {
    this.#assertOpen();
    const { life, leases, clock } = this.#parts;
    life.ended.throwIfAborted();
    const lease = await EtcdLease.grant(leases, clock, ttlMs);
    if (this.#disposed) {
      await lease[Symbol.asyncDispose]();
      throw closedError();
    }
    this.#leases.add(lease);
    lease.ended.addEventListener('abort', () => this.#leases.delete(lease), { once: true });
    return lease;
  }

  watch(prefix: string, signal: AbortSignal): AsyncIterable<void> {
    this.#assertOpen();
    this.#parts.life.ended.throwIfAborted();
    return this.#parts.watch.watch(prefix, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    const { watch, receipts, kv, leases, watches, close } = this.#parts;
    watch.end();
    const held = [...this.#leases];
    for (const lease of held) lease.lose('was held by a coordinator that is disposed of');
    await Promise.all([...held, receipts].map((one) => one[Symbol.asyncDispose]()));
    close.abort(closedError());
    for (const link of [kv, leases, watches]) link.close();
  }

  #assertOpen(): void {
    assert(!this.#disposed, 'a coordinator must not be used after it was disposed');
  }

  #checkLease(lease: Lease): void {
    assert(lease instanceof EtcdLease, 'a lease must be one of the coordinator that puts under it');
    lease.check();
    lease.lost.throwIfAborted();
  }
}

function checkOptions({ endpoints, tls }: EtcdOptions): void {
  const fail = (object: string, message: string, remedy: string): never => {
    throw new CodrError('config-invalid', message, { object, remedy });
  };
  if (endpoints.length === 0) {
    fail('endpoints', 'no endpoint of etcd is given', 'name at least one, as http://host:2379');
  }
  for (const [i, endpoint] of endpoints.entries()) {
    if (!/^https?:\/\/[^/@\s]+:\d+$/.test(endpoint)) {
      // It may hold a password: it is not repeated.
      const message = `endpoint ${i + 1} of etcd has a wrong form`;
      fail('endpoints', message, 'write http://host:2379 or https://host:2379');
    }
    if (endpoint.startsWith('https:') !== endpoints[0]?.startsWith('https:')) {
      fail(
        endpoint,
        'some endpoints of etcd are secure and some are not',
        'write https:// for all',
      );
    }
    if (tls && !endpoint.startsWith('https:')) {
      fail(
        endpoint,
        `certificates are given, but ${endpoint} would not use them`,
        'write https://',
      );
    }
  }
  if ((tls?.certificate === undefined) !== (tls?.key === undefined)) {
    fail('tls', 'a certificate for etcd needs its key, and a key its certificate', 'give both');
  }
}
