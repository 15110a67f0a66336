// CODR at the other end of a connection: a CodrApi whose long calls are operations of a peer. They are watched
// from where the last connection broke off, and cancelled when the signal aborts.
import { untilAborted } from '../../base/async.ts';
import { toHex } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import type { Random } from '../../base/random.ts';
import { type ApiMethod, apiMethods, type UnaryRule } from '../api-methods.ts';
import type * as api from '../codr-api.ts';
import { errorFromDetail } from '../error-detail.ts';
import { silenceMs } from '../grpc/channel-options.ts';
import { methodNamed } from '../grpc/protos.ts';
import {
  describeOperation,
  isEnded,
  type Operation,
  type OperationKind,
  type OperationRequest,
} from '../operations.ts';
import { Channel, type ChannelTarget, ConnectionError } from './channel.ts';
import { RemoteOperations } from './remote-operations.ts';

export interface RemoteOptions extends ChannelTarget {
  /** For idempotency keys. */
  readonly random: Random;
  /** How long a watched operation is looked for after the peer was lost. */
  readonly patienceMs?: number;
}

const patienceMsDefault = 5 * 60_000;
/** The part of its patience after which a client says that it looks for its work: 10 s. */
const sayLostShare = 1 / 30;
/** How long it is tried to create an operation after the peer was lost; one that starts anew takes seconds. */
const createPatienceMs = 60_000;
const aliveMs = silenceMs * 1.5;
const retryMs = { first: 200, max: 5000 } as const;
const never = new AbortController().signal;

export class RemoteApi implements api.CodrApi {
  readonly #channel: Channel;
  readonly #operations: RemoteOperations;
  readonly #options: RemoteOptions;

  /** Connects when it is first used. Errors: `config-invalid`. */
  constructor(options: RemoteOptions) {
    this.#options = options;
    this.#channel = new Channel(options);
    this.#operations = new RemoteOperations(this.#channel);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#channel[Symbol.dispose]();
  }

