// The floor of a restore: documents of files inserted as they stand, several messages in flight, then all
// indexes of a collection in one build. Nothing is decoded, checked or read back. Also fills the source.
// Usage: node bench/floor/load.ts URI MEBIBYTES
import { open } from 'node:fs/promises';
import { type Db, MongoClient } from 'mongodb';
import { forEachLimit } from '../../src/base/async.ts';
import { insertRaw } from '../../src/connector/mongodb/target/raw-insert.ts';
import { dataFiles } from '../data.ts';
import { benchDatabase } from '../shape.ts';

const messageBytes = 16 << 20;
const messagesInFlight = 3;
const collectionsAtOnce = 2;

const [uri, mebibytes] = process.argv.slice(2) as [string, string];
await using client = await new MongoClient(uri).connect();
const database = client.db(benchDatabase);
await forEachLimit(
  await dataFiles(Number(mebibytes)),
  collectionsAtOnce,
  async ({ shape, path }) => {
    await load(database, shape.name, path);
    await database.command({
      createIndexes: shape.name,
      indexes: shape.indexes.map((key) => ({ key, name: Object.keys(key).join('_') })),
    });
  },
);

async function load(target: Db, name: string, path: string): Promise<void> {
  const signal = new AbortController().signal;
  const options = { ordered: false, keepEmptyTimestamps: false, signal };
  await forEachLimit(messagesOf(path), messagesInFlight, async (documents) => {
    const refused = await insertRaw(target, name, documents, options);
    if (refused.length > 0) throw new Error(refused[0]?.message);
  });
}

/** Pieces of the file, each ended before the document that does not fit. */
async function* messagesOf(path: string): AsyncGenerator<Buffer[]> {
  await using file = await open(path);
  const { size } = await file.stat();
  for (let at = 0; at < size; ) {
    const piece = Buffer.allocUnsafeSlow(Math.min(messageBytes, size - at));
    for (let done = 0; done < piece.length; ) {
      done += (await file.read(piece, done, piece.length - done, at + done)).bytesRead;
    }
    const message: Buffer[] = [];
    let end = 0;
    while (end + 4 <= piece.length && end + piece.readInt32LE(end) <= piece.length) {
      message.push(piece.subarray(end, end + piece.readInt32LE(end)));
      end += piece.readInt32LE(end);
    }
    at += end;
    yield message;
  }
}
