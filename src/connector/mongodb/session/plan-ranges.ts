// Ranges of about equal size to read side by side. Bounds come from a random sample of `_id`s, and only
// from those whose key can be turned back exactly: a bound must say by itself where it is, since a plan
// may be used by another process after a restart.
import { compareBytes } from '../../../base/bytes.ts';
import type { CatalogEntry } from '../../../model/catalog.ts';
import { type KeyRange, rangesBetween, wholeRange } from '../../../model/key-range.ts';
import { keyOfDocument } from '../key/key-codec.ts';
import { collectionOf, databaseOf, storedName } from '../oplog/namespace-rules.ts';
import type { MongodbConnection } from './connection.ts';
import { keyFloor } from './key-floor.ts';
import { collectionSize, listRaw } from './list-collections.ts';

const segmentsMax = 4096;
/** Sampled `_id`s a segment: evens out chance to about a quarter of the size. */
const samplesPerSegment = 16;

/** At least one range; together the whole key space. */
export async function planRanges(
  connection: MongodbConnection,
  entry: CatalogEntry,
  bytesPerSegment: number,
  signal: AbortSignal,
): Promise<KeyRange[]> {
  const stored = storedName(entry, entry.namespace);
  const { bytes } = await collectionSize(connection, stored, signal);
  const segments = Math.min(segmentsMax, Math.ceil(bytes / bytesPerSegment));
  if (segments < 2) return [wholeRange];
  const database = databaseOf(stored);
  const rows = await listRaw(
    connection,
    database,
    {
      aggregate: collectionOf(stored),
      pipeline: [{ $sample: { size: segments * samplesPerSegment } }, { $project: { _id: 1 } }],
    },
    signal,
  );
  const keys = rows.map((row) => keyOfDocument(row)).sort(compareBytes);
  const bounds: Uint8Array[] = [];
  for (let i = 1; i < segments; i++) {
    const key = keys[Math.floor((i * keys.length) / segments)];
    const before = bounds.at(-1);
    if (!key || (before && compareBytes(before, key) >= 0)) continue;
    if (keyFloor(key).exact) bounds.push(key);
  }
  return rangesBetween(bounds);
}
