// Who owns a record of an ascending stream, as the partitioner and the replication of a keyspace place it.
import { assert } from '../../../base/assert.ts';
import type { DataRecord } from '../../../model/record.ts';
import { rawPartitionKey } from '../key/record-key.ts';
import { PartitionTracker, recordKinds } from '../record/record-key.ts';
import { type Replication, replicasOf } from '../session/replica-placement.ts';
import { partitionerOf, type Ring } from '../session/ring.ts';
import { RingPlaces } from '../session/ring-places.ts';

/** Gives host ids; to be told every record, in order: what owns a partition is looked up once. */
export function recordOwners(
  ring: Pick<Ring, 'nodes' | 'partitioner'>,
  replication: Replication,
): (record: DataRecord) => readonly string[] {
  const partitioner = partitionerOf(ring);
  const places = new RingPlaces(replicasOf(ring.nodes, replication, partitioner), partitioner);
  const tracker = new PartitionTracker();
  let owners: readonly string[] = [];
  return ({ key, value }) => {
    if (!tracker.enter(key, 0, key.length)) return owners;
    if (partitioner.isRecordOrder) {
      owners = places.ownersAt(key);
      return owners;
    }
    const isCut = tracker.kind(key, 0, key.length) === recordKinds.partitionKey;
    const raw = rawPartitionKey(tracker.partition) ?? (isCut ? value : undefined);
    assert(raw, 'a partition whose key is cut begins with it');
    owners = places.ownersAt(partitioner.placeOfKey(raw));
    return owners;
  };
}
