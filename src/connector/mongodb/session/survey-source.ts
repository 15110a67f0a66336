// The whole catalog at one time. listCollections knows no time, so it is read twice with a majority-held
// no-op of the log between: equal listings on both sides are what there was at that no-op.

import { compareBytes } from '../../../base/bytes.ts';
import { CodrError } from '../../../base/error.ts';
import type { CatalogChange } from '../../../model/catalog.ts';
import { datasetId, type StreamId } from '../../../model/id.ts';
import type { SourceTime } from '../../../model/time.ts';
import type { Survey, SurveyedDataset } from '../../connector.ts';
import { surveyBody } from '../catalog/catalog-body.ts';
import { foldCatalog } from '../catalog/catalog-folder.ts';
import { storedName } from '../oplog/namespace-rules.ts';
import type { MongodbConnection } from './connection.ts';
import {
  collectionSize,
  type ListedCollection,
  listAllCollections,
  listIndexes,
} from './list-collections.ts';
import { positionBefore } from './open-transactions.ts';

/** A catalog that changes all the time is asked this often. */
const attemptsMax = 20;

interface Listing {
  readonly collection: ListedCollection;
  readonly body: Uint8Array;
}

export async function surveySource(
  connection: MongodbConnection,
  stream: StreamId,
  signal: AbortSignal,
): Promise<Survey> {
  const before = await positionBefore(connection, signal);
  let listings = await listEverything(connection, signal);
  for (let attempt = 1; ; attempt++) {
    const exactFrom = await connection.note('codr: survey', signal);
    const again = await listEverything(connection, signal);
    if (sameListings(listings, again)) {
      const catalog = again.map((listing, index) =>
        surveyChange(listing, stream, exactFrom, before.term, index),
      );
      return {
        before: new Map([[stream, before]]),
        exactFrom,
        datasets: await withSizes(connection, catalog, signal),
        catalog,
      };
    }
    if (attempt >= attemptsMax) {
      throw new CodrError('source-unfit', `the catalog changed during each of ${attempt} looks`, {
        object: connection.hosts,
        remedy: 'wait until collections and indexes are no longer created all the time',
      });
    }
    listings = again;
  }
}

async function listEverything(
  connection: MongodbConnection,
  signal: AbortSignal,
): Promise<Listing[]> {
  const listings: Listing[] = [];
  for (const collection of await listAllCollections(connection, signal)) {
    const indexes = await listIndexes(connection, collection, signal);
    // Dropped in between: the second listing will differ from this one.
    if (indexes) listings.push({ collection, body: surveyBody({ ...collection, indexes }) });
  }
  return listings;
}

function sameListings(a: readonly Listing[], b: readonly Listing[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ body }, i) => compareBytes(body, (b[i] as Listing).body) === 0)
  );
}

function surveyChange(
  { collection, body }: Listing,
  stream: StreamId,
  time: SourceTime,
  term: bigint,
  index: number,
): CatalogChange {
  const dataset = datasetId(collection.uuid);
  return { dataset, kind: 'survey', body, time, stream, position: { time, term }, index };
}

async function withSizes(
  connection: MongodbConnection,
  catalog: readonly CatalogChange[],
  signal: AbortSignal,
): Promise<SurveyedDataset[]> {
  const datasets: SurveyedDataset[] = [];
  for (const entry of foldCatalog(catalog)) {
    const stored = storedName(entry, entry.namespace);
    datasets.push({ entry, ...(await collectionSize(connection, stored, signal)) });
  }
  return datasets;
}
