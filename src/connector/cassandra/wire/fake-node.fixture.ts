// A server that speaks as much of the native protocol as a test tells it: it answers each message by a function.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { encodeSegments, SegmentDecoder } from './segment-codec.ts';

export interface AskedMessage {
  readonly opcode: number;
  readonly body: Buffer;
}

export interface FakeAnswer {
  readonly opcode: number;
  readonly body: Buffer;
  readonly flags?: number;
}

/** Undefined: no answer. Bytes are sent as they are. */
export type Answering = (message: AskedMessage) => FakeAnswer | Buffer | undefined;

/** Framing begins behind the answer to STARTUP, as with real servers. */
export async function fakeNode(answer: Answering) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    const segments = new SegmentDecoder();
    let isFramed = false;
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      for (const part of isFramed ? segments.push(bytes) : [bytes]) {
        const message = { opcode: part[4] as number, body: Buffer.from(part.subarray(9)) };
        const told = answer(message);
        if (Buffer.isBuffer(told)) socket.write(told);
        else if (told) socket.write(isFramed ? encodeSegments(encoded(told)) : encoded(told));
        isFramed = true;
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    [Symbol.dispose]: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** A message of a server, version 5. */
export function encoded({ opcode, body, flags = 0 }: FakeAnswer): Buffer {
  const header = Buffer.from([0x85, flags, 0, 0, opcode, 0, 0, 0, 0]);
  header.writeInt32BE(body.length, 5);
  return Buffer.concat([header, body]);
}

/** The body of a RESULT: rows of columns of the type blob, in a table `k.t`. */
export function rowsBody(
  rows: readonly (readonly (Uint8Array | undefined)[])[],
  pagingState?: Uint8Array,
): Buffer {
  const columns = rows[0]?.length ?? 0;
  const specs = Array.from({ length: columns }, (_, i) => [text(`c${i}`), u16(3)]).flat();
  return Buffer.concat([
    ...[i32(2), i32(pagingState ? 3 : 1), i32(columns)],
    ...(pagingState ? [i32(pagingState.length), pagingState] : []),
    ...[text('k'), text('t'), ...specs, i32(rows.length)],
    ...rows.flat().flatMap((cell) => (cell ? [i32(cell.length), cell] : [i32(-1)])),
  ]);
}

/** The body of an ERROR. */
export const errorBody = (code: number, message: string): Buffer =>
  Buffer.concat([i32(code), text(message)]);

export function text(value: string): Buffer {
  return Buffer.concat([u16(value.length), Buffer.from(value)]);
}

function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

function i32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeInt32BE(value);
  return out;
}
