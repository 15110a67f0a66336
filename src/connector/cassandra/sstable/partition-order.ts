// The order of partitions in a file: that of its cluster's partitioner, keys of one token by their bytes.
import { assert } from '../../../base/assert.ts';
import { compareBytes, concatBytes, emptyBytes } from '../../../base/bytes.ts';
import type { Partitioner } from '../key/partitioner.ts';
import { tokenBytes } from '../key/record-key.ts';

export class PartitionOrder {
  readonly partitioner: Partitioner;
  #last: Uint8Array = emptyBytes;

  constructor(partitioner: Partitioner) {
    this.partitioner = partitioner;
  }

  /** The next partition, as its keys begin, which must not change any more, and raw. */
  enter(prefix: Uint8Array, rawKey: Uint8Array): void {
    const { isRecordOrder } = this.partitioner;
    const place = isRecordOrder
      ? prefix
      : concatBytes([this.partitioner.placeOfKey(rawKey), prefix.subarray(tokenBytes)]);
    assert(compareBytes(this.#last, place) < 0, 'partitions are written in ascending order');
    this.#last = place;
  }
}
