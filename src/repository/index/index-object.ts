// One opened index object: its head in memory as far as it is needed, its pages read as lookups need them. With a place
// to spill to, the object is copied there once at the first need, so that a store in the network is not asked for
// single pages.
import type { LRUCache } from 'lru-cache';
import { untilAborted } from '../../base/async.ts';
import { equalBytes } from '../../base/bytes.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import type { Spill, SpillFile } from '../../base/spill.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { filterMayHold } from './bloom-filter.ts';
import {
  decodeIndexHead,
  decodeIndexHeader,
  type IndexHead,
  type IndexHeader,
  type IndexTables,
  indexDamaged,
  indexHeaderBytes,
  indexName,
  openPage,
  pageCount,
  pageRange,
} from './index-codec.ts';
import { type BlobLocation, beginSearch, searchPage } from './page-search.ts';

export interface IndexReading {
  readonly store: ObjectStore;
  readonly macKey: Uint8Array;
  readonly pages: LRUCache<string, Buffer>;
  readonly spill: Spill | undefined;
}

interface Bytes {
  readonly offset: number;
  readonly length: number;
}

/** Pages read at once: 1 MiB. */
const runPagesMax = 256;
/** Unwanted pages between two wanted ones that are cheaper to read than another request. */
const gapPagesMax = 4;
const firstReadBytes = 64 * 1024;
const copyBytes = 4 * 1024 * 1024;

export class IndexObject {
  readonly id: string;
  /** As it was read first: proven only once the tables were read. */
  readonly header: IndexHeader;
  /** When it was last searched; kept by whoever searches. */
  searchedAtMs = Number.NEGATIVE_INFINITY;
  readonly #reading: IndexReading;
  readonly #headerBytes: Uint8Array;
  #tables: IndexTables | undefined;
  #isProven = false;
  #filter: Uint8Array | undefined;
  #loading: Promise<IndexHead> | undefined;
  #copy: Promise<SpillFile> | undefined;
  readonly #copyReads = new Set<Promise<unknown>>();
  #closed = false;

  private constructor(id: string, headerBytes: Uint8Array, reading: IndexReading) {
    this.id = id;
    this.header = decodeIndexHeader(headerBytes, indexName(id));
    this.#headerBytes = new Uint8Array(headerBytes.subarray(0, indexHeaderBytes));
    this.#reading = reading;
  }

  /** With its whole head. Errors: `object-missing`, `object-damaged`, `format-unknown`. */
  static async open(id: string, reading: IndexReading, signal?: AbortSignal): Promise<IndexObject> {
    const object = indexName(id);
    const { store } = reading;
    let head = await store.get(object, { offset: 0, length: firstReadBytes }, signal);
    const { headBytes } = decodeIndexHeader(head, object);
    if (headBytes > head.length) {
      head = await store.get(object, { offset: 0, length: headBytes }, signal);
    }
    const opened = new IndexObject(id, head, reading);
    opened.#keep(decodeIndexHead(reading.macKey, head, object));
    return opened;
  }

  /** With its header alone: the rest is read when it is needed. Errors: as {@link open}. */
  static async glance(
    id: string,
    reading: IndexReading,
    signal?: AbortSignal,
  ): Promise<IndexObject> {
    const range = { offset: 0, length: indexHeaderBytes };
    return new IndexObject(id, await reading.store.get(indexName(id), range, signal), reading);
  }

  /** Bytes of filter held in memory. */
  get filterBytes(): number {
    return this.#filter?.length ?? 0;
  }

  get hasFilter(): boolean {
    return this.#filter !== undefined;
  }

  /** True while its packs and its fan-out are in memory. */
  get isOpen(): boolean {
    return this.#tables !== undefined;
  }

  /** True when its whole head was read once, and carried its tag. */
  get isProven(): boolean {
    return this.#isProven;
  }

  /** Gives the filter's memory back; every id in range is then looked for in the pages. */
  dropFilter(): void {
    this.#filter = undefined;
  }

