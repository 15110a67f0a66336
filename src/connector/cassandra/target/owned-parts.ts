// Records for the files of a target: cut by the sets of nodes that own them, in the order of the target's partitioner.
// Records come in the order of Murmur3; for another one whole partitions are sorted, in bounded memory.
import { concatBytes } from '../../../base/bytes.ts';
import type { BlockStream } from '../../../model/record-block.ts';
import { tokenBytes } from '../key/record-key.ts';
import { type SortSpace, sortPartitions } from '../record/sort-partitions.ts';
import type { OwnedPart, ReplicaSets } from './replica-sets.ts';

/** Within each set partitions ascend as its files hold them. Scratch space goes with the stream. */
export async function* ownedParts(
  blocks: BlockStream,
  sets: ReplicaSets,
  space: SortSpace,
): AsyncGenerator<OwnedPart, void, void> {
  const { partitioner } = sets;
  if (partitioner.isRecordOrder) {
    for await (const block of blocks) yield* sets.parts(block);
    return;
  }
  const sort = {
    // Keys of one token go by their bytes.
    placeOf: (key: Uint8Array, prefix: Uint8Array) =>
      concatBytes([partitioner.placeOfKey(key), prefix.subarray(tokenBytes)]),
    groupOf: (place: Uint8Array) => sets.setAt(place),
  };
  for await (const { group, block } of sortPartitions(blocks, sort, space)) {
    yield { set: group, block };
  }
}
