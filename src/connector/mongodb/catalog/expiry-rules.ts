// Which records a server would delete by itself: TTL indexes, and `expireAfterSeconds` of clustered
// collections and time series. Source: mongodb/mongo src/mongo/db/ttl.cpp (bounds are inclusive); held
// against the server's own TTL monitor by expiry-rules.mongod.test.ts.
import type { CatalogEntry } from '../../../model/catalog.ts';
import {
  arrayOf,
  type BsonElement,
  bsonTypes,
  documentOf,
  elementsOf,
  findElement,
  nameOf,
  numberOf,
  stringOf,
  valueBytes,
} from '../bson/raw-bson.ts';

/** When the date in `field` of a record is this many seconds ago, the record goes. */
export interface IndexExpiry {
  /** Dotted, as in the index. */
  readonly field: string;
  readonly seconds: number;
  /** Only records that fit its `partialFilterExpression` go. */
  readonly partial: boolean;
}

/** Tells a native record that is expired. */
type IsExpired = (record: Uint8Array) => boolean;

/** What an index specification lets expire; undefined for indexes that expire nothing. */
export function expiryOfIndex(spec: Uint8Array): IndexExpiry | undefined {
  const seconds = numberOf(findElement(spec, 'expireAfterSeconds'));
  const key = documentOf(findElement(spec, 'key'));
  const [first] = key ? elementsOf(key) : [];
  if (seconds === undefined || !first) return undefined;
  const partial = findElement(spec, 'partialFilterExpression') !== undefined;
  return { field: nameOf(first), seconds, partial };
}

/** `expireAfterSeconds` of a clustered collection or time series; undefined when nothing expires. */
export function collectionExpiry(entry: CatalogEntry): number | undefined {
  const options = documentOf(findElement(entry.body, 'options'));
  return options && numberOf(findElement(options, 'expireAfterSeconds'));
}

/**
 * Records that are expired at `nowMs`; undefined when none ever does. An index with a
 * `partialFilterExpression` counts as if it had none, and the rule is then not exact.
 */
export function expiryOf(
  entry: CatalogEntry,
  nowMs: number,
): { readonly isExpired: IsExpired; readonly exact: boolean } | undefined {
  const rules: IsExpired[] = [];
  let exact = true;
  const indexes = arrayOf(findElement(entry.body, 'indexes'));
  for (const element of indexes ? elementsOf(indexes) : []) {
    const expiry = expiryOfIndex(valueBytes(element));
    if (!expiry || Number.isNaN(expiry.seconds)) continue;
    rules.push(indexRule(expiry, nowMs));
    exact &&= !expiry.partial;
  }
  const seconds = collectionExpiry(entry);
  if (seconds !== undefined && !Number.isNaN(seconds)) {
    rules.push(collectionRule(entry, nowMs - seconds * 1000));
  }
  if (rules.length === 0) return undefined;
  return { isExpired: (record) => rules.some((isExpired) => isExpired(record)), exact };
}

/** Of several dates (arrays, documents in arrays) the smallest decides; what is no date never expires. */
function indexRule({ field, seconds }: IndexExpiry, nowMs: number): IsExpired {
  const limitMs = nowMs - seconds * 1000;
  const path = field.split('.');
  const holds = (element: BsonElement): boolean =>
    element.type === bsonTypes.date && dateMs(element) <= limitMs;
  return (record) => anyAt(record, path, holds);
}

function collectionRule(entry: CatalogEntry, limitMs: number): IsExpired {
  const options = documentOf(findElement(entry.body, 'options'));
  const timeseries = options && documentOf(findElement(options, 'timeseries'));
  if (!timeseries) {
    return (record) => {
      const id = findElement(record, '_id');
      return id?.type === bsonTypes.date && dateMs(id) <= limitMs;
    };
  }
  // A bucket goes when even its latest possible measurement is too old; its `_id` begins with its start.
  const limitSeconds = Math.floor(limitMs / 1000) - bucketSpan(timeseries);
  return (record) => {
    const id = findElement(record, '_id');
    if (id?.type !== bsonTypes.objectId) return false;
    return id.source.readUInt32BE(id.valueStart) <= limitSeconds;
  };
}

/** Longest span of a bucket by granularity, in seconds; used where the catalog does not tell it. */
const spans: Readonly<Record<string, number>> = { minutes: 86_400, hours: 2_592_000 };

function bucketSpan(timeseries: Uint8Array): number {
  const told = numberOf(findElement(timeseries, 'bucketMaxSpanSeconds'));
  return told ?? spans[stringOf(findElement(timeseries, 'granularity')) ?? ''] ?? 3600;
}

function dateMs({ source, valueStart }: BsonElement): number {
  return Number(source.readBigInt64LE(valueStart));
}

/** True when one of the values that an index on `path` would hold of `document` fits. */
function anyAt(
  document: Uint8Array,
  path: readonly string[],
  fits: (element: BsonElement) => boolean,
): boolean {
  const [name, ...rest] = path;
  const element = name === undefined ? undefined : findElement(document, name);
  if (!element) return false;
  const array = arrayOf(element);
  if (rest.length === 0) {
    return array ? [...elementsOf(array)].some(fits) : fits(element);
  }
  const inner = documentOf(element);
  if (inner) return anyAt(inner, rest, fits);
  if (!array) return false;
  // `a.0.b` may mean a place in the array; `a.b` means the field of each of its documents.
  if (anyAt(array, rest, fits)) return true;
  return [...elementsOf(array)].some((each) => {
    const one = documentOf(each);
    return one !== undefined && anyAt(one, rest, fits);
  });
}
