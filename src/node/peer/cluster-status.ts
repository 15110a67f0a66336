// The cluster as `status` shows it: a line a peer, as tools of databases with a ring draw theirs.
import type { Peer as ShownPeer, Status } from '../../api/codr-api.ts';
import { listPeers } from '../../cluster/membership.ts';
import type { SlotAssignment } from '../../cluster/slot-codec.ts';
import { ownerKey, ownersPrefix } from './operation-records.ts';
import type { PeerSession } from './peer-session.ts';

export type ClusterStatus = Pick<Status, 'peers' | 'coordinator' | 'epoch' | 'operations'>;

/** Peers that own slots and are not registered are down. `lags`: seconds by source. */
export async function describeCluster(
  { coordinator, operations }: Pick<PeerSession, 'coordinator' | 'operations'>,
  assignment: SlotAssignment | undefined,
  lags: ReadonlyMap<string, number>,
): Promise<ClusterStatus> {
  const registered = await listPeers(coordinator);
  const leader = await coordinator.get('coordinator');
  const owners = await coordinator.list(ownersPrefix);
  const running = (await operations.list('running')).filter(({ state }) => state === 'running');
  const runnerOf = new Map(owners.map(({ key, value }) => [key, value]));
  const owned = new Map<string, number>();
  for (const name of assignment?.table.peers ?? []) owned.set(name, 0);
  const slots = assignment?.table.owners.length ?? 0;
  for (let slot = 0; slot < slots; slot++) {
    const name = assignment?.table.ownerOf(slot);
    if (name !== undefined) owned.set(name, (owned.get(name) ?? 0) + 1);
  }
  const load = (name: string): number => owners.filter(({ value }) => value === name).length;
  const lag = (name: string): Pick<ShownPeer, 'lagSeconds'> => {
    const known = running
      .filter(({ id, kind }) => kind === 'backup' && runnerOf.get(ownerKey(id)) === name)
      .flatMap(({ source }) => lags.get(source ?? '') ?? []);
    return known.length === 0 ? {} : { lagSeconds: Math.max(...known) };
  };
  const share = (name: string): Omit<ShownPeer, 'name' | 'state' | 'version'> => {
    const count = owned.get(name) ?? 0;
    const ownsPercent = slots === 0 ? 0 : Math.round((count / slots) * 1000) / 10;
    return { slots: count, ownsPercent, operations: load(name), ...lag(name) };
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
