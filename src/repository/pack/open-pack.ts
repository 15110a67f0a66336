// The life of one pack in this process: takes frames, is closed, uploaded, and then known by its name.

import type { LeafId } from '../../model/id.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { type PackKind, type PackRef, packName } from './pack-format.ts';
import type { PackedBlob, PackWriter } from './pack-writer.ts';

export class OpenPack {
  readonly kind: PackKind;
  /** Resolves once the pack is durable; rejects when sealing or uploading failed. Always observed. */
  readonly stored: Promise<PackRef>;
  #writer: PackWriter | undefined;
  #settle: { resolve: (ref: PackRef) => void; reject: (error: unknown) => void };
  #ref: PackRef | undefined;
  #leafIds: readonly LeafId[] = [];
  readonly #sealing = new Set<Promise<void>>();
  #closing = false;
  #failed = false;

  constructor(writer: PackWriter) {
    this.kind = writer.kind;
    this.#writer = writer;
    const { promise, resolve, reject } = Promise.withResolvers<PackRef>();
    this.stored = promise;
    this.#settle = { resolve, reject };
    promise.catch(() => {});
  }

  /** Stored bytes so far. */
  get bytes(): number {
    return this.#writer?.storedBytes ?? this.#ref?.bytes ?? 0;
  }

  get frameCount(): number {
    return this.#writer?.frameCount ?? 0;
  }

  get leafCount(): number {
    return this.#writer?.leafCount ?? 0;
  }

  /** True until the pack is closed or failed. */
  get takesFrames(): boolean {
    return !this.#closing && !this.#failed;
  }

  /** Ids in the order of the footer, once it is stored. */
  get leafIds(): readonly LeafId[] {
    return this.#leafIds;
  }

  addFrame(
    raw: Uint8Array<ArrayBuffer>,
    blobs: readonly PackedBlob[],
  ): { readonly frame: number; readonly sealed: Promise<void> } {
    const added = (this.#writer as PackWriter).addFrame(raw, blobs);
    const sealed = added.sealed.catch((error: unknown) => {
      this.#fail(error);
      throw error;
    });
    this.#sealing.add(sealed);
    sealed.then(
      () => this.#sealing.delete(sealed),
      () => this.#sealing.delete(sealed),
    );
    return { frame: added.frame, sealed };
  }

  /** Seals the footer and uploads; `stored` tells the outcome. The second call does nothing. */
  async close(store: ObjectStore): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    try {
      await Promise.all(this.#sealing);
      if (this.#failed) return;
      const { ref, body, leafIds } = await (this.#writer as PackWriter).finish();
      // `exists` is the reply to a retried upload: names are hashes of content under a random salt.
      await store.create(packName(ref), body);
      this.#ref = ref;
      this.#leafIds = leafIds;
      this.#writer = undefined;
      this.#settle.resolve(ref);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Raw bytes of a sealed frame while the pack is in memory; undefined once it is stored. */
  async readFrame(frame: number): Promise<Uint8Array | undefined> {
    return await this.#writer?.readFrame(frame);
  }

  #fail(error: unknown): void {
    this.#failed = true;
    this.#writer = undefined;
    this.#settle.reject(error);
  }
}
