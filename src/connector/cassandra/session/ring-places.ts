// Who owns a partition, by its place on the ring: binary search over the ranges of a keyspace.

import type { Partitioner } from '../key/partitioner.ts';
import { compareRanges } from '../record/record-key.ts';
import type { ReplicaRange } from './replica-placement.ts';

export class RingPlaces {
  readonly #ranges: readonly ReplicaRange[];
  /** Places of the ranges' last tokens. */
  readonly #ends: readonly Uint8Array[];

  /** `ranges`: ascending; they cover the ring. */
  constructor(ranges: readonly ReplicaRange[], partitioner: Partitioner) {
    this.#ranges = ranges;
    this.#ends = ranges.map(({ to }) => partitioner.place(to));
  }

  /** Host ids of those that own it. What follows the bytes of the place is not looked at. */
  ownersAt(place: Uint8Array): readonly string[] {
    return this.#ranges[this.rangeAt(place)]?.replicas ?? [];
  }

  /** The place of the range's last token. */
  endOf(range: number): Uint8Array {
    return this.#ends[range] as Uint8Array;
  }

  /** The number of the first range that ends at or after the place. */
  rangeAt(place: Uint8Array): number {
    let low = 0;
    let high = this.#ends.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      const end = this.#ends[middle] as Uint8Array;
      if (compareRanges(end, 0, end.length, place, 0, end.length) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
