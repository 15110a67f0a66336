// Segments of the native protocol, version 5, without compression: what carries messages once both sides have agreed
// on it. Header of 3 bytes (17 bits of length, 1 bit that whole messages are in it) and its CRC-24, up to 131,071 bytes,
// their CRC-32; all little-endian. As native_protocol_v5.spec, section 2, has them.
import { crc32 } from 'node:zlib';
import { view } from '../../../base/bytes.ts';

const payloadBytesMax = 2 ** 17 - 1;
const headerBytes = 6;
const trailerBytes = 4;
const selfContained = 2 ** 17;
/** The checksum of these bytes is where each payload's begins. */
const crcStart = crc32(Uint8Array.of(0xfa, 0x2d, 0x55, 0xca));

/** A message as the bytes that are sent: one segment, or more where it is long. */
export function encodeSegments(message: Uint8Array): Buffer {
  const whole = message.length <= payloadBytesMax ? selfContained : 0;
  const parts: Uint8Array[] = [];
  for (let at = 0; at < message.length; at += payloadBytesMax) {
    const payload = message.subarray(at, at + payloadBytesMax);
    const header = Buffer.alloc(headerBytes);
    header.writeUIntLE(payload.length | whole, 0, 3);
    header.writeUIntLE(crc24(header), 3, 3);
    const trailer = Buffer.alloc(trailerBytes);
    trailer.writeUInt32LE(crc32(payload, crcStart));
    parts.push(header, payload, trailer);
  }
  return Buffer.concat(parts);
}

/** Takes bytes as they come and gives the payloads, checked; two messages are not kept apart. */
export class SegmentDecoder {
  #held: Buffer = Buffer.alloc(0);

  /** Throws an Error where a checksum does not fit: what follows cannot be trusted. */
  push(bytes: Uint8Array): Uint8Array[] {
    let rest = this.#held.length === 0 ? view(bytes) : Buffer.concat([this.#held, bytes]);
    const payloads: Uint8Array[] = [];
    while (rest.length >= headerBytes) {
      if (rest.readUIntLE(3, 3) !== crc24(rest)) throw new Error('a segment has another checksum');
      const length = rest.readUIntLE(0, 3) & payloadBytesMax;
      const end = headerBytes + length;
      if (rest.length < end + trailerBytes) break;
      const payload = rest.subarray(headerBytes, end);
      if (rest.readUInt32LE(end) !== crc32(payload, crcStart)) {
        throw new Error('the bytes of a segment have another checksum');
      }
      payloads.push(payload);
      rest = rest.subarray(end + trailerBytes);
    }
    this.#held = rest;
    return payloads;
  }
}

/** Of the first three bytes. */
function crc24(header: Uint8Array): number {
  let crc = 0x875060;
  for (let i = 0; i < 3; i++) {
    crc ^= (header[i] as number) << 16;
    for (let bit = 0; bit < 8; bit++) {
      crc <<= 1;
      if ((crc & 0x1000000) !== 0) crc ^= 0x1974f0b;
    }
  }
  return crc;
}
