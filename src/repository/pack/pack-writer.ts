// One pack while it is written. Frames are sealed side by side by the sealer and stand in the pack in the
// order of asking. Holds the stored bytes until the caller has uploaded them: one pack of memory.
import { createHash } from 'node:crypto';
import { assert } from '../../base/assert.ts';
import type { Random } from '../../base/random.ts';
import { type LeafId, packId } from '../../model/id.ts';
import { type FrameKind, type FrameSeal, footerOrdinal, frameKinds } from '../frame/frame-codec.ts';
import type { Sealer } from '../frame/sealer.ts';
import type { RepositoryKeys } from '../keys/repository-keys.ts';
import type { BlobKind } from '../leaf/leaf-store.ts';
import {
  encodeFooter,
  encodeHeader,
  encodeTrailer,
  type FrameEntry,
  headerBytes,
  type LeafEntry,
  type PackKind,
  type PackRef,
  type PackSeal,
} from './pack-format.ts';

/** What writing and reading packs of one repository needs. */
export interface PackContext {
  readonly keys: Pick<RepositoryKeys, 'packKey' | 'epoch'>;
  /** 16 bytes. */
  readonly repositoryId: Uint8Array;
  readonly sealer: Sealer;
}

/** A blob of a frame, in the order in which blobs lie in the frame's raw bytes. */
export interface PackedBlob {
  readonly id: LeafId;
  readonly kind: BlobKind;
  readonly length: number;
}

interface FinishedPack {
  readonly ref: PackRef;
  /** The object, in parts. */
  readonly body: readonly Uint8Array[];
  /** Ids of its leaves in the order of the footer. */
  readonly leafIds: readonly LeafId[];
}

interface PlacedFrame {
  readonly kind: FrameKind;
  readonly rawLength: number;
  stored: Uint8Array | undefined;
}

export class PackWriter {
  readonly kind: PackKind;
  readonly #context: PackContext;
  readonly #seal: PackSeal;
  readonly #key: Uint8Array;
  readonly #frames: PlacedFrame[] = [];
  readonly #leaves: Omit<LeafEntry, 'id'>[] = [];
  readonly #leafIds: LeafId[] = [];
  readonly #hash = createHash('sha256');
  readonly #header: Uint8Array;
  #hashedFrames = 0;
  #storedBytes = headerBytes;
  #finishing = false;

  constructor(kind: PackKind, context: PackContext, random: Random) {
    this.kind = kind;
    this.#context = context;
    this.#seal = { kind, epoch: context.keys.epoch, salt: random.bytes(32) };
    this.#key = context.keys.packKey(this.#seal.epoch, this.#seal.salt);
    this.#header = encodeHeader(this.#seal);
    this.#hash.update(this.#header);
  }

  /** Bytes sealed so far. */
  get storedBytes(): number {
    return this.#storedBytes;
  }

  get frameCount(): number {
    return this.#frames.length;
  }

  get leafCount(): number {
    return this.#leaves.length;
  }

  /**
   * Takes the next frame; `raw` is handed over. `frame`, its ordinal, is fixed at once; `sealed` resolves
   * when it is encrypted and was read back.
   */
  addFrame(
    raw: Uint8Array<ArrayBuffer>,
    blobs: readonly PackedBlob[] = [],
  ): { readonly frame: number; readonly sealed: Promise<void> } {
    assert(!this.#finishing, 'a finished pack takes no more frames');
    const frame = this.#frames.length;
    const kind = this.kind === 'c' ? frameKinds.changes : frameKinds.blobs;
    const placed: PlacedFrame = { kind, rawLength: raw.length, stored: undefined };
    this.#frames.push(placed);
    let offset = 0;
    for (const { id, kind: blobKind, length } of blobs) {
      this.#leafIds.push(id);
      this.#leaves.push({ kind: blobKind, frame, offset, length });
      offset += length;
    }
    const sealed = this.#context.sealer.seal(raw, this.#frameSeal(frame, kind)).then((stored) => {
      placed.stored = stored;
      this.#storedBytes += stored.length;
      this.#hashReady();
    });
    return { frame, sealed };
  }

  /** The raw bytes of a sealed frame, while the pack is still here. */
  async readFrame(frame: number): Promise<Uint8Array> {
    const placed = this.#frames[frame];
    assert(placed?.stored, 'only sealed frames are read');
    return await this.#context.sealer.open({
      stored: placed.stored,
      seal: this.#frameSeal(frame, placed.kind),
      rawLength: placed.rawLength,
      object: 'a pack not yet stored',
    });
  }

  /** Seals the footer. Every frame must be sealed. */
  async finish(): Promise<FinishedPack> {
    this.#finishing = true;
    assert(this.#hashedFrames === this.#frames.length, 'every frame of a finished pack is sealed');
    const { body, frames } = this.#layOut();
    const leaves = this.#leaves.map((leaf, i) => ({ ...leaf, id: this.#leafIds[i] as LeafId }));
    const raw = encodeFooter(frames, leaves);
    const footerRawBytes = raw.length;
    const seal = this.#frameSeal(footerOrdinal, frameKinds.footer);
    const footer = await this.#context.sealer.seal(raw, seal);
    const footerBytes = footer.length;
    const trailer = encodeTrailer({ ...this.#seal, footerBytes, footerRawBytes });
    body.push(footer, trailer);
    const id = packId(this.#hash.update(footer).update(trailer).digest('hex'));
    const bytes = body.reduce((sum, part) => sum + part.length, 0);
    const ref = { id, kind: this.kind, bytes, leaves: leaves.length };
    return { ref, body, leafIds: this.#leafIds };
  }

  #layOut(): { body: Uint8Array[]; frames: FrameEntry[] } {
    const body = [this.#header];
    const frames: FrameEntry[] = [];
    let offset = headerBytes;
    for (const { kind, rawLength, stored } of this.#frames) {
      assert(stored, 'every frame of a finished pack is sealed');
      frames.push({ offset, storedLength: stored.length, rawLength, kind });
      body.push(stored);
      offset += stored.length;
    }
    return { body, frames };
  }

  #hashReady(): void {
    for (;;) {
      const stored = this.#frames[this.#hashedFrames]?.stored;
      if (!stored) return;
      this.#hash.update(stored);
      this.#hashedFrames++;
    }
  }

  #frameSeal(ordinal: number, kind: FrameKind): FrameSeal {
    const { repositoryId } = this.#context;
    return { key: this.#key, repositoryId, salt: this.#seal.salt, ordinal, kind };
  }
}
