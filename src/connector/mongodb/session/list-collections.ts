// All collections of a replica set with their options and indexes, as the server's own bytes.
import { Binary } from 'mongodb';
import { fromHex } from '../../../base/bytes.ts';
import { documentOf, findElement, flagOf, numberOf, stringOf, uuidOf } from '../bson/raw-bson.ts';
import { databaseOf, followsDatabase, followsRecords } from '../oplog/namespace-rules.ts';
import type { MongodbConnection } from './connection.ts';
import { RawCursor } from './raw-cursor.ts';
import { codeOf, serverCodes, translated } from './translate-error.ts';

const emptyDocument: Buffer = Buffer.from([5, 0, 0, 0, 0]);

export interface ListedCollection {
  readonly namespace: string;
  /** 32 hex digits. */
  readonly uuid: string;
  /** One BSON document. */
  readonly options: Buffer;
}

/** Collections and buckets of time series, by name; views are records of `system.views`. */
export async function listAllCollections(
  connection: MongodbConnection,
  signal: AbortSignal,
): Promise<ListedCollection[]> {
  const { databases } = await connection.admin({ listDatabases: 1, nameOnly: true }, signal);
  const all: ListedCollection[] = [];
  for (const { name } of databases as { name: string }[]) {
    if (!followsDatabase(name)) continue;
    for (const document of await listRaw(connection, name, { listCollections: 1 }, signal)) {
      const namespace = `${name}.${stringOf(findElement(document, 'name'))}`;
      const details = documentOf(findElement(document, 'info'));
      const uuid = details && uuidOf(findElement(details, 'uuid'));
      if (!uuid || !followsRecords(namespace)) continue;
      const options = documentOf(findElement(document, 'options')) ?? emptyDocument;
      all.push({ namespace, uuid, options });
    }
  }
  return all.sort((a, b) => (a.namespace < b.namespace ? -1 : 1));
}

/**
 * The specifications of all finished indexes; undefined when the collection is gone. One that is being built
 * is left out: the log's `commitIndexBuild` tells of its end. Source: the server's list_indexes.idl.
 */
export async function listIndexes(
  connection: MongodbConnection,
  collection: { readonly namespace: string; readonly uuid: string },
  signal: AbortSignal,
): Promise<Buffer[] | undefined> {
  const listIndexes = new Binary(Buffer.from(fromHex(collection.uuid)), 4);
  try {
    const database = databaseOf(collection.namespace);
    const command = { listIndexes, includeBuildUUIDs: true };
    const listed = await listRaw(connection, database, command, signal);
    return listed.filter((document) => !findElement(document, 'buildUUID'));
  } catch (error) {
    if (codeOf(error) === serverCodes.namespaceNotFound) return undefined;
    throw error;
  }
}

/** Runs a cursor command on the primary; all its documents, copied. Errors are translated. */
export async function listRaw(
  connection: MongodbConnection,
  database: string,
  command: Record<string, unknown>,
  signal: AbortSignal,
): Promise<Buffer[]> {
  try {
    const all = { ...command, cursor: {} };
    const reading = connection.reading(signal);
    await using cursor = await RawCursor.open(connection.client, database, all, reading);
    const documents: Buffer[] = [...cursor.first.documents];
    while (cursor.alive) documents.push(...(await cursor.next()).documents);
    return documents.map((document) => Buffer.from(document));
  } catch (error) {
    signal.throwIfAborted();
    throw translated(error, `${database} on ${connection.hosts}`, connection.side);
  }
}

/** Records and bytes by the server's own count; zeros when it is gone. */
export async function collectionSize(
  connection: MongodbConnection,
  namespace: string,
  signal: AbortSignal,
): Promise<{ records: number; bytes: number }> {
  const database = databaseOf(namespace);
  const aggregate = namespace.slice(database.length + 1);
  const pipeline = [
    { $collStats: { storageStats: {} } },
    { $project: { count: '$storageStats.count', size: '$storageStats.size' } },
  ];
  try {
    const [row] = await listRaw(connection, database, { aggregate, pipeline }, signal);
    if (!row) return { records: 0, bytes: 0 };
    const bytes = numberOf(findElement(row, 'size')) ?? 0;
    return { records: numberOf(findElement(row, 'count')) ?? 0, bytes };
  } catch (error) {
    if (codeOf(error) === serverCodes.namespaceNotFound) return { records: 0, bytes: 0 };
    throw error;
  }
}

/** True when the `_id` index of a collection with these options is not in the order of keys. */
export function hasCollation(options: Buffer): boolean {
  const collation = documentOf(findElement(options, 'collation'));
  return collation !== undefined && stringOf(findElement(collation, 'locale')) !== 'simple';
}

export function isCapped(options: Buffer): boolean {
  return flagOf(findElement(options, 'capped'));
}
