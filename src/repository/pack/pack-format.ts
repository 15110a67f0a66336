// The layout of a pack: header, frames, footer, trailer. All but header and trailer is encrypted. The
// trailer repeats what the header says, so that one read of the end is enough to open the footer.
// Field by field: docs/format/pack.md.
import { hash } from 'node:crypto';
import { ByteReader, ByteWriter, equalBytes, view } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import { type LeafId, leafId, type PackId, packId } from '../../model/id.ts';
import type { FrameKind } from '../frame/frame-codec.ts';
import type { BlobKind } from '../leaf/leaf-store.ts';

/** Stored bytes at which a pack is closed: the knee of request prices (64 MiB: $0.08 of PUTs a TB). */
export const packBytesTarget = 64 * 1024 * 1024;

/**
 * Leaves and frames at which a pack is closed, however few bytes they take. They bound its footer, which is
 * one frame, to 12.1 MiB: what compresses very well would fill it long before the pack is full.
 */
export const packLeavesMax = 256 * 1024;
export const packFramesMax = 64 * 1024;

/** Data (`leaf`, `chunk`), trees (`node`), changes (runs). */
export type PackKind = 'd' | 't' | 'c';

/** What finds a pack in the store. */
export interface PackAddress {
  readonly id: PackId;
  readonly kind: PackKind;
}

/** A stored pack, as commits list it. */
export interface PackRef extends PackAddress {
  /** Stored bytes. */
  readonly bytes: number;
  /** Leaves, chunks and nodes in it; 0 in change packs. */
  readonly leaves: number;
}

/** `packs/<kind>/<first two digits>/<sha256 of the object>`. */
export function packName({ id, kind }: PackAddress): string {
  return `packs/${kind}/${id.slice(0, 2)}/${id}`;
}

/** The address that an object name says, or undefined when it names no pack. */
export function packAddressOf(name: string): PackAddress | undefined {
  const match = /^packs\/([dtc])\/([0-9a-f]{2})\/([0-9a-f]{64})$/.exec(name);
  const [, kind, folder, id] = match ?? [];
  if (!kind || !folder || !id?.startsWith(folder)) return undefined;
  return { id: packId(id), kind: kind as PackKind };
}

export function packKindOf(kind: BlobKind): PackKind {
  return kind === 'node' ? 't' : 'd';
}

const blobKinds: readonly BlobKind[] = ['leaf', 'node', 'chunk'];
const formatVersion = 1;
const saltBytes = 32;

export const headerBytes = 64;
export const trailerBytes = 64;
const headerMagic = Buffer.from('CODRPACK', 'latin1');
const trailerMagic = Buffer.from('CODRPEND', 'latin1');

/** What header and trailer both say. */
export interface PackSeal {
  readonly kind: PackKind;
  readonly epoch: number;
  readonly salt: Uint8Array;
}

export function encodeHeader(seal: PackSeal): Uint8Array {
  const out = Buffer.alloc(headerBytes);
  out.set(headerMagic, 0);
  putSeal(out, seal);
  return out;
}

interface PackTrailer extends PackSeal {
  /** Stored bytes of the footer, which ends where the trailer begins. */
  readonly footerBytes: number;
  /** Raw bytes of the footer. */
  readonly footerRawBytes: number;
}

export function encodeTrailer(trailer: PackTrailer): Uint8Array {
  const out = Buffer.alloc(trailerBytes);
  out.set(trailerMagic, 0);
  putSeal(out, trailer);
  out.writeUInt32LE(trailer.footerBytes, 48);
  out.writeUInt32LE(trailer.footerRawBytes, 52);
  out.set(hash('sha256', out.subarray(0, 56), 'buffer').subarray(0, 8), 56);
  return out;
}

/** Reads the last 64 bytes of a pack. Throws `object-damaged`, or `format-unknown` for a newer one. */
export function decodeTrailer(bytes: Uint8Array, object: string): PackTrailer {
  const damaged = (why: string): CodrError =>
    new CodrError('object-damaged', `the end of ${object}: ${why}`, { object });
  if (bytes.length !== trailerBytes) throw damaged('the pack is truncated');
  const at = view(bytes);
  if (!equalBytes(at.subarray(0, 8), trailerMagic)) throw damaged('the pack is truncated');
  const check = hash('sha256', at.subarray(0, 56), 'buffer').subarray(0, 8);
  if (!equalBytes(at.subarray(56), check)) throw damaged('its check differs');
  if (at[8] !== formatVersion) {
    throw new CodrError('format-unknown', `${object} has format ${at[8]}`, { object });
  }
  return {
    kind: String.fromCharCode(at[9] as number) as PackKind,
    epoch: at.readUInt32LE(12),
    salt: new Uint8Array(at.subarray(16, 16 + saltBytes)),
    footerBytes: at.readUInt32LE(48),
    footerRawBytes: at.readUInt32LE(52),
  };
}

