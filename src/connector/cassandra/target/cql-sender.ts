// Sends batches to replicas of their partitions, a bounded number at once, at ALL: what was loaded is on every
// replica. A batch that may be done twice is tried again; one that appends to lists is not: the restore fails,
// and the same command makes the table anew.
import { type Client, errors, types } from 'cassandra-driver';
import { Semaphore, untilAborted } from '../../../base/async.ts';
import type { Clock } from '../../../base/clock.ts';
import { tokenPrefix } from '../key/record-key.ts';
import { compareRanges } from '../record/record-key.ts';
import { translated } from '../session/cql.ts';
import type { ReplicaRange, RingNode } from '../session/replica-placement.ts';
import type { CqlBatch } from './cql-batches.ts';

export interface SenderOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly members: readonly RingNode[];
  /** Of the keyspace, ascending; they cover the ring. None: the driver chooses whom it asks. */
  readonly ranges: readonly ReplicaRange[];
  /** For messages: the table. */
  readonly where: string;
}

const batchesInFlight = 32;
const triesMax = 6;
const firstPauseMs = 200;
const writeTimeoutMs = 30_000;
const tokenBytes = 8;

/** Of one table; ranges of it may be loaded side by side. */
export class BatchSender {
  readonly #options: SenderOptions;
  readonly #ends: readonly Uint8Array[];
  readonly #slots = new Semaphore(batchesInFlight);
  readonly #addresses: ReadonlyMap<string, string>;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#ends = options.ranges.map(({ to }) => tokenPrefix(to));
    this.#addresses = new Map(options.members.map((node) => [node.hostId, node.nativeAddress]));
  }

  /** A free place; the batch that takes it gives it back. */
  async room(): Promise<void> {
    await this.#slots.take();
  }

  /** Gives back a place that no batch took. */
  leave(): void {
    this.#slots.give();
  }

  /** Sends to a replica of the partition whose key begins with `token`; the same one each time. */
  async send(batch: CqlBatch, token: Uint8Array, signal: AbortSignal): Promise<void> {
    try {
      await this.#sendAgain(batch, token, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw translated(error, this.#options.where, 'target');
    } finally {
      this.#slots.give();
    }
  }

  async #sendAgain(batch: CqlBatch, token: Uint8Array, signal: AbortSignal): Promise<void> {
    const { client, clock } = this.#options;
    const host = this.#hostOf(token);
    for (let tries = 1; ; tries++) {
      signal.throwIfAborted();
      try {
        const sent = client.batch([...batch.statements] as { query: string }[], {
          prepare: true,
          logged: false,
          consistency: types.consistencies.all,
          isIdempotent: !batch.appends,
          readTimeout: writeTimeoutMs,
          // A replica that is down is not asked again.
          ...(host && tries === 1 && { host }),
        });
        await untilAborted(sent, signal);
        return;
      } catch (error) {
        if (batch.appends || tries >= triesMax || !isPassing(error)) throw error;
        await clock.sleep(firstPauseMs * 2 ** (tries - 1), signal);
      }
    }
  }

  #hostOf(token: Uint8Array) {
    const { client, ranges } = this.#options;
    let [low, high] = [0, this.#ends.length - 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const end = this.#ends[middle] as Uint8Array;
      if (compareRanges(token, 0, tokenBytes, end, 0, tokenBytes) > 0) low = middle + 1;
      else high = middle;
    }
    const replicas = ranges[low]?.replicas ?? [];
    const address = this.#addresses.get(replicas[(token[7] ?? 0) % replicas.length] ?? '');
    if (address === undefined) return undefined;
    const isIt = (one: { address: string; isUp(): boolean }): boolean =>
      one.isUp() && one.address.replace(/:\d+$/, '').replace(/^\[|\]$/g, '') === address;
    return client.hosts.values().find(isIt);
  }
}

const passing: ReadonlySet<number> = new Set([
  types.responseErrorCodes.serverError,
  types.responseErrorCodes.unavailableException,
  types.responseErrorCodes.overloaded,
  types.responseErrorCodes.isBootstrapping,
  types.responseErrorCodes.writeTimeout,
  types.responseErrorCodes.writeFailure,
]);

/** It may go well the next time. */
function isPassing(error: unknown): boolean {
  if (error instanceof errors.ResponseError) return passing.has(error.code);
  return (
    error instanceof errors.NoHostAvailableError ||
    error instanceof errors.OperationTimedOutError ||
    error instanceof errors.BusyConnectionError
  );
}
