// The records of `system.views`, made from listCollections: no role short of root may read that collection
// itself (role `backup` was refused on 6.0.5), and its documents are `{_id, viewOn, pipeline, collation?}`.
// Views of time series are left out: they come with their buckets. listCollections knows no time, so this
// is a fuzzy copy.
import { compareBytes } from '../../../base/bytes.ts';
import type { CatalogEntry } from '../../../model/catalog.ts';
import { type KeyRange, rangeHolds } from '../../../model/key-range.ts';
import type { DataRecord } from '../../../model/record.ts';
import type { SourceTime } from '../../../model/time.ts';
import type { SegmentReader } from '../../connector.ts';
import { BsonWriter } from '../bson/bson-writer.ts';
import { documentOf, findElement, stringOf } from '../bson/raw-bson.ts';
import { keyOfDocument } from '../key/key-codec.ts';
import { databaseOf } from '../oplog/namespace-rules.ts';
import type { MongodbConnection } from './connection.ts';
import { listRaw } from './list-collections.ts';

export async function readViews(
  connection: MongodbConnection,
  entry: CatalogEntry,
  range: KeyRange,
  after: SourceTime,
  signal: AbortSignal,
): Promise<SegmentReader> {
  const database = databaseOf(entry.namespace);
  const list = { listCollections: 1, filter: { type: 'view' } };
  const records: DataRecord[] = [];
  for (const listed of await listRaw(connection, database, list, signal)) {
    const value = viewDocument(database, listed);
    const key = keyOfDocument(value);
    if (rangeHolds(range, key)) records.push({ key, value });
  }
  records.sort((a, b) => compareBytes(a.key, b.key));
  // What was listed is held by a majority, or rolled back, before this time.
  const exactFrom = await connection.note('codr: views', signal);
  const batches = async function* (): AsyncGenerator<DataRecord[]> {
    if (records.length > 0) yield records;
  };
  return { after, exactFrom: () => exactFrom, batches: batches() };
}

function viewDocument(database: string, listed: Buffer): Buffer {
  const name = stringOf(findElement(listed, 'name')) ?? '';
  const document = new BsonWriter(listed.length + 64).text('_id', `${database}.${name}`);
  const options = documentOf(findElement(listed, 'options'));
  for (const field of ['viewOn', 'pipeline', 'collation']) {
    const element = options && findElement(options, field);
    if (element) document.element(element);
  }
  return document.finish();
}
