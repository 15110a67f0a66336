// Makes a collection with the options it had at the point, all but expiry, which begins at the finish.

import { CodrError, isCodrError } from '../../../base/error.ts';
import type { TargetItem } from '../../restore-target.ts';
import { documentOf, findElement } from '../bson/raw-bson.ts';
import { collectionOf, databaseOf } from '../oplog/namespace-rules.ts';
import type { MongodbConnection } from '../session/connection.ts';
import { nativeDocument } from './native-document.ts';
import { standingCollection } from './standing-collection.ts';

/** What the server sets by itself, or refuses in `create`. */
const notGiven = new Set([
  ...['uuid', 'temp', 'expireAfterSeconds', 'autoIndexId', 'recordIdsReplicated', 'flags'],
]);

/** A time series' buckets get these again from its own options. */
const derivedForTimeSeries = new Set(['validator', 'clusteredIndex', 'validationLevel']);

/**
 * Makes the collection of `item` anew under `namespace`: what stands there under the name goes. Errors:
 * `target-unfit` when the server refuses the options; one that is older than the source knows fewer.
 */
export async function createCollection(
  connection: MongodbConnection,
  { entry, namespace: wanted }: TargetItem,
  namespace: string,
  signal: AbortSignal,
): Promise<void> {
  const database = databaseOf(namespace);
  const isTimeSeries = entry.kind === 'timeseries';
  await dropCollection(connection, namespace, signal);
  const options = documentOf(findElement(entry.body, 'options'));
  const idIndex = documentOf(findElement(entry.body, 'idIndex'));
  const given = new Map<string, unknown>();
  for (const [option, value] of options ? nativeDocument(options) : []) {
    if (notGiven.has(option) || (isTimeSeries && derivedForTimeSeries.has(option))) continue;
    given.set(option, value);
  }
  const create = {
    create: collectionOf(namespace),
    ...Object.fromEntries(given),
    ...(idIndex && { idIndex: nativeDocument(idIndex) }),
    writeConcern: { w: 'majority' },
  };
  try {
    await connection.command(database, create, signal);
  } catch (error) {
    if (!isCodrError(error, 'target-unfit')) throw error;
    throw new CodrError('target-unfit', `${wanted} cannot be made: ${error.message}`, {
      object: wanted,
      cause: error,
      remedy: `take a server as new as the source, or leave out: --exclude ${entry.namespace}`,
    });
  }
}

/** Drops a collection, view or time series; one that is not there is fine. */
export async function dropCollection(
  connection: MongodbConnection,
  namespace: string,
  signal: AbortSignal,
): Promise<void> {
  if (!(await standingCollection(connection, namespace, signal))) return;
  const drop = { drop: collectionOf(namespace), writeConcern: { w: 'majority' } };
  await connection.command(databaseOf(namespace), drop, signal);
}
