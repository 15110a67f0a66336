// The server logs an update as it was made, but stores the document with `_id` in front (update_stage.cpp,
// seen with pipelines that put fields before it). So must everything that applies such updates.
import { BsonWriter } from './bson-writer.ts';
import { findElement } from './raw-bson.ts';

/** `document` itself when `_id` is its first field or absent; else a copy that begins with it. */
export function withIdFirst(document: Buffer): Buffer {
  const id = findElement(document, '_id');
  if (!id || id.start === 4) return document;
  const out = new BsonWriter(document.length).element(id);
  return out
    .raw(document, 4, id.start)
    .raw(document, id.end, document.length - 1)
    .finish();
}
