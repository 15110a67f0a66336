// One segment: a key range of a collection read at a known time. Exact by snapshot read where the server
// allows it; a fuzzy copy (majority reads, `after` before and `exactFrom` after) where not: capped
// collections. Collections whose `_id` index is not in key order are read whole and sorted here.
import type { MongoClient } from 'mongodb';
import { assert } from '../../../base/assert.ts';
import { compareBytes } from '../../../base/bytes.ts';
import { CodrError } from '../../../base/error.ts';
import { sortRecords } from '../../../base/external-sort.ts';
import type { CatalogEntry } from '../../../model/catalog.ts';
import { type KeyRange, rangeHolds } from '../../../model/key-range.ts';
import type { DataRecord, RecordStream } from '../../../model/record.ts';
import { maxTime, minTime, type SourceTime } from '../../../model/time.ts';
import type { ConnectorContext, SegmentReader } from '../../connector.ts';
import { keyOfDocument, keyTypes } from '../key/key-codec.ts';
import { cappedValue } from '../oplog/effects.ts';
import {
  batchesOf,
  endsOpen,
  openMaxKeyScan,
  openNaturalScan,
  openOrderedScan,
  orderedRecords,
  type ReadTime,
  scanSource,
} from './collection-scan.ts';
import type { MongodbConnection } from './connection.ts';
import { oldestPrepared } from './open-transactions.ts';
import type { RawCursor, Reading } from './raw-cursor.ts';
import { codeOf, isPassing, serverCodes, translated } from './translate-error.ts';
import { readViews } from './view-records.ts';

const openAttempts = 4;
/** A capped collection that wraps faster than it is read. */
const cappedAttempts = 5;

export interface SegmentSource {
  readonly connection: MongodbConnection;
  readonly context: ConnectorContext;
  /** Nothing is read at a time before this: following begins here. */
  readonly notBefore: SourceTime;
}

/** How a collection can be read. */
export type ScanKind = 'ordered' | 'sorted' | 'capped' | 'views';

/** Undefined when the collection is gone. Errors: `snapshot-too-old` from here or from the batches. */
export async function readSegment(
  source: SegmentSource,
  entry: CatalogEntry,
  kind: ScanKind,
  { range, fuzzy }: { readonly range: KeyRange; readonly fuzzy: boolean },
  signal: AbortSignal,
): Promise<SegmentReader | undefined> {
  const { connection } = source;
  const times = await readTimes(source, signal);
  if (kind === 'views') return readViews(connection, entry, range, times.at, signal);
  if (kind === 'capped') return readCapped(source, entry, times, range, signal);
  if (fuzzy) return readFuzzy(source, entry, kind, { range, ...times }, signal);
  const { after, at } = times;
  const records = await readAt(source, entry, kind, range, at, signal);
  return records && { after, exactFrom: () => at, batches: records };
}

interface ReadTimes {
  /** Changes after this are to be applied to what is read. */
  readonly after: SourceTime;
  /** All else that was decided by then is in what is read. */
  readonly at: SourceTime;
}

/**
 * A getMore gives a record as it was before an undecided prepared transaction, and does not wait, even when the
 * transaction may become visible before the time of the snapshot (seen on 6.0.5; a find waits). So changes
 * count from before the oldest of them. Those that are prepared after the look are later than `before`.
 */
async function readTimes(source: SegmentSource, signal: AbortSignal): Promise<ReadTimes> {
  const { connection, notBefore } = source;
  const before = await connection.majority(signal);
  const prepared = await oldestPrepared(connection, signal);
  const majority = await connection.majority(signal);
  const known = maxTime(before.time, notBefore);
  return {
    after: prepared === undefined ? known : minTime(known, prepared - 1n),
    at: maxTime(majority.time, notBefore),
  };
}

