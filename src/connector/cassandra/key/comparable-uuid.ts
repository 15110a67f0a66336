// Byte-comparable forms of uuid and timeuuid: the digits in the order in which Cassandra compares them.
//
// timeuuid (TimeUUIDType): version digit, 15 digits of time from the highest, then 8 bytes that compare as signed
// ones, so each has its sign bit flipped. uuid (UUIDType): version digit; version 1 goes on with time and then the
// rest unsigned, others with all digits in their written order.
import type { ByteSink } from './byte-sink.ts';
import type { ComparableCodec } from './comparable.ts';
import { badLength, maskBytes } from './comparable-scalar.ts';

const uuidBytes = 16;
/** Offset of the byte with the version digit, which is its upper half. */
const versionAt = 6;

/** Cassandra compares the lower half of a timeuuid byte by byte, signed. */
export function timeuuidCodec(mask: number): ComparableCodec {
  return {
    lossless: true,
    holdsEmpty: false,
    lengthMax: () => uuidBytes,
    encode(bytes, start, end, target, at) {
      if (end - start !== uuidBytes) throw badLength('timeuuid', end - start);
      putTime(bytes, start, target, at);
      for (let i = 8; i < uuidBytes; i++) target[at + i] = (bytes[start + i] as number) ^ 0x80;
      maskBytes(target, at, at + uuidBytes, mask);
      return at + uuidBytes;
    },
    decode(bytes, at, out) {
      const to = takeTime(bytes, at, out, mask);
      for (let i = 8; i < uuidBytes; i++) {
        out.bytes[to + i] = (bytes[at + i] as number) ^ 0x80 ^ mask;
      }
      return at + uuidBytes;
    },
  };
}

export function uuidCodec(mask: number): ComparableCodec {
  return {
    lossless: true,
    holdsEmpty: false,
    lengthMax: () => uuidBytes,
    encode(bytes, start, end, target, at) {
      if (end - start !== uuidBytes) throw badLength('uuid', end - start);
      const version = (bytes[start + versionAt] as number) >> 4;
      if (version === 1) putTime(bytes, start, target, at);
      else putDigits(bytes, start, target, at, version);
      for (let i = 8; i < uuidBytes; i++) target[at + i] = bytes[start + i] as number;
      maskBytes(target, at, at + uuidBytes, mask);
      return at + uuidBytes;
    },
    decode(bytes, at, out) {
      const version = ((bytes[at] as number) ^ mask) >> 4;
      const to =
        version === 1
          ? takeTime(bytes, at, out, mask)
          : takeDigits(bytes, at, out, { mask, version });
      for (let i = 8; i < uuidBytes; i++) out.bytes[to + i] = (bytes[at + i] as number) ^ mask;
      return at + uuidBytes;
    },
  };
}

/** Bytes of the upper half from the highest of the time to the lowest; the first holds the version. */
const timeOrder = [6, 7, 4, 5, 0, 1, 2, 3] as const;

function putTime(bytes: Uint8Array, start: number, target: Uint8Array, at: number): void {
  for (let i = 0; i < 8; i++) target[at + i] = bytes[start + (timeOrder[i] as number)] as number;
}

/** Takes the upper half back and reserves all 16 bytes; returns where they begin. */
function takeTime(bytes: Uint8Array, at: number, out: ByteSink, mask: number): number {
  out.reserve(uuidBytes);
  const to = out.length;
  for (let i = 0; i < 8; i++) {
    out.bytes[to + (timeOrder[i] as number)] = (bytes[at + i] as number) ^ mask;
  }
  out.length = to + uuidBytes;
  return to;
}

/** The version digit, then the 15 other digits of the upper half as they are written. */
function putDigits(
  bytes: Uint8Array,
  start: number,
  target: Uint8Array,
  at: number,
  version: number,
): void {
  let carried = version;
  for (let i = 0; i < versionAt; i++) {
    const byte = bytes[start + i] as number;
    target[at + i] = (carried << 4) | (byte >> 4);
    carried = byte & 0x0f;
  }
  target[at + versionAt] = (carried << 4) | ((bytes[start + versionAt] as number) & 0x0f);
  target[at + 7] = bytes[start + 7] as number;
}

function takeDigits(
  bytes: Uint8Array,
  at: number,
  out: ByteSink,
  { mask, version }: { mask: number; version: number },
): number {
  out.reserve(uuidBytes);
  const to = out.length;
  for (let i = 0; i < versionAt; i++) {
    const high = ((bytes[at + i] as number) ^ mask) & 0x0f;
    out.bytes[to + i] = (high << 4) | (((bytes[at + i + 1] as number) ^ mask) >> 4);
  }
  out.bytes[to + versionAt] = (version << 4) | (((bytes[at + versionAt] as number) ^ mask) & 0x0f);
  out.bytes[to + 7] = (bytes[at + 7] as number) ^ mask;
  out.length = to + uuidBytes;
  return to;
}
