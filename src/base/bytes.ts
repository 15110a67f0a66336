// Byte strings: order, text forms, variable-length integers, a growing writer and a checked reader.
// All integers are little-endian unless a name says otherwise; varints are unsigned LEB128.

export const emptyBytes: Uint8Array = new Uint8Array(0);

/** Unsigned lexicographic order: negative, 0 or positive. A prefix sorts before what it begins. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

export function toHex(bytes: Uint8Array): string {
  return view(bytes).toString('hex');
}

export function fromHex(hex: string): Uint8Array {
  return Buffer.from(hex, 'hex');
}

export function toBase64(bytes: Uint8Array): string {
  return view(bytes).toString('base64');
}

export function fromBase64(text: string): Uint8Array {
  return Buffer.from(text, 'base64');
}

/** A Buffer over the same memory; no copy. */
export function view(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

/** All parts back to back, in memory of their own that can be handed to another thread. */
export function transferableBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The shortest common prefix length of two byte strings. */
export function commonPrefixLength(a: Uint8Array, b: Uint8Array): number {
  const end = Math.min(a.length, b.length);
  let i = 0;
  while (i < end && a[i] === b[i]) i++;
  return i;
}

/** Appends to memory that doubles as needed. `finish()` hands the written part over without a copy. */
export class ByteWriter {
  #bytes: Buffer;
  #length = 0;

  constructor(capacity = 256) {
    this.#bytes = Buffer.allocUnsafe(Math.max(16, capacity));
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  u32(value: number): this {
    this.#reserve(4);
    this.#length = this.#bytes.writeUInt32LE(value, this.#length);
    return this;
  }

  u64(value: bigint): this {
    this.#reserve(8);
    this.#length = this.#bytes.writeBigUInt64LE(value, this.#length);
    return this;
  }

  /** Unsigned LEB128 of a safe integer. */
  varint(value: number): this {
    this.#reserve(8);
    let rest = value;
    while (rest >= 128) {
      this.#bytes[this.#length++] = (rest % 128) + 128;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#length++] = rest;
    return this;
  }

  bytes(value: Uint8Array): this {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** A varint length, then the bytes. */
  prefixed(value: Uint8Array): this {
    return this.varint(value.length).bytes(value);
  }

  /** A varint length, then UTF-8. */
  text(value: string): this {
    return this.prefixed(Buffer.from(value, 'utf8'));
  }

  /** The written bytes, a view; the writer must not be used after it. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

/** Thrown by {@link ByteReader} when bytes end early or a length is impossible. */
export class TruncatedBytesError extends Error {
  override readonly name = 'TruncatedBytesError';
}

/** Reads what {@link ByteWriter} wrote; every read is checked, views share the source's memory. */
export class ByteReader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = view(bytes);
    this.#at = at;
  }

  get at(): number {
    return this.#at;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#bytes[this.#take(1)] as number;
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  u64(): bigint {
    return this.#bytes.readBigUInt64LE(this.#take(8));
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (byte < 128) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      scale *= 128;
    }
    throw new TruncatedBytesError(`no variable-length integer at byte ${this.#at}`);
  }

  bytes(count: number): Uint8Array {
    const start = this.#take(count);
    return this.#bytes.subarray(start, start + count);
  }

  /** Passes over bytes; where they begin. */
  skip(count: number): number {
    return this.#take(count);
  }

  prefixed(): Uint8Array {
    return this.bytes(this.varint());
  }

  text(): string {
    return view(this.prefixed()).toString('utf8');
  }

  #take(count: number): number {
    if (count > this.remaining) {
      throw new TruncatedBytesError(
        `${count} bytes wanted at ${this.#at}, ${this.remaining} there of ${this.#bytes.length}`,
      );
    }
    const start = this.#at;
    this.#at += count;
    return start;
  }
}
