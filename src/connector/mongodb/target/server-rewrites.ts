// What a server changes in a document that it is given: top-level `Timestamp(0, 0)` becomes the clock
// (unless it knows `bypassEmptyTsReplacement`), and `_id` moves to the front. The first is mended by `$set`,
// or for names that `$set` cannot say by an `applyOps` with a difference; both keep every other byte (tried
// on 6.0.5). Needs the action `update`, which role `restore` lacks.
import { Int32, Timestamp } from 'mongodb';
import { isCodrError } from '../../../base/error.ts';
import { bsonTypes, elementsOf, holdsType, uint64Of } from '../bson/raw-bson.ts';
import { databaseOf } from '../oplog/namespace-rules.ts';
import type { MongodbConnection } from '../session/connection.ts';
import { nativeDocument } from './native-document.ts';

/** Names of top-level fields that hold `Timestamp(0, 0)`. */
export function emptyTimestamps(document: Uint8Array): string[] {
  if (!holdsType(document, bsonTypes.timestamp)) return [];
  const names: string[] = [];
  for (const element of elementsOf(document)) {
    if (element.type !== bsonTypes.timestamp || uint64Of(element) !== 0n) continue;
    names.push(element.source.toString('utf8', element.start + 1, element.valueStart - 1));
  }
  return names;
}

/** `_id` directly behind the length of the document. */
export function idIsFirst(document: Uint8Array): boolean {
  return document[5] === 0x5f && document[6] === 0x69 && document[7] === 0x64 && document[8] === 0;
}

/** Writes the empty timestamps of `document` into the target's copy; false: the rights do not suffice. */
export async function mendTimestamps(
  connection: MongodbConnection,
  namespace: string,
  document: Uint8Array,
  signal: AbortSignal,
): Promise<boolean> {
  const zero = new Timestamp(0n);
  const names = emptyTimestamps(document).filter((name) => name !== '_id');
  if (names.length === 0) return false;
  const values = new Map(names.map((name) => [name, zero]));
  const key = new Map([['_id', nativeDocument(document).get('_id')]]);
  const plain = names.every((name) => name !== '' && !name.includes('.') && !name.startsWith('$'));
  try {
    if (plain) {
      const database = databaseOf(namespace);
      const update = namespace.slice(database.length + 1);
      const updates = [{ q: key, u: { $set: values } }];
      await connection.command(database, { update, updates }, signal);
    } else {
      const o = { $v: new Int32(2), diff: { u: values } };
      await connection.admin({ applyOps: [{ op: 'u', ns: namespace, o2: key, o }] }, signal);
    }
    return true;
  } catch (error) {
    if (isCodrError(error, 'target-rights')) return false;
    throw error;
  }
}
