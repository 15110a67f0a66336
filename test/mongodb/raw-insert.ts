// Inserts documents byte for byte as given, past every driver: one OP_MSG over a socket.
import { once } from 'node:events';
import { connect } from 'node:net';
import { BSON, type Document, type Timestamp } from 'mongodb';

const opMsg = 2013;
const headerBytes = 16;

/** Inserts raw documents into `database.collection` of the server on 127.0.0.1; returns the time in the log. */
export async function insertRaw(
  port: number,
  namespace: string,
  documents: readonly Uint8Array[],
): Promise<Timestamp> {
  const dot = namespace.indexOf('.');
  const [database, collection] = [namespace.slice(0, dot), namespace.slice(dot + 1)];
  const body = BSON.serialize({ insert: collection, $db: database });
  const name = Buffer.from('documents\0');
  const sequenceBytes = 4 + name.length + documents.reduce((sum, { length }) => sum + length, 0);
  const head = Buffer.alloc(headerBytes + 5);
  head.writeInt32LE(head.length + body.length + 1 + sequenceBytes, 0);
  head.writeInt32LE(1, 4);
  head.writeInt32LE(opMsg, 12);
  const sequence = Buffer.alloc(5);
  sequence.writeUInt8(1, 0);
  sequence.writeInt32LE(sequenceBytes, 1);
  const reply = await ask(port, Buffer.concat([head, body, sequence, name, ...documents]));
  if (reply.ok !== 1 || reply.writeErrors) throw new Error(JSON.stringify(reply));
  return reply.operationTime;
}

async function ask(port: number, message: Buffer): Promise<Document> {
  const socket = connect(port, '127.0.0.1');
  try {
    socket.write(message);
    let gathered = Buffer.alloc(0);
    while (gathered.length < 4 || gathered.length < gathered.readInt32LE(0)) {
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      gathered = Buffer.concat([gathered, chunk]);
    }
    return BSON.deserialize(gathered.subarray(headerBytes + 5));
  } finally {
    socket.destroy();
  }
}

/** A document of elements given as type, name and value bytes. */
export function rawDocument(
  ...elements: readonly (readonly [number, string, Uint8Array])[]
): Buffer {
  const parts = elements.map(([type, name, value]) =>
    Buffer.concat([Buffer.from([type]), Buffer.from(`${name}\0`), value]),
  );
  const length = 5 + parts.reduce((sum, part) => sum + part.length, 0);
  const head = Buffer.alloc(4);
  head.writeInt32LE(length, 0);
  return Buffer.concat([head, ...parts, Buffer.from([0])]);
}
