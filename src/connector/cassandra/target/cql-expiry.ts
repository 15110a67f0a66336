// How late an expiry a cluster takes by CQL. All but those of 5.0 that have left the old format of files behind refuse a
// write that would expire after 2038, whatever its table holds already; each node goes by its own settings.
import type { CqlSession } from '../session/cql.ts';
import type { Ring } from '../session/ring.ts';
import { deletionTimeMax } from '../sstable/write-tombstones.ts';
import { nodeSetting } from './node-setting.ts';

/** A node counts a time to live from when it gets the write, which may be so long after it was reckoned. */
const lateSeconds = 3600;

/** Undefined where all nodes take what the newer format holds, which times to live do not reach. */
export async function expirySecondsMaxOf(
  cql: CqlSession,
  { nodes, up }: Pick<Ring, 'nodes' | 'up'>,
  signal: AbortSignal,
): Promise<number | undefined> {
  const hosts = nodes.filter(({ hostId }) => up.includes(hostId));
  // Before 5.0 there is none.
  const modeOf = (host: string) => nodeSetting(cql, host, 'storage_compatibility_mode', signal);
  const modes = await Promise.all(hosts.map(({ nativeAddress }) => modeOf(nativeAddress)));
  const isNew = hosts.length === nodes.length && modes.every((mode) => mode === 'NONE');
  return isNew ? undefined : deletionTimeMax - lateSeconds;
}
