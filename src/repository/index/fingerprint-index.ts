// Which leaves the repository holds, and where: all index objects together. In memory are only the heads
// (packs, fan-out, filters up to a limit) and some pages; of a peer, the heads that it needs. The index is a cache:
// what it lacks costs a duplicate, never a leaf, and `rebuild` from pack footers makes it again.
import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { Mutex } from '../../base/async.ts';
import { concatBytes, emptyBytes, view } from '../../base/bytes.ts';
import { isCodrError } from '../../base/error.ts';
import type { Spill } from '../../base/spill.ts';
import type { LeafId, PackId } from '../../model/id.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import type { PackRef } from '../pack/pack-format.ts';
import { FilterShare, type SlotShare } from './filter-share.ts';
import { encodeIndex, entryBytes, type IndexRun, idPrefixBytes, indexName } from './index-codec.ts';
import type { IndexObject, IndexReading } from './index-object.ts';
import { dueForMerge, mergeObjects } from './merge-objects.ts';
import { OpenedObjects } from './opened-objects.ts';
import type { BlobLocation } from './page-search.ts';

interface FingerprintIndexOptions {
  /** K_mac of the repository. */
  readonly macKey: Uint8Array;
  /** Where objects are copied to once they are searched; without it pages are read from the store. */
  readonly spill?: Spill;
  /** Memory of filters, 1.25 bytes a leaf; objects past it are searched without. */
  readonly filterBytesMax?: number;
  /** Memory of pages. */
  readonly pageCacheBytesMax?: number;
  /** Entries of one object; above it a run is cut into several by leading byte. */
  readonly objectEntriesMax?: number;
  /** Of a peer: heads are opened when they are needed, and filters kept of what may be of its slots. */
  readonly share?: SlotShare;
}

/** How ids are looked for. */
interface Looking {
  readonly usable: (pack: PackRef) => boolean;
  readonly passesOver: (object: IndexObject) => boolean;
  readonly signal: AbortSignal | undefined;
}

/** Ids, and where they were found. */
interface Lookup {
  /** Places in the other two, by ascending ids. */
  readonly sorted: readonly number[];
  readonly buffers: readonly Buffer[];
  readonly found: (BlobLocation | undefined)[];
}

/** A stored pack and the ids of its leaves in the order of its footer. */
export interface IndexedPack {
  readonly ref: PackRef;
  readonly leafIds: readonly LeafId[];
}

/** Entries that a rebuild gathers before it writes: about 40 MB. */
const rebuildEntries = 256 * 1024;
/** Searches of a lookup that meets objects which others merge away. */
const lookupRounds = 3;
/** Tries to merge or drop while others replace the same objects. */
const changeRounds = 8;
const defaultFilterBytesMax = 256 * 1024 * 1024;
const defaultPageCacheBytesMax = 16 * 1024 * 1024;
/** 24 MiB of entries: the unit of memory of merging, three times over. */
const defaultObjectEntriesMax = 2 ** 20;

export class FingerprintIndex implements AsyncDisposable {
  readonly #store: ObjectStore;
  readonly #reading: IndexReading;
  readonly #share: FilterShare;
  readonly #objectEntriesMax: number;
  readonly #objects: OpenedObjects;
  /** Held by whoever changes the set of objects. */
  readonly #changing = new Mutex();

