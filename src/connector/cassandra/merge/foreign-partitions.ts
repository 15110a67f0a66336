// Drops partitions that a node did not own: leftovers of ranges it lost and never cleaned up, which would bring
// back what was deleted since (a cluster's own cure is `nodetool cleanup`). Only tokens are looked at.
import { assert } from '../../../base/assert.ts';
import type { BlockStream, RecordBlock } from '../../../model/record-block.ts';
import { tokenBytes } from '../key/record-key.ts';
import { BlockBuilder } from '../record/block-builder.ts';

/** Tokens in (fromExclusive, toInclusive], as keys begin: 8 bytes, sign bit flipped. */
export interface TokenRange {
  readonly fromExclusive: Uint8Array;
  readonly toInclusive: Uint8Array;
}

/**
 * Only the records whose tokens are in one of the ranges, which ascend and do not overlap; one that wraps at the
 * ring's end is two here. Blocks that lie in a range as a whole are handed on as they are.
 */
export async function* keepTokens(input: BlockStream, ranges: readonly TokenRange[]): BlockStream {
  const owned = new TokenRanges(ranges);
  const out = new BlockBuilder();
  for await (const block of input) {
    if (block.count === 0) continue;
    if (owned.holdsBlock(block)) {
      if (out.count > 0) yield out.take();
      yield block;
      continue;
    }
    const { bytes, bounds, count } = block;
    for (let i = 0; i < count; i++) {
      const start = bounds[2 * i] as number;
      if (owned.find(bytes, start) < 0) continue;
      out.copy(bytes, start, bounds[2 * i + 1] as number, bounds[2 * i + 2] as number);
      if (out.full) yield out.take();
    }
  }
  if (out.count > 0) yield out.take();
}

/** Finds the range of a token, of those that ascend and do not overlap. */
export class TokenRanges {
  readonly #ranges: readonly TokenRange[];
  /** Where the last token was: the next is mostly there too. */
  #last = 0;

  constructor(ranges: readonly TokenRange[]) {
    this.#ranges = ranges;
    let end: Uint8Array | undefined;
    for (const { fromExclusive, toInclusive } of ranges) {
      const ascends =
        compareTokens(fromExclusive, 0, toInclusive) < 0 &&
        (end === undefined || compareTokens(end, 0, fromExclusive) <= 0);
      assert(ascends, 'token ranges ascend and do not overlap');
      end = toInclusive;
    }
  }

  /** Whether all tokens of the block are in one range: keys ascend, so its ends tell. */
  holdsBlock({ bytes, bounds, count }: RecordBlock): boolean {
    const first = this.find(bytes, bounds[0] as number);
    return first >= 0 && this.find(bytes, bounds[2 * (count - 1)] as number) === first;
  }

  /** The range of the token at `bytes[at]`, -1 for none. */
  find(bytes: Uint8Array, at: number): number {
    if (this.#holds(this.#last, bytes, at)) return this.#last;
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const { toInclusive } = this.#ranges[middle] as TokenRange;
      if (compareTokens(bytes, at, toInclusive) > 0) low = middle + 1;
      else high = middle;
    }
    if (!this.#holds(low, bytes, at)) return -1;
    this.#last = low;
    return low;
  }

  #holds(index: number, bytes: Uint8Array, at: number): boolean {
    const range = this.#ranges[index];
    if (range === undefined) return false;
    const { fromExclusive, toInclusive } = range;
    return (
      compareTokens(bytes, at, toInclusive) <= 0 && compareTokens(bytes, at, fromExclusive) > 0
    );
  }
}

function compareTokens(bytes: Uint8Array, at: number, token: Uint8Array): number {
  for (let i = 0; i < tokenBytes; i++) {
    const difference = (bytes[at + i] as number) - (token[i] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}
