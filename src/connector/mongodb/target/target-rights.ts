// Which rights a restore needs, looked up before anything is written. Found by trying on 6.0.5 with access
// control: roles `restore` (write) and `backup` (read back, rename, list indexes) together suffice.
import type { Document } from 'mongodb';
import { CodrError } from '../../../base/error.ts';
import type { MongodbConnection } from '../session/connection.ts';

const actionsNeeded = [
  'insert',
  'createCollection',
  'createIndex',
  'dropCollection',
  'collMod',
  'bypassDocumentValidation',
  'find',
  'listIndexes',
] as const;

/** Names of the users that are logged in: `admin.restorer`. */
export type LoggedIn = ReadonlySet<string>;

/** Errors: `target-rights` with all missing actions. Without access control everything passes. */
export async function checkTargetRights(
  connection: MongodbConnection,
  databases: Iterable<string>,
  signal: AbortSignal,
): Promise<LoggedIn> {
  const { authInfo } = await connection.admin(
    { connectionStatus: 1, showPrivileges: true },
    signal,
  );
  const users = (authInfo.authenticatedUsers as Document[]).map(({ user, db }) => `${db}.${user}`);
  if (users.length === 0) return new Set();
  const privileges = authInfo.authenticatedUserPrivileges as Document[];
  const missing: string[] = [];
  for (const database of databases) {
    for (const action of actionsNeeded) {
      const holds = privileges.some(
        ({ resource, actions }) => actions.includes(action) && covers(resource, database),
      );
      if (!holds) missing.push(`${action} on ${database}`);
    }
  }
  if (missing.length === 0) return new Set(users);
  const shown = missing.slice(0, actionsNeeded.length).join(', ');
  throw new CodrError('target-rights', `${users.join(', ')} may not: ${shown}`, {
    object: connection.hosts,
    remedy: 'grant the roles restore and backup on admin',
    facts: { missing },
  });
}

function covers(resource: Document, database: string): boolean {
  if (resource.anyResource) return true;
  return (resource.db === '' || resource.db === database) && resource.collection === '';
}