  private constructor(store: ObjectStore, options: FingerprintIndexOptions) {
    this.#store = store;
    this.#share = new FilterShare(options.filterBytesMax ?? defaultFilterBytesMax, options.share);
    this.#objectEntriesMax = options.objectEntriesMax ?? defaultObjectEntriesMax;
    this.#reading = {
      store,
      macKey: options.macKey,
      spill: options.spill,
      pages: new LRUCache({
        maxSize: options.pageCacheBytesMax ?? defaultPageCacheBytesMax,
        sizeCalculation: (page) => page.length,
      }),
    };
    this.#objects = new OpenedObjects(this.#reading, this.#share);
  }

  /** Opens every index object, a peer their headers alone. Errors: `object-damaged`, `format-unknown`, those of the store. */
  static async open(
    store: ObjectStore,
    options: FingerprintIndexOptions,
    signal?: AbortSignal,
  ): Promise<FingerprintIndex> {
    const index = new FingerprintIndex(store, options);
    await index.refresh(signal);
    return index;
  }

  /**
   * Makes the index again from `packs` (what their footers say), also when its objects are damaged. A crash
   * on the way leaves an index that lacks packs: blobs in them cannot be read until it is made again.
   */
  static async rebuild(
    store: ObjectStore,
    options: FingerprintIndexOptions,
    packs: AsyncIterable<IndexedPack>,
    signal?: AbortSignal,
  ): Promise<FingerprintIndex> {
    const index = new FingerprintIndex(store, options);
    await index.#clear(signal);
    let gathered: IndexedPack[] = [];
    let entries = 0;
    for await (const pack of packs) {
      gathered.push(pack);
      entries += pack.leafIds.length;
      if (entries < rebuildEntries) continue;
      await index.addPacks(gathered, signal);
      await index.compact(signal);
      gathered = [];
      entries = 0;
    }
    await index.addPacks(gathered, signal);
    await index.compact(signal);
    return index;
  }

  get objectCount(): number {
    return this.#objects.all.length;
  }

  get entryCount(): number {
    return this.#objects.all.reduce((sum, { header }) => sum + header.entryCount, 0);
  }

  /** Every pack that an entry may lead to. Errors: as {@link open}. */
  async packs(signal?: AbortSignal): Promise<Map<PackId, PackRef>> {
    return await this.#objects.packs(signal);
  }

  /** The opened objects by name. They may be merged into others at any time: reading one then says `object-missing`. */
  get objects(): ReadonlyMap<string, IndexObject> {
    return this.#objects.byName;
  }

  /** Bytes of filters in memory. */
  get filterBytes(): number {
    return this.#share.bytes;
  }

  /** True when this process answers for the id's slot, or is no peer. */
  owns(id: LeafId): boolean {
    return this.#share.owns(id);
  }

  /** True when the id may stand in an object whose filter others have: ask them first. */
  isBlindTo(id: LeafId): boolean {
    if (!this.#share.isDivided) return false;
    const { byName } = this.#objects;
    this.#share.follow(byName.values());
    return this.#share.blindBytes(byName.values())[id[0] as number] === 1;
  }

  /** Reads every head that was not read yet: a header that is damaged may hide an object. Errors: `object-damaged`. */
  async prove(signal?: AbortSignal): Promise<void> {
    for (const object of this.#objects.all) {
      if (!object.isProven) await this.#objects.packsIfThere(object, signal);
    }
  }

  /** Opens what others wrote since, closes what they merged or dropped. */
  async refresh(signal?: AbortSignal): Promise<void> {
    await this.#changing.run(() => this.#objects.readList(signal));
  }

  /**
   * For each id a location for which `usable` holds (any, unless given), or undefined. Best called with
   * hundreds of ids at once: they are sorted, and each page is read once. When an object was merged away
   * meanwhile the list is read again; one that keeps going missing counts as empty.
   */
  async lookup(
    ids: readonly LeafId[],
    usable: (pack: PackRef) => boolean = () => true,
    signal?: AbortSignal,
  ): Promise<(BlobLocation | undefined)[]> {
    return await this.#lookup(ids, { usable, signal, passesOver: () => false });
  }

  /** As {@link lookup}, but only where a filter says that it is worth while: seldom a page is read in vain. */
  async lookupFiltered(
    ids: readonly LeafId[],
    usable: (pack: PackRef) => boolean,
  ): Promise<(BlobLocation | undefined)[]> {
    const passesOver = (object: IndexObject): boolean =>
      !object.hasFilter && !this.#share.isDue(object);
    return await this.#lookup(ids, { usable, signal: undefined, passesOver });
  }

  async #lookup(ids: readonly LeafId[], how: Looking): Promise<(BlobLocation | undefined)[]> {
    const found = new Array<BlobLocation | undefined>(ids.length);
    const buffers = ids.map((id) => view(id));
    const sorted = [...buffers.keys()].sort((a, b) =>
      Buffer.compare(buffers[a] as Buffer, buffers[b] as Buffer),
    );
    const { byName } = this.#objects;
    this.#share.follow(byName.values());
    await this.#share.sweep(byName.values());
    for (let round = 0; round < lookupRounds; round++) {
      let stale = false;
      for (const object of this.#objects.all) {
        if (how.passesOver(object)) continue;
        try {
          await this.#lookInto(object, { sorted, buffers, found }, how);
        } catch (error) {
          if (!isCodrError(error, 'object-missing')) throw error;
          stale = true;
        }
      }
      if (!stale) break;
      await this.refresh(how.signal);
    }
    return found;
  }

  /** Finds what was not found yet and is in the object. */
  async #lookInto(
    object: IndexObject,
    { sorted, buffers, found }: Lookup,
    { usable, signal }: Looking,
  ): Promise<void> {
    let asked = sorted.filter((i) => !found[i] && object.mayHold(buffers[i] as Buffer));
    if (asked.length > 0 && this.#share.isDue(object)) {
      await this.#objects.loadFilter(object, signal);
      asked = asked.filter((i) => object.mayHold(buffers[i] as Buffer));
    }
    if (asked.length === 0) return;
    this.#share.touch(object);
    const ids = asked.map((i) => buffers[i] as Buffer);
    const locations = await object.find(ids, signal);
    for (const [k, i] of asked.entries()) {
      found[i] = locations[k]?.find(({ pack }) => usable(pack));
    }
  }

  /**
   * Writes one index object (several above the limit) for stored packs and opens it. `salt`: of a repair, so that it gets
   * another name than a damaged object of the same packs, which can then stay until this one is there.
   */
  async addPacks(
    packs: readonly IndexedPack[],
    signal?: AbortSignal,
    salt: Uint8Array = emptyBytes,
  ): Promise<void> {
    let part: IndexedPack[] = [];
    let entries = 0;
    for (const pack of packs) {
      if (pack.leafIds.length === 0) continue;
      if (part.length > 0 && entries + pack.leafIds.length > this.#objectEntriesMax) {
        await this.#writeOne(part, salt, signal);
        part = [];
        entries = 0;
      }
      part.push(pack);
      entries += pack.leafIds.length;
    }
    if (part.length > 0) await this.#writeOne(part, salt, signal);
  }

  /**
   * Merges 8 runs of a tier into one of the next, as often as there are so many: the number of runs grows
   * with the logarithm of the leaves. Safe beside other processes: they write the same objects.
   */
  async compact(signal?: AbortSignal): Promise<void> {
    await this.#changeSteadily(signal, async () => {
      const next = () => dueForMerge(this.#objects.all, this.#objectEntriesMax);
      for (let due = next(); due; due = next()) {
        await this.#replace(due.objects, { tier: due.tier + 1 }, new Set(), signal);
      }
    });
  }

  /** Removes every entry that leads to `packs`: they were deleted. */
  async drop(packs: ReadonlySet<PackId>, signal?: AbortSignal): Promise<void> {
    await this.#changeSteadily(signal, async () => {
      for (const object of this.#objects.all) {
        const refs = await this.#objects.packsOf(object, signal);
        if (!refs.hasSome(packs)) continue;
        await this.#replace([object], object.header, packs, signal);
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { id } of this.#objects.all) await this.#objects.close(id);
    this.#reading.pages.clear();
  }

  /** Begins again when another process has replaced an object meanwhile. */
  async #changeSteadily(
    signal: AbortSignal | undefined,
    change: () => Promise<void>,
  ): Promise<void> {
    await this.#changing.run(async () => {
      for (let round = 1; ; round++) {
        try {
          return await change();
        } catch (error) {
          if (!isCodrError(error, 'object-missing') || round === changeRounds) throw error;
          await this.#objects.readList(signal);
        }
      }
    });
  }

  async #clear(signal: AbortSignal | undefined): Promise<void> {
    const names: string[] = [];
    for await (const { name } of this.#store.list('index/', signal)) names.push(name);
    for (const name of names) await this.#store.remove(name, signal);
  }

  async #writeOne(
    packs: readonly IndexedPack[],
    salt: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const entries = entriesOf(packs);
    const run = hash('sha256', concatBytes([salt, entries]), 'buffer').subarray(0, 16);
    const place: IndexRun = { tier: 0, firstByte: 0, lastByte: 255, run };
    const refs = packs.map(({ ref }) => ref);
    await this.#changing.run(() => this.#create(place, refs, entries, signal));
  }

  async #create(
    place: IndexRun,
    packs: readonly PackRef[],
    entries: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const { id, body } = encodeIndex(this.#reading.macKey, place, packs, entries);
    await this.#store.create(indexName(id), body, signal);
    const size = body.reduce((sum, { length }) => sum + length, 0);
    await this.#objects.open(id, size, signal);
    return id;
  }

  /** Writes what replaces `objects`, then removes them; a crash between leaves entries twice. */
  async #replace(
    objects: readonly IndexObject[],
    place: { readonly tier: number } | IndexRun,
    without: ReadonlySet<PackId>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const written = new Set<string>();
    for await (const part of mergeObjects(objects, {
      place,
      without,
      entriesMax: this.#objectEntriesMax,
      signal,
    })) {
      written.add(await this.#create(part.place, part.packs, part.entries, signal));
    }
    for (const { id } of objects) {
      if (written.has(id)) continue;
      await this.#store.remove(indexName(id), signal);
      await this.#objects.close(id);
    }
  }
}

/** What an index object holds of packs that are numbered in this order; not sorted. */
function entriesOf(packs: readonly IndexedPack[]): Buffer {
  const count = packs.reduce((sum, { leafIds }) => sum + leafIds.length, 0);
  const entries = Buffer.alloc(count * entryBytes);
  let at = 0;
  for (const [number, { leafIds }] of packs.entries()) {
    for (const [leaf, id] of leafIds.entries()) {
      entries.set(id.subarray(0, idPrefixBytes), at);
      entries.writeUInt32LE(number, at + idPrefixBytes);
      entries.writeUInt32LE(leaf, at + idPrefixBytes + 4);
      at += entryBytes;
    }
  }
  return entries;
}
