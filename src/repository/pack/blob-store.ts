// Stores leaves, nodes and chunks once, and the blocks of runs. Sessions put side by side; equal blobs of
// all sessions of a process are stored once, and blobs of committed packs not at all. Packs first, then
// the index, then (by the caller) the commit: a crash leaves garbage, never a dangling reference.
//
// Memory: packs × 64 MiB for (one open pack of each kind + `uploadsMax`), `framesInFlightMax` frames of
// 256 KiB hashing and as many sealing, `gatheringFramesMax` frames that gather, about 130 bytes a leaf of packs that
// are not yet in the index (`pendingLeavesMax`), and the caches of the reader and the index.
import { forEachLimit, Mutex, Semaphore } from '../../base/async.ts';
import { view } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import type { Random } from '../../base/random.ts';
import type { LeafId, PackId } from '../../model/id.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import type { FingerprintIndex } from '../index/fingerprint-index.ts';
import type { BlobKind, LeafSource } from '../leaf/leaf-store.ts';
import { BlobSession } from './blob-session.ts';
import { type LeafExchangeAccess, LeafQuestions } from './leaf-questions.ts';
import { OpenPack } from './open-pack.ts';
import {
  type PackKind,
  type PackRef,
  packBytesTarget,
  packFramesMax,
  packLeavesMax,
  packName,
} from './pack-format.ts';
import type { PackReader } from './pack-reader.ts';
import { type PackContext, PackWriter } from './pack-writer.ts';
import type { PendingFrame, PlacedIn } from './pending-frame.ts';
import { readStored } from './stored-blobs.ts';

interface BlobStoreParts {
  readonly store: ObjectStore;
  readonly context: PackContext;
  readonly index: FingerprintIndex;
  readonly reader: PackReader;
  readonly random: Random;
}

export interface BlobStoreOptions {
  /** Stored bytes at which a pack is closed. */
  readonly packBytesTarget?: number;
  /** Leaves of a pack; one frame with more has a pack to itself. */
  readonly packLeavesMax?: number;
  /** Frames of a pack. */
  readonly packFramesMax?: number;
  /** Frames in each of two stages: hashing and sealing. */
  readonly framesInFlightMax?: number;
  /** Closed packs on their way to the store. */
  readonly uploadsMax?: number;
  /** Leaves of stored packs that wait for an index object. */
  readonly pendingLeavesMax?: number;
  /** Frames of all sessions that gather; sessions that were given up leave theirs behind. */
  readonly gatheringFramesMax?: number;
}

/** Packs that others have named are looked at side by side. */
const hearingMax = 16;

type PackState = 'uploaded' | 'committed' | 'condemned';

