// A frame that gathers blobs until it is full: the place of leaves that are named but not yet stored.
import { assert } from '../../base/assert.ts';
import type { LeafId } from '../../model/id.ts';
import { frameRawBytesTarget } from '../frame/frame-codec.ts';
import type { BlobKind } from '../leaf/leaf-store.ts';
import type { OpenPack } from './open-pack.ts';
import type { PackKind } from './pack-format.ts';
import type { PackedBlob } from './pack-writer.ts';

/** A frame's place in a pack, known once it is cut. */
export interface PlacedIn {
  readonly pack: OpenPack;
  readonly frame: number;
  /** Resolves when the frame is sealed. */
  readonly sealed: Promise<void>;
}

export class PendingFrame {
  readonly packKind: PackKind;
  /** Set once: the frame takes no more blobs, and stands in a pack when it resolves. */
  cut: Promise<PlacedIn> | undefined;
  #raw: Uint8Array<ArrayBuffer>;
  readonly #blobs: PackedBlob[];
  #length: number;

  private constructor(packKind: PackKind, raw: Uint8Array<ArrayBuffer>, blobs: PackedBlob[]) {
    this.packKind = packKind;
    this.#raw = raw;
    this.#blobs = blobs;
    this.#length = blobs.reduce((sum, { length }) => sum + length, 0);
  }

  /** `firstBytes`: length of the first blob; a large one gets the frame for itself. */
  static empty(packKind: PackKind, firstBytes: number): PendingFrame {
    const length = Math.max(frameRawBytesTarget, firstBytes);
    return new PendingFrame(packKind, Buffer.allocUnsafeSlow(length), []);
  }

  /** Of blobs that lie back to back in `raw` and fill it; `raw` is handed over. */
  static of(
    packKind: PackKind,
    raw: Uint8Array<ArrayBuffer>,
    blobs: readonly PackedBlob[],
  ): PendingFrame {
    return new PendingFrame(packKind, raw, [...blobs]);
  }

  get length(): number {
    return this.#length;
  }

  get blobs(): readonly PackedBlob[] {
    return this.#blobs;
  }

  fits(bytes: number): boolean {
    return !this.cut && this.#length + bytes <= this.#raw.length;
  }

  /** Copies the blob; `id` is kept and must be memory of its own. */
  add(id: LeafId, kind: BlobKind, blob: Uint8Array): void {
    assert(this.fits(blob.length), 'a frame takes only what fits');
    this.#raw.set(blob, this.#length);
    this.#blobs.push({ id, kind, length: blob.length });
    this.#length += blob.length;
  }

  /** The gathered bytes, readable until they are taken. */
  get raw(): Uint8Array {
    return this.#raw.subarray(0, this.#length);
  }

  /** Hands the gathered bytes over. */
  take(): Uint8Array<ArrayBuffer> {
    const raw = this.#raw.subarray(0, this.#length);
    this.#raw = new Uint8Array(0);
    return raw;
  }

  /** Where the blob stands within the raw bytes. */
  placeOf(id: LeafId): { readonly offset: number; readonly length: number } {
    let offset = 0;
    for (const blob of this.#blobs) {
      if (Buffer.compare(blob.id, id) === 0) return { offset, length: blob.length };
      offset += blob.length;
    }
    throw new Error('a pending frame holds the blobs that are looked for in it');
  }
}
