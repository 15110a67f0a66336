// Records as they are made, byte by byte, in the memory of the block that they leave in.

import type { RecordBlock } from '../../../model/record-block.ts';
import { blockBytesTarget } from '../record/block-builder.ts';

/** Records that go past the target, mostly. */
const slackBytes = 16 * 1024;

/** Fields are public: the decoder of rows writes without calls. */
export class RecordSink {
  bytes: Buffer;
  /** Bytes written, those of the open record too. */
  length = 0;
  bounds = new Uint32Array(4096);
  count = 0;
  readonly #target: number;

  /** A block is handed on when it has so many bytes. */
  constructor(target = blockBytesTarget) {
    this.#target = Math.min(target, blockBytesTarget);
    this.bytes = Buffer.allocUnsafeSlow(this.#target + slackBytes);
  }

  get full(): boolean {
    return this.length >= this.#target;
  }

  /** Room for `count` more bytes. `bytes` may be another buffer after it. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.bytes.length));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }

  /** Closes the record that began where the last one ended; its value began at `middle`. */
  close(middle: number): void {
    const at = 2 * this.count++;
    if (at + 3 > this.bounds.length) {
      const grown = new Uint32Array(2 * this.bounds.length);
      grown.set(this.bounds);
      this.bounds = grown;
    }
    this.bounds[at + 1] = middle;
    this.bounds[at + 2] = this.length;
  }

  /** Forgets the open record. */
  drop(): void {
    this.length = this.bounds[2 * this.count] as number;
  }

  u32(value: number): void {
    const { bytes, length: at } = this;
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
    this.length = at + 4;
  }

  /** Unsigned LEB128. */
  varint(value: number): void {
    const { bytes } = this;
    let at = this.length;
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) + 128;
    bytes[at++] = rest;
    this.length = at;
  }

  /** Copies `source[start, end)`; the room must be there. */
  copy(source: Uint8Array, start: number, end: number): void {
    const { bytes, length: at } = this;
    const size = end - start;
    // A short copy in JavaScript costs less than the call and the view of `set`.
    if (size > 48) bytes.set(source.subarray(start, end), at);
    else for (let i = 0; i < size; i++) bytes[at + i] = source[start + i] as number;
    this.length = at + size;
  }

  /** All records since the last time; their memory is the caller's. */
  take(): RecordBlock {
    const { length, count } = this;
    const capacity = this.#target + slackBytes;
    const small = length < capacity / 2;
    const bytes = small
      ? new Uint8Array(this.bytes.subarray(0, length))
      : this.bytes.subarray(0, length);
    if (!small) this.bytes = Buffer.allocUnsafeSlow(capacity);
    this.length = 0;
    this.count = 0;
    return { bytes, bounds: this.bounds.slice(0, 2 * count + 1), count };
  }
}
