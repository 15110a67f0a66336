// A lease with a deadline of its own. When etcd last confirmed it, we know only when we had asked; from that
// moment its time runs for us, less a margin. After it the holder has stopped, whatever etcd or the network
// do. etcd may keep the keys for longer (a new leader of etcd starts the time anew), never for less.
import type { ILeaseKeepAliveResponse } from 'etcd3';
import { assert } from '../../base/assert.ts';
import type { Clock } from '../../base/clock.ts';
import { CodrError } from '../../base/error.ts';
import type { Lease } from '../coordinator.ts';
import type { EtcdChannel } from './etcd-channel.ts';
import { isTransient, StreamError } from './etcd-error.ts';
import { type EtcdLink, unaryMsMax } from './etcd-link.ts';

/** How long before its keys may vanish a lease counts as lost: a fifth, 2 s of 10 s. */
const marginShare = 0.2;
/**
 * But not less than an election of etcd (1 s unless configured), so long as that is below half of the lease: a
 * leader of etcd that was cut off confirms leases for so long after another was elected.
 */
const marginMsMin = 1000;
const marginShareMax = 0.5;
/** Confirmed three times in its time. */
const keepAliveShare = 1 / 3;
/** One try to confirm it: two more members can be asked before the deadline. */
const tryShare = 0.2;

export class EtcdLease implements Lease {
  readonly id: string;
  readonly lost: AbortSignal;
  /** Aborted when it is lost or given back. */
  readonly ended: AbortSignal;
  readonly #link: EtcdLink;
  readonly #clock: Clock;
  readonly #ttlMs: number;
  readonly #lost = new AbortController();
  /** Aborted when nothing is to be kept alive any more. */
  readonly #ended = new AbortController();
  #confirmedMs: number;
  #revoked: Promise<void> | undefined;

  private constructor(
    id: string,
    confirmedMs: number,
    { link, clock, ttlMs }: { link: EtcdLink; clock: Clock; ttlMs: number },
  ) {
    this.id = id;
    this.lost = this.#lost.signal;
    this.ended = this.#ended.signal;
    this.#link = link;
    this.#clock = clock;
    this.#ttlMs = ttlMs;
    this.#confirmedMs = confirmedMs;
    void this.#keepAlive();
    void this.#watchDeadline();
  }

  /** Errors: `coordinator-unreachable`, `coordinator-refused`. A grant whose answer was lost ends by itself. */
  static async grant(link: EtcdLink, clock: Clock, ttlMs: number): Promise<EtcdLease> {
    assert(ttlMs > 0, 'a lease must last for some time');
    return await link.call(async (channel) => {
      const askedMs = clock.monotonic();
      const { ID } = await channel.leases.leaseGrant({ TTL: Math.ceil(ttlMs / 1000) });
      return new EtcdLease(ID, askedMs, { link, clock, ttlMs });
    });
  }

  /** Aborts `lost` if the deadline has passed: timers of a process that was stopped fire late. */
  check(): void {
    if (this.#clock.monotonic() >= this.#deadlineMs) this.lose('was not confirmed in time');
  }

  lose(why: string): void {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort();
    const message = `the lease ${this.id} ended: it ${why}`;
    this.#lost.abort(new CodrError('lease-lost', message, { object: this.id }));
  }

  /** Gives the lease back, so that its keys vanish now; where etcd cannot be asked, when its time is over. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    this.#revoked ??= this.#revoke();
    await this.#revoked;
  }

  async #revoke(): Promise<void> {
    try {
      const revoke = (channel: EtcdChannel) => channel.leases.leaseRevoke({ ID: this.id });
      await this.#link.call(revoke, { forMs: unaryMsMax });
    } catch (error) {
      if (!(error instanceof CodrError)) throw error;
    }
  }

  get #deadlineMs(): number {
    const marginMs = Math.max(
      this.#ttlMs * marginShare,
      Math.min(marginMsMin, this.#ttlMs * marginShareMax),
    );
    return this.#confirmedMs + this.#ttlMs - marginMs;
  }

  async #watchDeadline(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      const leftMs = this.#deadlineMs - this.#clock.monotonic();
      if (leftMs > 0) await this.#clock.sleep(leftMs, signal).catch(() => {});
      else this.check();
    }
  }

  async #keepAlive(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      const nextMs = this.#confirmedMs + this.#ttlMs * keepAliveShare;
      const waitMs = nextMs - this.#clock.monotonic();
      if (waitMs > 0) await this.#clock.sleep(waitMs, signal).catch(() => {});
      else await this.#confirm(signal);
    }
  }

  async #confirm(signal: AbortSignal): Promise<void> {
    const { channel } = this.#link;
    const askedMs = this.#clock.monotonic();
    const tryMs = Math.min(unaryMsMax, this.#ttlMs * tryShare);
    try {
      const { TTL } = await keepAliveOnce(channel, this.id, this.#clock.now() + tryMs);
      if (signal.aborted) return;
      this.#link.succeeded();
      if (Number(TTL) <= 0) this.lose('had expired in etcd');
      this.#confirmedMs = askedMs;
    } catch (error) {
      if (signal.aborted) return;
      if (!isTransient(error)) return this.lose(`was refused: ${(error as Error).message}`);
      this.#link.leave(channel, error);
      await this.#link.pause(signal).catch(() => {});
    }
  }
}

/** A stream for one question and one answer. TTL 0: the lease is gone. */
async function keepAliveOnce(
  channel: EtcdChannel,
  id: string,
  deadline: number,
): Promise<ILeaseKeepAliveResponse> {
  const stream = await channel.leases.leaseKeepAlive({ deadline });
  try {
    return await new Promise((resolve, reject) => {
      stream.on('data', resolve);
      stream.on('error', reject);
      stream.on('end', () => reject(new StreamError('the stream ended')));
      stream.write({ ID: id });
    });
  } finally {
    stream.cancel();
  }
}