/** Bytes 8 to 47 of both: format, kind, two zero bytes, epoch (u32), salt. */
function putSeal(out: Buffer, seal: PackSeal): void {
  out[8] = formatVersion;
  out[9] = seal.kind.charCodeAt(0);
  out.writeUInt32LE(seal.epoch, 12);
  out.set(seal.salt, 16);
}

export interface FrameEntry {
  /** From the start of the pack. */
  readonly offset: number;
  readonly storedLength: number;
  readonly rawLength: number;
  readonly kind: FrameKind;
}

export interface LeafEntry {
  readonly id: LeafId;
  readonly kind: BlobKind;
  /** Ordinal of its frame. */
  readonly frame: number;
  /** From the start of the frame's raw bytes. */
  readonly offset: number;
  readonly length: number;
}

const frameEntryBytes = 13;
const leafEntryBytes = 45;

/** Raw bytes of a footer: two counts, then the tables. Entries are of fixed size and read in place. */
export function encodeFooter(
  frames: readonly FrameEntry[],
  leaves: readonly LeafEntry[],
): Uint8Array<ArrayBuffer> {
  const size = 8 + frames.length * frameEntryBytes + leaves.length * leafEntryBytes;
  const out = new ByteWriter(size).u32(frames.length).u32(leaves.length);
  for (const frame of frames) {
    out.u32(frame.offset).u32(frame.storedLength).u32(frame.rawLength).u8(frame.kind);
  }
  for (const leaf of leaves) {
    out.bytes(leaf.id).u8(blobKinds.indexOf(leaf.kind) + 1);
    out.u32(leaf.frame).u32(leaf.offset).u32(leaf.length);
  }
  return new Uint8Array(out.finish());
}

/** An open footer. Holds its raw bytes and no object an entry. */
export class PackFooter {
  readonly frameCount: number;
  readonly leafCount: number;
  readonly byteLength: number;
  /** What the trailer said: the key of every frame. */
  readonly seal: PackSeal;
  readonly #bytes: Buffer;
  readonly #leavesAt: number;
  readonly #object: string;

  /** Throws `object-damaged` when the tables do not fill `bytes`. */
  constructor(bytes: Uint8Array, seal: PackSeal, object: string) {
    this.#bytes = view(bytes);
    this.#object = object;
    this.seal = seal;
    this.byteLength = bytes.length;
    const counts = bytes.length >= 8 ? new ByteReader(bytes) : undefined;
    this.frameCount = counts?.u32() ?? 0;
    this.leafCount = counts?.u32() ?? 0;
    this.#leavesAt = 8 + this.frameCount * frameEntryBytes;
    if (this.#leavesAt + this.leafCount * leafEntryBytes !== bytes.length) {
      throw this.#damaged('its tables do not fill it');
    }
  }

  frame(ordinal: number): FrameEntry {
    if (ordinal >= this.frameCount) throw this.#damaged(`there is no frame ${ordinal}`);
    const at = 8 + ordinal * frameEntryBytes;
    const u32 = (offset: number): number => this.#bytes.readUInt32LE(at + offset);
    const kind = this.#bytes[at + 12] as FrameKind;
    return { offset: u32(0), storedLength: u32(4), rawLength: u32(8), kind };
  }

  leaf(number: number): LeafEntry {
    const at = this.#leafAt(number);
    const kind = blobKinds[(this.#bytes[at + 32] as number) - 1];
    if (!kind) throw this.#damaged(`leaf ${number} is of an unknown kind`);
    return {
      id: this.leafId(number),
      kind,
      frame: this.#bytes.readUInt32LE(at + 33),
      offset: this.#bytes.readUInt32LE(at + 37),
      length: this.#bytes.readUInt32LE(at + 41),
    };
  }

  /** A view of 32 bytes. */
  leafId(number: number): LeafId {
    const at = this.#leafAt(number);
    return leafId(this.#bytes.subarray(at, at + 32));
  }

  #leafAt(number: number): number {
    if (number >= this.leafCount) throw this.#damaged(`there is no leaf ${number}`);
    return this.#leavesAt + number * leafEntryBytes;
  }

  #damaged(why: string): CodrError {
    return new CodrError('object-damaged', `the footer of ${this.#object}: ${why}`, {
      object: this.#object,
    });
  }
}
