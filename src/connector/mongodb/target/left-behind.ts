// What of a restore that cannot go on stands in the target, so that its error can say so.
import type { LeftBehind } from '../../restore-target.ts';
import type { MongodbConnection } from '../session/connection.ts';
import { standingCollection } from './standing-collection.ts';
import type { TargetMarker } from './target-marker.ts';

export interface Begun {
  readonly marker: TargetMarker;
  /** Where each item is loaded, by its name in the target. */
  readonly workingNames: ReadonlyMap<string, string>;
  /** Names of items, views, users and roles that this run was about to make. */
  readonly making: ReadonlySet<string>;
  /** The collection that was made for each item. */
  readonly uuids: ReadonlyMap<string, string>;
}

/** Undefined when nothing was made; then the marker goes too. */
export async function leftBehind(
  connection: MongodbConnection,
  { marker, workingNames, making, uuids }: Begun,
  signal: AbortSignal,
): Promise<LeftBehind | undefined> {
  const names: string[] = [];
  const items = [...workingNames.keys()].filter((name) => marker.wasMaking(name));
  for (const name of new Set([...making, ...items])) {
    const working = workingNames.get(name) ?? name;
    const standing = await standingCollection(connection, working, signal);
    if (standing) names.push(working);
    if (working === name) continue;
    // Exchanged already, or still what was there before.
    const final = await standingCollection(connection, name, signal);
    if (final && final.uuid === uuids.get(name)) names.push(name);
  }
  if (names.length > 0) return { marker: marker.name, names };
  await marker.remove(signal);
  return undefined;
}
