// One unit of work on a BlobStore: what it put, and the packs that a commit of it must list.
import { toHex, transferableBytes } from '../../base/bytes.ts';
import type { LeafId, PackId } from '../../model/id.ts';
import { frameRawBytesTarget } from '../frame/frame-codec.ts';
import type { BlobKind, LeafSink } from '../leaf/leaf-store.ts';
import type { BlockRef, BlockSink } from '../runs/run-ref.ts';
import type { BlobStore } from './blob-store.ts';
import type { LeafQuestions } from './leaf-questions.ts';
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

/** A batch of new blobs that is longer becomes a frame as it is. */
const adoptedBytesMin = frameRawBytesTarget / 2;

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
  readonly #questions: LeafQuestions | undefined;

  constructor(store: BlobStore, questions?: LeafQuestions) {
    this.#store = store;
    this.#questions = questions;
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

  /** Ends waits for other processes, from now on. */
  stopWith(signal: AbortSignal): void {
    this.#questions?.stopWith(signal);
  }

  async put(
    kind: BlobKind,
    blobs: readonly Uint8Array[],
    slab?: Uint8Array<ArrayBuffer>,
  ): Promise<LeafId[]> {
    await this.#store.hashing.take();
    try {
      return await this.#put(kind, blobs, slab ?? transferableBytes(blobs));
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

  async #put(
    kind: BlobKind,
    blobs: readonly Uint8Array[],
    bytes: Uint8Array<ArrayBuffer>,
  ): Promise<LeafId[]> {
    const { sealer } = this.#store.parts.context;
    const lengths = blobs.map(({ length }) => length);
    const { raw, ids } = await sealer.hash({ kind, raw: bytes, lengths });
    const known = await this.#learn(ids);
    const full: PendingFrame[] = [];
    if (this.#isNew(ids, known, raw.length)) {
      this.counts.blobs += ids.length;
      this.counts.rawBytes += raw.length;
      full.push(this.#adopt(ids, kind, raw, lengths));
    } else {
      this.#gatherNew(ids, kind, { raw, lengths, known }, full);
    }
    for (const frame of full) await this.#cut(frame);
    return ids;
  }

  /** Puts what is not stored yet into the gathering frame; frames that this fills go to `full`. */
  #gatherNew(
    ids: readonly LeafId[],
    kind: BlobKind,
    from: {
      readonly raw: Uint8Array;
      readonly lengths: readonly number[];
      readonly known: ReadonlyMap<LeafId, PackRef>;
    },
    full: PendingFrame[],
  ): void {
    const { raw, lengths, known } = from;
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
  }

  /** True when no blob of a batch that fills a frame is stored, on its way, or in it twice. */
  #isNew(ids: readonly LeafId[], known: ReadonlyMap<LeafId, PackRef>, bytes: number): boolean {
    if (bytes < adoptedBytesMin || known.size > 0) return false;
    if (ids.some((id) => this.#store.pendingFrame(id))) return false;
    return new Set(ids.map(toHex)).size === ids.length;
  }

  /** The batch as a frame of its own, uncopied. */
  #adopt(
    ids: readonly LeafId[],
    kind: BlobKind,
    raw: Uint8Array<ArrayBuffer>,
    lengths: readonly number[],
  ): PendingFrame {
    const blobs = ids.map((id, i) => ({ id, kind, length: lengths[i] as number }));
    const frame = PendingFrame.of(packKindOf(kind), raw, blobs);
    for (const id of ids) this.#store.pend(id, frame);
    return frame;
  }

  /**
   * For ids that nothing in this process has pending: packs that a commit may rely on. The index is asked for ids of
   * this peer's slots, the owners of slots for what is then open.
   */
  async #learn(ids: readonly LeafId[]): Promise<ReadonlyMap<LeafId, PackRef>> {
    const { index } = this.#store.parts;
    const asked = ids.filter((id) => !this.#store.pendingFrame(id));
    const questions = this.#questions;
    const own = questions ? asked.filter((id) => index.owns(id)) : asked;
    const known = await this.#lookUp(own, 'whole', () => false);
    if (!questions || known.size === asked.length) return known;
    const unknown = asked.filter((id) => !known.has(id));
    const told = await questions.ask(unknown, {
      hear: (packs) => this.#store.hear(packs),
      accepts: (pack) => this.#store.isUsable(pack),
      // Of its own slots the index has said all that it can say.
      lookUp: (some, how, isCommitted) => {
        const wanted = how === 'whole' ? some : some.filter((id) => !index.owns(id));
        return this.#lookUp(wanted, how, isCommitted);
      },
      // Who waits for others holds up nobody here.
      wait: async (waiting) => {
        this.#store.hashing.give();
        await waiting().finally(() => this.#store.hashing.take());
      },
    });
    for (const [id, pack] of told) known.set(id, pack);
    return known;
  }

  /** Packs in the index that a commit may rely on: what `isCommitted` says counts for packs that are new here. */
  async #lookUp(
    ids: readonly LeafId[],
    how: 'whole' | 'filtered',
    isCommitted: (pack: PackRef) => boolean,
  ): Promise<Map<LeafId, PackRef>> {
    const store = this.#store;
    const { index } = store.parts;
    const known = new Map<LeafId, PackRef>();
    if (ids.length === 0) return known;
    const usable = (pack: PackRef): boolean =>
      store.isUsable(pack) || (!store.hasHeardOf(pack) && isCommitted(pack));
    const locations = await index[how === 'whole' ? 'lookup' : 'lookupFiltered'](ids, usable);
    for (const [i, at] of locations.entries()) {
      if (!at) continue;
      if (!store.hasHeardOf(at.pack)) store.committed([at.pack.id]);
      known.set(ids[i] as LeafId, at.pack);
    }
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
      full.push(frame); // also one that another session cut: this session's commit needs its pack
      frame = undefined;
    }
    if (!frame) {
      frame = PendingFrame.empty(packKind, blob.length);
      this.#store.gathers(frame);
    }
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
