// Operations of this process: run on a CodrApi, kept in memory, forgotten when the process ends. What they
// do is resumed by sending the same request again, as after any interruption.

import { assert } from '../base/assert.ts';
import { toHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { CodrError } from '../base/error.ts';
import type { Random } from '../base/random.ts';
import { callApi } from './api-methods.ts';
import type { Handover, Progress } from './call.ts';
import type { CodrApi } from './codr-api.ts';
import { errorDetail } from './error-detail.ts';
import { checkIdempotencyKey, keyUsedBefore, requestHash } from './idempotency.ts';
import {
  isEnded,
  type Operation,
  type OperationEvent,
  type OperationKind,
  type OperationRequest,
  type OperationResult,
  type OperationStore,
  operationMethods,
  sourceOf,
} from './operations.ts';

export interface LocalOperationsOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Takes secrets out of the sentences of errors. */
  readonly redact: (text: string) => string;
  /** Operations that have ended and are still known. */
  readonly endedMax?: number;
  /** Operations that run at the same time. */
  readonly runningMax?: number;
}

const endedMaxDefault = 1000;
const runningMaxDefault = 256;
/** Reports kept of each operation, for those who watch from an earlier number. */
const reportsMax = 256;

interface Running {
  operation: Operation;
  readonly events: OperationEvent[];
  readonly stop: AbortController;
  /** Of caller and idempotency key. */
  readonly key: string;
  /** Of kind and request; the request itself may hold secrets. */
  readonly requestHash: string;
  /** Woken at each event. */
  wakers: (() => void)[];
  finished: Promise<void>;
}

interface Work {
  readonly kind: OperationKind;
  readonly request: OperationRequest;
  readonly handover: Handover | undefined;
}

export class LocalOperations implements OperationStore, AsyncDisposable {
  readonly #api: CodrApi;
  readonly #options: LocalOperationsOptions;
  /** In the order of their creation. */
  readonly #byId = new Map<string, Running>();
  readonly #byKey = new Map<string, Running>();
  /** In the order of their ends: what began long ago may have ended just now. */
  readonly #ended = new Set<Running>();

  constructor(api: CodrApi, options: LocalOperationsOptions) {
    this.#api = api;
    this.#options = options;
  }

