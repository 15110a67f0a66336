// One opened index object: its head in memory, its pages read as lookups need them. With a place to spill
// to, the object is copied there once at the first need, so that a store in the network is not asked for
// single pages.
import type { LRUCache } from 'lru-cache';
import { CodrError } from '../../base/error.ts';
import type { Spill, SpillFile } from '../../base/spill.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import type { PackRef } from '../pack/pack-format.ts';
import { filterMayHold } from './bloom-filter.ts';
import {
  decodeIndexHead,
  decodeIndexHeader,
  entryBytes,
  type IndexHead,
  idPrefixBytes,
  indexDamaged,
  indexName,
  openPage,
  pageCount,
  pageEntries,
  pageRange,
} from './index-codec.ts';

export interface BlobLocation {
  readonly pack: PackRef;
  /** Its number in the pack's footer. */
  readonly leaf: number;
}

export interface IndexReading {
  readonly store: ObjectStore;
  readonly macKey: Uint8Array;
  readonly pages: LRUCache<string, Buffer>;
  readonly spill: Spill | undefined;
}

/** Pages read at once: 1 MiB. */
const runPagesMax = 256;
/** Unwanted pages between two wanted ones that are cheaper to read than another request. */
const gapPagesMax = 4;
const firstReadBytes = 64 * 1024;
const copyBytes = 4 * 1024 * 1024;

export class IndexObject {
  readonly id: string;
  readonly head: IndexHead;
  readonly #reading: IndexReading;
  #filter: Uint8Array | undefined;
  #copy: Promise<SpillFile> | undefined;
  readonly #copyReads = new Set<Promise<unknown>>();
  #closed = false;

  private constructor(id: string, head: IndexHead, reading: IndexReading) {
    this.id = id;
    this.#filter = head.filter;
    this.head = { ...head, filter: new Uint8Array(0) };
    this.#reading = reading;
  }

  /** Errors: `object-missing`, `object-damaged`, `format-unknown`. */
  static async open(id: string, reading: IndexReading, signal?: AbortSignal): Promise<IndexObject> {
    const object = indexName(id);
    const { store } = reading;
    let head = await store.get(object, { offset: 0, length: firstReadBytes }, signal);
    const { headBytes } = decodeIndexHeader(head, object);
    if (headBytes > head.length) {
      head = await store.get(object, { offset: 0, length: headBytes }, signal);
    }
    return new IndexObject(id, decodeIndexHead(reading.macKey, head, object), reading);
  }

  /** Bytes of filter held in memory. */
  get filterBytes(): number {
    return this.#filter?.length ?? 0;
  }

  /** Gives the filter's memory back; every id in range is then looked for in the pages. */
  dropFilter(): void {
    this.#filter = undefined;
  }

  mayHold(id: Buffer): boolean {
    const byte = id[0] as number;
    if (byte < this.head.firstByte || byte > this.head.lastByte) return false;
    return !this.#filter || filterMayHold(this.#filter, id);
  }

