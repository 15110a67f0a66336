// One frame: up to 256 KiB raw, compressed by zstd where that helps, then sealed by AES-256-GCM under the
// key of its pack. Nonce and authenticated data come from where the frame stands, so a frame moved to
// another place, pack or repository does not open. Layout: docs/format/frame.md.
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { equalBytes } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';

/** Raw bytes of a full frame. One larger blob gets a frame of its own. */
export const frameRawBytesTarget = 256 * 1024;

/** No frame holds more; a length above it is damage. */
export const frameRawBytesMax = 64 * 1024 * 1024;

/** `delta` is reserved: blobs with their base frame as dictionary. */
export const frameKinds = { blobs: 1, changes: 2, delta: 3, footer: 255 } as const;
export type FrameKind = (typeof frameKinds)[keyof typeof frameKinds];

/** Ordinal of the footer; no other frame of a pack reaches it. */
export const footerOrdinal = 0xffff_ffff;

/** Where a frame stands and the key that seals it. */
export interface FrameSeal {
  /** 32 bytes: of the pack, `packKey(epoch, salt)`. */
  readonly key: Uint8Array;
  /** 16 bytes. */
  readonly repositoryId: Uint8Array;
  /** 32 bytes: of the pack. */
  readonly salt: Uint8Array;
  /** Place in the pack, from 0. */
  readonly ordinal: number;
  readonly kind: FrameKind;
}

const tagBytes = 16;
/** What a frame costs over its compressed bytes: the flag and the tag. */
export const frameOverheadBytes = 1 + tagBytes;

/** Output in one piece: node:zlib gathers pieces of 16 KiB otherwise, which costs a third of its speed. */
const outputSlackBytes = 64;
/** Pieces are this share of the input: most frames shrink to less, and what is not used is garbage. */
const compressedShare = 1 / 2;
const compressedBytesMin = 1024;
/** Level 1 alone looks back through a table of 8 Ki places: a larger one gives 2 % less at equal speed. */
const fastHashLog = 16;

const storedRaw = Buffer.from([0]);
const storedZstd = Buffer.from([1]);

/** The stored form of `raw`, in memory of its own. `level` is zstd's, 1 to 3. */
export function sealFrame(
  raw: Uint8Array,
  seal: FrameSeal,
  level: number,
): Uint8Array<ArrayBuffer> {
  const params = {
    [constants.ZSTD_c_compressionLevel]: level,
    ...(level === 1 && { [constants.ZSTD_c_hashLog]: fastHashLog }),
  };
  const chunkSize = Math.max(compressedBytesMin, Math.ceil(raw.length * compressedShare));
  const zstd = zstdCompressSync(raw, { params, chunkSize });
  const shrinks = zstd.length < raw.length;
  const payload = shrinks ? zstd : raw;
  const cipher = createCipheriv('aes-256-gcm', keyOf(seal), nonceOf(seal.ordinal));
  cipher.setAAD(boundTo(seal));
  const sealed = new Uint8Array(payload.length + frameOverheadBytes);
  sealed.set(cipher.update(shrinks ? storedZstd : storedRaw), 0);
  sealed.set(cipher.update(payload), 1);
  cipher.final();
  sealed.set(cipher.getAuthTag(), payload.length + 1);
  return sealed;
}

/**
 * The raw bytes of a stored frame, `rawLength` of them, in memory of their own. Throws `object-damaged`,
 * naming `object`, when the frame is not the one that was sealed at this place.
 */
export function openFrame(
  stored: Uint8Array,
  seal: FrameSeal,
  expected: { readonly rawLength: number; readonly object: string },
): Uint8Array {
  const { object, rawLength } = expected;
  const damaged = (why: string, cause?: unknown): CodrError =>
    new CodrError('object-damaged', `frame ${seal.ordinal} of ${object}: ${why}`, {
      object,
      cause,
    });
  if (stored.length < frameOverheadBytes) throw damaged('too short');
  if (rawLength > frameRawBytesMax) throw damaged(`${rawLength} bytes is more than a frame holds`);
  const nonce = nonceOf(seal.ordinal);
  const decipher = createDecipheriv('aes-256-gcm', keyOf(seal), nonce, { authTagLength: tagBytes });
  decipher.setAAD(boundTo(seal));
  decipher.setAuthTag(stored.subarray(stored.length - tagBytes));
  const plain = decipher.update(stored.subarray(0, stored.length - tagBytes));
  let raw: Uint8Array;
  try {
    decipher.final();
    const payload = plain.subarray(1);
    raw = plain[0] === 1 ? decompress(payload, rawLength) : payload;
  } catch (error) {
    throw damaged('it does not authenticate or decompress', error);
  }
  if (raw.length !== rawLength) throw damaged(`${raw.length} bytes, not ${rawLength}`);
  return raw;
}

function decompress(payload: Uint8Array, rawLength: number): Uint8Array {
  const chunkSize = rawLength + outputSlackBytes;
  return zstdDecompressSync(payload, { maxOutputLength: Math.max(1, rawLength), chunkSize });
}

/** {@link sealFrame}, then opens the result and compares it with `raw`: nothing unreadable is uploaded. */
export function sealVerifiedFrame(
  raw: Uint8Array,
  seal: FrameSeal,
  level: number,
): Uint8Array<ArrayBuffer> {
  const sealed = sealFrame(raw, seal, level);
  const back = openFrame(sealed, seal, { rawLength: raw.length, object: 'a pack not yet stored' });
  if (!equalBytes(back, raw)) {
    throw new CodrError('object-damaged', 'a frame did not read back as it was written', {
      remedy: 'check the memory of this machine; nothing was stored',
    });
  }
  return sealed;
}

/** A key object: of bare bytes node:crypto makes one at ten times the cost (measured on Node 24.21). */
function keyOf({ key }: FrameSeal): KeyObject {
  return createSecretKey(key);
}

/** 12 bytes: the ordinal, big-endian. Unique under the key of a pack, since ordinals are. */
function nonceOf(ordinal: number): Uint8Array {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(ordinal, 8);
  return nonce;
}

/** Additional authenticated data, 53 bytes: repository id, salt, ordinal (big-endian), kind. */
function boundTo(seal: FrameSeal): Uint8Array {
  const bound = Buffer.alloc(53);
  bound.set(seal.repositoryId, 0);
  bound.set(seal.salt, 16);
  bound.writeUInt32BE(seal.ordinal, 48);
  bound[52] = seal.kind;
  return bound;
}
