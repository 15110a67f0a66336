// A sink that stores nothing: for proofs, which need only the root that content would have.
import type { LeafId } from '../../model/id.ts';
import type { BlobKind, LeafSink } from '../leaf/leaf-store.ts';

/** Names blobs with `idOf` and forgets them. */
export class HashOnlySink implements LeafSink {
  readonly #idOf: (kind: BlobKind, blob: Uint8Array) => LeafId;

  constructor(idOf: (kind: BlobKind, blob: Uint8Array) => LeafId) {
    this.#idOf = idOf;
  }

  async put(kind: BlobKind, blobs: readonly Uint8Array[]): Promise<LeafId[]> {
    return blobs.map((blob) => this.#idOf(kind, blob));
  }
}
