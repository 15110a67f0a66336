// Users and roles: their documents go into a temporary collection and are merged by the server's own command
// (`_mergeAuthzCollections`, as its own restore tool does). The user who restores stays as he is.

import type { DataRecord } from '../../../model/record.ts';
import type { DefineResult } from '../../connector.ts';
import { findElement, stringOf } from '../bson/raw-bson.ts';
import type { MongodbConnection } from '../session/connection.ts';
import { dropCollection } from './create-collection.ts';
import { insertRaw } from './raw-insert.ts';
import type { LoggedIn } from './target-rights.ts';

/** `_id` of a user or role is `db.name`. */
export async function mergeUsersOrRoles(
  connection: MongodbConnection,
  kind: 'users' | 'roles',
  records: readonly DataRecord[],
  loggedIn: LoggedIn,
  signal: AbortSignal,
): Promise<DefineResult> {
  const defined: string[] = [];
  const skipped: { namespace: string; reason: string }[] = [];
  const documents: Uint8Array[] = [];
  for (const { value } of records) {
    const name = stringOf(findElement(value, '_id')) ?? '';
    if (kind === 'users' && loggedIn.has(name)) {
      skipped.push({ namespace: name, reason: 'the user who restores stays as he is' });
      continue;
    }
    documents.push(value);
    defined.push(name);
  }
  if (documents.length === 0) return { defined, skipped };
  const temporary = `codr_restore_${kind}`;
  await dropCollection(connection, `admin.${temporary}`, signal);
  const options = { ordered: false, keepEmptyTimestamps: false, signal };
  await insertRaw(connection.client.db('admin'), temporary, documents, options);
  const field = kind === 'users' ? 'tempUsersCollection' : 'tempRolesCollection';
  try {
    await connection.admin(
      {
        _mergeAuthzCollections: 1,
        [field]: `admin.${temporary}`,
        drop: false,
        db: '',
        writeConcern: { w: 'majority' },
      },
      signal,
    );
  } finally {
    await dropCollection(connection, `admin.${temporary}`, signal);
  }
  return { defined, skipped };
}
