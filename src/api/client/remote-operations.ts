// The operations of a peer. Nothing is tried again here but what the channel repeats by itself: who watches
// for long looks after that, with the last number seen.
import { operationCalls } from '../api-methods.ts';
import { createMessage, operationOf, operationsOf } from '../grpc/operation-messages.ts';
import { methodNamed } from '../grpc/protos.ts';
import type {
  Operation,
  OperationEvent,
  OperationKind,
  OperationRequest,
  OperationStore,
} from '../operations.ts';
import type { Channel } from './channel.ts';

const never = new AbortController().signal;

export class RemoteOperations implements OperationStore {
  readonly #channel: Channel;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** What was asked may have been heard, though no answer came. */
  get wasReached(): boolean {
    return this.#channel.wasReached;
  }

  /** Who creates it is who the peer knows the caller as. */
  async create(
    kind: OperationKind,
    request: OperationRequest,
    idempotencyKey: string,
  ): Promise<Operation> {
    return operationOf(await this.#ask('create', createMessage(kind, request, idempotencyKey)));
  }

  async get(id: string): Promise<Operation> {
    return operationOf(await this.#ask('get', { id }));
  }

  async list(only?: 'running' | 'all'): Promise<readonly Operation[]> {
    return operationsOf(await this.#ask('list', { running: only === 'running' }));
  }

  /** Heartbeats are left out: they keep the stream alive, and say nothing. */
  async *watch(
    id: string,
    afterSequence: number,
    signal: AbortSignal,
  ): AsyncGenerator<OperationEvent> {
    const rpc = methodNamed(operationCalls.watch.rpc);
    for await (const message of this.#channel.stream(rpc, { id, afterSequence }, signal)) {
      const { sequence, at, progress, changed } = message as OperationEvent;
      if (progress) yield { sequence, at, progress };
      else if (changed) yield { sequence, at, changed: operationOf(changed) };
    }
  }

  async cancel(id: string): Promise<Operation> {
    return operationOf(await this.#ask('cancel', { id }));
  }

  async #ask(
    name: Exclude<keyof typeof operationCalls, 'watch'>,
    message: object,
  ): Promise<object> {
    const { rpc, deadlineMs } = operationCalls[name];
    return await this.#channel.unary(methodNamed(rpc), message, { deadlineMs, signal: never });
  }
}
