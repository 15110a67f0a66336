// A sink and source in a Map, for tests and simulation. Counts what is asked of it.
import { toHex } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import type { LeafId } from '../../model/id.ts';
import { leafIdOf } from '../leaf/leaf-id.ts';
import type { BlobKind, LeafSink, LeafSource } from '../leaf/leaf-store.ts';

export class MemoryLeafStore implements LeafSink, LeafSource {
  /** By `kind:hex id`. */
  readonly blobs = new Map<string, Uint8Array>();
  /** Blobs handed out since the start. */
  fetchCount = 0;
  /** Calls of `get` since the start. */
  getCount = 0;
  readonly #keyId: Uint8Array;

  constructor(keyId: Uint8Array) {
    this.#keyId = keyId;
  }

  async put(kind: BlobKind, blobs: readonly Uint8Array[]): Promise<LeafId[]> {
    return blobs.map((blob) => {
      const id = leafIdOf(this.#keyId, kind, blob);
      this.blobs.set(nameOf(kind, id), Buffer.from(blob));
      return id;
    });
  }

  async get(kind: BlobKind, ids: readonly LeafId[]): Promise<Uint8Array[]> {
    this.getCount++;
    return ids.map((id) => {
      const blob = this.blobs.get(nameOf(kind, id));
      if (!blob) throw new CodrError('object-missing', `no ${kind} ${toHex(id)}`);
      this.fetchCount++;
      return Buffer.from(blob);
    });
  }
}

function nameOf(kind: BlobKind, id: LeafId): string {
  return `${kind}:${toHex(id)}`;
}
