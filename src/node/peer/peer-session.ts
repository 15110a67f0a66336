// One life of a peer among its equals: from joining under a lease until that lease is lost. What hangs on the
// lease ends with it, so that nothing acts in the name of a peer that others take for dead.
import type { CodrApi } from '../../api/codr-api.ts';
import type { OperationStore } from '../../api/operations.ts';
import { untilAborted } from '../../base/async.ts';
import type { Clock } from '../../base/clock.ts';
import { isCodrError } from '../../base/error.ts';
import type { Logger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import { campaign } from '../../cluster/leadership.ts';
import { Membership, type Peer, watchPeers } from '../../cluster/membership.ts';
import { keepSlots, type SlotFollower } from '../../cluster/slot-keeper.ts';
import type { Coordinator } from '../../coordination/coordinator.ts';
import { ClusterOperations } from './cluster-operations.ts';
import type { ValueSeal } from './value-seal.ts';

export interface SessionOptions {
  readonly coordinator: Coordinator;
  readonly self: Peer;
  readonly api: CodrApi;
  readonly seal: ValueSeal;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly redact: (text: string) => string;
  relay(peer: string): OperationStore | undefined;
  /** Called whenever peers came or went. */
  seen(peers: readonly Peer[]): void;
  /** Follows the table of slots, over all sessions. */
  readonly slots: SlotFollower;
}

/** Before a coordinator that refused is asked again. */
const refusedMs = 5000;
/** Peers that come one after another, as at a start, count together. */
const settleMs = 1000;
/** How long a peer may be silent before others take over what it does. */
const leaseTtlMs = 10_000;

export class PeerSession implements AsyncDisposable {
  readonly coordinator: Coordinator;
  readonly self: Peer;
  readonly operations: ClusterOperations;
  readonly #membership: Membership;
  readonly #stop: AbortController;
  readonly #running: Promise<void>;

  private constructor(membership: Membership, options: SessionOptions) {
    this.coordinator = options.coordinator;
    this.self = options.self;
    this.#membership = membership;
    this.#stop = new AbortController();
    const { name } = options.self;
    this.operations = new ClusterOperations({ ...options, name, lease: membership.lease });
    const both = AbortSignal.any([this.#stop.signal, membership.lost]);
    this.#running = this.#run(options, both).catch((error: unknown) => {
      // A defect, or an entry that nobody can read: the next session may do better.
      options.log.error({ error }, 'the session has ended by an error');
    });
  }

  /** Errors: `busy` when another process has this name; those of the coordinator. */
  static async join(options: SessionOptions): Promise<PeerSession> {
    const { coordinator, self } = options;
    return new PeerSession(await Membership.join(coordinator, self, { leaseTtlMs }), options);
  }

  /** Aborted at once when its lease is lost; what runs here may take a while to stop then. */
  get lost(): AbortSignal {
    return this.#membership.lost;
  }

  /** Resolves when the session is over: its lease was lost, or it was disposed of, and all that ran has stopped. */
  get ended(): Promise<void> {
    return this.#running;
  }

  /** Others get nothing new to this peer, and go on with what it ran. */
  async drain(): Promise<void> {
    await this.#membership.drain();
    await this.operations.drain();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.operations.drain();
    await this.#running;
    await this.#membership[Symbol.asyncDispose]();
  }

  async #run(options: SessionOptions, signal: AbortSignal): Promise<void> {
    const { coordinator, seen, clock, log, self, slots } = options;
    const look = async (): Promise<void> => {
      while (!signal.aborted) {
        try {
          for await (const peers of watchPeers(coordinator, signal)) seen(peers);
        } catch (error) {
          if (signal.aborted) return;
          log.warn({ error }, 'who the peers are is asked again');
          await clock.sleep(1000, signal).catch(() => {});
        }
      }
    };
    const lead = async (): Promise<void> => {
      const role = { name: self.name, ttlMs: leaseTtlMs, clock, signal };
      for await (const term of campaign(coordinator, role)) {
        log.info({ epoch: term.epoch }, 'this peer coordinates');
        await keepSlots(term, { coordinator, clock, settleMs, log });
      }
    };
    const work = Promise.all([
      look(),
      this.operations.run(signal),
      steadily(lead, options, signal),
      steadily(() => slots.follow(coordinator, { clock, log, signal }), options, signal),
    ]);
    await untilAborted(work, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
    await work;
    // What it ran must stop at once, and is not written down.
    await this.operations.drain();
  }
}

/**
 * A coordinator that refuses, as one whose disk is full, is asked again later. One that is replaced has ended: the
 * lease is lost with it, and the session ends by that.
 */
async function steadily(
  work: () => Promise<void>,
  { clock, log }: Pick<SessionOptions, 'clock' | 'log'>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      return await work();
    } catch (error) {
      if (!isCodrError(error)) throw error;
      log.warn({ error }, 'the coordinator does not do what it should');
      if (error.code === 'coordinator-replaced') return;
      await clock.sleep(refusedMs, signal).catch(() => {});
    }
  }
}
