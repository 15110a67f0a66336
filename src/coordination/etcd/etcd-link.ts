// A way to etcd for one purpose: one connection at a time, to one of the endpoints, left for the next one
// when it fails. Transactions and lists, leases, and watches have a link each, so that trouble of one does
// not end the calls of the others.
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { EtcdChannel } from './etcd-channel.ts';
import { isTransient, refusal, sentence, unreachable, wasNeverSent } from './etcd-error.ts';

/** A unary call that takes longer has failed. */
export const unaryMsMax = 3000;
/** How long `call` tries. */
const callMsMax = 10_000;
const backoffMsFirst = 50;
const backoffMsMax = 1000;

export interface EtcdLinkOptions {
  readonly endpoints: readonly string[];
  /** Index of the endpoint to begin with. */
  readonly first: number;
  readonly prefix: string;
  connect(endpoint: string): EtcdChannel;
  readonly clock: Clock;
  readonly log: Logger;
  /** Aborted when the coordinator is disposed of. */
  readonly closed: AbortSignal;
}

/** What became of the tries of one call so far, and how long there may be more. */
export interface Tries {
  readonly forMs?: number;
  /** A try failed in a way that leaves open whether etcd did what was asked, or will. */
  inDoubt?: boolean;
}

export class EtcdLink {
  readonly #options: EtcdLinkOptions;
  readonly #lastErrors = new Map<string, unknown>();
  #index: number;
  #channel: EtcdChannel | undefined;
  /** Failures since the last success. */
  #failures = 0;

  constructor(options: EtcdLinkOptions) {
    this.#options = options;
    this.#index = options.first % options.endpoints.length;
  }

  /** The connection in use. */
  get channel(): EtcdChannel {
    this.#channel ??= this.#options.connect(this.#options.endpoints[this.#index] as string);
    return this.#channel;
  }

  /**
   * The first answer to `work`, over one endpoint after another, for 10 s unless told. Work must bear being
   * done twice.
   * Errors: `coordinator-unreachable`, `coordinator-refused`, those of `work`.
   */
  async call<T>(work: (channel: EtcdChannel) => Promise<T>, tries: Tries = {}): Promise<T> {
    const { clock, closed, prefix } = this.#options;
    const endMs = clock.monotonic() + (tries.forMs ?? callMsMax);
    for (;;) {
      closed.throwIfAborted();
      const channel = this.channel;
      try {
        const answer = await work(channel);
        this.succeeded();
        return answer;
      } catch (error) {
        if (!isTransient(error)) throw refusal(error, channel.endpoint, prefix);
        tries.inDoubt ||= !wasNeverSent(error);
        this.leave(channel, error);
        if (clock.monotonic() >= endMs) throw unreachable(this.#lastErrors, error);
      }
      await this.pause(closed);
    }
  }

  /** To be called after an answer that did not come by `call`. */
  succeeded(): void {
    if (this.#failures === 0) return;
    this.#failures = 0;
    const endpoint = this.#options.endpoints[this.#index];
    this.#options.log.info({ endpoint }, `etcd answers at ${endpoint}`);
  }

  /** Leaves the connection, if it is still in use, for the next endpoint. */
  leave(channel: EtcdChannel, error: unknown): void {
    if (this.#channel !== channel) return;
    const { endpoints, log } = this.#options;
    const why = sentence(error);
    // Once for each row of failures; what follows is for those who look closer.
    const tell = this.#failures === 0 ? 'warn' : 'debug';
    log[tell]({ endpoint: channel.endpoint }, `etcd at ${channel.endpoint} fails: ${why}`);
    this.#lastErrors.set(channel.endpoint, error);
    this.#failures++;
    this.#channel = undefined;
    this.#index = (this.#index + 1) % endpoints.length;
    channel.close();
  }

  /** Waits before the next try; not at all while there are endpoints that were not tried. */
  async pause(signal: AbortSignal): Promise<void> {
    const rounds = Math.floor(this.#failures / this.#options.endpoints.length);
    if (rounds === 0) return;
    const ms = Math.min(backoffMsMax, backoffMsFirst * 2 ** Math.min(rounds, 10));
    await this.#options.clock.sleep(ms, signal);
  }

  close(): void {
    this.#channel?.close();
    this.#channel = undefined;
  }
}
