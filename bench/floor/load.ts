// The floor of a restore: documents of files inserted as they stand, several messages in flight, then all
// indexes of a collection in one build. Nothing is decoded, checked or read back. Also fills the source.
// Usage: node bench/floor/load.ts URI MEBIBYTES
import { readFile } from 'node:fs/promises';
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
  await forEachLimit(messagesOf(await readFile(path)), messagesInFlight, async (documents) => {
    const refused = await insertRaw(target, name, documents, options);
    if (refused.length > 0) throw new Error(refused[0]?.message);
  });
}

function* messagesOf(file: Buffer): Generator<Buffer[]> {
  let message: Buffer[] = [];
  let bytes = 0;
  for (let at = 0; at < file.length; ) {
    const end = at + file.readInt32LE(at);
    if (bytes + end - at > messageBytes) {
      yield message;
      message = [];
      bytes = 0;
    }
    message.push(file.subarray(at, end));
    bytes += end - at;
    at = end;
  }
  if (message.length > 0) yield message;
}
