// Lets expiry begin, after everything is proven, and tells how many records go at once.
import type { TargetItem } from '../../connector.ts';
import { collectionOf, databaseOf, storedName } from '../oplog/namespace-rules.ts';
import type { MongodbConnection } from '../session/connection.ts';
import { collectionExpiry } from './create-collection.ts';
import { buildIndexes, indexSpecs } from './index-builds.ts';

/** One warning for each expiry that has records older than its limit at `nowMs`. */
export async function beginExpiry(
  connection: MongodbConnection,
  item: TargetItem,
  nowMs: number,
  signal: AbortSignal,
): Promise<string[]> {
  const { entry, namespace } = item;
  const stored = storedName(entry, namespace);
  const warnings: string[] = [];
  const expiring = indexSpecs(entry).filter(({ expiry }) => expiry);
  for (const { name, expiry } of expiring) {
    if (!expiry) continue;
    const limit = new Date(nowMs - expiry.seconds * 1000);
    const count = await countOlder(connection, namespace, expiry.field, limit, signal);
    if (count > 0) warnings.push(`${namespace}: ${count} records expire at once by index ${name}`);
  }
  await buildIndexes(connection, stored, expiring, signal);
  const seconds = collectionExpiry(entry);
  if (seconds !== undefined) {
    const collMod = collectionOf(namespace);
    await connection.command(
      databaseOf(namespace),
      { collMod, expireAfterSeconds: seconds, writeConcern: { w: 'majority' } },
      signal,
    );
    warnings.push(`${namespace}: expiry after ${seconds} s has begun`);
  }
  return warnings;
}

async function countOlder(
  connection: MongodbConnection,
  namespace: string,
  field: string,
  limit: Date,
  signal: AbortSignal,
): Promise<number> {
  const query = { [field]: { $lt: limit } };
  const count = { count: collectionOf(namespace), query };
  const reply = await connection.command(databaseOf(namespace), count, signal);
  return Number(reply.n);
}
