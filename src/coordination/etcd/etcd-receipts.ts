// Receipts: what makes a transaction happen once though its answer may be lost. Each transaction puts its
// own number into a key of this coordinator, on the condition that the key is as the transaction before
// left it. Sent again, over whichever member, it either happens now, and an earlier copy on its way never
// will; or finds its number there: it has happened, at that key's revision.
// The keys hang on a lease; what is found after its end says nothing of the transaction.
import type { Clock } from '../../base/clock.ts';
import type { EtcdChannel } from './etcd-channel.ts';
import { closedError } from './etcd-error.ts';
import type { EtcdKeys } from './etcd-keys.ts';
import { EtcdLease } from './etcd-lease.ts';
import { type EtcdLife, revisionOf } from './etcd-life.ts';
import type { EtcdLink } from './etcd-link.ts';

/** Far longer than a transaction is tried. */
const receiptsTtlMs = 60_000;

/** A key that one transaction at a time puts its number into. */
export interface Receipt {
  readonly key: Buffer;
  readonly leaseId: string;
  /** Revision of the key before the transaction. */
  revision: number;
}

export interface EtcdReceiptsOptions {
  readonly life: EtcdLife;
  readonly keys: EtcdKeys;
  readonly kv: EtcdLink;
  readonly leases: EtcdLink;
  readonly clock: Clock;
  /** Unique among all coordinators. */
  readonly name: string;
}

export class EtcdReceipts implements AsyncDisposable {
  readonly #options: EtcdReceiptsOptions;
  #lease: Promise<EtcdLease> | undefined;
  /** Of the lease in use, and used by no transaction. */
  #free: Receipt[] = [];
  #keys = 0;
  #numbers = 0;
  #disposed = false;

  constructor(options: EtcdReceiptsOptions) {
    this.#options = options;
  }

  /** A number that no other transaction of this coordinator has. */
  number(): Buffer {
    return Buffer.from(`${++this.#numbers}`);
  }

  /** For one transaction; to be given back when it is known what became of it, else to be forgotten. */
  async take(): Promise<Receipt> {
    const lease = await this.#currentLease();
    const known = this.#free.pop();
    if (known) return known;
    const { keys, kv, life, name } = this.#options;
    const key = keys.receipt(`${name}/${++this.#keys}`);
    const put = { key, value: Buffer.alloc(0), lease: lease.id };
    const answer = await kv.call((channel: EtcdChannel) =>
      life.transact(channel, { success: [{ request_put: put }] }),
    );
    return { key, leaseId: lease.id, revision: revisionOf(answer.header.revision) };
  }

  /** `revision`: that of the key now. */
  async give(receipt: Receipt, revision: number): Promise<void> {
    receipt.revision = revision;
    const lease = await this.#lease;
    if (lease?.id === receipt.leaseId && !lease.lost.aborted) this.#free.push(receipt);
  }

  /** The receipt was not found: its lease is gone, and all others with it. */
  async forget(receipt: Receipt): Promise<void> {
    const lease = await this.#lease;
    if (lease?.id === receipt.leaseId) lease.lose('is not known to etcd any more');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    const lease = await this.#lease?.catch(() => undefined);
    await lease?.[Symbol.asyncDispose]();
  }

  async #currentLease(): Promise<EtcdLease> {
    const { leases, clock } = this.#options;
    for (;;) {
      if (this.#disposed) throw closedError();
      this.#lease ??= EtcdLease.grant(leases, clock, receiptsTtlMs);
      const asked = this.#lease;
      try {
        const lease = await asked;
        lease.check();
        if (!lease.lost.aborted) return lease;
      } catch (error) {
        if (this.#lease === asked) this.#lease = undefined;
        throw error;
      }
      if (this.#lease !== asked) continue;
      this.#lease = undefined;
      this.#free = [];
    }
  }
}
