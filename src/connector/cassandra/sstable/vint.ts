// Reads Cassandra's primitives: big-endian integers and the unsigned vint of
// utils/vint/VIntCoding.java.
//
// The number of leading one bits of a vint's first byte is the number of bytes that follow, 0 to 8;
// the rest of the first byte and those bytes are the value, big-endian. 64-bit values come as two
// 32-bit halves.
//
// Nothing here looks at the end of the bytes: whoever reads compares `at` with the end when a thing
// is read whole. Past the end there are zeros, so that a loop over counts that were read needs its
// own limit.

const scale = 2 ** 32;

/** A place in bytes, moved by reading. */
export class ByteCursor {
  bytes: Uint8Array;
  at: number;
  /** What {@link long} and {@link vint64} read: signed halves. */
  hi = 0;
  lo = 0;

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  u8(): number {
    return (this.bytes[this.at++] as number) | 0;
  }

  u16(): number {
    const { bytes, at } = this;
    this.at = at + 2;
    return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  }

  i32(): number {
    const { bytes, at } = this;
    this.at = at + 4;
    const high = ((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16);
    return high | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
  }

  u32(): number {
    return this.i32() >>> 0;
  }

  /** Eight bytes into `hi` and `lo`. */
  long(): void {
    this.hi = this.i32();
    this.lo = this.i32();
  }

  /** Eight bytes as a number; it is exact within the safe integers. */
  safeLong(): number {
    this.long();
    return this.hi * scale + (this.lo >>> 0);
  }

  bigLong(): bigint {
    this.long();
    return (BigInt(this.hi) << 32n) | BigInt(this.lo >>> 0);
  }

  double(): number {
    const { bytes, at } = this;
    this.at = at + 8;
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getFloat64(at);
  }

  /** A vint as a number; it is exact within the safe integers. */
  vint(): number {
    const first = this.bytes[this.at++] as number;
    return first < 0x80 ? first : this.#more(first);
  }

  /** A vint into `hi` and `lo`. */
  vint64(): void {
    const { bytes } = this;
    let at = this.at;
    const first = bytes[at++] as number;
    let hi = 0;
    let lo = first;
    if (!(first < 0x80)) {
      const more = Math.clz32(~(first << 24));
      lo = first & (0xff >> more);
      for (const end = at + more; at < end; at++) {
        hi = (hi << 8) | (lo >>> 24);
        lo = (lo << 8) | (bytes[at] as number);
      }
    }
    this.at = at;
    this.hi = hi;
    this.lo = lo | 0;
  }

  /**
   * The low 32 bits of a vint, signed: differences of 32-bit numbers carry their sign in
   * all 64 bits.
   */
  vint32(): number {
    const first = this.bytes[this.at] as number;
    if (first < 0x80) {
      this.at++;
      return first;
    }
    this.vint64();
    return this.lo;
  }

  /** Goes over `length` bytes: `at += vint()` would add to where the cursor was before. */
  skip(length: number): void {
    this.at += length;
  }

  /** A view of the next `length` bytes. */
  take(length: number): Uint8Array {
    const start = this.at;
    this.at = start + length;
    return this.bytes.subarray(start, this.at);
  }

  #more(first: number): number {
    const { bytes } = this;
    const more = Math.clz32(~(first << 24));
    let value = first & (0xff >> more);
    let at = this.at;
    for (const end = at + more; at < end; at++) value = value * 256 + ((bytes[at] as number) | 0);
    this.at = at;
    return value;
  }
}
