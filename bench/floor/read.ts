// The floor of a base copy: replies of getMore as buffers, thrown away. No document is looked at.
// Usage: node bench/floor/read.ts URI CONNECTIONS
import { Long, MongoClient } from 'mongodb';
import { forEachLimit } from '../../src/base/async.ts';
import { elementsOf, hasName, uint64Of } from '../../src/connector/mongodb/bson/raw-bson.ts';
import { benchDatabase, shapes } from '../shape.ts';

const batchSize = 4000;

const [uri, connections] = process.argv.slice(2) as [string, string];
await using client = await new MongoClient(uri).connect();
const database = client.db(benchDatabase);
let total = 0;
await forEachLimit(shapes, Number(connections), async ({ name }) => {
  const session = client.startSession({ causalConsistency: false });
  const ask = async (command: object): Promise<bigint> => {
    const { cursor } = await database.command(command, { raw: true, session });
    total += cursor.byteLength;
    // The id stands before or behind the documents; its element is found by steps over whole values.
    for (const element of elementsOf(
      Buffer.from(cursor.buffer, cursor.byteOffset, cursor.length),
    )) {
      if (hasName(element, 'id')) return uint64Of(element) ?? 0n;
    }
    return 0n;
  };
  let id = await ask({ find: name, hint: { $natural: 1 }, batchSize });
  while (id !== 0n) {
    id = await ask({
      getMore: Long.fromBigInt(BigInt.asIntN(64, id)),
      collection: name,
      batchSize,
    });
  }
  await session.endSession();
});
process.stdout.write(`${JSON.stringify({ bytes: total })}\n`);