/** As the collection changes: `_id`s never do, so each record that stays is met once. */
async function readFuzzy(
  source: SegmentSource,
  entry: CatalogEntry,
  kind: 'ordered' | 'sorted',
  { range, after, at }: { readonly range: KeyRange } & ReadTimes,
  signal: AbortSignal,
): Promise<SegmentReader | undefined> {
  const records = await scanRecords(source, entry, kind, { range, time: { after: at } }, signal);
  if (!records) return undefined;
  let exactFrom: SourceTime | undefined;
  const batches = async function* (): RecordStream {
    yield* records;
    exactFrom = maxTime(at, (await source.connection.majority(signal)).time);
  };
  const known = (): SourceTime => {
    assert(exactFrom !== undefined, 'a fuzzy copy is exact from its end on');
    return exactFrom;
  };
  return { after, exactFrom: known, batches: batches() };
}

/** The records of a range at exactly `at`; undefined when the collection is gone. */
export function readAt(
  source: SegmentSource,
  entry: CatalogEntry,
  kind: 'ordered' | 'sorted',
  range: KeyRange,
  at: SourceTime,
  signal: AbortSignal,
): Promise<RecordStream | undefined> {
  return scanRecords(source, entry, kind, { range, time: { at } }, signal);
}

async function scanRecords(
  source: SegmentSource,
  entry: CatalogEntry,
  kind: 'ordered' | 'sorted',
  { range, time }: { readonly range: KeyRange; readonly time: ReadTime },
  signal: AbortSignal,
): Promise<RecordStream | undefined> {
  const { connection, context } = source;
  const scan = scanSource(entry);
  const cursor = await openOnMember(connection, entry, signal, (client, reading) =>
    kind === 'ordered'
      ? openOrderedScan(client, scan, range, time, reading)
      : openNaturalScan(client, scan, time, reading),
  );
  if (!cursor) return undefined;
  if (kind === 'sorted') {
    const sorted = sortRecordsOf(documentsOf(cursor, range), context);
    return closing(source, sorted, cursor, entry, signal);
  }
  const records = closing(source, orderedRecords(cursor, scan, range), cursor, entry, signal);
  if (!endsOpen(range)) return records;
  return withMaxKey(records, async () => {
    const last = await openOnMember(connection, entry, signal, (client, reading) =>
      openMaxKeyScan(client, scan, time, reading),
    );
    return last && closing(source, orderedRecords(last, scan, range), last, entry, signal);
  });
}

/** `records`, then the one of `_id: MaxKey` unless it was among them. */
async function* withMaxKey(
  records: RecordStream,
  rest: () => Promise<RecordStream | undefined>,
): RecordStream {
  let last: Uint8Array | undefined;
  for await (const batch of records) {
    last = batch.at(-1)?.key;
    yield batch;
  }
  if (last?.[0] === keyTypes.maxKey) return;
  const more = await rest();
  if (more) yield* more;
}

async function* sortRecordsOf(records: RecordStream, context: ConnectorContext): RecordStream {
  const { spill, memoryBytesMax } = context;
  let held: DataRecord | undefined;
  for await (const batch of sortRecords(records, { spill, memoryBytesMax })) {
    const out: DataRecord[] = [];
    for (const record of batch) {
      // Of equal keys the last one read stays: removed and written again during a fuzzy read.
      if (held && compareBytes(held.key, record.key) !== 0) out.push(held);
      held = record;
    }
    if (out.length > 0) yield out;
  }
  if (held) yield [held];
}

