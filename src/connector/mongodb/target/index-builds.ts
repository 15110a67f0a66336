// The indexes of a restored collection: all that do not expire at once after the load, expiring ones at
// the finish. Specifications go to the server as they came from it.

import type { CatalogEntry } from '../../../model/catalog.ts';
import { arrayOf, documentOf, elementsOf, findElement, valueBytes } from '../bson/raw-bson.ts';
import { expiryOfIndex, type IndexExpiry } from '../catalog/expiry-rules.ts';
import { collectionOf, databaseOf } from '../oplog/namespace-rules.ts';
import type { MongodbConnection } from '../session/connection.ts';
import { hasCollation } from '../session/list-collections.ts';
import { type NativeDocument, nativeDocument } from './native-document.ts';

export interface IndexSpec {
  readonly name: string;
  /** Absent for indexes that let nothing expire. */
  readonly expiry: IndexExpiry | undefined;
  readonly document: NativeDocument;
}

/** All indexes of an entry but the one on `_id`. */
export function indexSpecs(entry: CatalogEntry): IndexSpec[] {
  const indexes = arrayOf(findElement(entry.body, 'indexes'));
  if (!indexes) return [];
  const options = documentOf(findElement(entry.body, 'options'));
  const inherits = options !== undefined && hasCollation(options);
  return [...elementsOf(indexes)].map((element) => {
    const bytes = valueBytes(element);
    const document = nativeDocument(bytes);
    // The server tells a simple collation by silence, and takes silence for the collection's own.
    if (inherits && !document.has('collation')) {
      document.set('collation', new Map([['locale', 'simple']]));
    }
    return { name: String(document.get('name')), expiry: expiryOfIndex(bytes), document };
  });
}

/** Builds them in one scan of the collection; none is fine. */
export async function buildIndexes(
  connection: MongodbConnection,
  namespace: string,
  specs: readonly IndexSpec[],
  signal: AbortSignal,
): Promise<void> {
  if (specs.length === 0) return;
  const inSet = connection.client.options.replicaSet !== undefined;
  await connection.command(
    databaseOf(namespace),
    {
      createIndexes: collectionOf(namespace),
      indexes: specs.map(({ document }) => document),
      // A voting member that is down must not hold the build back for ever.
      ...(inSet && { commitQuorum: 'majority' }),
      writeConcern: { w: 'majority' },
    },
    signal,
  );
}
