// Which names a server takes, looked at before anything is written. Only what a rename moves is held against
// the rules: a name that the source really has, a server takes as it is. Rules tried on 6.0.5 with `create`;
// `*<>:|?` in a database are refused by servers on Windows alone, and by us everywhere.
import { CodrError } from '../../../base/error.ts';
import type { GivenName, TargetItem, TargetOptions } from '../../restore-target.ts';
import {
  collectionOf,
  databaseOf,
  followsDatabase,
  isWorkingName,
  markerDatabase,
} from '../oplog/namespace-rules.ts';
import type { MongodbConnection } from '../session/connection.ts';

const databaseBytesMax = 63;
const namespaceBytesMax = 255;

/** Everything that gets a name in the target: data, and what definitions define. */
export function givenNames(
  items: readonly TargetItem[],
  { defined }: Pick<TargetOptions, 'defined'>,
): GivenName[] {
  const data = items.filter(({ entry }) => entry.role === 'data');
  return [
    ...data.map(({ entry, namespace }) => ({ from: entry.namespace, to: namespace })),
    ...defined,
  ];
}

/** Errors: `usage`, for a name that no server takes, or that is not the user's to give. */
export function refuseUnfitNames(items: readonly TargetItem[], options: TargetOptions): void {
  for (const { from, to } of givenNames(items, options)) {
    const fault = from === to ? undefined : faultOf(from, to);
    if (fault !== undefined) throw refused({ from, to }, fault);
  }
  if (!options.usersAndRoles) return;
  for (const { entry, namespace: to } of items) {
    const from = entry.namespace;
    if ((entry.kind !== 'users' && entry.kind !== 'roles') || from === to) continue;
    throw refused({ from, to }, `${entry.kind} have but one place`);
  }
}

/**
 * Errors: `usage` when a rename, `target-unfit` when the point itself names a database that differs from
 * another one only in upper and lower case: no server holds both.
 */
export async function refuseCaseClash(
  connection: MongodbConnection,
  items: readonly TargetItem[],
  options: TargetOptions,
  signal: AbortSignal,
): Promise<void> {
  const reply = await connection.admin({ listDatabases: 1, nameOnly: true }, signal);
  const names = (reply.databases as { name: string }[]).map(({ name }) => name);
  const known = new Map(names.map((name) => [name.toLowerCase(), name]));
  for (const { from, to } of givenNames(items, options)) {
    const database = databaseOf(to);
    const other = known.get(database.toLowerCase()) ?? database;
    known.set(database.toLowerCase(), other);
    if (other === database) continue;
    const fault = `a server with a database ${other} takes none called ${database}`;
    if (from !== to) throw refused({ from, to }, fault);
    throw new CodrError('target-unfit', `${to} cannot be made: ${fault}`, {
      object: to,
      remedy: `restore into another target, or --rename '${database}.*=${other}.*'`,
    });
  }
}

/** Why this may be no name in a target; undefined when it may. */
function faultOf(from: string, namespace: string): string | undefined {
  const database = databaseOf(namespace);
  const collection = collectionOf(namespace);
  if (database === '') return 'the name of the database is empty';
  if (database === markerDatabase) return `CODR keeps the database ${database} for itself`;
  if (!followsDatabase(database)) return `the server keeps the database ${database} for itself`;
  const odd = /[/\\. "$*<>:|?\0]/.exec(database)?.[0];
  if (odd !== undefined) return `${quoted(odd)} may not stand in the name of a database`;
  if (Buffer.byteLength(database) > databaseBytesMax) {
    return `the name of a database has at most ${databaseBytesMax} bytes`;
  }
  if (collection === '') return 'the name of the collection is empty';
  if (collection.startsWith('.')) return 'the name of a collection does not begin with a dot';
  const strange = /[$\0]/.exec(collection)?.[0];
  if (strange !== undefined) return `${quoted(strange)} may not stand in the name of a collection`;
  if (Buffer.byteLength(namespace) > namespaceBytesMax) {
    return `database and collection have at most ${namespaceBytesMax} bytes together`;
  }
  if (isWorkingName(namespace)) return 'CODR keeps such names for itself';
  // Stored JavaScript moves with its database; what else there is of this kind is skipped.
  const isMoved = collection === collectionOf(from) && database !== 'admin';
  return collection.startsWith('system.') && !isMoved
    ? `the server keeps ${collection} for itself`
    : undefined;
}

function quoted(character: string): string {
  return character === '\0' ? 'NUL' : `"${character}"`;
}

function refused({ from, to }: GivenName, fault: string): CodrError {
  return new CodrError('usage', `${from} cannot become ${to}: ${fault}`, {
    object: to,
    remedy: 'rename it to another name',
  });
}
