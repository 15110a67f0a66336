// The cluster as `status` shows it: a line a peer, as tools of databases with a ring draw theirs.
import type { Peer as ShownPeer, Status } from '../../api/codr-api.ts';
import { listPeers } from '../../cluster/membership.ts';
import type { SlotAssignment } from '../../cluster/slot-codec.ts';
import { ownersPrefix } from './operation-records.ts';
import type { PeerSession } from './peer-session.ts';

export type ClusterStatus = Pick<Status, 'peers' | 'coordinator' | 'epoch' | 'operations'>;

/** Peers that own slots and are not registered are down. */
export async function describeCluster(
  { coordinator, operations }: Pick<PeerSession, 'coordinator' | 'operations'>,
  assignment: SlotAssignment | undefined,
): Promise<ClusterStatus> {
  const registered = await listPeers(coordinator);
  const leader = await coordinator.get('coordinator');
  const owners = await coordinator.list(ownersPrefix);
  const owned = new Map<string, number>();
  for (const name of assignment?.table.peers ?? []) owned.set(name, 0);
  const slots = assignment?.table.owners.length ?? 0;
  for (let slot = 0; slot < slots; slot++) {
    const name = assignment?.table.ownerOf(slot);
    if (name !== undefined) owned.set(name, (owned.get(name) ?? 0) + 1);
  }
  const load = (name: string): number => owners.filter(({ value }) => value === name).length;
  const share = (name: string): Pick<ShownPeer, 'slots' | 'ownsPercent' | 'operations'> => {
    const count = owned.get(name) ?? 0;
    const ownsPercent = slots === 0 ? 0 : Math.round((count / slots) * 1000) / 10;
    return { slots: count, ownsPercent, operations: load(name) };
  };
  const up = registered.map(
    ({ name, state, address, version }): ShownPeer => ({
      ...{ name, state, address, version },
      ...share(name),
    }),
  );
  const known = new Set(registered.map(({ name }) => name));
  const down = [...owned.keys()]
    .filter((name) => !known.has(name))
    .map((name): ShownPeer => ({ name, state: 'down', version: '', ...share(name) }));
  const running = (await operations.list()).filter(({ state }) => state === 'running');
  return {
    peers: [...up, ...down],
    ...(leader && { coordinator: leader.value, epoch: leader.createRevision }),
    operations: running.map(({ id, kind, source, state, progress }) => ({
      ...{ id, kind, state },
      ...(source !== undefined && { source }),
      ...(progress && { progress }),
    })),
  };
}
