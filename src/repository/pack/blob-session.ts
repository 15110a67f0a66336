// One unit of work on a BlobStore: what it put, and the packs that a commit of it must list.
import { transferableBytes } from '../../base/bytes.ts';
import type { LeafId, PackId } from '../../model/id.ts';
import type { BlobKind, LeafSink } from '../leaf/leaf-store.ts';
import type { BlockRef, BlockSink } from '../runs/run-ref.ts';
import type { BlobStore } from './blob-store.ts';
import type { OpenPack } from './open-pack.ts';
import { type PackKind, type PackRef, packKindOf } from './pack-format.ts';
import { PendingFrame, type PlacedIn } from './pending-frame.ts';

/** What a commit of the work relies on. */
export interface UsedPacks {
  /** Stored by this process and not committed yet. */
  readonly newPacks: readonly PackRef[];
  /** Committed before, relied on by a *known* answer. */
  readonly reusedPacks: readonly PackRef[];
}

/** Running totals of a session. */
interface BlobCounts {
  blobs: number;
  rawBytes: number;
  /** Of them, already stored or on their way. */
  knownBlobs: number;
  knownRawBytes: number;
}

export class BlobSession implements LeafSink, AsyncDisposable {
  readonly counts: BlobCounts = { blobs: 0, rawBytes: 0, knownBlobs: 0, knownRawBytes: 0 };
  /** Blocks of runs, each a frame of a change pack. */
  readonly blocks: BlockSink;
  readonly #store: BlobStore;
  /** Own frames that still gather. */
  readonly #gathering = new Map<PackKind, PendingFrame>();
  /** Frames relied on, own and others'. */
  #frames = new Set<PendingFrame>();
  #packs = new Set<OpenPack>();
  #blocks: Promise<PlacedIn>[] = [];
  #known = new Map<PackId, PackRef>();

  constructor(store: BlobStore) {
    this.#store = store;
    this.blocks = {
      ready: async () => {
        await store.sealing.take();
        store.sealing.give();
      },
      addBlock: (raw) => this.#addBlock(raw),
      flush: async () => {
        await this.#placeBlocks();
        const open = [...this.#packs].filter(({ kind }) => kind === 'c');
        await Promise.all(open.map((pack) => store.storePack(pack)));
      },
    };
  }

  async put(kind: BlobKind, blobs: readonly Uint8Array[]): Promise<LeafId[]> {
    await this.#store.hashing.take();
    try {
      return await this.#put(kind, blobs);
    } finally {
      this.#store.hashing.give();
    }
  }

  /**
   * Stores everything that the session relies on, packs first, then their index. The packs of the answer
   * belong in the packSet of the commit. On an error the session must be given up; what it put may be put
   * again by another.
   */
  async flush(): Promise<UsedPacks> {
    for (const frame of [...this.#gathering.values(), ...this.#frames]) {
      await this.#cut(frame);
    }
    this.#gathering.clear();
    await this.#placeBlocks();
    const stored = await Promise.allSettled([...this.#packs].map((p) => this.#store.storePack(p)));
    const failed = stored.find((one) => one.status === 'rejected');
    if (failed) throw failed.reason;
    await this.#store.writeIndex();
    const used = new Map(this.#known);
    for (const one of stored) if (one.status === 'fulfilled') used.set(one.value.id, one.value);
    const all = [...used.values()];
    this.#frames = new Set();
    this.#packs = new Set();
    this.#known = new Map();
    return {
      newPacks: all.filter((pack) => !this.#store.isCommitted(pack)),
      reusedPacks: all.filter((pack) => this.#store.isCommitted(pack)),
    };
  }

  /** Gives the session up. What only it gathered is dropped; full frames stay where they are. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const frame of this.#gathering.values()) if (!frame.cut) this.#store.unpend(frame);
    this.#gathering.clear();
  }

  async #put(kind: BlobKind, blobs: readonly Uint8Array[]): Promise<LeafId[]> {
    const { sealer } = this.#store.parts.context;
    const lengths = blobs.map(({ length }) => length);
    const { raw, ids } = await sealer.hash({ kind, raw: transferableBytes(blobs), lengths });
    const known = await this.#learn(ids);
    const full: PendingFrame[] = [];
    let at = 0;
    for (const [i, id] of ids.entries()) {
      const blob = raw.subarray(at, at + (lengths[i] as number));
      at += blob.length;
      this.counts.blobs++;
      this.counts.rawBytes += blob.length;
      if (this.#reliesOn(id, known.get(id))) {
        this.counts.knownBlobs++;
        this.counts.knownRawBytes += blob.length;
      } else {
        this.#gather(id, kind, blob, full);
      }
    }
    for (const frame of full) await this.#cut(frame);
    return ids;
  }

  /** For ids that nothing in this process has pending: packs that a commit may rely on. */
  async #learn(ids: readonly LeafId[]): Promise<ReadonlyMap<LeafId, PackRef>> {
    const store = this.#store;
    const asked = ids.filter((id) => !store.pendingFrame(id));
    const known = new Map<LeafId, PackRef>();
    if (asked.length === 0) return known;
    const locations = await store.parts.index.lookup(asked, (pack) => store.isUsable(pack));
    for (const [i, at] of locations.entries()) if (at) known.set(asked[i] as LeafId, at.pack);
    return known;
  }

  /** True when the blob is stored or will be; from now on the session's commit needs that pack. */
  #reliesOn(id: LeafId, known: PackRef | undefined): boolean {
    const frame = this.#store.pendingFrame(id);
    if (frame) {
      this.#frames.add(frame);
      return true;
    }
    // Asked again: the pack may have been condemned while the index was read.
    if (!known || !this.#store.isUsable(known)) return false;
    this.#known.set(known.id, known);
    return true;
  }

  #gather(id: LeafId, kind: BlobKind, blob: Uint8Array, full: PendingFrame[]): void {
    const packKind = packKindOf(kind);
    let frame = this.#gathering.get(packKind);
    if (frame && !frame.fits(blob.length)) {
      if (!frame.cut) full.push(frame);
      frame = undefined;
    }
    frame ??= new PendingFrame(packKind, blob.length);
    frame.add(id, kind, blob);
    this.#store.pend(id, frame);
    this.#gathering.set(packKind, frame);
  }

  async #cut(frame: PendingFrame): Promise<void> {
    this.#packs.add((await this.#store.cut(frame)).pack);
  }

  /** The promise is observed here too: the writer of a run may look at it late. */
  #addBlock(raw: Uint8Array): Promise<BlockRef> {
    const place = async (): Promise<BlockRef> => {
      const { pack, frame } = await placing;
      return { pack: (await pack.stored).id, frame };
    };
    const placing = this.#store.placeFrame('c', new Uint8Array(raw));
    this.#blocks.push(placing);
    const block = place();
    block.catch(() => {});
    return block;
  }

  /** Packs of the blocks added so far. */
  async #placeBlocks(): Promise<void> {
    const placed = await Promise.all(this.#blocks);
    this.#blocks = [];
    for (const { pack } of placed) this.#packs.add(pack);
  }
}
