// How many copies of a range of keys each peer has beside it: what a restore writes to the nodes that own the range, and
// reads back there, goes over no network for the node that the peer itself sees.
import type { KeyRange } from '../../../model/key-range.ts';
import { type Replication, replicasOf } from './replica-placement.ts';
import { partitionerOf, type Ring } from './ring.ts';

/** By host id, who sees the files of a node; without a peer: whoever works with them. */
export type SeenNodes = ReadonlyMap<
  string,
  { readonly files: { readonly peer: string | undefined } }
>;

/** 1 for each whole copy. Empty where keys are not in the order of the ring. */
export function nearPeers(
  { nodes: members, partitioner: name }: Pick<Ring, 'nodes' | 'partitioner'>,
  replication: Replication,
  nodes: SeenNodes,
): (range: KeyRange) => ReadonlyMap<string, number> {
  const partitioner = partitionerOf({ partitioner: name });
  const placed = partitioner.isRecordOrder ? replicasOf(members, replication, partitioner) : [];
  const parts = placed.map(({ from, to, replicas }) => ({
    from: positionOf(partitioner.place(from)),
    to: positionOf(partitioner.place(to)),
    peers: replicas.flatMap((hostId) => nodes.get(hostId)?.files.peer ?? []),
  }));
  return (range) => {
    const from = range.from ? positionOf(range.from) : 0;
    const to = range.to ? positionOf(range.to) : 1;
    const near = new Map<string, number>();
    for (const part of parts) {
      const width = Math.min(to, part.to) - Math.max(from, part.from);
      if (width <= 0) continue;
      for (const peer of part.peers) near.set(peer, (near.get(peer) ?? 0) + width / (to - from));
    }
    return near;
  };
}

/** Of a key's token on the ring, 0 to 1. */
function positionOf(key: Uint8Array): number {
  let position = 0;
  for (let i = 7; i >= 0; i--) position = (position + (key[i] ?? 0)) / 256;
  return position;
}