  /** Asks all that run to end, and waits until they have. */
  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#byId.values()];
    for (const { stop } of all) stop.abort(stopped('the peer stops'));
    await Promise.all(all.map(({ finished }) => finished));
  }

  async create(
    kind: OperationKind,
    request: OperationRequest,
    idempotencyKey: string,
    by: string,
    handover?: Handover,
  ): Promise<Operation> {
    checkIdempotencyKey(idempotencyKey);
    const key = JSON.stringify([by, idempotencyKey]);
    const asked = requestHash([kind, request]);
    const before = this.#byKey.get(key);
    if (before?.requestHash === asked) return before.operation;
    if (before) throw keyUsedBefore(before.operation.id);
    this.#refuseTooMany();
    const source = sourceOf(request);
    const running: Running = {
      operation: {
        id: toHex(this.#options.random.bytes(8)),
        kind,
        ...(source !== undefined && { source }),
        state: 'running',
        by,
        created: this.#now(),
        sequence: 0,
        cancelling: false,
      },
      events: [],
      stop: new AbortController(),
      key,
      requestHash: asked,
      wakers: [],
      finished: Promise.resolve(),
    };
    this.#byId.set(running.operation.id, running);
    this.#byKey.set(key, running);
    this.#change(running, {});
    running.finished = this.#run(running, { kind, request, handover });
    return running.operation;
  }

  async get(id: string): Promise<Operation> {
    return this.#named(id).operation;
  }

  async list(): Promise<readonly Operation[]> {
    return [...this.#byId.values()].map(({ operation }) => operation).reverse();
  }

  async *watch(
    id: string,
    afterSequence: number,
    signal: AbortSignal,
  ): AsyncGenerator<OperationEvent> {
    const running = this.#named(id);
    let seen = afterSequence;
    for (;;) {
      signal.throwIfAborted();
      const next = running.events.find(({ sequence }) => sequence > seen);
      if (next) {
        seen = next.sequence;
        yield next;
      } else if (isEnded(running.operation)) return;
      else await woken(running, signal);
    }
  }

  /** What has ended, and nobody will ask for. */
  forget(id: string): void {
    const running = this.#byId.get(id);
    if (running) this.#forget(running);
  }

  async cancel(id: string): Promise<Operation> {
    const running = this.#named(id);
    if (!isEnded(running.operation) && !running.operation.cancelling) {
      this.#change(running, { cancelling: true });
      running.stop.abort(stopped('the operation was cancelled'));
    }
    return running.operation;
  }

  async #run(running: Running, { kind, request, handover }: Work): Promise<void> {
    const { signal } = running.stop;
    const progress = (report: Progress): void => this.#report(running, report);
    try {
      const call = { signal, progress, ...(handover && { handover }) };
      const result = await callApi(this.#api, operationMethods[kind], request, call);
      this.#end(running, { state: 'done', result: result as OperationResult });
    } catch (thrown) {
      const error = errorDetail(thrown, this.#options.redact);
      // Once asked to stop, whatever ends the work counts as that.
      this.#end(running, { state: signal.aborted ? 'cancelled' : 'failed', error });
    }
  }

  #end(running: Running, outcome: Pick<Operation, 'state' | 'result' | 'error'>): void {
    this.#change(running, { ...outcome, cancelling: false, ended: this.#now() });
    this.#ended.add(running);
    const { endedMax = endedMaxDefault } = this.#options;
    for (const oldest of this.#ended) {
      if (this.#ended.size <= endedMax) break;
      this.#forget(oldest);
    }
  }

  #forget(running: Running): void {
    this.#ended.delete(running);
    this.#byId.delete(running.operation.id);
    this.#byKey.delete(running.key);
  }

  #refuseTooMany(): void {
    const { runningMax = runningMaxDefault } = this.#options;
    const running = [...this.#byId.values()].filter(({ operation }) => !isEnded(operation));
    if (running.length < runningMax) return;
    throw new CodrError('busy', `the peer runs ${running.length} operations already`, {
      remedy: 'wait for some of them, see `codr ops`',
    });
  }

  #report(running: Running, progress: Progress): void {
    if (isEnded(running.operation)) return;
    this.#add(running, { progress }, { progress });
    const reports = running.events.filter((event) => event.progress);
    const oldest = reports.length > reportsMax ? reports[0] : undefined;
    if (oldest) running.events.splice(running.events.indexOf(oldest), 1);
  }

  #change(running: Running, changes: Partial<Operation>): void {
    this.#add(running, changes, (operation) => ({ changed: operation }));
  }

  #add(
    running: Running,
    changes: Partial<Operation>,
    event: { progress: Progress } | ((operation: Operation) => { changed: Operation }),
  ): void {
    const sequence = running.operation.sequence + 1;
    running.operation = { ...running.operation, ...changes, sequence };
    const told = typeof event === 'function' ? event(running.operation) : event;
    running.events.push({ sequence, at: this.#now(), ...told });
    for (const wake of running.wakers.splice(0)) wake();
  }

  #named(id: string): Running {
    const running = this.#byId.get(id);
    if (running) return running;
    throw new CodrError('operation-unknown', `no operation has the id ${id}`, { object: id });
  }

  #now(): string {
    return new Date(this.#options.clock.now()).toISOString();
  }
}

const stopped = (why: string): CodrError => new CodrError('interrupted', why);

/** Resolves at the next event, rejects with the signal's reason. */
async function woken(running: Running, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const aborted = (): void => {
      const at = running.wakers.indexOf(wake);
      if (at >= 0) running.wakers.splice(at, 1);
      reject(signal.reason);
    };
    const wake = (): void => {
      signal.removeEventListener('abort', aborted);
      resolve();
    };
    assert(!signal.aborted, 'who waits has not hung up');
    signal.addEventListener('abort', aborted, { once: true });
    running.wakers.push(wake);
  });
}
