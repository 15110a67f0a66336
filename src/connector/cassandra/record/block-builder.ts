// Fills record blocks. Records that are taken over unchanged and lie side by side in their block are copied as
// one run: where inputs hardly differ, making the output is one large copy after another.
import type { RecordBlock } from '../../../model/record-block.ts';

/** A block is handed on when it has this many bytes. */
export const blockBytesTarget = 256 * 1024;
const capacity = blockBytesTarget + 16 * 1024;
const empty = new Uint8Array(0);

export class BlockBuilder {
  #bytes = Buffer.allocUnsafeSlow(capacity);
  #bounds = new Uint32Array(8192);
  #count = 0;
  /** Bytes of all records, those of the open run too. */
  #length = 0;
  /** The open run: `run[runStart, runEnd)` goes to the end of what is written. */
  #run: Uint8Array = empty;
  #runStart = 0;
  #runEnd = 0;
  readonly #givesViews: boolean;

  /** `givesViews`: blocks may lie in the memory of what was copied from. */
  constructor({ givesViews = false } = {}) {
    this.#givesViews = givesViews;
  }

  get count(): number {
    return this.#count;
  }

  get full(): boolean {
    return this.#length >= blockBytesTarget;
  }

  /** A record as it lies in a block: key `bytes[start, middle)`, value `bytes[middle, end)`. */
  copy(bytes: Uint8Array, start: number, middle: number, end: number): void {
    this.#bound(middle - start, end - middle);
    if (bytes === this.#run && start === this.#runEnd) {
      this.#runEnd = end;
      return;
    }
    this.#closeRun(end - start);
    this.#run = bytes;
    this.#runStart = start;
    this.#runEnd = end;
  }

  /** A record of a key out of a block and a new value. */
  add(
    bytes: Uint8Array,
    start: number,
    middle: number,
    value: Uint8Array,
    valueLength: number,
  ): void {
    const at = this.#length;
    this.#bound(middle - start, valueLength);
    this.#closeRun(middle - start + valueLength);
    this.#bytes.set(bytes.subarray(start, middle), at);
    this.#bytes.set(value.subarray(0, valueLength), at + middle - start);
  }

  /** All records since the last time. Unless blocks are views their memory is the caller's. */
  take(): RecordBlock {
    const runBytes = this.#runEnd - this.#runStart;
    if (this.#givesViews && runBytes === this.#length && runBytes >= capacity / 2) {
      return this.#taken(this.#runView());
    }
    this.#closeRun(0);
    const block: RecordBlock = {
      bytes: this.#bytes.subarray(0, this.#length),
      bounds: this.#bounds.slice(0, 2 * this.#count + 1),
      count: this.#count,
    };
    // A block that is much smaller than its memory would hold all of it.
    if (this.#length < capacity / 2) {
      return this.#taken({ ...block, bytes: new Uint8Array(block.bytes) });
    }
    this.#bytes = Buffer.allocUnsafeSlow(capacity);
    return this.#taken(block);
  }

  /** The open run, which is all there is, where it lies. */
  #runView(): RecordBlock {
    const bounds = this.#bounds.slice(0, 2 * this.#count + 1);
    for (let i = 0; i < bounds.length; i++) bounds[i] = (bounds[i] as number) + this.#runStart;
    return { bytes: this.#run, bounds, count: this.#count };
  }

  #taken(block: RecordBlock): RecordBlock {
    this.#run = empty;
    this.#runStart = 0;
    this.#runEnd = 0;
    this.#count = 0;
    this.#length = 0;
    return block;
  }

  /** Notes the bounds of a record that follows. */
  #bound(keyLength: number, valueLength: number): void {
    const at = 2 * this.#count++;
    if (at + 3 > this.#bounds.length) {
      const grown = new Uint32Array(2 * this.#bounds.length);
      grown.set(this.#bounds);
      this.#bounds = grown;
    }
    this.#bounds[at] = this.#length;
    this.#bounds[at + 1] = this.#length + keyLength;
    this.#length += keyLength + valueLength;
    this.#bounds[at + 2] = this.#length;
  }

  /** Copies the open run; `following` bytes, counted already, come after it. */
  #closeRun(following: number): void {
    const size = this.#runEnd - this.#runStart;
    const to = this.#length - following - size;
    if (this.#length > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(this.#length, 2 * this.#bytes.length));
      this.#bytes.copy(grown, 0, 0, to);
      this.#bytes = grown;
    }
    if (size > 0) this.#bytes.set(this.#run.subarray(this.#runStart, this.#runEnd), to);
    this.#run = empty;
    this.#runStart = 0;
    this.#runEnd = 0;
  }
}
