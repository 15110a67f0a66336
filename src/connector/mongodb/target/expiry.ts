// Lets expiry begin, after everything is proven.
import type { TargetItem } from '../../restore-target.ts';
import { collectionExpiry } from '../catalog/expiry-rules.ts';
import { collectionOf, databaseOf, storedName } from '../oplog/namespace-rules.ts';
import type { MongodbConnection } from '../session/connection.ts';
import { buildIndexes, indexSpecs } from './index-builds.ts';

/** One line for each expiry that has begun. */
export async function beginExpiry(
  connection: MongodbConnection,
  { entry, namespace }: TargetItem,
  signal: AbortSignal,
): Promise<string[]> {
  const expiring = indexSpecs(entry).filter(({ expiry }) => expiry);
  await buildIndexes(connection, storedName(entry, namespace), expiring, signal);
  const begun = expiring.map(({ name }) => `${namespace}: expiry by index ${name} has begun`);
  const seconds = collectionExpiry(entry);
  if (seconds === undefined) return begun;
  const collMod = collectionOf(namespace);
  await connection.command(
    databaseOf(namespace),
    { collMod, expireAfterSeconds: seconds, writeConcern: { w: 'majority' } },
    signal,
  );
  return [...begun, `${namespace}: expiry after ${seconds} s has begun`];
}
