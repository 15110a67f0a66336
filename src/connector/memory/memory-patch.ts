// What a `patch` of the memory database carries. Layout: u32 place, u32 count of bytes removed there, then
// the bytes put in their stead; little-endian. The place `endPlace` means the end: bytes are appended.
// Patches do not commute, so a fold that applied them out of order would be seen.
import { ByteReader, ByteWriter, concatBytes } from '../../base/bytes.ts';

const endPlace = 0xffff_ffff;

export interface Splice {
  /** Byte offset; absent: the end. */
  readonly at?: number;
  readonly removeCount?: number;
  readonly bytes: Uint8Array;
}

export function encodePatch({ at = endPlace, removeCount = 0, bytes }: Splice): Uint8Array {
  return new ByteWriter(8 + bytes.length).u32(at).u32(removeCount).bytes(bytes).finish();
}

/** The value after the patch; undefined when the patch does not fit the value. */
export function applyPatch(value: Uint8Array, patch: Uint8Array): Uint8Array | undefined {
  if (patch.length < 8) return undefined;
  const reader = new ByteReader(patch);
  const [place, removeCount] = [reader.u32(), reader.u32()];
  const at = place === endPlace ? value.length : place;
  if (at + removeCount > value.length) return undefined;
  const bytes = reader.bytes(reader.remaining);
  return concatBytes([value.subarray(0, at), bytes, value.subarray(at + removeCount)]);
}

/** The database's own way to change a value; shares no code with the connector's fold. */
export function spliced(value: Uint8Array | undefined, splice: Splice): Uint8Array {
  if (value === undefined) throw new Error('a patch needs a record');
  const at = splice.at ?? value.length;
  if (at + (splice.removeCount ?? 0) > value.length) throw new Error('a patch outside its value');
  const bytes = [...value];
  bytes.splice(at, splice.removeCount ?? 0, ...splice.bytes);
  return Uint8Array.from(bytes);
}
