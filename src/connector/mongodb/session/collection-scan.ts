// Reads of one collection by its UUID: by `_id` index in key order, or in natural order. By UUID because a
// snapshot read of a name silently gives nothing after a rename or drop (seen on 5.0.4 to 6.0.27).
import { Binary, type Document, MaxKey, MinKey, type MongoClient } from 'mongodb';
import { compareBytes, fromHex } from '../../../base/bytes.ts';
import { CodrError } from '../../../base/error.ts';
import type { CatalogEntry } from '../../../model/catalog.ts';
import type { KeyRange } from '../../../model/key-range.ts';
import type { DataRecord, RecordStream } from '../../../model/record.ts';
import type { SourceTime } from '../../../model/time.ts';
import { keyOfDocument, keyTypes } from '../key/key-codec.ts';
import { databaseOf } from '../oplog/namespace-rules.ts';
import { keyFloor } from './key-floor.ts';
import { timestampOf } from './native-time.ts';
import { type NextOptions, type RawBatch, RawCursor, type Reading } from './raw-cursor.ts';

/** A reply is asked to be about this long. */
const replyBytes = 4 << 20;
const batchSizeMax = 50_000;

/** What a scan sees. */
export type ReadTime =
  | { readonly at: SourceTime }
  /** What a majority holds, at or after `after`; undefined for a server without a replica set. */
  | { readonly after: SourceTime | undefined };

/** The collection to read. */
export interface ScanSource {
  /** For messages. */
  readonly namespace: string;
  readonly database: string;
  /** Its UUID or its name. */
  readonly find: Binary | string;
  /** Buckets of a time series: kept in `_id` order themselves, and on 5.0 without an index on it. */
  readonly buckets: boolean;
}

/** A dataset of a source, by its UUID. */
export function scanSource(entry: CatalogEntry): ScanSource {
  return {
    namespace: entry.namespace,
    database: databaseOf(entry.namespace),
    find: new Binary(Buffer.from(fromHex(entry.dataset)), 4),
    buckets: entry.kind === 'timeseries',
  };
}

/**
 * Opens a scan in key order over `range`, a little more at its start when the bound is not exact. A
 * scan with a lower bound alone may leave out `_id: MaxKey`, which the server takes for its end: see
 * {@link openMaxKeyScan}.
 */
export async function openOrderedScan(
  client: MongoClient,
  source: ScanSource,
  range: KeyRange,
  time: ReadTime,
  reading: Reading,
): Promise<RawCursor> {
  const from = range.from && keyFloor(range.from);
  // `min` MaxKey is refused: nothing lies between it and the end.
  if (from?.value instanceof MaxKey) return openMaxKeyScan(client, source, time, reading);
  const to = range.to && keyFloor(range.to);
  if (source.buckets) {
    // All `_id`s are ObjectIds, so a comparison within the type bounds the scan.
    const filter = {
      ...(from && { $gte: from.value }),
      ...(to?.exact && { $lt: to.value }),
    };
    const bounded = Object.keys(filter).length > 0 && { filter: { _id: filter } };
    const command = { ...findOf(source, time), hint: { $natural: 1 }, ...bounded };
    return RawCursor.open(client, source.database, command, reading);
  }
  const command = {
    ...findOf(source, time),
    hint: { _id: 1 },
    ...(from && { min: { _id: from.value } }),
    // An inexact upper bound lies too low, and the server refuses an empty range: the reader stops by
    // itself then.
    ...(to?.exact && !(to.value instanceof MinKey) && { max: { _id: to.value } }),
  };
  return RawCursor.open(client, source.database, command, reading);
}

/** The one document that a scan with a lower bound alone may leave out (seen on 6.0.5). */
export async function openMaxKeyScan(
  client: MongoClient,
  source: ScanSource,
  time: ReadTime,
  reading: Reading,
): Promise<RawCursor> {
  const command = { ...findOf(source, time), filter: { _id: new MaxKey() } };
  return RawCursor.open(client, source.database, command, reading);
}

/** True when {@link openMaxKeyScan} belongs to the range. */
export function endsOpen(range: KeyRange): boolean {
  return range.from !== undefined && (range.to?.[0] ?? 255) >= keyTypes.maxKey;
}

export async function openNaturalScan(
  client: MongoClient,
  source: ScanSource,
  time: ReadTime,
  reading: Reading,
): Promise<RawCursor> {
  const command = { ...findOf(source, time), hint: { $natural: 1 } };
  return RawCursor.open(client, source.database, command, reading);
}

function findOf(source: ScanSource, time: ReadTime): Document {
  const readConcern =
    'at' in time
      ? { level: 'snapshot', atClusterTime: timestampOf(time.at) }
      : { level: 'majority', ...(time.after && { afterClusterTime: timestampOf(time.after) }) };
  return { find: source.find, readConcern };
}

/** The documents of a cursor, batch by batch; the next reply is fetched while one is consumed. */
export async function* batchesOf(
  cursor: RawCursor,
  options: Pick<NextOptions, 'unhurried'> = {},
): AsyncGenerator<RawBatch, void, undefined> {
  let batch = cursor.first;
  let batchSize = 0;
  let next: Promise<RawBatch> | undefined;
  try {
    for (;;) {
      if (batch.documents.length > 0 && batchSize === 0) {
        const documentBytes = batch.bytes / batch.documents.length;
        batchSize = Math.max(1, Math.min(batchSizeMax, Math.floor(replyBytes / documentBytes)));
      }
      next = cursor.alive
        ? cursor.next({ ...options, ...(batchSize && { batchSize }) })
        : undefined;
      // A failure belongs to the moment when the batch is asked for, not to the consumer's own time.
      next?.catch(() => {});
      if (batch.documents.length > 0) yield batch;
      if (!next) return;
      batch = await next;
    }
  } finally {
    // The cursor and its session must not be closed under a reply that is still coming.
    await next?.catch(() => {});
  }
}

/** Records of an ordered scan that lie in `range`. Errors: `source-unfit` when keys do not ascend. */
export async function* orderedRecords(
  cursor: RawCursor,
  source: ScanSource,
  range: KeyRange,
): RecordStream {
  let last: Uint8Array | undefined;
  // The filter of a scan over buckets passes over all that lies outside of the range.
  for await (const { documents } of batchesOf(cursor, { unhurried: source.buckets })) {
    const records: DataRecord[] = [];
    for (const value of documents) {
      const key = keyOfDocument(value);
      if (range.from && compareBytes(key, range.from) < 0) continue;
      if (range.to && compareBytes(key, range.to) >= 0) {
        if (records.length > 0) yield records;
        return;
      }
      if (last && compareBytes(last, key) >= 0) throw notAscending(source);
      last = key;
      records.push({ key, value });
    }
    if (records.length > 0) yield records;
  }
}

function notAscending(source: ScanSource): CodrError {
  return new CodrError('source-unfit', `${source.namespace}: the _id index does not ascend`, {
    object: source.namespace,
    remedy: 'run `validate` on the collection',
  });
}