  init = (request: api.InitRequest, call: api.Call): Promise<api.InitResult> =>
    this.#ask('init', request, call);
  status = (request: api.StatusRequest, call: api.Call): Promise<api.Status> =>
    this.#ask('status', request, call);
  addSource = (request: api.AddSourceRequest, call: api.Call): Promise<api.SourceCheck> =>
    this.#work('source-add', request, call);
  checkSource = (request: api.SourceRequest, call: api.Call): Promise<api.SourceCheck> =>
    this.#work('source-check', request, call);
  listSources = (call: api.Call): Promise<api.SourceList> => this.#ask('listSources', {}, call);
  showSource = (request: api.SourceRequest, call: api.Call): Promise<api.SourceDescription> =>
    this.#ask('showSource', request, call);
  limitSource = (request: api.LimitSourceRequest, call: api.Call): Promise<api.SourceDescription> =>
    this.#ask('limitSource', request, call);
  rebaseSource = (request: api.SourceRequest, call: api.Call): Promise<api.SourceRebased> =>
    this.#work('source-rebase', request, call);
  removeSource = (request: api.SourceRequest, call: api.Call): Promise<api.SourceRemoved> =>
    this.#work('source-remove', request, call);
  backup = (request: api.BackupRequest, call: api.Call): Promise<api.BackupResult> =>
    this.#work('backup', request, call);
  points = (request: api.SourceRequest, call: api.Call): Promise<api.Points> =>
    this.#ask('points', request, call);
  checkpoint = (request: api.CheckpointRequest, call: api.Call): Promise<api.CheckpointResult> =>
    this.#work('checkpoint', request, call);
  planRestore = (request: api.RestoreRequest, call: api.Call): Promise<api.RestorePlan> =>
    this.#ask('planRestore', request, call);
  restore = (request: api.RestoreRequest, call: api.Call): Promise<api.RestoreResult> =>
    this.#work('restore', request, call);
  verify = (request: api.VerifyRequest, call: api.Call): Promise<api.VerifyResult> =>
    this.#work('verify', request, call);
  listDatasets = (request: api.ListRequest, call: api.Call): Promise<api.DatasetList> =>
    this.#ask('listDatasets', request, call);
  getRecord = (request: api.GetRequest, call: api.Call): Promise<api.RecordResult> =>
    this.#ask('getRecord', request, call);
  collect = (request: api.CollectRequest, call: api.Call): Promise<api.CollectResult> =>
    this.#work('collect', request, call);
  check = (request: api.CheckRequest, call: api.Call): Promise<api.CheckResult> =>
    this.#work('check', request, call);
  addKey = (request: api.AddKeyRequest, call: api.Call): Promise<api.KeySlot> =>
    this.#ask('addKey', request, call);
  removeKey = (request: api.RemoveKeyRequest, call: api.Call): Promise<api.KeySlot> =>
    this.#ask('removeKey', request, call);
  listKeys = (call: api.Call): Promise<api.KeyList> => this.#ask('listKeys', {}, call);
  listOperations = async (
    { running }: api.ListOperationsRequest,
    { signal }: api.Call,
  ): Promise<api.OperationList> => {
    const asked = this.#operations.list(running ? 'running' : 'all');
    const all = await untilAborted(asked, signal);
    const wanted = all.filter((one) => !running || !isEnded(one));
    return { operations: wanted.map(describeOperation) };
  };
  cancelOperation = async (
    { id }: api.CancelOperationRequest,
    { signal }: api.Call,
  ): Promise<api.OperationDescription> =>
    describeOperation(await untilAborted(this.#operations.cancel(id), signal));

  async #ask<R extends object>(
    method: ApiMethod,
    request: object,
    { signal }: api.Call,
  ): Promise<R> {
    const { rpc, deadlineMs } = apiMethods[method] as UnaryRule;
    return (await this.#channel.unary(methodNamed(rpc), request, { deadlineMs, signal })) as R;
  }

  /** Creates an operation, watches it to its end, and answers with its result. */
  async #work<R extends object>(
    kind: OperationKind,
    request: OperationRequest,
    call: api.Call,
  ): Promise<R> {
    call.signal.throwIfAborted();
    const made = await this.#created(kind, request);
    const ended = await this.#watched(made.id, call);
    if (ended.state === 'done') return ended.result as R;
    if (ended.state === 'cancelled') call.signal.throwIfAborted();
    throw ended.error
      ? errorFromDetail(ended.error)
      : new CodrError('failed', `operation ${ended.id} is ${ended.state}`);
  }

  /**
   * Asked again, under the same key, when the connection breaks before the answer, and when the peer does not know
   * whether it was created: it may have been.
   * Not ended by the signal: what was created must be known, so that it can be cancelled.
   */
  async #created(kind: OperationKind, request: OperationRequest): Promise<Operation> {
    const { clock, patienceMs = createPatienceMs, random } = this.#options;
    const idempotencyKey = toHex(random.bytes(16));
    const until = clock.monotonic() + Math.min(patienceMs, createPatienceMs);
    for (;;) {
      try {
        return await this.#operations.create(kind, request, idempotencyKey);
      } catch (error) {
        if (!(error instanceof ConnectionError) || !this.#operations.wasReached) throw error;
        if (clock.monotonic() > until) throw inDoubt(error, kind);
      }
      await clock.sleep(retryMs.first);
    }
  }

  async #watched(id: string, call: api.Call): Promise<Operation> {
    const { clock, patienceMs = patienceMsDefault } = this.#options;
    using _ = this.#cancelOnAbort(id, call.signal);
    let [seen, waitMs] = [0, retryMs.first as number];
    let lostAt: number | undefined;
    for (;;) {
      const began = clock.monotonic();
      try {
        // The peer may have been away when it was asked to end the work.
        if (call.signal.aborted) this.#cancel(id);
        for await (const event of this.#operations.watch(id, seen, never)) {
          [seen, waitMs, lostAt] = [event.sequence, retryMs.first, undefined];
          if (event.progress) call.progress?.(event.progress);
          if (event.changed && isEnded(event.changed)) return event.changed;
        }
        // Nothing more to hear, though its end was not among it: it may stand below the numbers of a peer before.
        const now = await this.#operations.get(id);
        if (isEnded(now)) return now;
      } catch (error) {
        if (!(error instanceof ConnectionError)) throw forgotten(error, id);
        const now = clock.monotonic();
        // What lasted longer than silence may was alive, though nothing happened to the operation.
        if (now - began > aliveMs) [waitMs, lostAt] = [retryMs.first, undefined];
        lostAt ??= now;
        if (now - lostAt > patienceMs) throw lost(error, id);
        const lostMs = now - lostAt;
        if (lostMs > patienceMs * sayLostShare) call.progress?.(looking(error, id, lostMs / 1000));
      }
      await clock.sleep(waitMs);
      waitMs = Math.min(waitMs * 2, retryMs.max);
    }
  }

  #cancel(id: string): void {
    this.#operations.cancel(id).catch(() => {
      // Who watches it will hear what became of it, or that the peer is gone.
    });
  }

  /** The operation ends at its next safe place; what comes out of it is waited for. */
  #cancelOnAbort(id: string, signal: AbortSignal): Disposable {
    const cancel = (): void => this.#cancel(id);
    signal.addEventListener('abort', cancel, { once: true });
    return { [Symbol.dispose]: () => signal.removeEventListener('abort', cancel) };
  }
}

/** A peer that was started anew knows nothing of what it did before. */
function forgotten(error: unknown, id: string): unknown {
  if (!(error instanceof CodrError) || error.code !== 'operation-unknown') return error;
  return new CodrError('lease-lost', `the peer was restarted and no longer knows operation ${id}`, {
    object: id,
    cause: error,
  });
}

function inDoubt(error: ConnectionError, kind: OperationKind): CodrError {
  return new CodrError(
    'peer-unreachable',
    `${error.message}; the ${kind} may be asked for already`,
    {
      ...(error.object !== undefined && { object: error.object }),
      remedy: 'look with `codr ops` when the peer answers again',
      cause: error.cause,
    },
  );
}

/** The work does not end with the connection, and a client that waits must not look as if it hung. */
function looking({ message }: ConnectionError, id: string, seconds: number): api.Progress {
  const told = `${message}: operation ${id} is looked for; \`codr ops --node\` of another peer says how it is`;
  return { phase: 'looking for the work', records: 0, bytes: 0, seconds, told };
}

function lost(error: ConnectionError, id: string): CodrError {
  return new CodrError('peer-unreachable', `${error.message}; operation ${id} may go on there`, {
    object: id,
    remedy: 'look with `codr ops` when the peer answers again',
    cause: error.cause,
  });
}
