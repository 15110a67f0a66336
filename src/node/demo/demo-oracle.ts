// What the demo asks the server itself, with the plain driver and no code of CODR: the fingerprint of a
// collection at a cluster time, and its indexes. The proof of the demo compares these.
import { createHash } from 'node:crypto';
import { type Document, type MongoClient, Timestamp } from 'mongodb';

export interface Collection {
  readonly database: string;
  readonly collection: string;
}

export interface Fingerprint {
  readonly records: number;
  readonly bytes: number;
  /** Hex MD5 of all documents as the server sent them, by `_id`. */
  readonly md5: string;
}

const batchSize = 1000;
const lastIncrement = 0xffff_ffff;

/**
 * Reads a whole collection: with `second`, as it was at the end of that second of cluster time (a
 * snapshot read: MongoDB keeps 5 minutes of them), else as it is.
 */
export async function fingerprint(
  client: MongoClient,
  { database, collection, second }: Collection & { readonly second?: number },
): Promise<Fingerprint> {
  const readConcern = second !== undefined && {
    level: 'snapshot',
    atClusterTime: new Timestamp({ t: second, i: lastIncrement }),
  };
  const find = {
    find: collection,
    sort: { _id: 1 },
    batchSize,
    ...(readConcern && { readConcern }),
  };
  const cursor = client.db(database).runCursorCommand(find, { raw: true } as Document);
  const md5 = createHash('md5');
  let [records, bytes] = [0, 0];
  for await (const document of cursor) {
    const raw = document as unknown as Uint8Array;
    md5.update(raw);
    records++;
    bytes += raw.length;
  }
  return { records, bytes, md5: md5.digest('hex') };
}

/** The specifications of all indexes, in an order of their own. */
export async function indexesOf(
  client: MongoClient,
  { database, collection }: Collection,
): Promise<string[]> {
  const indexes = await client.db(database).collection(collection).indexes();
  return indexes.map((index) => JSON.stringify(index)).sort();
}

/** Seconds of the server's cluster time now. */
export async function clusterSecond(client: MongoClient): Promise<number> {
  const { operationTime } = await client.db('admin').command({ ping: 1 });
  return (operationTime as Timestamp).getHighBitsUnsigned();
}
