// Users and roles: their documents go into a temporary collection and are merged by the server's own command
// (`_mergeAuthzCollections`, as its own restore tool does). The user who restores, and the roles that he holds,
// stay as they are. That command passes over names that are there already unless it is told to drop, so those
// are looked up before.
import type { Document } from 'mongodb';
import { equalBytes } from '../../../base/bytes.ts';
import type { DataRecord } from '../../../model/record.ts';
import type { DefineResult, PlannedDefinitions } from '../../restore-target.ts';
import { findElement, stringOf } from '../bson/raw-bson.ts';
import { batchesOf } from '../session/collection-scan.ts';
import type { MongodbConnection } from '../session/connection.ts';
import { RawCursor } from '../session/raw-cursor.ts';
import { dropCollection } from './create-collection.ts';
import { insertRaw } from './raw-insert.ts';
import type { LoggedIn } from './target-rights.ts';

export interface MergeOptions {
  readonly kind: 'users' | 'roles';
  readonly loggedIn: LoggedIn;
  /** Users or roles that the point lacks go, those that differ are replaced. */
  readonly drop: boolean;
}

/** `_id` of a user or role is `db.name`. */
export async function mergeUsersOrRoles(
  connection: MongodbConnection,
  records: readonly DataRecord[],
  options: MergeOptions,
  signal: AbortSignal,
): Promise<DefineResult> {
  const { kind, drop } = options;
  const { defined, skipped, documents, existing } = await chosen(
    connection,
    records,
    options,
    signal,
  );
  if (documents.length > 0 || (drop && existing.size > 0)) {
    await merge(connection, kind, documents, drop, signal);
  }
  return { defined, skipped };
}

/** What {@link mergeUsersOrRoles} would do, and whom `drop` would remove. */
export async function planUsersOrRoles(
  connection: MongodbConnection,
  records: readonly DataRecord[],
  options: MergeOptions,
  signal: AbortSignal,
): Promise<PlannedDefinitions> {
  const { kind, drop } = options;
  const found = await chosen(connection, records, options, signal);
  const kept = new Set(found.documents.map(nameOf));
  const removed = drop ? [...found.existing.keys()].filter((name) => !kept.has(name)) : [];
  const warnings = removed.map((name) => `--drop removes ${name} from the ${kind} of the target`);
  return { defined: found.defined, skipped: found.skipped, warnings };
}

interface ChosenDocuments {
  readonly defined: readonly string[];
  readonly skipped: readonly { readonly namespace: string; readonly reason: string }[];
  /** What the server is told to merge. */
  readonly documents: readonly Uint8Array[];
  /** What the target has. */
  readonly existing: ReadonlyMap<string, Uint8Array>;
}

async function chosen(
  connection: MongodbConnection,
  records: readonly DataRecord[],
  { kind, loggedIn, drop }: MergeOptions,
  signal: AbortSignal,
): Promise<ChosenDocuments> {
  const existing = await readExisting(connection, kind, signal);
  const own = kind === 'users' ? loggedIn : await rolesOf(connection, loggedIn, signal);
  const defined: string[] = [];
  const skipped: { namespace: string; reason: string }[] = [];
  const documents: Uint8Array[] = [];
  for (const { value } of records) {
    const name = nameOf(value);
    const there = existing.get(name);
    const isSame = there !== undefined && equalBytes(there, value);
    if (there && own.has(name) && !isSame) {
      const who = kind === 'users' ? 'the user' : 'a role of the user';
      skipped.push({ namespace: name, reason: `${who} who restores stays as it is` });
    } else if (there && !drop && !isSame) {
      const reason = `the target has another one of that name among its ${kind}: use --drop`;
      skipped.push({ namespace: name, reason });
    } else {
      defined.push(name);
      if (!own.has(name) || !there) documents.push(value);
    }
  }
  if (drop) documents.push(...[...own].flatMap((name) => existing.get(name) ?? []));
  return { defined, skipped, documents, existing };
}

async function merge(
  connection: MongodbConnection,
  kind: MergeOptions['kind'],
  documents: readonly Uint8Array[],
  drop: boolean,
  signal: AbortSignal,
): Promise<void> {
  const temporary = `codr_restore_${kind}`;
  await dropCollection(connection, `admin.${temporary}`, signal);
  const options = { ordered: false, keepEmptyTimestamps: false, signal };
  if (documents.length > 0) {
    await insertRaw(connection.client.db('admin'), temporary, documents, options);
  }
  const field = kind === 'users' ? 'tempUsersCollection' : 'tempRolesCollection';
  try {
    await connection.admin(
      {
        _mergeAuthzCollections: 1,
        [field]: `admin.${temporary}`,
        drop,
        db: '',
        writeConcern: { w: 'majority' },
      },
      signal,
    );
  } finally {
    await dropCollection(connection, `admin.${temporary}`, signal);
  }
}

/** What the target has, by name. */
async function readExisting(
  connection: MongodbConnection,
  kind: MergeOptions['kind'],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const existing = new Map<string, Uint8Array>();
  const command = { find: `system.${kind}` };
  const reading = connection.reading(signal);
  await using cursor = await RawCursor.open(connection.client, 'admin', command, reading);
  for await (const { documents } of batchesOf(cursor)) {
    for (const document of documents) existing.set(nameOf(document), document.slice());
  }
  return existing;
}

/** Every role that these users hold, directly or through others. */
async function rolesOf(
  connection: MongodbConnection,
  users: LoggedIn,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  if (users.size === 0) return new Set();
  const { authInfo } = await connection.admin({ connectionStatus: 1 }, signal);
  const roles = authInfo.authenticatedUserRoles as Document[];
  return new Set(roles.map(({ role, db }) => `${db}.${role}`));
}

function nameOf(document: Uint8Array): string {
  return stringOf(findElement(document, '_id')) ?? '';
}
