// One peer as another one of its cluster sees it: what peers ask each other, and its operations.

import type { PeerCalls, PeerNews } from '../grpc/peer-handlers.ts';
import { methodNamed } from '../grpc/protos.ts';
import { Channel, type ChannelTarget } from './channel.ts';
import { RemoteOperations } from './remote-operations.ts';

/** A peer that does not answer a batch in this time counts as not knowing it. */
const lookUpMs = 5000;
const pingMs = 5000;

export class PeerLink implements PeerCalls, Disposable {
  readonly operations: RemoteOperations;
  /** For what else is asked of the peer. */
  readonly channel: Channel;

  /** Connects when it is first used. Errors: `config-invalid`. */
  constructor(target: ChannelTarget) {
    this.channel = new Channel(target);
    this.operations = new RemoteOperations(this.channel);
  }

  [Symbol.dispose](): void {
    this.channel[Symbol.dispose]();
  }

  async lookUp(batch: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    return await this.#askBatch('LookUp', batch, signal);
  }

  async where(batch: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    return await this.#askBatch('Where', batch, signal);
  }

  async ping(from: PeerNews, signal: AbortSignal): Promise<PeerNews> {
    return (await this.#ask('Ping', from, { deadlineMs: pingMs, signal })) as PeerNews;
  }

  async #askBatch(method: string, batch: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const answer = await this.#ask(method, { batch }, { deadlineMs: lookUpMs, signal });
    return (answer as { readonly batch: Uint8Array }).batch;
  }

  #ask(
    method: string,
    request: object,
    limits: { readonly deadlineMs: number; readonly signal: AbortSignal },
  ): Promise<object> {
    return this.channel.unary(methodNamed(`Peer/${method}`, 'codr.peer.v1'), request, limits);
  }
}