async function readCapped(
  source: SegmentSource,
  entry: CatalogEntry,
  { after, at }: ReadTimes,
  range: KeyRange,
  signal: AbortSignal,
): Promise<SegmentReader | undefined> {
  const { connection, context } = source;
  const open = (): Promise<RawCursor | undefined> =>
    openOnMember(connection, entry, signal, (client, reading) =>
      openNaturalScan(client, scanSource(entry), { after: at }, reading),
    );
  const first = await open();
  if (!first) return undefined;
  let exactFrom = at;
  const batches = async function* (): RecordStream {
    let opened: RawCursor | undefined = first;
    for (let attempt = 1; opened; attempt++) {
      await using cursor: RawCursor = opened;
      try {
        const sorted = sortRecordsOf(numbered(cursor, range), context);
        // All is read and sorted before the first batch comes out: until then a lost place is mended.
        const iterator = sorted[Symbol.asyncIterator]();
        const head = await iterator.next();
        exactFrom = maxTime(at, (await connection.majority(signal)).time);
        if (head.done) return;
        yield head.value;
        for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
          yield next.value;
        }
        return;
      } catch (error) {
        signal.throwIfAborted();
        noteSilence(source, cursor, entry);
        if (cursor.silent) throw cutOff(entry, error);
        if (!isPassing(error) || attempt >= cappedAttempts)
          throw translated(error, entry.namespace);
        opened = await open();
      }
    }
    // Dropped meanwhile: whoever reads it again will be told so.
    throw cutOff(entry);
  };
  return { after, exactFrom: () => exactFrom, batches: batches() };
}

/** Records behind their place in natural order: running numbers, all below any time of the log. */
async function* numbered(cursor: RawCursor, range: KeyRange): RecordStream {
  let number = 0n;
  for await (const { documents } of batchesOf(cursor)) {
    const records: DataRecord[] = [];
    for (const document of documents) {
      const key = keyOfDocument(document);
      number++;
      if (rangeHolds(range, key)) records.push({ key, value: cappedValue(number, document) });
    }
    yield records;
  }
}

async function* documentsOf(cursor: RawCursor, range: KeyRange): RecordStream {
  for await (const { documents } of batchesOf(cursor)) {
    const records = documents.map((value) => ({ key: keyOfDocument(value), value }));
    yield records.filter(({ key }) => rangeHolds(range, key));
  }
}

/** Closes the cursor at the end and translates what goes wrong on the way. */
async function* closing(
  source: SegmentSource,
  records: RecordStream,
  cursor: RawCursor,
  entry: CatalogEntry,
  signal: AbortSignal,
): RecordStream {
  try {
    yield* records;
  } catch (error) {
    signal.throwIfAborted();
    noteSilence(source, cursor, entry);
    // A cursor that is gone, or its member: the read can be done again at a newer time.
    if (isPassing(error)) throw cutOff(entry, error);
    throw translated(error, entry.namespace);
  } finally {
    await cursor[Symbol.asyncDispose]();
  }
}

/** Another member is read next, where there is one. */
function noteSilence(
  { connection, context }: SegmentSource,
  cursor: RawCursor,
  { namespace }: CatalogEntry,
): void {
  if (!cursor.silent) return;
  const host = cursor.client.options.hosts.join(',');
  const message = 'a read got no answer, and is done again';
  context.log.warn({ namespace, host }, message);
  connection.passOver(cursor.client);
}

/** The cause is `source-unreachable` when the member was silent: what was read was not too much. */
function cutOff({ namespace }: CatalogEntry, cause?: unknown): CodrError {
  return new CodrError('snapshot-too-old', `${namespace}: the read was cut off`, {
    object: namespace,
    cause,
  });
}

/** Tries the members in turn; undefined when the collection does not exist. */
async function openOnMember(
  connection: MongodbConnection,
  entry: CatalogEntry,
  signal: AbortSignal,
  open: (client: MongoClient, reading: Reading) => Promise<RawCursor>,
): Promise<RawCursor | undefined> {
  let last: unknown;
  for (let attempt = 0; attempt < openAttempts; attempt++) {
    const [client] = await connection.readers(signal);
    try {
      return await connection.within(client, signal, (member, stop) =>
        open(member, connection.reading(stop)),
      );
    } catch (error) {
      signal.throwIfAborted();
      if (codeOf(error) === serverCodes.namespaceNotFound) return undefined;
      if (!isPassing(error)) throw translated(error, entry.namespace);
      connection.passOver(client);
      last = error;
    }
  }
  throw translated(last, connection.hosts);
}
