// One connection to one node by the native protocol, version 5: the node that is asked is the one that coordinates, and
// what it answers comes as bytes. One request at a time. Whatever goes wrong with the connection ends it.
import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { untilAborted } from '../../../base/async.ts';
import { CodrError, isCodrError } from '../../../base/error.ts';
import { encodeSegments, SegmentDecoder } from './segment-codec.ts';
import {
  encodeMessage,
  loginBody,
  MessageDecoder,
  opcodes,
  queryBody,
  startupBody,
  type WireMessage,
} from './wire-message.ts';
import { readRows, type WirePage, type WireRow } from './wire-rows.ts';

/** Of the protocol's numbers. */
export const consistencies = { one: 0x0001, all: 0x0005, localOne: 0x000a } as const;

export interface WireAddress {
  readonly host: string;
  readonly port: number;
}

export interface WireOptions {
  readonly login?: { readonly username: string; readonly password: string } | undefined;
  /** PEM, as the configuration names the files; absent: plain TCP. */
  readonly tls?:
    | { readonly ca?: Buffer[]; readonly cert?: Buffer; readonly key?: Buffer }
    | undefined;
  /** No answer may be longer. */
  readonly answerBytesMax: number;
  readonly connectMsMax?: number;
  readonly answerMsMax?: number;
}

export interface WireQuery {
  readonly values?: readonly Uint8Array[];
  readonly consistency?: number;
  /** As of which second since 1970 the server looks; absent: its own. */
  readonly nowSeconds?: number | undefined;
  /** The server notes in `system_traces` what it does. */
  readonly isTraced?: boolean;
  /** More rows are an error: an answer is held in memory. */
  readonly rowsMax: number;
}

/** One page of a statement. */
export interface WirePageQuery extends Omit<WireQuery, 'rowsMax'> {
  readonly pageRows: number;
  /** Where the page before it ended; absent: the first page. */
  readonly pagingState?: Uint8Array | undefined;
}

export interface WireResult {
  readonly rows: readonly WireRow[];
  /** UUID of the trace of the first page. */
  readonly tracingId: Uint8Array | undefined;
}

/** What answers statements at one node. */
export interface NodeQueries extends Disposable {
  /** All pages of a statement. Errors: `target-rights`, `target-unfit`; facts hold the server's code. */
  query(query: string, options: WireQuery, signal: AbortSignal): Promise<WireResult>;
}

/** What gives long answers page by page. */
export interface NodePages extends NodeQueries {
  /** One page; errors as those of `query`. */
  page(query: string, options: WirePageQuery, signal: AbortSignal): Promise<WireResult & WirePage>;
}

const connectMs = 10_000;
const answerMs = 30_000;
const pageRows = 1_000;
/** Codes of ERROR that say something about the user and his rights. */
const rightsCodes: ReadonlySet<number> = new Set([0x0100, 0x2100]);

export class WireConnection implements NodePages {
  readonly #socket: Socket | TLSSocket;
  readonly #address: WireAddress;
  readonly #answerMsMax: number;
  readonly #messages: MessageDecoder;
  readonly #segments = new SegmentDecoder();
  #isFramed = false;
  #waiting: PromiseWithResolvers<WireMessage> | undefined;
  #failure: Error | undefined;

