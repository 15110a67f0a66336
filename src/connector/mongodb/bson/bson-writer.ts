// Builds BSON documents from raw elements: splices, renames, nests. Lengths of open documents are filled
// in when they close. The memory doubles as needed and is handed over by `finish`.
import { view } from '../../../base/bytes.ts';
import { type BsonElement, bsonTypes } from './raw-bson.ts';

export class BsonWriter {
  #bytes: Buffer;
  #length = 0;
  readonly #open: number[] = [];

  /** `capacity`: the expected length of the result in bytes. */
  constructor(capacity = 256) {
    this.#bytes = Buffer.allocUnsafe(Math.max(64, capacity));
    this.#begin();
  }

  /** The element as it stands. */
  element(element: BsonElement): this {
    return this.raw(element.source, element.start, element.end);
  }

  /** The element's type and value under another name. */
  renamed(name: string, element: BsonElement): this {
    this.#header(element.type, name);
    return this.raw(element.source, element.valueStart, element.end);
  }

  /** `bytes` from `start` to `end`: whole elements. */
  raw(bytes: Buffer, start: number, end: number): this {
    this.#reserve(end - start);
    bytes.copy(this.#bytes, this.#length, start, end);
    this.#length += end - start;
    return this;
  }

  /** An element from its parts; `value` is exactly the value's bytes. `name` is Latin-1 text. */
  value(type: number, name: string, value: Uint8Array): this {
    this.#header(type, name);
    return this.raw(view(value), 0, value.length);
  }

  document(name: string, document: Uint8Array): this {
    return this.value(bsonTypes.document, name, document);
  }

  text(name: string, text: string): this {
    const value = Buffer.from(text, 'utf8');
    this.#header(bsonTypes.string, name);
    this.#reserve(value.length + 5);
    this.#length = this.#bytes.writeInt32LE(value.length + 1, this.#length);
    this.#length += value.copy(this.#bytes, this.#length);
    this.#bytes[this.#length++] = 0;
    return this;
  }

  null(name: string): this {
    return this.#header(bsonTypes.null, name);
  }

  int32(name: string, value: number): this {
    this.#header(bsonTypes.int32, name);
    this.#reserve(4);
    this.#length = this.#bytes.writeInt32LE(value, this.#length);
    return this;
  }

  /** Opens a nested document or array; all that follows goes into it until {@link close}. */
  open(type: typeof bsonTypes.document | typeof bsonTypes.array, name: string): this {
    this.#header(type, name);
    return this.#begin();
  }

  close(): this {
    const start = this.#open.pop() as number;
    this.#reserve(1);
    this.#bytes[this.#length++] = 0;
    this.#bytes.writeInt32LE(this.#length - start, start);
    return this;
  }

  /** The whole document, a view; the writer must not be used after it. */
  finish(): Buffer {
    while (this.#open.length > 0) this.close();
    return this.#bytes.subarray(0, this.#length);
  }

  #begin(): this {
    this.#reserve(4);
    this.#open.push(this.#length);
    this.#length += 4;
    return this;
  }

  #header(type: number, name: string): this {
    this.#reserve(name.length + 2);
    this.#bytes[this.#length++] = type;
    this.#length += this.#bytes.write(name, this.#length, 'latin1');
    this.#bytes[this.#length++] = 0;
    return this;
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}
