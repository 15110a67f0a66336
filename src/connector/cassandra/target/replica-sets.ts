// Which nodes get a record: the token ranges of a keyspace in the target, by sets of replicas. A set's ranges
// need not be neighbours; records of ascending tokens stay ascending within each set.
import { compareBytes } from '../../../base/bytes.ts';
import type { RecordBlock } from '../../../model/record-block.ts';
import { murmur3Partitioner, type Partitioner } from '../key/partitioner.ts';
import { type Replication, type RingNode, replicasOf } from '../session/replica-placement.ts';
import { RingPlaces } from '../session/ring-places.ts';

/** Equal sets of nodes are one object. */
export interface ReplicaSet {
  /** Host ids, ascending. */
  readonly hostIds: readonly string[];
}

/** A part of a block whose records all belong to one set. */
export interface OwnedPart {
  readonly set: ReplicaSet;
  readonly block: RecordBlock;
}

export class ReplicaSets {
  readonly all: readonly ReplicaSet[];
  readonly partitioner: Partitioner;
  readonly #places: RingPlaces;
  /** By the numbers of the ranges. */
  readonly #sets: ReplicaSet[] = [];

  /** Errors: `source-unfit` for a strategy whose placement is not known. */
  constructor(
    nodes: readonly RingNode[],
    replication: Replication,
    partitioner: Partitioner = murmur3Partitioner,
  ) {
    this.partitioner = partitioner;
    const known = new Map<string, ReplicaSet>();
    const ranges = replicasOf(nodes, replication, partitioner);
    this.#places = new RingPlaces(ranges, partitioner);
    for (const { replicas } of ranges) {
      const hostIds = [...replicas].sort();
      const name = hostIds.join();
      const set = known.get(name) ?? { hostIds };
      known.set(name, set);
      this.#sets.push(set);
    }
    this.all = [...known.values()];
  }

  /** Ranges of the ring; neighbours may have one set. */
  get ranges(): number {
    return this.#sets.length;
  }

  /** The set that owns a place. What follows the bytes of the place is not looked at. */
  setAt(place: Uint8Array): ReplicaSet {
    return this.#sets[this.#places.rangeAt(place)] as ReplicaSet;
  }

  /** Cuts a block of Murmur3's order where ranges of other sets begin. The memory is shared. */
  *parts(block: RecordBlock): Generator<OwnedPart> {
    let start = 0;
    while (start < block.count) {
      let range = this.#rangeOf(block, start);
      const set = this.#sets[range] as ReplicaSet;
      let end = this.#firstAfter(block, start, range);
      // Neighbouring ranges of one set stay together.
      while (end < block.count && this.#sets[this.#rangeOf(block, end)] === set) {
        range = this.#rangeOf(block, end);
        end = this.#firstAfter(block, end, range);
      }
      yield { set, block: partOf(block, start, end) };
      start = end;
    }
  }

  /** The first range that ends at or after the record's token. */
  #rangeOf(block: RecordBlock, index: number): number {
    return this.#places.rangeAt(tokenAt(block, index));
  }

  /** The first record from `start` on whose token lies past the range. */
  #firstAfter(block: RecordBlock, start: number, range: number): number {
    const end = this.#places.endOf(range);
    let low = start;
    let high = block.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareBytes(tokenAt(block, middle), end) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Records [start, end) of a block; the memory is shared. */
export function partOf(block: RecordBlock, start: number, end: number): RecordBlock {
  if (start === 0 && end === block.count) return block;
  const { bytes, bounds } = block;
  return { bytes, bounds: bounds.subarray(2 * start, 2 * end + 1), count: end - start };
}

function tokenAt({ bytes, bounds }: RecordBlock, index: number): Uint8Array {
  const at = bounds[2 * index] as number;
  return bytes.subarray(at, at + 8);
}
