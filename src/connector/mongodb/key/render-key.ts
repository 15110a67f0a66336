// A document's `_id` as users write it on the command line.
import { findElement } from '../bson/raw-bson.ts';
import { renderElement } from '../bson/render-json.ts';

/** Canonical Extended JSON of the `_id`; empty for a document without one. */
export function renderKey(document: Uint8Array): string {
  const id = findElement(document, '_id');
  return id ? renderElement(id) : '';
}
