// Who owns a record of an ascending stream, as the partitioner and the replication of a keyspace place it.
import { assert } from '../../../base/assert.ts';
import { rawPartitionKey } from '../key/record-key.ts';
import { PartitionTracker, recordKinds } from '../record/record-key.ts';
import { type Replication, replicasOf } from '../session/replica-placement.ts';
import { partitionerOf, type Ring } from '../session/ring.ts';
import { RingPlaces } from '../session/ring-places.ts';

/** Host ids. The record lies in a block: key `bytes[start, middle)`, value `bytes[middle, end)`. */
export type OwnersOf = (
  bytes: Uint8Array,
  start: number,
  middle: number,
  end: number,
) => readonly string[];

/** To be told every record, in order: what owns a partition is looked up once. */
export function recordOwners(
  ring: Pick<Ring, 'nodes' | 'partitioner'>,
  replication: Replication,
): OwnersOf {
  const partitioner = partitionerOf(ring);
  const places = new RingPlaces(replicasOf(ring.nodes, replication, partitioner), partitioner);
  const tracker = new PartitionTracker();
  let owners: readonly string[] = [];
  return (bytes, start, middle, end) => {
    if (!tracker.enter(bytes, start, middle)) return owners;
    if (partitioner.isRecordOrder) {
      owners = places.ownersAt(bytes.subarray(start, middle));
      return owners;
    }
    const isCut = tracker.kind(bytes, start, middle) === recordKinds.partitionKey;
    const raw =
      rawPartitionKey(tracker.partition) ?? (isCut ? bytes.subarray(middle, end) : undefined);
    assert(raw, 'a partition whose key is cut begins with it');
    owners = places.ownersAt(partitioner.placeOfKey(raw));
    return owners;
  };
}
