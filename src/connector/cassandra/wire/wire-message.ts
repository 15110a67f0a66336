// Messages of the native protocol, version 5, as bytes: a header of 9 bytes (version, flags, stream, what it is, length
// of the body, big-endian) and a body. Requests are built here; of answers the parts that every kind may have are taken
// off. As native_protocol_v5.spec, sections 3 and 4, has them.
import { view } from '../../../base/bytes.ts';

export const opcodes = {
  error: 0x00,
  startup: 0x01,
  ready: 0x02,
  authenticate: 0x03,
  query: 0x07,
  result: 0x08,
  authResponse: 0x0f,
  authSuccess: 0x10,
} as const;

const protocolVersion = 5;
const fromServer = 0x80;
const headerBytes = 9;
const flags = { tracing: 0x02, payload: 0x04, warnings: 0x08 } as const;
const queryFlags = { values: 0x01, pageSize: 0x04, pagingState: 0x08, nowSeconds: 0x100 } as const;

/** An answer, without what a server may say beside it. */
export interface WireMessage {
  readonly opcode: number;
  /** The session in which the server notes what it did, where that was asked for. */
  readonly tracingId: Uint8Array | undefined;
  readonly body: BodyReader;
}

export interface QueryOptions {
  /** For the markers of the statement, in their order, as the server stores them. */
  readonly values: readonly Uint8Array[];
  /** One of the protocol's numbers. */
  readonly consistency: number;
  readonly pageRows: number;
  readonly pagingState?: Uint8Array | undefined;
  /** The second since 1970 that the server takes for now: what has expired by then is gone. */
  readonly nowSeconds?: number | undefined;
}

export function startupBody(): Buffer {
  return Buffer.concat([u16(1), text('CQL_VERSION'), text('3.0.0')]);
}

/** SASL PLAIN. */
export function loginBody(username: string, password: string): Buffer {
  return bytesOf(Buffer.from(`\0${username}\0${password}`));
}

export function queryBody(query: string, options: QueryOptions): Buffer {
  const { values, consistency, pageRows, pagingState, nowSeconds } = options;
  const statement = Buffer.from(query);
  const set =
    queryFlags.pageSize |
    (values.length > 0 ? queryFlags.values : 0) |
    (pagingState ? queryFlags.pagingState : 0) |
    (nowSeconds === undefined ? 0 : queryFlags.nowSeconds);
  return Buffer.concat([
    ...[i32(statement.length), statement, u16(consistency), i32(set)],
    ...(values.length > 0 ? [u16(values.length), ...values.map(bytesOf)] : []),
    i32(pageRows),
    ...(pagingState ? [bytesOf(pagingState)] : []),
    ...(nowSeconds === undefined ? [] : [i32(nowSeconds)]),
  ]);
}

export function encodeMessage(opcode: number, body: Uint8Array, isTraced = false): Buffer {
  const header = Buffer.alloc(headerBytes);
  header[0] = protocolVersion;
  header[1] = isTraced ? flags.tracing : 0;
  header[4] = opcode;
  header.writeInt32BE(body.length, 5);
  return Buffer.concat([header, body]);
}

/** Puts messages together out of bytes as they come. */
export class MessageDecoder {
  readonly #bytesMax: number;
  #parts: Uint8Array[] = [];
  #held = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Throws an Error for what is no message of the version, and for one that is too long. */
  push(bytes: Uint8Array): WireMessage[] {
    this.#parts.push(bytes);
    this.#held += bytes.length;
    const messages: WireMessage[] = [];
    for (;;) {
      if (this.#held < headerBytes) return messages;
      // The header alone is joined: a long message comes in many parts.
      if ((this.#parts[0]?.length ?? 0) < headerBytes) this.#join();
      const first = view(this.#parts[0] as Uint8Array);
      if (first[0] !== (fromServer | protocolVersion)) {
        throw new Error(`it answers in version ${(first[0] as number) & 0x7f} of the protocol`);
      }
      const length = first.readInt32BE(5);
      if (length < 0 || length > this.#bytesMax) {
        throw new Error(`an answer of ${length} bytes, more than ${this.#bytesMax}`);
      }
      const end = headerBytes + length;
      if (this.#held < end) return messages;
      const all = this.#join();
      messages.push(messageOf(all.subarray(0, end)));
      this.#parts = [all.subarray(end)];
      this.#held -= end;
    }
  }

  #join(): Buffer {
    const all = Buffer.concat(this.#parts);
    this.#parts = [all];
    return all;
  }
}

function messageOf(bytes: Buffer): WireMessage {
  const set = bytes[1] as number;
  const body = new BodyReader(bytes.subarray(headerBytes));
  const tracingId = (set & flags.tracing) !== 0 ? body.take(16) : undefined;
  if ((set & flags.warnings) !== 0) {
    for (let left = body.u16(); left > 0; left--) body.text();
  }
  if ((set & flags.payload) !== 0) {
    for (let left = body.u16(); left > 0; left--) {
      body.text();
      body.bytes();
    }
  }
  return { opcode: bytes[4] as number, tracingId, body };
}

/** The notations of the protocol, one after the other; an Error at the body's end. */
export class BodyReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  u16(): number {
    return view(this.take(2)).readUInt16BE();
  }

  i32(): number {
    return view(this.take(4)).readInt32BE();
  }

  text(): string {
    return view(this.take(this.u16())).toString();
  }

  /** Undefined for null. */
  bytes(): Uint8Array | undefined {
    const length = this.i32();
    return length < 0 ? undefined : this.take(length);
  }

  /** A view of the message. */
  take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new Error('an answer ends early');
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}

function u16(value: number): Buffer {
  const out = Buffer.alloc(2);
  out.writeUInt16BE(value);
  return out;
}

function i32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeInt32BE(value);
  return out;
}

function text(value: string): Buffer {
  const held = Buffer.from(value);
  return Buffer.concat([u16(held.length), held]);
}

function bytesOf(value: Uint8Array): Buffer {
  return Buffer.concat([i32(value.length), value]);
}
