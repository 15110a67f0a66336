// A stage behind the merge: only the records of some ranges of keys. What deletions outside of them shadow has gone
// before, and the live form that follows drops the key of a partition of which nothing else is left.
import { compareBytes } from '../../../base/bytes.ts';
import type { KeyRange } from '../../../model/key-range.ts';
import type { BlockStream } from '../../../model/record-block.ts';
import { BlockBuilder } from '../record/block-builder.ts';

/** `ranges`: ascending, disjoint. Ends with the last of them, whatever the input still holds. */
export async function* withinRanges(input: BlockStream, ranges: readonly KeyRange[]): BlockStream {
  const out = new BlockBuilder();
  let current = 0;
  for await (const { bytes, bounds, count } of input) {
    for (let i = 0; i < count; i++) {
      const start = bounds[2 * i] as number;
      const middle = bounds[2 * i + 1] as number;
      const key = bytes.subarray(start, middle);
      while (current < ranges.length && isBehind(key, ranges[current] as KeyRange)) current++;
      const range = ranges[current];
      if (range === undefined) break;
      if (range.from && compareBytes(key, range.from) < 0) continue;
      out.copy(bytes, start, middle, bounds[2 * i + 2] as number);
      if (out.full) yield out.take();
    }
    if (current >= ranges.length) break;
  }
  if (out.count > 0) yield out.take();
}

function isBehind(key: Uint8Array, { to }: KeyRange): boolean {
  return to !== undefined && compareBytes(key, to) >= 0;
}
