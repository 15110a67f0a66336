// What stands under a name of the target. A name says nothing of who made a collection; its UUID does.
import { Binary, type Document } from 'mongodb';
import { toHex } from '../../../base/bytes.ts';
import { collectionOf, databaseOf } from '../oplog/namespace-rules.ts';
import type { MongodbConnection } from '../session/connection.ts';

export interface StandingCollection {
  /** `collection`, `view`, `timeseries`. */
  readonly type: string;
  /** 32 hex digits; empty for what has none: views, and the view of a time series. */
  readonly uuid: string;
}

export async function standingCollection(
  connection: MongodbConnection,
  namespace: string,
  signal: AbortSignal,
): Promise<StandingCollection | undefined> {
  const filter = { name: collectionOf(namespace) };
  const list = { listCollections: 1, filter };
  const reply = await connection.command(databaseOf(namespace), list, signal);
  const [row] = reply.cursor.firstBatch as Document[];
  if (!row) return undefined;
  const uuid: unknown = row.info?.uuid;
  return { type: row.type, uuid: uuid instanceof Binary ? toHex(uuid.buffer) : '' };
}

/** By the server's own count, which is an estimate after a crash. */
export async function countOf(
  connection: MongodbConnection,
  namespace: string,
  signal: AbortSignal,
): Promise<number> {
  const count = { count: collectionOf(namespace) };
  return Number((await connection.command(databaseOf(namespace), count, signal)).n);
}
