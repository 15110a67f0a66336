// What the target now holds, for the proof: what a majority has, read by the `_id` index in key order, or
// sorted here where a collation orders that index otherwise.
import { compareBytes } from '../../../base/bytes.ts';
import { sortRecords } from '../../../base/external-sort.ts';
import type { CatalogEntry } from '../../../model/catalog.ts';
import { type KeyRange, rangeHolds } from '../../../model/key-range.ts';
import type { RecordBatch, RecordStream } from '../../../model/record.ts';
import type { ConnectorContext } from '../../connector.ts';
import { keyOfDocument } from '../key/key-codec.ts';
import { collectionOf, databaseOf } from '../oplog/namespace-rules.ts';
import {
  batchesOf,
  endsOpen,
  openMaxKeyScan,
  openNaturalScan,
  openOrderedScan,
  orderedRecords,
  type ScanSource,
} from '../session/collection-scan.ts';
import type { MongodbConnection } from '../session/connection.ts';
import type { RawCursor } from '../session/raw-cursor.ts';
import { scanKindOf } from '../session/scan-kind.ts';
import { translated } from '../session/translate-error.ts';

/** How often a range is read on after a silence before it is an error. */
const readAttempts = 5;

export interface ReadBackOptions {
  readonly context: ConnectorContext;
  readonly signal: AbortSignal;
}

export async function* readBack(
  connection: MongodbConnection,
  entry: CatalogEntry,
  namespace: string,
  range: KeyRange,
  { context, signal }: ReadBackOptions,
): RecordStream {
  const { client } = connection;
  const source: ScanSource = {
    namespace,
    database: databaseOf(namespace),
    find: collectionOf(namespace),
    buckets: entry.kind === 'timeseries',
  };
  const time = { after: await connection.latest(signal) };
  const reading = connection.reading(signal);
  try {
    if (scanKindOf(entry) === 'sorted') {
      await using cursor = await openNaturalScan(client, source, time, reading);
      const { spill, memoryBytesMax } = context;
      yield* sortRecords(documentsOf(cursor, range), { spill, memoryBytesMax });
      return;
    }
    const open = (rest: KeyRange): Promise<RawCursor> =>
      openOrderedScan(client, source, rest, time, reading);
    let last: Uint8Array | undefined;
    for await (const batch of persistently(source, range, open)) {
      last = batch.at(-1)?.key;
      yield batch;
    }
    if (!endsOpen(range)) return;
    await using rest = await openMaxKeyScan(client, source, time, reading);
    for await (const batch of orderedRecords(rest, source, range)) {
      yield batch.filter(({ key }) => !last || compareBytes(key, last) > 0);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw translated(error, namespace, 'target');
  }
}

/** Reads on behind the last key when the server falls silent: nobody else writes what was loaded. */
async function* persistently(
  source: ScanSource,
  range: KeyRange,
  open: (rest: KeyRange) => Promise<RawCursor>,
): RecordStream {
  let last: Uint8Array | undefined;
  for (let attempt = 1; ; attempt++) {
    const rest = last ? { ...range, from: last } : range;
    await using cursor = await open(rest);
    try {
      for await (const batch of orderedRecords(cursor, source, rest)) {
        const [first] = batch;
        const isKnown = first && last && compareBytes(first.key, last) === 0;
        const fresh: RecordBatch = isKnown ? batch.slice(1) : batch;
        last = batch.at(-1)?.key ?? last;
        if (fresh.length > 0) yield fresh;
      }
      return;
    } catch (error) {
      if (!cursor.silent || attempt >= readAttempts) throw error;
    }
  }
}

async function* documentsOf(cursor: RawCursor, range: KeyRange): RecordStream {
  for await (const { documents } of batchesOf(cursor)) {
    const records = documents.map((value) => ({ key: keyOfDocument(value), value }));
    yield records.filter(({ key }) => rangeHolds(range, key));
  }
}
