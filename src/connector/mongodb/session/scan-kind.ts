// How a collection can be read, told from its catalog entry.

import type { CatalogEntry } from '../../../model/catalog.ts';
import { documentOf, findElement } from '../bson/raw-bson.ts';
import { hasCollation, isCapped } from './list-collections.ts';
import type { ScanKind } from './segment.ts';

/** `sorted`: the `_id` index follows a collation, so the collection is read whole and sorted here. */
export function scanKindOf(entry: CatalogEntry): ScanKind {
  if (entry.kind === 'views') return 'views';
  const options = documentOf(findElement(entry.body, 'options'));
  if (!options) return 'ordered';
  if (isCapped(options)) return 'capped';
  return hasCollation(options) ? 'sorted' : 'ordered';
}