export class BlobStore implements LeafSource {
  readonly parts: BlobStoreParts;
  readonly hashing: Semaphore;
  readonly sealing: Semaphore;
  readonly #uploads: Semaphore;
  readonly #options: Required<Omit<BlobStoreOptions, 'framesInFlightMax' | 'uploadsMax'>>;
  /** Packs that this process uploaded or was told about: their leaves may be relied on, or not. */
  readonly #states = new Map<PackId, PackState>();
  /** Named blobs that no index object holds yet, by id. */
  readonly #pending = new Map<string, PendingFrame>();
  /** Oldest first. */
  readonly #gathering = new Set<PendingFrame>();
  readonly #open = new Map<PackKind, OpenPack>();
  readonly #placing = new Map<PackKind, Mutex>();
  readonly #indexing = new Mutex();
  #unindexed: {
    readonly pack: OpenPack;
    readonly ref: PackRef;
    readonly frames: PendingFrame[];
  }[] = [];
  readonly #framesOf = new Map<OpenPack, PendingFrame[]>();
  #others: LeafExchangeAccess | undefined;

  constructor(parts: BlobStoreParts, options: BlobStoreOptions = {}) {
    this.parts = parts;
    this.hashing = new Semaphore(options.framesInFlightMax ?? 8);
    this.sealing = new Semaphore(options.framesInFlightMax ?? 8);
    this.#uploads = new Semaphore(options.uploadsMax ?? 2);
    this.#options = {
      packBytesTarget: options.packBytesTarget ?? packBytesTarget,
      packLeavesMax: options.packLeavesMax ?? packLeavesMax,
      packFramesMax: options.packFramesMax ?? packFramesMax,
      pendingLeavesMax: options.pendingLeavesMax ?? 256 * 1024,
      gatheringFramesMax: options.gatheringFramesMax ?? 64,
    };
  }

  /**
   * A unit of work whose packs are told by its `flush`. Any number may be open. `startedAtMs`: by the wall clock; only
   * with it other processes are asked, if there are any.
   */
  session({ startedAtMs }: { readonly startedAtMs?: number } = {}): BlobSession {
    if (!this.#others || startedAtMs === undefined) return new BlobSession(this);
    // Milliseconds, and chance between those that begin in the same one: a number below 2^53.
    const session = Math.floor(startedAtMs) * 4096 + this.parts.random.below(4096);
    return new BlobSession(this, new LeafQuestions(this.#others, session));
  }

  /** From now on others are asked about what this process does not know. */
  askOthers(others: LeafExchangeAccess): void {
    this.#others = others;
  }

  /** The packs of a durable lineage entry: from now on their leaves are known. */
  committed(packs: Iterable<PackId>): void {
    for (const id of packs) {
      if (this.#states.get(id) !== 'condemned') this.#states.set(id, 'committed');
    }
  }

  /** Condemned packs: no leaf of theirs is known any more, also not to sessions that are open. */
  forget(packs: Iterable<PackId>): void {
    for (const id of packs) this.#states.set(id, 'condemned');
    const gone = this.#unindexed.filter(({ ref }) => this.#states.get(ref.id) === 'condemned');
    for (const { frames } of gone) this.#unpend(frames);
    this.#unindexed = this.#unindexed.filter((one) => !gone.includes(one));
  }

  /** Errors: `object-missing` when no pack holds an id, `object-damaged`. */
  async get(kind: BlobKind, ids: readonly LeafId[]): Promise<Uint8Array[]> {
    const out = new Array<Uint8Array>(ids.length);
    const stored: number[] = [];
    const frames = new Map<PendingFrame, Uint8Array>();
    for (const [i, id] of ids.entries()) {
      const frame = this.pendingFrame(id);
      if (!frame) {
        stored.push(i);
        continue;
      }
      const { offset, length } = frame.placeOf(id);
      const raw = frames.get(frame) ?? (await this.#readPending(frame));
      frames.set(frame, raw);
      out[i] = raw.slice(offset, offset + length);
    }
    const isCondemned = (pack: PackRef): boolean => this.#states.get(pack.id) === 'condemned';
    const exchange = this.#others?.exchange;
    const where = exchange && ((some: readonly LeafId[]) => exchange.where(some));
    const blobs = { kind, ids, wanted: stored, out, isCondemned, ...(where && { where }) };
    await readStored(this.parts, blobs);
    return out;
  }

  /** Blocks of runs out of change packs, in the order asked. */
  async readBlocks(
    refs: readonly { readonly pack: PackId; readonly frame: number }[],
  ): Promise<Uint8Array[]> {
    const frames = new Map<PackId, number[]>();
    for (const { pack, frame } of refs) frames.set(pack, [...(frames.get(pack) ?? []), frame]);
    const raws = new Map<PackId, Map<number, Uint8Array>>();
    for (const [id, ordinals] of frames) {
      const wanted = [...new Set(ordinals)];
      raws.set(id, await this.parts.reader.frames({ id, kind: 'c' }, wanted));
    }
    return refs.map(({ pack, frame }) => raws.get(pack)?.get(frame) as Uint8Array);
  }

  /** @internal The frame that waits to be stored with this blob. */
  pendingFrame(id: LeafId): PendingFrame | undefined {
    return this.#pending.get(keyOf(id));
  }

  /** @internal */
  pend(id: LeafId, frame: PendingFrame): void {
    this.#pending.set(keyOf(id), frame);
  }

  /** @internal Takes the named blobs of a frame that will not be stored back. */
  unpend(frame: PendingFrame): void {
    this.#unpend([frame]);
  }

  /** @internal True when a commit may rely on the pack. */
  isUsable(pack: PackRef): boolean {
    const state = this.#states.get(pack.id);
    return state === 'committed' || state === 'uploaded';
  }

  /** @internal Others say that these are committed. A pack that is not in the store is none, whatever they say. */
  async hear(packs: readonly PackRef[]): Promise<void> {
    const byId = new Map(packs.map((pack) => [pack.id, pack]));
    await forEachLimit(byId.values(), hearingMax, async (pack) => {
      const isThere = this.hasHeardOf(pack) || (await this.parts.store.stat(packName(pack)));
      if (isThere) this.committed([pack.id]);
      else this.forget([pack.id]);
    });
  }

  /** @internal Another process says that it has stored these. Errors: `peer-lost`, when they are not to be seen here. */
  async proveStored(packs: readonly PackRef[]): Promise<void> {
    await forEachLimit(packs, hearingMax, async (pack) => {
      const name = packName(pack);
      if (await this.parts.store.stat(name)) return;
      throw new CodrError('peer-lost', `a peer has stored ${name} where it is not seen from here`, {
        object: name,
        remedy: 'see that all peers are given the same repository, not a copy of it',
      });
    });
  }

  /** @internal True when it is known whether a commit may rely on the pack. */
  hasHeardOf(pack: PackRef): boolean {
    return this.#states.has(pack.id);
  }

  /** @internal */
  isCommitted(pack: PackRef): boolean {
    return this.#states.get(pack.id) === 'committed';
  }

  /** @internal A frame begins to gather; past the limit the oldest goes into a pack as it is. */
  gathers(frame: PendingFrame): void {
    this.#gathering.add(frame);
    const [oldest] = this.#gathering;
    if (!oldest || this.#gathering.size <= this.#options.gatheringFramesMax) return;
    this.cut(oldest).catch(() => {}); // heard by whoever relies on it
  }

  /** @internal Gives a frame its place in a pack; waits while too much is being sealed or uploaded. */
  cut(frame: PendingFrame): Promise<PlacedIn> {
    this.#gathering.delete(frame);
    frame.cut ??= this.placeFrame(frame.packKind, frame);
    return frame.cut;
  }

  /** @internal */
  async placeFrame(
    kind: PackKind,
    frame: PendingFrame | Uint8Array<ArrayBuffer>,
  ): Promise<PlacedIn> {
    await this.sealing.take();
    try {
      return await this.#mutexOf(kind).run(() => this.#place(kind, frame));
    } catch (error) {
      this.sealing.give();
      throw error;
    }
  }

  /** The permit to seal is given back when the frame is sealed. */
  async #place(kind: PackKind, frame: PendingFrame | Uint8Array<ArrayBuffer>): Promise<PlacedIn> {
    let pack = this.#open.get(kind);
    const isRaw = frame instanceof Uint8Array;
    const leaves = isRaw ? 0 : frame.blobs.length;
    if (pack?.takesFrames && this.#isFull(pack, leaves)) await this.#close(pack);
    if (!pack?.takesFrames) {
      const { context, random } = this.parts;
      pack = new OpenPack(new PackWriter(kind, context, random));
      this.#open.set(kind, pack);
      this.#watch(pack);
    }
    const added = isRaw ? pack.addFrame(frame, []) : pack.addFrame(frame.take(), frame.blobs);
    if (!isRaw) this.#framesOf.get(pack)?.push(frame);
    const done = (): void => this.sealing.give();
    added.sealed.then(done, done);
    return { pack, ...added };
  }

  /** True when a frame of `leaves` leaves must go into another pack. */
  #isFull(pack: OpenPack, leaves: number): boolean {
    const limits = this.#options;
    if (pack.bytes >= limits.packBytesTarget) return true;
    return (
      pack.frameCount >= limits.packFramesMax || pack.leafCount + leaves > limits.packLeavesMax
    );
  }

  /** @internal Closes the pack if it is still open and waits until it is stored. */
  async storePack(pack: OpenPack): Promise<PackRef> {
    await this.#mutexOf(pack.kind).run(async () => {
      if (pack.takesFrames) await this.#close(pack);
    });
    return await pack.stored;
  }

  /** @internal Writes an index object for every stored pack that has none. */
  async writeIndex(): Promise<void> {
    await this.#indexing.run(async () => {
      const packs = [...this.#unindexed]; // more may come while these are written
      if (packs.length === 0) return;
      const { index } = this.parts;
      await index.addPacks(packs.map(({ pack, ref }) => ({ ref, leafIds: pack.leafIds })));
      this.#unindexed = this.#unindexed.filter((one) => !packs.includes(one));
      for (const { frames } of packs) this.#unpend(frames);
      await index.compact();
    });
  }

  /** Waits for a free upload, then closes in the background. Called with the mutex of the kind held. */
  async #close(pack: OpenPack): Promise<void> {
    await this.#uploads.take();
    if (this.#open.get(pack.kind) === pack) this.#open.delete(pack.kind);
    void pack.close(this.parts.store).finally(() => this.#uploads.give());
  }

  /** Keeps the books when the pack is stored, or takes its blobs back when it is not. */
  #watch(pack: OpenPack): void {
    const frames: PendingFrame[] = [];
    this.#framesOf.set(pack, frames);
    pack.stored.then(
      (ref) => {
        this.#framesOf.delete(pack);
        this.#states.set(ref.id, 'uploaded');
        if (ref.leaves === 0) return;
        this.#unindexed.push({ pack, ref, frames });
        const waiting = this.#unindexed.reduce((sum, one) => sum + one.ref.leaves, 0);
        // A failure here is met again by the next flush, which writes what is still waiting.
        if (waiting > this.#options.pendingLeavesMax) this.writeIndex().catch(() => {});
      },
      () => {
        this.#framesOf.delete(pack);
        if (this.#open.get(pack.kind) === pack) this.#open.delete(pack.kind);
        this.#unpend(frames);
      },
    );
  }

  #unpend(frames: readonly PendingFrame[]): void {
    for (const frame of frames) {
      this.#gathering.delete(frame);
      for (const { id } of frame.blobs) {
        const key = keyOf(id);
        if (this.#pending.get(key) === frame) this.#pending.delete(key);
      }
    }
  }

  #mutexOf(kind: PackKind): Mutex {
    const mutex = this.#placing.get(kind) ?? new Mutex();
    this.#placing.set(kind, mutex);
    return mutex;
  }

  async #readPending(frame: PendingFrame): Promise<Uint8Array> {
    // A copy, which `slice` of a Buffer is not: who seals the frame gives its memory away.
    if (!frame.cut) return new Uint8Array(frame.raw);
    const { pack, frame: ordinal, sealed } = await frame.cut;
    await sealed;
    const here = await pack.readFrame(ordinal);
    if (here) return here;
    const ref = await pack.stored;
    const frames = await this.parts.reader.frames(ref, [ordinal]);
    return frames.get(ordinal) as Uint8Array;
  }
}

function keyOf(id: LeafId): string {
  return view(id).toString('latin1');
}
