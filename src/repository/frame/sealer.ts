// The port for work that costs CPU on the data path: naming blobs, sealing frames and opening them. In
// this thread here; in worker threads in `node/sealing-pool.ts`. Both give the same bytes.
import { type LeafId, leafId } from '../../model/id.ts';
import { leafIdOf } from '../leaf/leaf-id.ts';
import type { BlobKind } from '../leaf/leaf-store.ts';
import { type FrameSeal, openFrame, sealVerifiedFrame } from './frame-codec.ts';

/** Blobs of one kind that lie back to back. */
export interface BlobBatch {
  readonly kind: BlobKind;
  /** All blobs, in memory that nothing else uses (a buffer of its own, from its start). */
  readonly raw: Uint8Array<ArrayBuffer>;
  /** Bytes of each blob; they add up to `raw`. */
  readonly lengths: readonly number[];
}

export interface NamedBatch {
  /** The bytes that were given, perhaps at another address: the argument must not be used again. */
  readonly raw: Uint8Array<ArrayBuffer>;
  readonly ids: LeafId[];
}

export interface OpenRequest {
  readonly stored: Uint8Array;
  readonly seal: FrameSeal;
  readonly rawLength: number;
  /** The name of the pack, for messages. */
  readonly object: string;
}

/** Memory that is handed over is lost to the caller. Errors of the work reject the call, and only it. */
export interface Sealer extends AsyncDisposable {
  /** Names every blob by the repository's keyed hash. */
  hash(batch: BlobBatch): Promise<NamedBatch>;
  /** Compresses, encrypts and reads back one frame; `raw` is handed over. */
  seal(raw: Uint8Array<ArrayBuffer>, seal: FrameSeal): Promise<Uint8Array>;
  /** Opens one frame. Throws `object-damaged`. */
  open(request: OpenRequest): Promise<Uint8Array>;
}

export interface SealerOptions {
  /** K_id of the repository, 32 bytes. */
  readonly idKey: Uint8Array;
  /** zstd level, 1 to 3. */
  readonly level: number;
}

/** Works in the calling thread: for tests, simulation and small processes. */
export class InlineSealer implements Sealer {
  readonly #options: SealerOptions;

  constructor(options: SealerOptions) {
    this.#options = options;
  }

  async hash(batch: BlobBatch): Promise<NamedBatch> {
    const joined = namesOf(this.#options.idKey, batch);
    return { raw: batch.raw, ids: splitIds(joined) };
  }

  async seal(raw: Uint8Array<ArrayBuffer>, seal: FrameSeal): Promise<Uint8Array> {
    return sealVerifiedFrame(raw, seal, this.#options.level);
  }

  async open(request: OpenRequest): Promise<Uint8Array> {
    return openFrame(request.stored, request.seal, request);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** The ids of all blobs of a batch, back to back, 32 bytes each. */
export function namesOf(idKey: Uint8Array, batch: BlobBatch): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(batch.lengths.length * 32);
  let at = 0;
  for (const [i, length] of batch.lengths.entries()) {
    joined.set(leafIdOf(idKey, batch.kind, batch.raw.subarray(at, at + length)), i * 32);
    at += length;
  }
  return joined;
}

/** Views of 32 bytes each over `joined`. */
export function splitIds(joined: Uint8Array): LeafId[] {
  const ids: LeafId[] = [];
  for (let at = 0; at < joined.length; at += 32) ids.push(leafId(joined.subarray(at, at + 32)));
  return ids;
}
