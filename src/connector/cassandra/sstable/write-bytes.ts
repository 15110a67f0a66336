// Growing memory for what the writer encodes: big-endian integers and Cassandra's unsigned vint.
//
// A vint's first byte has as many leading ones as bytes follow; 64-bit values travel as two 32-bit halves, so
// nothing here makes a BigInt. Fields are public: the encoder of rows writes through them without calls.
import { view } from '../../../base/bytes.ts';

const two32 = 2 ** 32;

/** Bytes of the vint of a non-negative safe integer. */
export function vintLength(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  const high = Math.floor(value / two32);
  return lengthOfBits(high === 0 ? 32 - Math.clz32(value) : 64 - Math.clz32(high));
}

function lengthOfBits(bits: number): number {
  return bits > 56 ? 9 : Math.max(1, Math.ceil(bits / 7));
}

export class OutBytes {
  bytes: Buffer;
  length = 0;

  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafeSlow(capacity);
  }

  /** Room for `count` more bytes. The writing methods below, but for `copy` and `text`, want it made first. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.bytes.length));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }

  u8(value: number): void {
    this.bytes[this.length++] = value;
  }

  u16(value: number): void {
    this.bytes[this.length++] = value >>> 8;
    this.bytes[this.length++] = value;
  }

  /** Signed or unsigned. */
  i32(value: number): void {
    const { bytes, length: at } = this;
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
    this.length = at + 4;
  }

  i64(hi: number, lo: number): void {
    this.i32(hi);
    this.i32(lo);
  }

  /** A non-negative safe integer in eight bytes. */
  long(value: number): void {
    this.i64(Math.floor(value / two32), value >>> 0);
  }

  double(value: number): void {
    this.length = this.bytes.writeDoubleBE(value, this.length);
  }

  /** The unsigned vint of a non-negative safe integer. */
  vint(value: number): void {
    if (value < 0x80) this.bytes[this.length++] = value;
    else if (value < 0x4000) {
      this.bytes[this.length++] = 0x80 | (value >>> 8);
      this.bytes[this.length++] = value;
    } else this.vint64(Math.floor(value / two32), value >>> 0);
  }

  /** The unsigned vint of 64 bits. */
  vint64(hi: number, lo: number): void {
    const high = hi >>> 0;
    let low = lo >>> 0;
    const size = lengthOfBits(high === 0 ? 32 - Math.clz32(low) : 64 - Math.clz32(high));
    if (size === 9) {
      this.bytes[this.length++] = 0xff;
      this.i64(high, low);
      return;
    }
    const { bytes, length: at } = this;
    let rest = high;
    for (let i = at + size - 1; i >= at; i--) {
      bytes[i] = low;
      low = (low >>> 8) | (rest << 24);
      rest >>>= 8;
    }
    bytes[at] = (bytes[at] as number) | (0xff & ~(0xff >>> (size - 1)));
    this.length = at + size;
  }

  /** A 32-bit difference as Cassandra writes it: a negative one with its sign in all 64 bits. */
  vint32(value: number): void {
    const signed = value | 0;
    if (signed < 0) this.vint64(-1, signed);
    else this.vint(signed);
  }

  /** The signed vint: zigzag of it. */
  signedVint(value: number): void {
    this.vint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  /** Appends `source[start, end)`, and makes room for it. */
  copy(source: Uint8Array, start: number, end: number): void {
    const size = end - start;
    if (this.length + size > this.bytes.length) this.reserve(size);
    const { bytes, length: at } = this;
    if (size <= 24) for (let i = 0; i < size; i++) bytes[at + i] = source[start + i] as number;
    else bytes.set(source.subarray(start, end), at);
    this.length = at + size;
  }

  /** UTF-8 after its length in two bytes. */
  text(value: string): void {
    const size = Buffer.byteLength(value);
    this.reserve(size + 2);
    this.u16(size);
    this.length += this.bytes.write(value, this.length);
  }

  /** Bytes after the vint of their length. */
  withVint(value: Uint8Array): void {
    this.reserve(9);
    this.vint(value.length);
    this.copy(value, 0, value.length);
  }

  /** A copy of all that was written. */
  taken(): Buffer {
    return Buffer.from(view(this.bytes.subarray(0, this.length)));
  }
}

/** A signed big-endian number: a call into a buffer costs more. */
export function readI32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  );
}
