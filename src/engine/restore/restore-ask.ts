// What a restore is asked for, and the target that it is asked of: the same for the plan and for the restore.
import { CodrError } from '../../base/error.ts';
import type { SourceConfig } from '../../connector/connector.ts';
import type { GivenName, RestoreTarget, TargetOptions } from '../../connector/restore-target.ts';
import { renamed } from '../../model/namespace.ts';
import { timeToHex } from '../../model/time.ts';
import { deltasAt } from '../history/cut-history.ts';
import { connectorContext, type SourceContext } from '../source-context.ts';
import { refuseDatacenters } from './map-datacenters.ts';
import type { RestoreItem } from './range-work.ts';
import type { ChosenPoint, RestoreWish } from './restore-point.ts';
import type { WantedParts } from './restore-ranges.ts';
import { refuseDeletions } from './wanted-form.ts';

export interface RestoreAsk extends RestoreWish {
  readonly to: SourceConfig;
  readonly usersAndRoles: boolean;
  /** Read everything back and compare roots. */
  readonly verify: boolean;
  /** Of what is loaded and read back, by all peers together; absent: no limit. */
  readonly bytesPerSecond?: number;
}

/** A view, a user, a role: `kind` is that of the dataset which defines it, `name` what the target calls it. */
export interface Definition {
  readonly kind: string;
  readonly name: string;
}

/** Errors: `usage`, for what the kind of database has not. */
export async function openTarget(
  { connector, world }: SourceContext,
  { to, ttl, datacenters, ...wish }: RestoreAsk,
  signal: AbortSignal,
): Promise<RestoreTarget> {
  refuseDatacenters(connector, datacenters);
  refuseDeletions(connector, wish);
  const { ttlModes } = connector.capabilities;
  if (!ttlModes.includes(ttl)) {
    throw new CodrError('usage', `--ttl ${ttl} means nothing for ${connector.kind}`, {
      remedy: `give one of ${ttlModes.join(', ')}`,
    });
  }
  return await connector.openTarget(to, connectorContext(world), signal);
}

export function itemsOf(
  { lineage }: Pick<SourceContext, 'lineage'>,
  { renames }: Pick<RestoreAsk, 'renames'>,
  { point, parts }: Pick<ChosenPoint, 'point'> & { readonly parts: WantedParts },
): RestoreItem[] {
  return point.datasets.map((dataset) => {
    const { entry, base } = dataset;
    const within = parts.get(entry.dataset);
    const deltas = deltasAt(lineage.state, base, point.at);
    return {
      ...{ dataset, entry, namespace: renamed(renames, entry.namespace) },
      ...(base.tree && { bytes: base.tree.bytes }),
      ...(deltas.length > 0 && {
        laterBytes: deltas.reduce((sum, { tree }) => sum + (tree?.bytes ?? 0), 0),
      }),
      ...(within && { within }),
    };
  });
}

export function targetOptions(
  { renames, drop, ttl, usersAndRoles, scope, datacenters, keepsDeletions }: RestoreAsk,
  { operation, begunMs, point }: ChosenPoint,
  defined: readonly GivenName[],
): TargetOptions {
  const moment = timeToHex(point.at);
  const more = { ...(datacenters && { datacenters }), ...(keepsDeletions && { keepsDeletions }) };
  const run = { operation, moment, begunMs };
  return { ...run, renames, defined, drop, ttl, usersAndRoles, scope, ...more };
}
