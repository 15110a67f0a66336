// The records of a file as the merge wants them: without partitions that its node does not own, in the order of
// records. Files of a cluster with another partitioner are in its order, so they are sorted, in bounded memory.
import type { Spill } from '../../../base/spill.ts';
import type { BlockStream } from '../../../model/record-block.ts';
import { murmur3Partitioner } from '../key/partitioner.ts';
import { keepTokens, type TokenRange } from '../merge/foreign-partitions.ts';
import { sortPartitions } from '../record/sort-partitions.ts';
import { ownedRanges, type Replication, replicasOf } from './replica-placement.ts';
import { partitionerOf, type Ring } from './ring.ts';
import { RingPlaces } from './ring-places.ts';

/** Where what is sorted goes. */
export interface SortingSpace {
  /** Of all files that are read side by side. */
  readonly memoryBytesMax: number;
  readonly spill: Spill;
}

/** A file's buffer is never smaller: hundreds of them side by side exceed the limit by little. */
const fileBytesMin = 256 * 1024;

/** The part of the memory that `count` files side by side leave for each. */
export function shareOf({ memoryBytesMax, spill }: SortingSpace, count: number): SortingSpace {
  const share = Math.floor(memoryBytesMax / Math.max(1, count));
  return { memoryBytesMax: Math.max(fileBytesMin, share), spill };
}

/** `input`: all records of a file of the host, in the order of the file. */
export function ownedBlocks(
  input: BlockStream,
  owner: {
    readonly ring: Pick<Ring, 'nodes' | 'partitioner'>;
    readonly replication: Replication;
    readonly hostId: string;
  },
  space: SortingSpace,
  signal: AbortSignal,
): BlockStream {
  const { ring, replication, hostId } = owner;
  const partitioner = partitionerOf(ring);
  if (partitioner.isRecordOrder) {
    return keepTokens(input, ownedTokens(ring, replication, hostId));
  }
  const ranges = replicasOf(ring.nodes, replication, partitioner);
  const places = new RingPlaces(ranges, partitioner);
  const owns = (key: Uint8Array): boolean =>
    places.ownersAt(partitioner.placeOfKey(key)).includes(hostId);
  return inRecordOrder(input, owns, { ...space, signal });
}

/** What a node owns, of a partitioner whose order is that of records, as the filter wants it. */
export function ownedTokens(
  ring: Pick<Ring, 'nodes'>,
  replication: Replication,
  hostId: string,
): TokenRange[] {
  const { place } = murmur3Partitioner;
  return ownedRanges(ring.nodes, replication, hostId).map(({ from, to }) => ({
    fromExclusive: place(from),
    toInclusive: place(to),
  }));
}

async function* inRecordOrder(
  input: BlockStream,
  owns: (rawKey: Uint8Array) => boolean,
  space: SortingSpace & { readonly signal: AbortSignal },
): BlockStream {
  const sort = {
    placeOf: (key: Uint8Array, prefix: Uint8Array) =>
      owns(key) ? Uint8Array.from(prefix) : undefined,
    groupOf: () => undefined,
  };
  for await (const { block } of sortPartitions(input, sort, space)) yield block;
}
