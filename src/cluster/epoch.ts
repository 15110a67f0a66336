// The term of a leader: who acts on an older one acts for somebody who has been replaced.

/** Within one cluster id of etcd the revision never falls. */
export interface Epoch {
  /** Of etcd; another one after etcd was begun anew. */
  readonly clusterId: string;
  /** Create revision of the leader's key. */
  readonly revision: number;
}

/** True when `epoch` must give way to `seen`. Epochs of different clusters have no order: the one at hand counts. */
export function isOlder(epoch: Epoch, seen: Epoch): boolean {
  return epoch.clusterId === seen.clusterId && epoch.revision < seen.revision;
}

export function sameEpoch(a: Epoch, b: Epoch): boolean {
  return a.clusterId === b.clusterId && a.revision === b.revision;
}
