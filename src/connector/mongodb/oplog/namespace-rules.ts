// Which namespaces are followed and which can be given back. What a node keeps for itself (its log, its
// sessions, its keys, its profile) is neither. Temporary collections are followed, since `$out`,
// `convertToCapped` and resharding rename them over user collections; they are not given back.

const ownDatabases = new Set(['local', 'config']);

/** Collections of `admin` that hold definitions; all other `admin.system.*` belong to the node. */
const adminKept = new Set(['system.users', 'system.roles', 'system.views', 'system.js']);

/** Database part of `db.collection`. */
export function databaseOf(namespace: string): string {
  const dot = namespace.indexOf('.');
  return dot < 0 ? namespace : namespace.slice(0, dot);
}

/** True when catalog changes of this database are of interest. */
export function followsDatabase(database: string): boolean {
  return !ownDatabases.has(database);
}

/** True when changes of this namespace's records are kept. */
export function followsRecords(namespace: string): boolean {
  const database = databaseOf(namespace);
  if (!followsDatabase(database)) return false;
  const collection = namespace.slice(database.length + 1);
  if (!collection.startsWith('system.')) return true;
  if (database === 'admin')
    return adminKept.has(collection) || collection.startsWith('system.buckets.');
  return (
    collection !== 'system.profile' &&
    collection !== 'system.indexes' &&
    collection !== 'system.namespaces'
  );
}

/** True when a collection of this name is part of a restorable state. */
export function restorable(namespace: string): boolean {
  if (!followsRecords(namespace)) return false;
  const collection = namespace.slice(databaseOf(namespace).length + 1);
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
