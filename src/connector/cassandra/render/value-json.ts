// Native bytes of a value of any type as JSON text. Collections, tuples, user types and vectors are taken as frozen:
// one value. Cells of those that are not frozen are put together by render-rows.ts.
import { TruncatedBytesError, view } from '../../../base/bytes.ts';
import { ByteCursor } from '../sstable/vint.ts';
import type { CassandraType } from '../type/cassandra-type.ts';
import { fixedValueLength } from '../type/value-layout.ts';
import { scalarJson } from './scalar-json.ts';

/** `undefined` is null. */
export function valueJson(type: CassandraType, bytes: Uint8Array | undefined): string {
  if (bytes === undefined) return 'null';
  if (bytes.length === 0 && type.kind !== 'scalar') return '""';
  switch (type.kind) {
    case 'scalar':
      return scalarJson(type.name, bytes);
    case 'reversed':
      return valueJson(type.type, bytes);
    case 'list':
    case 'set':
      return arrayJson(elements(bytes).map((each) => valueJson(type.element, each)));
    case 'map':
      return mapJson(type, pairs(elements(bytes, 2)));
    case 'tuple': {
      const parts = new Parts(bytes, 0);
      return arrayJson(type.fields.map((field) => valueJson(field, parts.next())));
    }
    case 'udt': {
      const parts = new Parts(bytes, 0);
      const fields = type.fields.map(
        (field) => [field.name, valueJson(field.type, parts.next())] as const,
      );
      return objectJson(fields);
    }
    case 'vector':
      return arrayJson(
        vectorElements(type, bytes).map((element) => valueJson(type.element, element)),
      );
    case 'composite':
      return arrayJson(
        compositeParts(bytes).map((part, i) => valueJson(componentOf(type, i), part)),
      );
  }
}

export function arrayJson(items: readonly string[]): string {
  return `[${items.join(', ')}]`;
}

/** Names as they are, values as JSON text. */
export function objectJson(fields: readonly (readonly [string, string])[]): string {
  return `{${fields.map(([name, value]) => `${JSON.stringify(name)}: ${value}`).join(', ')}}`;
}

/** Keys of JSON objects are strings: those that are none stand as their JSON text. */
export function mapJson(
  { key, value }: Extract<CassandraType, { kind: 'map' }>,
  entries: readonly (readonly [Uint8Array | undefined, Uint8Array | undefined])[],
): string {
  const fields = entries.map(([name, held]) => {
    const text = valueJson(key, name);
    const plain = text.startsWith('"') ? (JSON.parse(text) as string) : text;
    return [plain, valueJson(value, held)] as const;
  });
  return objectJson(fields);
}

/** The values of a composite partition key: each a length of 16 bits, its bytes, and a zero. */
export function compositeParts(bytes: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at + 2 < bytes.length; ) {
    const length = view(bytes).readUInt16BE(at);
    parts.push(bytes.subarray(at + 2, at + 2 + length));
    at += 2 + length + 1;
  }
  return parts;
}

function componentOf(
  { components }: Extract<CassandraType, { kind: 'composite' }>,
  i: number,
): CassandraType {
  const component = components[i];
  if (!component) throw new TruncatedBytesError(`a composite has no component ${i}`);
  return component;
}

/** Values behind 32-bit lengths; a negative length is null, and so is what is missing at the end. */
class Parts {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = view(bytes);
    this.#at = at;
  }

  next(): Uint8Array | undefined {
    if (this.#at >= this.#bytes.length) return undefined;
    const length = this.#bytes.readInt32BE(this.#at);
    const start = this.#at + 4;
    this.#at = start + Math.max(0, length);
    if (this.#at > this.#bytes.length) {
      throw new TruncatedBytesError(`a value of ${length} bytes where fewer are left`);
    }
    return length < 0 ? undefined : this.#bytes.subarray(start, this.#at);
  }
}

/** A count, then `perItem` values for each. */
function elements(bytes: Uint8Array, perItem = 1): (Uint8Array | undefined)[] {
  const count = view(bytes).readInt32BE(0) * perItem;
  const parts = new Parts(bytes, 4);
  const found: (Uint8Array | undefined)[] = [];
  // Each has four bytes at least: a count beyond that is none.
  for (let i = 0; i < count && 4 * i < bytes.length; i++) found.push(parts.next());
  return found;
}

function pairs<T>(items: readonly T[]): [T, T][] {
  const found: [T, T][] = [];
  for (let i = 0; i + 1 < items.length; i += 2) found.push([items[i] as T, items[i + 1] as T]);
  return found;
}

function vectorElements(
  { element, dimension }: Extract<CassandraType, { kind: 'vector' }>,
  bytes: Uint8Array,
): Uint8Array[] {
  const fixed = fixedValueLength(element);
  const cursor = new ByteCursor(bytes);
  const found: Uint8Array[] = [];
  for (let i = 0; i < dimension; i++) {
    const length = fixed < 0 ? cursor.vint() : fixed;
    found.push(bytes.subarray(cursor.at, cursor.at + length));
    cursor.at += length;
  }
  return found;
}
