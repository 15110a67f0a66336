// What a dataset is, as it travels between peers.
import { fromBase64, toBase64 } from '../../base/bytes.ts';
import type { CatalogEntry } from '../../model/catalog.ts';
import { datasetId } from '../../model/id.ts';

export type EntryText = Omit<CatalogEntry, 'dataset' | 'body'> & {
  readonly dataset: string;
  /** Base64. */
  readonly body: string;
};

export function entryToText({ dataset, body, ...rest }: CatalogEntry): EntryText {
  return { ...rest, dataset, body: toBase64(body) };
}

export function entryFromText({ dataset, body, ...rest }: EntryText): CatalogEntry {
  return { ...rest, dataset: datasetId(dataset), body: fromBase64(body) };
}
