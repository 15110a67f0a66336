// Which node owns what must stay as it was planned, from the first statement to the proof of the last table: files
// for yesterday's owners are none for today's. Ring and keyspaces are read again, and nobody may be on the move.
import { createHash } from 'node:crypto';
import { CodrError } from '../../../base/error.ts';
import type { Replication } from '../session/replica-placement.ts';
import { type Ring, ringDigest } from '../session/ring.ts';

/** What the target says now. */
export interface PlacementLook {
  ring(): Promise<Ring>;
  /** Addresses of nodes that join, leave or move, as any node knows them. */
  moving(): Promise<readonly string[]>;
  /** Undefined for a keyspace that is not there. */
  replication(keyspace: string): Promise<Replication | undefined>;
}

interface PlannedPlacement {
  readonly ring: Ring;
  readonly keyspaces: ReadonlyMap<string, Replication>;
}

const remedy =
  'wait until the ring and its keyspaces rest, then run the same command again: what lies elsewhere is made anew';

/** Equal as long as every key of the keyspace has the same owners. */
export function placementDigest(ring: Ring, replication: Replication): string {
  const text = `${ringDigest(ring)} ${plain(replication)}`;
  return createHash('sha256').update(text).digest('hex');
}

/** `isMade`: the keyspaces must be there. Errors: `target-unfit`, naming what has changed or moves. */
export async function refuseMoved(
  { ring, keyspaces }: PlannedPlacement,
  look: PlacementLook,
  { isMade }: { readonly isMade: boolean },
): Promise<void> {
  const moving = await look.moving();
  if (moving.length > 0) {
    const names = [...new Set(moving)].sort().join(', ');
    throw unfit(names, `nodes of the target join, leave or move: ${names}`);
  }
  const now = await look.ring();
  const [said] = now.disputed ?? [];
  if (said) throw unfit(ring.clusterName, `nodes of the target do not agree on the ring: ${said}`);
  if (ringDigest(now) !== ringDigest(ring)) {
    throw unfit(ring.clusterName, 'nodes or tokens of the target have changed since the plan');
  }
  for (const [keyspace, planned] of keyspaces) {
    const found = await look.replication(keyspace);
    if (!found && isMade) throw unfit(keyspace, `keyspace ${keyspace} of the target is gone`);
    if (!found || plain(found) === plain(planned)) continue;
    const message = `the replication of keyspace ${keyspace} has changed since the plan`;
    throw unfit(keyspace, message, { planned: plain(planned), found: plain(found) });
  }
}

/** Data centres without replicas may be named or not; the class may have its package. */
function plain(replication: Replication): string {
  const kept = Object.entries(replication)
    .map(([name, value]) => [name, name === 'class' ? value.replace(/^.*\./, '') : value] as const)
    .filter(([, value]) => value !== '0');
  return JSON.stringify(kept.sort(([a], [b]) => (a < b ? -1 : 1)));
}

const unfit = (object: string, message: string, facts = {}): CodrError =>
  new CodrError('target-unfit', message, { object, remedy, facts });
