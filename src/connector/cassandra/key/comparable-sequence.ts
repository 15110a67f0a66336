// Byte-comparable forms of frozen collections, tuples, user types and vectors: (separator, form of the part)* and
// a terminator that sorts before every separator, so that a shorter sequence comes before a longer one.
//
// Values as in the native protocol: a collection is count i32, then each part as length i32 and bytes; a tuple is
// its parts alone, -1 for null, and may end early; a vector has no count, and lengths (vint) only where they vary.

import type { CassandraType } from '../type/cassandra-type.ts';
import { fixedValueLength } from '../type/value-layout.ts';
import { type ByteSink, getI32, putU32 } from './byte-sink.ts';
import type { ComparableCodec } from './comparable.ts';
import { badLength } from './comparable-scalar.ts';

/** Before a part, and at the end. */
export const separators = { value: 0x40, empty: 0x3f, null: 0x3e, end: 0x38 } as const;

/** List and set: one codec; map: key's and value's in turn. */
export function collectionCodec(parts: readonly ComparableCodec[], mask: number): ComparableCodec {
  return {
    lossless: parts.every((each) => each.lossless),
    holdsEmpty: false,
    lengthMax: boundOf(parts),
    encode(bytes, start, end, target, at) {
      if (end - start < 4) throw badLength('collection', end - start);
      const count = getI32(bytes, start) * parts.length;
      let from = start + 4;
      let to = at;
      for (let i = 0; i < count; i++) {
        const length = lengthAt(bytes, from, end);
        from += 4 + Math.max(0, length);
        const range = { start: from - length, end: length < 0 ? -1 : from };
        to = putPart(parts[i % parts.length] as ComparableCodec, bytes, range, {
          target,
          at: to,
          mask,
        });
      }
      if (from !== end) throw badLength('collection', end - start);
      target[to] = separators.end ^ mask;
      return to + 1;
    },
    decode(bytes, at, out) {
      const start = out.length;
      out.u32(0);
      let from = at;
      let count = 0;
      while (((bytes[from] as number) ^ mask) !== separators.end) {
        const part = parts[count++ % parts.length] as ComparableCodec;
        from = takePart(part, bytes, from, { out, mask });
      }
      putU32(out.bytes, start, count / parts.length);
      return from + 1;
    },
  };
}

/** Tuples and user types. Nulls at the end are left out, as a value that ends early equals one that does not. */
export function tupleCodec(fields: readonly ComparableCodec[], mask: number): ComparableCodec {
  return {
    lossless: false,
    holdsEmpty: false,
    lengthMax: boundOf(fields),
    encode(bytes, start, end, target, at) {
      let from = start;
      let to = at;
      let kept = at;
      for (const field of fields) {
        if (from === end) break;
        const length = lengthAt(bytes, from, end);
        from += 4 + Math.max(0, length);
        const range = { start: from - length, end: length < 0 ? -1 : from };
        to = putPart(field, bytes, range, { target, at: to, mask });
        if (length >= 0) kept = to;
      }
      if (from !== end) throw badLength('tuple', end - start);
      target[kept] = separators.end ^ mask;
      return kept + 1;
    },
    decode(bytes, at, out) {
      let from = at;
      for (const field of fields) {
        const ended = ((bytes[from] as number) ^ mask) === separators.end;
        if (ended) out.u32(0xffffffff);
        else from = takePart(field, bytes, from, { out, mask });
      }
      return from + 1;
    },
  };
}

