// One input of the merge: the record it is at, and the deletions of its partition that hold there. The next
// block is asked for only when the one at hand is read, so an input costs one block of memory. One whose first place
// is known waits there: nothing of it is asked for before the merge is at that place.
import { TruncatedBytesError, view } from '../../../base/bytes.ts';
import type { BlockStream, RecordBlock } from '../../../model/record-block.ts';
import { tokenBytes } from '../key/record-key.ts';
import { Deletion } from './deletion.ts';

/** An input that begins no earlier than the place: it is opened there. */
export interface LateInput {
  /** As a partition's keys begin, or a key. */
  readonly from: Uint8Array;
  readonly blocks: BlockStream;
}

export type MergeInput = BlockStream | LateInput;

/** From this size on a comparison is worth a call out of JavaScript. */
const nativeBytesMin = 512;

export class InputCursor {
  bytes: Buffer = Buffer.alloc(0);
  /** The record: key `bytes[start, middle)`, value `bytes[middle, end)`. */
  start = 0;
  middle = 0;
  end = 0;
  /** It is at the place where it begins, which is less than its first record. */
  waits = false;
  /** What the input's range deletions say at this place of the partition. */
  readonly open = new Deletion();

  readonly #blocks: AsyncIterator<RecordBlock>;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #bounds: Uint32Array = new Uint32Array(1);
  #count = 0;
  #index = -1;
  #tokenHi = 0;
  #tokenLo = 0;

  constructor(input: MergeInput) {
    const stream = 'blocks' in input ? input.blocks : input;
    this.#blocks = stream[Symbol.asyncIterator]();
    if ('blocks' in input) this.#waitAt(input.from);
  }

  /** Goes on in the block at hand; false at its end. */
  advance(): boolean {
    const index = ++this.#index;
    if (index >= this.#count) return false;
    this.start = this.#bounds[2 * index] as number;
    this.middle = this.#bounds[2 * index + 1] as number;
    this.end = this.#bounds[2 * index + 2] as number;
    if (this.middle - this.start <= tokenBytes) {
      throw new TruncatedBytesError(`a key of ${this.middle - this.start} bytes has no kind`);
    }
    this.#tokenHi = this.#view.getUint32(this.start);
    this.#tokenLo = this.#view.getUint32(this.start + 4);
    return true;
  }

  /** Goes to the first record of the next block that has any; false at the input's end. */
  async nextBlock(): Promise<boolean> {
    this.waits = false;
    for (;;) {
      const result = await this.#blocks.next();
      if (result.done === true) return false;
      const { bytes, bounds, count } = result.value;
      this.bytes = view(bytes);
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      this.#bounds = bounds;
      this.#count = count;
      this.#index = -1;
      if (this.advance()) return true;
    }
  }

  async close(): Promise<void> {
    await this.#blocks.return?.();
  }

  #waitAt(place: Uint8Array): void {
    this.waits = true;
    this.bytes = view(place);
    this.#view = new DataView(place.buffer, place.byteOffset, place.byteLength);
    this.end = place.length;
    this.middle = place.length;
    this.#tokenHi = this.#view.getUint32(0);
    this.#tokenLo = this.#view.getUint32(4);
  }

  /** Order of the keys at hand. */
  compareKey(other: InputCursor): number {
    if (this.#tokenHi !== other.#tokenHi) return this.#tokenHi - other.#tokenHi;
    if (this.#tokenLo !== other.#tokenLo) return this.#tokenLo - other.#tokenLo;
    const mine = this.#view;
    const others = other.#view;
    let a = this.start + tokenBytes;
    let b = other.start + tokenBytes;
    const words = Math.min(this.middle - a, other.middle - b) & ~3;
    for (const last = a + words; a < last; a += 4, b += 4) {
      const left = mine.getUint32(a);
      const right = others.getUint32(b);
      if (left !== right) return left - right;
    }
    for (; a < this.middle && b < other.middle; a++, b++) {
      const difference = (this.bytes[a] as number) - (other.bytes[b] as number);
      if (difference !== 0) return difference;
    }
    return this.middle - a - (other.middle - b);
  }

  hasEqualValue(other: InputCursor): boolean {
    const size = this.end - this.middle;
    if (size !== other.end - other.middle) return false;
    if (size >= nativeBytesMin) {
      const { bytes, middle, end } = other;
      return this.bytes.compare(bytes, middle, end, this.middle, this.end) === 0;
    }
    let a = this.middle;
    let b = other.middle;
    for (const last = a + (size & ~3); a < last; a += 4, b += 4) {
      if (this.#view.getUint32(a) !== other.#view.getUint32(b)) return false;
    }
    for (; a < this.end; a++, b++) if (this.bytes[a] !== other.bytes[b]) return false;
    return true;
  }

  /** Whether the key is `from` or comes after it. */
  isFrom(from: Uint8Array): boolean {
    return this.bytes.compare(from, 0, from.length, this.start, this.middle) >= 0;
  }
}