  private constructor(socket: Socket | TLSSocket, address: WireAddress, options: WireOptions) {
    this.#socket = socket;
    this.#address = address;
    this.#answerMsMax = options.answerMsMax ?? answerMs;
    this.#messages = new MessageDecoder(options.answerBytesMax);
    socket.on('data', (bytes) => this.#receive(bytes));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the connection was closed')));
  }

  /** Connects and logs in. Errors: `target-unfit`, `target-rights`, naming the address. */
  static async open(
    address: WireAddress,
    options: WireOptions,
    signal: AbortSignal,
  ): Promise<WireConnection> {
    const { host, port } = address;
    const socket = options.tls
      ? connectTls({ ...options.tls, host, port, rejectUnauthorized: true })
      : connectPlain({ host, port });
    socket.setNoDelay(true);
    const connection = new WireConnection(socket, address, options);
    try {
      await connection.#connected(options, signal);
      await connection.#begin(options, signal);
    } catch (error) {
      connection[Symbol.dispose]();
      throw error;
    }
    return connection;
  }

  [Symbol.dispose](): void {
    this.#fail(new Error('the connection was given up'));
  }

  async query(query: string, options: WireQuery, signal: AbortSignal): Promise<WireResult> {
    const { rowsMax } = options;
    const rows: WireRow[] = [];
    let pagingState: Uint8Array | undefined;
    let tracingId: Uint8Array | undefined;
    do {
      const isTraced = options.isTraced === true && rows.length === 0;
      const page = await this.page(query, { ...options, pageRows, pagingState, isTraced }, signal);
      tracingId ??= page.tracingId;
      rows.push(...page.rows);
      pagingState = page.pagingState;
      if (rows.length > rowsMax) throw this.#fault(`more than ${rowsMax} rows to ${query}`);
    } while (pagingState);
    return { rows, tracingId };
  }

  async page(query: string, options: WirePageQuery, signal: AbortSignal) {
    const { values = [], consistency = consistencies.one, ...more } = options;
    const body = queryBody(query, { ...more, values, consistency });
    const message = encodeMessage(opcodes.query, body, options.isTraced === true);
    const { body: answer, tracingId } = await this.#ask(message, opcodes.result, signal);
    return { ...this.#read(() => readRows(answer)), tracingId };
  }

  async #connected({ tls, connectMsMax }: WireOptions, signal: AbortSignal): Promise<void> {
    const connected = Promise.withResolvers<WireMessage>();
    this.#waiting = connected;
    const ready = { opcode: opcodes.ready } as WireMessage;
    this.#socket.once(tls ? 'secureConnect' : 'connect', () => connected.resolve(ready));
    await this.#settled(connected, 'take the connection', connectMsMax ?? connectMs, signal);
  }

  /** Segments begin with what follows the server's answer to STARTUP. */
  async #begin({ login }: WireOptions, signal: AbortSignal): Promise<void> {
    const startup = encodeMessage(opcodes.startup, startupBody());
    const answer = await this.#ask(startup, undefined, signal);
    this.#isFramed = true;
    if (answer.opcode === opcodes.ready) return;
    if (answer.opcode !== opcodes.authenticate) {
      throw this.#fault(`the start of the protocol was answered by message ${answer.opcode}`);
    }
    if (!login) throw this.#refusal('it wants a user and a password');
    const body = loginBody(login.username, login.password);
    await this.#ask(encodeMessage(opcodes.authResponse, body), opcodes.authSuccess, signal);
  }

  async #ask(
    message: Buffer,
    wanted: number | undefined,
    signal: AbortSignal,
  ): Promise<WireMessage> {
    if (this.#failure) throw this.#fault(this.#failure.message, this.#failure);
    const waiting = Promise.withResolvers<WireMessage>();
    this.#waiting = waiting;
    this.#socket.write(this.#isFramed ? encodeSegments(message) : message);
    const answer = await this.#settled(waiting, 'answer', this.#answerMsMax, signal);
    if (answer.opcode === opcodes.error) throw this.#refused(answer);
    if (wanted === undefined || answer.opcode === wanted) return answer;
    throw this.#fault(`message ${answer.opcode} where ${wanted} was awaited`);
  }

  /** What comes too late would be taken for the answer to the next request: the connection ends. */
  async #settled(
    { promise }: PromiseWithResolvers<WireMessage>,
    what: string,
    msMax: number,
    signal: AbortSignal,
  ): Promise<WireMessage> {
    const timeout = AbortSignal.timeout(msMax);
    try {
      return await untilAborted(promise, AbortSignal.any([signal, timeout]));
    } catch (error) {
      this[Symbol.dispose]();
      signal.throwIfAborted();
      if (isCodrError(error)) throw error;
      const late = `it did not ${what} within ${Math.round(msMax / 1000)} s`;
      throw this.#fault(timeout.aborted ? late : (error as Error).message, error);
    } finally {
      this.#waiting = undefined;
    }
  }

  #receive(bytes: Uint8Array): void {
    if (this.#failure) return;
    try {
      for (const part of this.#isFramed ? this.#segments.push(bytes) : [bytes]) {
        for (const message of this.#messages.push(part)) this.#take(message);
      }
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #take(message: WireMessage): void {
    if (!this.#waiting) throw new Error('an answer that nobody asked for');
    this.#waiting.resolve(message);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#waiting?.reject(this.#failure);
    this.#socket.destroy();
  }

  /** A body that is not what the protocol says ends the connection too. */
  #read<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      this[Symbol.dispose]();
      throw this.#fault((error as Error).message, error);
    }
  }

  #refused({ body }: WireMessage): CodrError {
    const [code, text] = this.#read(() => [body.i32(), body.text()] as const);
    return rightsCodes.has(code) ? this.#refusal(text, code) : this.#fault(text, undefined, code);
  }

  #refusal(text: string, wireCode?: number): CodrError {
    const { host } = this.#address;
    const facts = { node: host, wireCode };
    return new CodrError('target-rights', `${host}: ${text}`, { object: host, facts });
  }

  #fault(text: string, cause?: unknown, wireCode?: number): CodrError {
    const { host, port } = this.#address;
    return new CodrError('target-unfit', `${host}, port ${port}: ${text}`, {
      ...{ object: host, facts: { node: host, wireCode } },
      ...(cause !== undefined && { cause }),
    });
  }
}