/** A fixed number of elements, none of which is null. */
export function vectorCodec(
  element: ComparableCodec,
  type: Extract<CassandraType, { kind: 'vector' }>,
  mask: number,
): ComparableCodec {
  const fixed = fixedValueLength(type.element);
  const { dimension } = type;
  const { perByte, base } = affine(element);
  return {
    lossless: element.lossless,
    holdsEmpty: false,
    lengthMax: (length) => Math.ceil(perByte * length) + dimension * (base + 1) + 1,
    encode(bytes, start, end, target, at) {
      let from = start;
      let to = at;
      for (let i = 0; i < dimension; i++) {
        let length = fixed;
        if (fixed < 0) {
          length = vintAt(bytes, from);
          from += vintBytes(length);
        }
        if (from + length > end) throw badLength('vector', end - start);
        const range = { start: from, end: from + length };
        to = putPart(element, bytes, range, { target, at: to, mask });
        from += length;
      }
      if (from !== end) throw badLength('vector', end - start);
      target[to] = separators.end ^ mask;
      return to + 1;
    },
    decode(bytes, at, out) {
      let from = at;
      for (let i = 0; i < dimension; i++) {
        const start = out.length;
        from = takePart(element, bytes, from, { out, mask });
        // Parts come with a length of four bytes.
        moveLength(out, start, fixed < 0);
      }
      return from + 1;
    },
  };
}

/** Writes separator and form; a null part has the end -1. */
function putPart(
  codec: ComparableCodec,
  bytes: Uint8Array,
  { start, end }: { readonly start: number; readonly end: number },
  { target, at, mask }: { target: Uint8Array; at: number; mask: number },
): number {
  if (end === -1) target[at] = separators.null ^ mask;
  else if (end === start && !codec.holdsEmpty) target[at] = separators.empty ^ mask;
  else {
    target[at] = separators.value ^ mask;
    return codec.encode(bytes, start, end, target, at + 1);
  }
  return at + 1;
}

/** Appends length (i32) and bytes of the part at bytes[at]; returns the offset after it. */
function takePart(
  codec: ComparableCodec,
  bytes: Uint8Array,
  at: number,
  { out, mask }: { out: ByteSink; mask: number },
): number {
  const separator = (bytes[at] as number) ^ mask;
  out.u32(separator === separators.null ? 0xffffffff : 0);
  if (separator !== separators.value) return at + 1;
  const start = out.length;
  const to = codec.decode(bytes, at + 1, out);
  putU32(out.bytes, start - 4, out.length - start);
  return to;
}

function lengthAt(bytes: Uint8Array, at: number, end: number): number {
  if (at + 4 > end) throw badLength('collection', end - at);
  const length = getI32(bytes, at);
  if (at + 4 + length > end) throw badLength('collection', end - at);
  return length < 0 ? -1 : length;
}

/** Replaces the four bytes of length at `start` by a vint, or by nothing. */
function moveLength(out: ByteSink, start: number, keep: boolean): void {
  const length = getI32(out.bytes, start);
  const count = keep ? vintBytes(length) : 0;
  if (count > 4) out.reserve(1);
  out.bytes.copyWithin(start + count, start + 4, out.length);
  out.length += count - 4;
  let rest = length;
  for (let i = count - 1; i > 0; i--) {
    out.bytes[start + i] = rest;
    rest >>>= 8;
  }
  if (count > 0) out.bytes[start] = rest | (0xff << (9 - count));
}

/** Bytes of Cassandra's unsigned vint. */
function vintBytes(value: number): number {
  let count = 1;
  while (value >= 2 ** (7 * count)) count++;
  return count;
}

function vintAt(bytes: Uint8Array, at: number): number {
  const head = bytes[at] as number;
  const extra = Math.clz32(((head ^ 0xff) << 24) | 0x800000);
  let value = head & (0xff >> extra);
  for (let i = 1; i <= extra; i++) value = value * 256 + (bytes[at + i] as number);
  return value;
}

/** A codec's bound as base + perByte × length. */
function affine(codec: ComparableCodec): { base: number; perByte: number } {
  const far = 1 << 20;
  const base = codec.lengthMax(0);
  return { base, perByte: (codec.lengthMax(far) - base) / far };
}

/** Every part has four bytes of length, which outweigh its separator and what its form adds. */
function boundOf(parts: readonly ComparableCodec[]): (length: number) => number {
  const bounds = parts.map(affine);
  const perByte = Math.max(0, ...bounds.map((each) => Math.max((each.base + 1) / 4, each.perByte)));
  return (length) => Math.ceil(perByte * length) + 2;
}
