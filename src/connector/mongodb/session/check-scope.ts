// Whether a scope means anything that the source holds: one that means nothing would back up nothing, and
// say that all is fine.
import type { Document } from 'mongodb';
import { isCodrError } from '../../../base/error.ts';
import { idleIncludes, type Scope, scopeHolds } from '../../../model/namespace.ts';
import type { Finding } from '../../connector.ts';
import { definitionKind, followsDatabase, restorable } from '../oplog/namespace-rules.ts';
import type { MongodbConnection } from './connection.ts';
import { translated } from './translate-error.ts';

/** Names of databases that a finding lists. */
const listedMax = 8;

/** No finding when each include means something, or when it may not be looked at, which is a finding of its own. */
export async function checkScope(
  connection: MongodbConnection,
  scope: Scope,
  signal: AbortSignal,
): Promise<Finding[]> {
  try {
    const all = await allNames(connection, signal);
    const names = all.filter((namespace) => !definitionKind(namespace));
    if (names.some((namespace) => scopeHolds(scope, namespace))) {
      return idleIncludes(scope, all).map((pattern) => ({
        level: 'warning',
        message: `nothing that the source holds is called ${pattern}`,
        remedy: 'see --include; what appears under that name later is in scope',
      }));
    }
    const databases = [...new Set(names.map((name) => name.slice(0, name.indexOf('.'))))];
    const more = databases.length > listedMax ? ', …' : '';
    const there = `${databases.slice(0, listedMax).join(', ')}${more}` || 'none yet';
    return [
      {
        level: 'warning',
        message: 'nothing that the source holds is in scope: a backup would hold no data',
        remedy: `see --include and --exclude; databases with data: ${there}`,
      },
    ];
  } catch (error) {
    signal.throwIfAborted();
    if (!isCodrError(translated(error, connection.hosts))) throw error;
    return [];
  }
}

/** Collections, time series and views of users, and what holds definitions. */
async function allNames(connection: MongodbConnection, signal: AbortSignal): Promise<string[]> {
  const { databases } = await connection.admin({ listDatabases: 1, nameOnly: true }, signal);
  const names: string[] = [];
  for (const { name } of databases as { name: string }[]) {
    if (!followsDatabase(name)) continue;
    const listed = connection.client.db(name).listCollections({}, { nameOnly: true, signal });
    for await (const collection of listed as AsyncIterable<Document>) {
      const namespace = `${name}.${collection.name}`;
      if (restorable(namespace) || definitionKind(namespace)) names.push(namespace);
    }
  }
  return names;
}
