// What tests do to a server while it is copied: slow reads, so that changes certainly fall into the middle.
import type { Document, MongoClient } from 'mongodb';
import { failPoint } from './world.ts';

/**
 * Every read command of every client takes `ms` longer, before it takes any lock, while `work` runs.
 * A base copy of many small segments then lasts long enough to be met by whatever `work` does.
 */
export async function withSlowReads<T>(
  client: MongoClient,
  ms: number,
  work: () => Promise<T>,
): Promise<T> {
  const failCommands = ['find', 'getMore'];
  await failPoint(client, 'failCommand', 'alwaysOn', {
    failCommands,
    blockConnection: true,
    blockTimeMS: ms,
  });
  try {
    return await work();
  } finally {
    await failPoint(client, 'failCommand', 'off');
  }
}

/** Rows `from` to `from + count - 1` with a text of about `bytes`. */
export function rows(count: number, bytes = 20, from = 0): Document[] {
  return Array.from({ length: count }, (_, i) => ({
    _id: from + i,
    n: i % 17,
    text: `row ${from + i} `.padEnd(bytes, '.'),
  }));
}

/** Fills a collection, which is made when it is not there. */
export async function fill(
  client: MongoClient,
  namespace: string,
  documents: Document[],
): Promise<void> {
  const dot = namespace.indexOf('.');
  await client
    .db(namespace.slice(0, dot))
    .collection(namespace.slice(dot + 1))
    .insertMany(documents);
}

export async function rename(
  client: MongoClient,
  from: string,
  to: string,
  dropTarget = false,
): Promise<void> {
  await client.db('admin').command({ renameCollection: from, to, dropTarget });
}