  /** Every location of each of `ids`, which ascend. Reads each page at most once. */
  async find(ids: readonly Buffer[], signal?: AbortSignal): Promise<BlobLocation[][]> {
    const found: BlobLocation[][] = ids.map(() => []);
    let open = ids.flatMap((id, i) => this.#begin(id, found[i] as BlobLocation[]) ?? []);
    while (open.length > 0) {
      const wanted = [...new Set(open.map(({ page }) => page))];
      const pages = await this.readPages(wanted, signal);
      open = open.filter((search) => this.#step(pages.get(search.page) as Buffer, search));
    }
    return found;
  }

  /** Checked pages by number; numbers past the end are left out. Bounded by the caller's `wanted`. */
  async readPages(wanted: number[], signal?: AbortSignal): Promise<Map<number, Buffer>> {
    const pages = new Map<number, Buffer>();
    const missing: number[] = [];
    for (const page of wanted.sort((a, b) => a - b)) {
      const kept = this.#reading.pages.get(`${this.id}/${page}`);
      if (kept) pages.set(page, kept);
      else if (page < pageCount(this.head)) missing.push(page);
    }
    for (let i = 0; i < missing.length; ) {
      const first = missing[i] as number;
      let last = first;
      for (; i < missing.length; i++) {
        const page = missing[i] as number;
        if (page - last > gapPagesMax || page - first >= runPagesMax) break;
        last = page;
      }
      await this.#readRun(first, last, pages, signal);
    }
    return pages;
  }

  /** Waits for reads that are under way; a search that goes on gets `object-missing`. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#copyReads);
    await (await this.#copy?.catch(() => undefined))?.[Symbol.asyncDispose]();
  }

  async #readRun(
    first: number,
    last: number,
    pages: Map<number, Buffer>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const start = pageRange(this.head, first).offset;
    const end = pageRange(this.head, last);
    const bytes = await this.#read(start, end.offset + end.length - start, signal);
    for (let page = first; page <= last; page++) {
      const { offset, length } = pageRange(this.head, page);
      const stored = bytes.subarray(offset - start, offset - start + length);
      const object = indexName(this.id);
      const entries = openPage(this.#reading.macKey, this.head, page, stored, object);
      const own = Buffer.from(entries);
      pages.set(page, own);
      this.#reading.pages.set(`${this.id}/${page}`, own);
    }
  }

  async #read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    const { store, spill } = this.#reading;
    if (this.#closed) {
      const object = indexName(this.id);
      throw new CodrError('object-missing', `${object} was merged into another`, { object });
    }
    if (!spill) return await store.get(indexName(this.id), { offset, length }, signal);
    this.#copy ??= this.#copyTo(spill).catch((error: unknown) => {
      this.#copy = undefined;
      throw error;
    });
    const reading = this.#copy.then((copy) => copy.read(offset - this.head.headBytes, length));
    this.#copyReads.add(reading);
    return await reading.finally(() => this.#copyReads.delete(reading));
  }

  /** Copies the pages. Not cancelled by one caller, since others may wait for it. */
  async #copyTo(spill: Spill): Promise<SpillFile> {
    const file = await spill.open();
    try {
      await this.#copyPages(file);
      return file;
    } catch (error) {
      // Merged away by another process, more often than not.
      await file[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #copyPages(file: SpillFile): Promise<void> {
    const pages = pageCount(this.head);
    const { offset, length } = pageRange(this.head, Math.max(0, pages - 1));
    const end = offset + length;
    for (let at = this.head.headBytes; at < end; ) {
      const range = { offset: at, length: Math.min(copyBytes, end - at) };
      const bytes = await this.#reading.store.get(indexName(this.id), range);
      if (bytes.length === 0) throw indexDamaged(indexName(this.id), 'it is truncated');
      await file.append(bytes);
      at += bytes.length;
    }
  }

  /** Where to look for an id if the ids of its leading byte are spread evenly; undefined: nowhere. */
  #begin(id: Buffer, found: BlobLocation[]): Search | undefined {
    const byte = id[0] as number;
    const from = this.head.fanOut[byte] as number;
    const to = this.head.fanOut[byte + 1] as number;
    if (from === to) return undefined;
    const share = (id.readUInt32BE(0) & 0xff_ffff) / 0x100_0000;
    const page = Math.floor((from + Math.floor((to - from) * share)) / pageEntries);
    const end = Math.floor((to - 1) / pageEntries);
    return { id, found, page, low: Math.floor(from / pageEntries), end, collecting: false };
  }

  /**
   * Looks at one page. The first page whose last entry is not below the id holds it, if any does; equal
   * ids may go on in the pages after. True: look at `search.page` next.
   */
  #step(page: Buffer, search: Search): boolean {
    const compare = (at: number): number =>
      page.compare(search.id, 0, idPrefixBytes, at, at + idPrefixBytes);
    const lastAt = page.length - entryBytes;
    if (!search.collecting) {
      if (compare(lastAt) < 0) {
        search.low = ++search.page;
        return search.page <= search.end;
      }
      if (compare(0) >= 0 && search.page > search.low) {
        search.page--;
        return true;
      }
    }
    for (let at = lowerBound(page, compare); at <= lastAt && compare(at) === 0; at += entryBytes) {
      const pack = this.head.packs[page.readUInt32LE(at + idPrefixBytes)];
      if (!pack) throw indexDamaged(indexName(this.id), 'an entry names no pack');
      search.found.push({ pack, leaf: page.readUInt32LE(at + idPrefixBytes + 4) });
    }
    search.collecting = compare(lastAt) === 0;
    return search.collecting && ++search.page <= search.end;
  }
}

interface Search {
  readonly id: Buffer;
  readonly found: BlobLocation[];
  /** The page to look at next. */
  page: number;
  /** Pages before it end below the id. */
  low: number;
  /** Last page with ids of the same leading byte. */
  readonly end: number;
  /** Equal ids went on past the end of the page before. */
  collecting: boolean;
}

/** Offset of the first entry that is not below what `compare` compares with. */
function lowerBound(page: Buffer, compare: (at: number) => number): number {
  let low = 0;
  let high = page.length / entryBytes;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(middle * entryBytes) < 0) low = middle + 1;
    else high = middle;
  }
  return low * entryBytes;
}