  /** Its filter is in memory after this. Errors: as {@link open}. */
  async loadFilter(signal?: AbortSignal): Promise<void> {
    if (!this.#filter) this.#keep(await this.#load(signal));
  }

  /** Errors: as {@link open}. */
  async tables(signal?: AbortSignal): Promise<IndexTables> {
    if (this.#tables) return this.#tables;
    const { packs, fanOut } = await this.#load(signal);
    return this.#keepTables({ packs, fanOut });
  }

  /** Gives the memory of its packs and its fan-out back. A search that is under way goes on. */
  dropTables(): void {
    this.#tables = undefined;
  }

  /** Gives back all but the header and the filter. */
  async release(): Promise<void> {
    this.dropTables();
    const copy = this.#copy;
    this.#copy = undefined;
    await this.#end(copy);
  }

  mayHold(id: Buffer): boolean {
    const byte = id[0] as number;
    if (byte < this.header.firstByte || byte > this.header.lastByte) return false;
    return !this.#filter || filterMayHold(this.#filter, id);
  }

  /** Every location of each of `ids`, which ascend. Reads each page at most once. */
  async find(ids: readonly Buffer[], signal?: AbortSignal): Promise<BlobLocation[][]> {
    const tables = await this.tables(signal);
    const object = indexName(this.id);
    const found: BlobLocation[][] = ids.map(() => []);
    let open = ids.flatMap((id, i) => beginSearch(tables, id, found[i] as BlobLocation[]) ?? []);
    while (open.length > 0) {
      const wanted = [...new Set(open.map(({ page }) => page))];
      const pages = await this.readPages(wanted, signal);
      open = open.filter((one) => searchPage(tables, pages.get(one.page) as Buffer, one, object));
    }
    return found;
  }

  /**
   * Checked pages by number; numbers past the end are left out. Bounded by the caller's `wanted`. `once`: few of the
   * object are read, and not again, so it is not copied for them, nor are they kept.
   */
  async readPages(
    wanted: number[],
    signal?: AbortSignal,
    { once = false }: { readonly once?: boolean } = {},
  ): Promise<Map<number, Buffer>> {
    const pages = new Map<number, Buffer>();
    const missing: number[] = [];
    for (const page of wanted.sort((a, b) => a - b)) {
      const kept = this.#reading.pages.get(`${this.id}/${page}`);
      if (kept) pages.set(page, kept);
      else if (page < pageCount(this.header)) missing.push(page);
    }
    for (let i = 0; i < missing.length; ) {
      const first = missing[i] as number;
      let last = first;
      for (; i < missing.length; i++) {
        const page = missing[i] as number;
        if (page - last > gapPagesMax || page - first >= runPagesMax) break;
        last = page;
      }
      await this.#readRun({ first, last, once }, pages, signal);
    }
    return pages;
  }

  /** Waits for reads that are under way; a search that goes on gets `object-missing`. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#end(this.#copy);
  }

  /** Reads the whole head, once for all who want it; so it is not cancelled by one of them. */
  async #load(signal: AbortSignal | undefined): Promise<IndexHead> {
    this.#loading ??= this.#readHead().finally(() => {
      this.#loading = undefined;
    });
    return await (signal ? untilAborted(this.#loading, signal) : this.#loading);
  }

  async #readHead(): Promise<IndexHead> {
    const { store, macKey } = this.#reading;
    const object = indexName(this.id);
    if (this.#closed) throw this.#isGone();
    const bytes = await store.get(object, { offset: 0, length: this.header.headBytes });
    const head = decodeIndexHead(macKey, bytes, object);
    if (!equalBytes(bytes.subarray(0, indexHeaderBytes), this.#headerBytes)) {
      throw indexDamaged(object, 'its header was read in two ways');
    }
    return head;
  }

  #keep({ packs, fanOut, filter }: IndexHead): void {
    this.#keepTables({ packs, fanOut });
    this.#filter = filter;
  }

  #keepTables(tables: IndexTables): IndexTables {
    this.#tables = tables;
    this.#isProven = true;
    return tables;
  }

  async #readRun(
    {
      first,
      last,
      once,
    }: { readonly first: number; readonly last: number; readonly once: boolean },
    pages: Map<number, Buffer>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const start = pageRange(this.header, first).offset;
    const end = pageRange(this.header, last);
    const range = { offset: start, length: end.offset + end.length - start };
    const opened = await this.#openRun(first, last, await this.#read(range, once, signal), () => {
      return this.#reading.store.get(indexName(this.id), range, signal);
    });
    for (const [page, entries] of opened) {
      pages.set(page, entries);
      if (!once) this.#reading.pages.set(`${this.id}/${page}`, entries);
    }
  }

  /** What a copy, or the way here, has damaged is read once more as it is in the store. */
  async #openRun(
    first: number,
    last: number,
    bytes: Uint8Array,
    again?: () => Promise<Uint8Array>,
  ): Promise<Map<number, Buffer>> {
    const object = indexName(this.id);
    const start = pageRange(this.header, first).offset;
    const opened = new Map<number, Buffer>();
    try {
      for (let page = first; page <= last; page++) {
        const { offset, length } = pageRange(this.header, page);
        const stored = bytes.subarray(offset - start, offset - start + length);
        const entries = openPage(this.#reading.macKey, this.header, page, stored, object);
        opened.set(page, Buffer.from(entries));
      }
      return opened;
    } catch (error) {
      if (!again || !isCodrError(error, 'object-damaged')) throw error;
      await this.release();
      return await this.#openRun(first, last, await again());
    }
  }

  async #read(range: Bytes, once: boolean, signal?: AbortSignal): Promise<Uint8Array> {
    const { store, spill } = this.#reading;
    if (this.#closed) throw this.#isGone();
    if (!spill || (once && !this.#copy)) {
      return await store.get(indexName(this.id), range, signal);
    }
    const copy = this.#copy ?? this.#copyTo(spill);
    this.#copy = copy;
    const { offset, length } = range;
    const reading = copy.then((file) => file.read(offset - this.header.headBytes, length));
    copy.catch(() => {
      if (this.#copy === copy) this.#copy = undefined;
    });
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
    const pages = pageCount(this.header);
    const { offset, length } = pageRange(this.header, Math.max(0, pages - 1));
    const end = offset + length;
    for (let at = this.header.headBytes; at < end; ) {
      const range = { offset: at, length: Math.min(copyBytes, end - at) };
      const bytes = await this.#reading.store.get(indexName(this.id), range);
      if (bytes.length === 0) throw indexDamaged(indexName(this.id), 'it is truncated');
      await file.append(bytes);
      at += bytes.length;
    }
  }

  async #end(copy: Promise<SpillFile> | undefined): Promise<void> {
    await Promise.allSettled(this.#copyReads);
    await (await copy?.catch(() => undefined))?.[Symbol.asyncDispose]();
  }

  #isGone(): CodrError {
    const object = indexName(this.id);
    return new CodrError('object-missing', `${object} was merged into another`, { object });
  }
}
