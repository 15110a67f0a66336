// What stands in the way of a restore, what `drop` takes away, what cannot be given back.
import { scopeHolds } from '../../../model/namespace.ts';
import type { FinishedItem, TargetItem, TargetOptions, TargetPlan } from '../../restore-target.ts';
import { collectionExpiry } from '../catalog/expiry-rules.ts';
import {
  collectionOf,
  databaseOf,
  followsDatabase,
  isWorkingName,
  markerDatabase,
  storedName,
} from '../oplog/namespace-rules.ts';
import type { MongodbConnection } from '../session/connection.ts';
import { indexSpecs } from './index-builds.ts';
import { countOf, standingCollection } from './standing-collection.ts';
import type { TargetMarker } from './target-marker.ts';
import { besideName, dropMeans } from './target-name.ts';

/** Databases that `drop` never touches. */
const kept = new Set(['admin', 'config', 'local', markerDatabase]);

export interface PlannedTarget {
  readonly plan: TargetPlan;
  /** User names in the target that `drop` replaces or removes. */
  readonly dropped: readonly string[];
  /** Where each item's records are loaded, by its name: beside it, or in the buckets of a time series. */
  readonly workingNames: ReadonlyMap<string, string>;
  /** The collection of each finished item, by the item's name. */
  readonly finishedUuids: ReadonlyMap<string, string>;
}

export async function planTarget(
  connection: MongodbConnection,
  items: readonly TargetItem[],
  options: TargetOptions,
  marker: TargetMarker,
  signal: AbortSignal,
): Promise<PlannedTarget> {
  const data = items.filter(({ entry }) => entry.role === 'data');
  const existing = await userNamesOf(connection, signal);
  const dropped = options.drop
    ? [...existing].filter(
        (namespace) =>
          !kept.has(databaseOf(namespace)) && dropMeans(options.scope, options.renames, namespace),
      )
    : [];
  const conflicts: string[] = [];
  for (const item of data.filter(({ namespace }) => existing.has(namespace))) {
    if (dropped.includes(item.namespace)) continue;
    if (!(await isOurs(connection, item, marker, signal))) conflicts.push(item.namespace);
  }
  const workingNames = new Map<string, string>();
  for (const { namespace, entry } of data) {
    // The server does not rename time series.
    const beside = options.drop && entry.kind !== 'timeseries';
    workingNames.set(
      namespace,
      beside ? besideName(options.operation, namespace) : storedName(entry, namespace),
    );
  }
  const finished: FinishedItem[] = [];
  const finishedUuids = new Map<string, string>();
  for (const item of data) {
    const working = workingNames.get(item.namespace) as string;
    const found = await finishedBefore(connection, item, working, marker, signal);
    if (!found) continue;
    finished.push(found.item);
    finishedUuids.set(item.namespace, found.uuid);
  }
  const plan: TargetPlan = {
    conflicts,
    dropped,
    skipped: skippedOf(items),
    warnings: [...unaskedFor(items, options), ...warningsOf(data, options, dropped)],
    finished,
  };
  return { plan, dropped, workingNames, finishedUuids };
}

/** True when an earlier run of the operation made what stands under the item's name, and nobody else. */
export async function isOurs(
  connection: MongodbConnection,
  { entry, namespace }: TargetItem,
  marker: TargetMarker,
  signal: AbortSignal,
): Promise<boolean> {
  if (!marker.wasMaking(namespace)) return false;
  const stored = storedName(entry, namespace);
  const standing = await standingCollection(connection, stored, signal);
  if (!standing || standing.uuid === '') return false;
  if (marker.hasMade(namespace, standing.uuid)) return true;
  // The run ended between the making and its note.
  return (await countOf(connection, stored, signal)) === 0;
}

/** How an earlier run finished the item, when that very collection is still there with all its records. */
async function finishedBefore(
  connection: MongodbConnection,
  { entry, namespace }: TargetItem,
  working: string,
  marker: TargetMarker,
  signal: AbortSignal,
): Promise<{ readonly item: FinishedItem; readonly uuid: string } | undefined> {
  if (!marker.wasMaking(namespace)) return undefined;
  for (const name of new Set([working, storedName(entry, namespace)])) {
    const standing = await standingCollection(connection, name, signal);
    const done = standing && marker.finished(namespace, standing.uuid);
    if (!done || (await countOf(connection, name, signal)) !== done.records) continue;
    return { item: done, uuid: standing.uuid };
  }
  return undefined;
}

/** Collections, views and time series as users know them; what restores left beside is none. */
async function userNamesOf(
  connection: MongodbConnection,
  signal: AbortSignal,
): Promise<Set<string>> {
  const { databases } = await connection.admin({ listDatabases: 1, nameOnly: true }, signal);
  const names = new Set<string>();
  for (const { name } of databases as { name: string }[]) {
    if (!followsDatabase(name)) continue;
    const listed = connection.client.db(name).listCollections({}, { nameOnly: true, signal });
    for await (const collection of listed) {
      const namespace = `${name}.${collection.name}`;
      if (!collection.name.startsWith('system.') && !isWorkingName(namespace)) names.add(namespace);
    }
  }
  return names;
}

function skippedOf(items: readonly TargetItem[]): { namespace: string; reason: string }[] {
  const skipped: { namespace: string; reason: string }[] = [];
  for (const { namespace, entry } of items) {
    if (entry.role === 'data' && collectionOf(namespace).startsWith('system.')) {
      if (collectionOf(namespace) === 'system.js') continue;
      skipped.push({ namespace, reason: 'the server keeps this name for itself' });
    }
  }
  return skipped;
}

/** Users and roles come back only when they are named: a restore must not change who may log in. */
function unaskedFor(items: readonly TargetItem[], options: TargetOptions): string[] {
  return items
    .filter(({ entry }) => entry.kind === 'users' || entry.kind === 'roles')
    .filter(({ namespace }) => !options.usersAndRoles && scopeHolds(options.scope, namespace))
    .map(
      ({ namespace, entry }) =>
        `${namespace}: ${entry.kind} are left as they are; --include ${namespace} restores them`,
    );
}

function warningsOf(
  data: readonly TargetItem[],
  options: TargetOptions,
  dropped: readonly string[],
): string[] {
  const warnings: string[] = [];
  for (const { namespace, entry } of data) {
    if (entry.kind === 'timeseries' && dropped.includes(namespace)) {
      warnings.push(
        `${namespace}: a time series cannot be renamed, so it is dropped before the load`,
      );
    }
    const names = indexSpecs(entry)
      .filter(({ expiry }) => expiry)
      .map((spec) => spec.name);
    if (collectionExpiry(entry) !== undefined) names.push('expireAfterSeconds of the collection');
    if (names.length === 0) continue;
    warnings.push(
      options.ttl === 'keep'
        ? `${namespace}: expiry (${names.join(', ')}) begins again when all is proven`
        : `${namespace}: expiry (${names.join(', ')}) is held: make it when you want it`,
    );
  }
  return warnings;
}
