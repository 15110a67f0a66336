// One connection to a peer: unary calls with deadlines, streams that notice silence, errors as CodrErrors.
import {
  Client,
  type ClientReadableStream,
  status as codes,
  connectivityState,
  type ServiceError,
} from '@grpc/grpc-js';
import type { Clock } from '../../base/clock.ts';
import { CodrError } from '../../base/error.ts';
import { clientOptions, silenceMs as silenceMsDefault } from '../grpc/channel-options.ts';
import { fromWire, toWire, WireError } from '../grpc/mapper.ts';
import type { RpcMethod } from '../grpc/protos.ts';
import { sentError } from '../grpc/status.ts';
import { type ClientSecurity, callMetadata, channelCredentials, nameOptions } from './security.ts';

export interface ChannelTarget extends ClientSecurity {
  /** `host:port`. */
  readonly address: string;
  readonly clock: Clock;
  /** A stream that says nothing for this long is cut. */
  readonly silenceMs?: number;
  /** The first wait before a call that may be repeated is. */
  readonly retryMs?: number;
}

/** The connection failed, not the call: it may be tried again. */
export class ConnectionError extends CodrError {}

export class Channel implements Disposable {
  readonly #client: Client;
  readonly #target: ChannelTarget;
  #wasReached = false;

  /** Connects when it is first used. Errors: `config-invalid`. */
  constructor(target: ChannelTarget) {
    const { address } = target;
    if (!/^[^\s/]+:\d+$/.test(address)) {
      throw new CodrError('config-invalid', `${address} is not host:port`, { object: address });
    }
    this.#target = target;
    const options = { ...clientOptions(target.retryMs), ...nameOptions(address) };
    this.#client = new Client(address, channelCredentials(address, target), options);
    this.#noteReached();
  }

  /** A connection has stood: what fails since then may have been heard. */
  get wasReached(): boolean {
    return this.#wasReached;
  }

  #noteReached(): void {
    const channel = this.#client.getChannel();
    const state = channel.getConnectivityState(false);
    this.#wasReached = state === connectivityState.READY;
    if (this.#wasReached || state === connectivityState.SHUTDOWN) return;
    channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, () => this.#noteReached());
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  /** Errors: those of the peer; {@link ConnectionError}; the signal's reason. */
  async unary(
    rpc: RpcMethod,
    request: object,
    { deadlineMs, signal }: { readonly deadlineMs: number; readonly signal: AbortSignal },
  ): Promise<object> {
    signal.throwIfAborted();
    const deadline = new Date(this.#target.clock.now() + deadlineMs);
    const wire = toWire(rpc.requestName, request);
    let abort: () => void = () => {};
    try {
      const answer = await new Promise<object>((resolve, reject) => {
        const call = this.#client.makeUnaryRequest(
          rpc.path,
          rpc.requestSerialize,
          rpc.responseDeserialize,
          wire,
          callMetadata(this.#target),
          { deadline },
          (error, value) => (error ? reject(error) : resolve(value ?? {})),
        );
        abort = () => call.cancel();
        signal.addEventListener('abort', abort, { once: true });
      });
      return readAnswer(rpc, answer);
    } catch (error) {
      signal.throwIfAborted();
      throw this.#translated(error);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /** A stream of messages. Errors as of `unary`; silence is a {@link ConnectionError} too. */
  async *stream(rpc: RpcMethod, request: object, signal: AbortSignal): AsyncGenerator<object> {
    signal.throwIfAborted();
    const call = this.#client.makeServerStreamRequest(
      rpc.path,
      rpc.requestSerialize,
      rpc.responseDeserialize,
      toWire(rpc.requestName, request),
      callMetadata(this.#target),
    );
    const messages = call[Symbol.asyncIterator]() as AsyncIterator<object>;
    try {
      for (;;) {
        const next = await this.#orSilence(call, messages.next(), signal);
        if (next.done) return;
        yield readAnswer(rpc, next.value);
      }
    } catch (error) {
      signal.throwIfAborted();
      throw this.#translated(error);
    } finally {
      call.on('error', () => {});
      call.cancel();
    }
  }

  async #orSilence<T>(
    call: ClientReadableStream<object>,
    next: Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const { clock, silenceMs = silenceMsDefault } = this.#target;
    const came = new AbortController();
    next.catch(() => {});
    const silence = clock
      .sleep(silenceMs, AbortSignal.any([came.signal, signal]))
      .then((): never => {
        call.cancel();
        throw this.#unreachable(`says nothing for ${silenceMs / 1000} s`);
      });
    silence.catch(() => {});
    try {
      return await Promise.race([next, silence]);
    } finally {
      came.abort();
    }
  }

  #translated(error: unknown): unknown {
    if (error instanceof CodrError || !isServiceError(error)) return error;
    const sent = sentError(error);
    if (error.code === codes.UNAVAILABLE)
      return this.#unreachable('does not answer', sent ?? error);
    if (sent) return sent;
    if (isCutOff(error)) return this.#unreachable('cut the call off', error);
    if (error.code === codes.DEADLINE_EXCEEDED) return this.#unreachable('did not answer in time');
    if (error.code === codes.UNIMPLEMENTED) {
      return new CodrError('failed', `the peer does not know what is asked: ${error.details}`, {
        remedy: 'use programs and peers of one version',
      });
    }
    if (error.code === codes.RESOURCE_EXHAUSTED) {
      return new CodrError('failed', `the answer is too large: ${error.details}`, {
        remedy: 'ask for less, or with --repo',
      });
    }
    return new CodrError('failed', `the call failed: ${error.details}`, { cause: error });
  }

  #unreachable(what: string, cause?: Error): ConnectionError {
    const { address } = this.#target;
    const inner = cause && causeOf(cause);
    const remedy = inner && remedyOfTls(inner.message);
    return new ConnectionError('peer-unreachable', `${address} ${what}`, {
      object: address,
      ...(remedy !== undefined && { remedy }),
      ...(inner && { cause: inner }),
    });
  }
}

/** What the other side takes for TLS, or does not. */
function remedyOfTls(why: string): string | undefined {
  if (why.includes('ALTNAME')) return 'name it with --node as its certificate does';
  if (why.includes('certificate')) return 'name the authority of its certificate with --ca';
  return why.includes('wrong version number')
    ? 'it speaks no TLS: check --node, or give --insecure to trust the network'
    : undefined;
}

/** Of the library's sentences the part that says something to people. */
function causeOf(error: Error): Error {
  if (!('details' in error)) return error;
  const details = String(error.details);
  const [, inner] = /Last error: (?:Error: )?(.*?)\. Resolution note/.exec(details) ?? [];
  return new Error(inner ?? details);
}

function readAnswer({ resultName }: RpcMethod, wire: object): object {
  try {
    return fromWire(resultName, wire);
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause;
    throw new CodrError('failed', `the answer of the peer cannot be read: ${cause.message}`, {
      remedy: 'use programs and peers of one version',
    });
  }
}

/** As a proxy does it whose server has died, and a peer that has to go before all calls have ended. */
function isCutOff({ code, details }: ServiceError): boolean {
  return code === codes.CANCELLED || (code === codes.INTERNAL && details.includes('RST_STREAM'));
}

const isServiceError = (error: unknown): error is ServiceError =>
  error instanceof Error && 'code' in error && 'details' in error;
