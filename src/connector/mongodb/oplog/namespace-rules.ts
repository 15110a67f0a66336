// Which namespaces are followed and which can be given back. What a node keeps for itself (its log, its
// sessions, its keys, its profile) is neither. Temporary collections are followed, since `$out`,
// `convertToCapped` and resharding rename them over user collections; they are not given back. So are the
// working collections of a restore into a source.
import type { CatalogEntry } from '../../../model/catalog.ts';

/** The database in which a restore keeps its marker. */
export const markerDatabase = 'codr_restore';

/** Databases of a node's own, and the one of restores. */
const ownDatabases = new Set(['local', 'config', markerDatabase]);

/** Collections of `admin` that hold definitions; all other `admin.system.*` belong to the node. */
const adminKept = new Set(['system.users', 'system.roles', 'system.views', 'system.js']);

/** Database part of `db.collection`. */
export function databaseOf(namespace: string): string {
  const dot = namespace.indexOf('.');
  return dot < 0 ? namespace : namespace.slice(0, dot);
}

/** The collection part of `db.collection`. */
export function collectionOf(namespace: string): string {
  return namespace.slice(databaseOf(namespace).length + 1);
}

const bucketsPrefix = 'system.buckets.';

/** The name that users know: of a time series without the prefix of its buckets. */
export function userName(namespace: string): string {
  const collection = collectionOf(namespace);
  if (!collection.startsWith(bucketsPrefix)) return namespace;
  return `${databaseOf(namespace)}.${collection.slice(bucketsPrefix.length)}`;
}

/** Where the server keeps the records of `namespace`: those of a time series lie in its buckets. */
export function storedName({ kind }: Pick<CatalogEntry, 'kind'>, namespace: string): string {
  if (kind !== 'timeseries') return namespace;
  return `${databaseOf(namespace)}.${bucketsPrefix}${collectionOf(namespace)}`;
}

/** True when catalog changes of this database are of interest. */
export function followsDatabase(database: string): boolean {
  return !ownDatabases.has(database);
}

/** True when changes of this namespace's records are kept. */
export function followsRecords(namespace: string): boolean {
  const database = databaseOf(namespace);
  if (!followsDatabase(database)) return false;
  const collection = collectionOf(namespace);
  if (!collection.startsWith('system.')) return true;
  if (database === 'admin')
    return adminKept.has(collection) || collection.startsWith(bucketsPrefix);
  return (
    collection !== 'system.profile' &&
    collection !== 'system.indexes' &&
    collection !== 'system.namespaces'
  );
}

const workingPrefix = 'codr_restore_';

/** Where a restore loads a collection before it takes its name; `hash`: 16 hex digits. */
export function workingName(database: string, hash: string): string {
  return `${database}.${workingPrefix}${hash}`;
}

export function isWorkingName(namespace: string): boolean {
  const collection = collectionOf(namespace);
  return collection.startsWith(workingPrefix) && /_[0-9a-f]{16}$/.test(collection);
}

/** True when a collection of this name is part of a restorable state. */
export function restorable(namespace: string): boolean {
  if (!followsRecords(namespace) || isWorkingName(namespace)) return false;
  const collection = collectionOf(namespace);
  return !collection.startsWith('system.resharding.') && !collection.startsWith('system.drop.');
}

/** What a collection's records define, by its name; undefined for user data. */
export function definitionKind(namespace: string): 'views' | 'users' | 'roles' | undefined {
  if (namespace === 'admin.system.users') return 'users';
  if (namespace === 'admin.system.roles') return 'roles';
  return namespace.endsWith('.system.views') && namespace.split('.').length === 3
    ? 'views'
    : undefined;
}
