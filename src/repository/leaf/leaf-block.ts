// Leaves decoded into one buffer, their keys whole again: what folds and walks read, without an object a record.
import { compareBytes, view } from '../../base/bytes.ts';
import { leafIdBytes } from '../../model/id.ts';
import type { KeyRange } from '../../model/key-range.ts';
import { BlockBatch, type RecordBlock } from '../../model/record-block.ts';
import { damagedOrder, decoding, type LeafRecord } from './leaf-codec.ts';

/** Records as leaves hold them: of a large value the block has the ids of its chunks. */
export interface LeafBlock extends RecordBlock {
  /** Lengths of the whole large values, by the record's place. */
  readonly externalBytes: ReadonlyMap<number, number>;
}

/** Puts leaves behind one another. */
export class LeafBlockBuilder {
  #bytes: Buffer;
  #bounds = new Uint32Array(1024);
  #length = 0;
  #count = 0;
  readonly #externalBytes = new Map<number, number>();

  /** `bytes`: as many as the records have, about. */
  constructor(bytes: number) {
    this.#bytes = Buffer.allocUnsafeSlow(bytes);
  }

  /** Errors: `object-damaged`; the block is of no use then. */
  add(leaf: Uint8Array): void {
    const from = view(leaf);
    decoding('leaf', leaf, (reader) => {
      let keyStart = 0;
      let keyLength = 0;
      for (let left = reader.varint(); left > 0; left--) {
        const shared = reader.varint();
        const restLength = reader.varint();
        const rest = reader.skip(restLength);
        const coded = reader.varint();
        const isExternal = coded % 2 === 1;
        const valueLength = isExternal ? reader.varint() * leafIdBytes : coded / 2;
        const value = reader.skip(valueLength);
        const ascends =
          shared === keyLength ||
          (shared < keyLength &&
            (from[rest] as number) > (this.#bytes[keyStart + shared] as number));
        if (restLength === 0 || !ascends) throw damagedOrder();
        if (isExternal) this.#externalBytes.set(this.#count, (coded - 1) / 2);
        const start = this.#begin(shared + restLength, valueLength);
        // Keys are short: a call takes longer than their bytes.
        const bytes = this.#bytes;
        for (let i = 0; i < shared; i++) bytes[start + i] = bytes[keyStart + i] as number;
        const middle = start + shared + restLength;
        for (let i = start + shared, k = rest; i < middle; i++, k++) bytes[i] = from[k] as number;
        from.copy(bytes, middle, value, value + valueLength);
        keyStart = start;
        keyLength = shared + restLength;
      }
    });
  }

  finish(): LeafBlock {
    return {
      bytes: this.#bytes.subarray(0, this.#length),
      bounds: this.#bounds.subarray(0, 2 * this.#count + 1),
      count: this.#count,
      externalBytes: this.#externalBytes,
    };
  }

  /** Notes a record and makes room for it; where it starts. */
  #begin(keyLength: number, valueLength: number): number {
    const start = this.#length;
    this.#length = start + keyLength + valueLength;
    if (this.#length > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(this.#length, 2 * this.#bytes.length));
      this.#bytes.copy(grown, 0, 0, start);
      this.#bytes = grown;
    }
    const at = 2 * this.#count++;
    if (at + 3 > this.#bounds.length) {
      const grown = new Uint32Array(2 * this.#bounds.length);
      grown.set(this.#bounds);
      this.#bounds = grown;
    }
    this.#bounds[at + 1] = start + keyLength;
    this.#bounds[at + 2] = this.#length;
    return start;
  }
}

/** The records of a leaf. Errors: `object-damaged`. */
export function decodeLeaf(leaf: Uint8Array): LeafRecord[] {
  const builder = new LeafBlockBuilder(leaf.length);
  builder.add(leaf);
  return leafRecords(builder.finish());
}

/** The records one by one; views of the block. */
export function leafRecords(block: LeafBlock): LeafRecord[] {
  const { externalBytes } = block;
  return new BlockBatch(block).map(({ key, value }, i) => {
    return { key, value, externalBytes: externalBytes.get(i) };
  });
}

/** Without the records that lie outside of the range; no copy. */
export function blockWithin(block: LeafBlock, { from, to }: KeyRange): LeafBlock {
  const { bytes, bounds, count, externalBytes } = block;
  const key = (i: number): Uint8Array => bytes.subarray(bounds[2 * i], bounds[2 * i + 1]);
  let first = 0;
  let end = count;
  if (from) while (first < end && compareBytes(key(first), from) < 0) first++;
  if (to) while (end > first && compareBytes(key(end - 1), to) >= 0) end--;
  if (first === 0 && end === count) return block;
  const left = [...externalBytes].filter(([i]) => i >= first && i < end);
  return {
    bytes,
    bounds: bounds.subarray(2 * first, 2 * end + 1),
    count: end - first,
    externalBytes: new Map(left.map(([i, length]) => [i - first, length])),
  };
}
