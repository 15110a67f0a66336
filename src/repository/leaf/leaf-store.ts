// Where leaves, nodes and chunks go and come from, seen from the cutter and the tree. `pack/` stores
// them; `HashOnlySink` in the tree only names them, for proofs.
import type { LeafId } from '../../model/id.ts';

/** `leaf` and `chunk` go to data packs, `node` to tree packs. */
export type BlobKind = 'leaf' | 'chunk' | 'node';

/** Takes raw blobs, names them by keyed hash, and stores what the repository does not hold yet. */
export interface LeafSink {
  /**
   * Ids in the order given. Blobs of one call are stored beside each other; a call should hold about
   * 256 KiB. The memory belongs to the sink from the call on. Waits when too much is in flight.
   * Resolved ids are named, not yet durable: `flush` of the store and a commit make them so.
   * `slab`: all blobs lie in it back to back, from its start; it is handed over with them, uncopied.
   */
  put(
    kind: BlobKind,
    blobs: readonly Uint8Array[],
    slab?: Uint8Array<ArrayBuffer>,
  ): Promise<LeafId[]>;
}

/** Gives raw blobs back. Errors: `object-missing`, `object-damaged`. */
export interface LeafSource {
  /** Blobs in the order asked, to be read only: views may share buffers, also with a cache. */
  get(kind: BlobKind, ids: readonly LeafId[]): Promise<Uint8Array[]>;
}
