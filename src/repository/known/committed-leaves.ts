// Answers which leaves are committed, for the slots of fingerprints that this peer owns: from a table in memory that
// is loaded from the index, and past its size from the index itself. What others commit is learnt by reading their
// lineages on, in the background: an answer never waits for that, so it may be a little old, which costs duplicates.
import { view } from '../../base/bytes.ts';
import type { Clock } from '../../base/clock.ts';
import { isCodrError } from '../../base/error.ts';
import type { Logger } from '../../base/log.ts';
import { leafId, type PackId } from '../../model/id.ts';
import type { FingerprintIndex } from '../index/fingerprint-index.ts';
import { entryBytes, idPrefixBytes } from '../index/index-codec.ts';
import type { IndexObject } from '../index/index-object.ts';
import type { BlobLocation } from '../index/page-search.ts';
import { pagesOfSlots } from '../index/slot-pages.ts';
import type { PackRef } from '../pack/pack-format.ts';
import type { CommittedPacks } from './committed-packs.ts';
import { LeafTable } from './leaf-table.ts';

export interface CommittedLeavesOptions {
  readonly index: FingerprintIndex;
  readonly packs: Pick<CommittedPacks, 'readAll' | 'read' | 'has'>;
  /** By slot (the first 12 bits of an id) 1 for those that this peer owns. Another array when they change. */
  readonly owned: () => Uint8Array | undefined;
  /** Called with packs that a collection has condemned: nothing here must rely on them. */
  readonly condemned: (packs: readonly PackId[]) => void;
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>;
  readonly log: Logger;
  /** Of the table, 48 bytes each. */
  readonly entriesMax: number;
  /** Hints can be lost: everything is read on after this long. */
  readonly rereadMs?: number;
}

/** Entries of a page that may be wanted. */
interface PageOf {
  readonly from: number;
  readonly to: number;
  /** 1 for those that are. */
  readonly slots: Uint8Array;
  /** Of the object's packs in the table. */
  readonly numbers: readonly number[];
}

const defaultRereadMs = 60_000;
/** Between the begin of one reading and the next: each lists the index, and commits may come all the time. */
const pauseMs = 500;
const slotCount = 4096;
const slotsPerByte = 16;
/** Tries to read objects while others merge them away. */
const roundsMax = 4;

export class CommittedLeaves implements AsyncDisposable {
  readonly #options: CommittedLeavesOptions;
  readonly #table: LeafTable;
  /** Slots whose entries are in the table, and the objects that were read for it. */
  #loaded = new Uint8Array(slotCount);
  #loadedFor: Uint8Array | undefined;
  #read = new Set<string>();
  /** True while the index has entries that the table lacks. */
  #behind = true;
  #usable = new Uint8Array(0);
  readonly #hinted = new Set<string>();
  #allDue = true;
  #readAtMs = 0;
  #begunAtMs = Number.NEGATIVE_INFINITY;
  #working: Promise<void> | undefined;
  #closed = false;

  constructor(options: CommittedLeavesOptions) {
    this.#options = options;
    this.#table = new LeafTable({ entriesMax: options.entriesMax });
  }

  /** Entries in memory. */
  get size(): number {
    return this.#table.size;
  }

  /** These lineages have new entries. */
  hint(lineages: readonly string[]): void {
    for (const name of lineages) this.#hinted.add(name);
    void this.#work();
  }

  /** Reads everything now. Resolves when the answers are up to date, or could not be brought there. */
  async refresh(): Promise<void> {
    this.#allDue = true;
    await this.#work();
  }

  /** Reads what was hinted at so far. */
  async settled(): Promise<void> {
    await this.#working;
  }

  /** Reads nothing any more; resolves when what was under way has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#working;
  }

  /** For each id, 16 bytes back to back, a committed pack that holds it. Errors: those of the index. */
  async find(ids: Uint8Array): Promise<(PackRef | undefined)[]> {
    const found = this.#findInTable(ids);
    return found.isAll ? found.packs : await this.#findInIndex(ids, found, ({ pack }) => pack);
  }

  /** As {@link find}, and where in the footer of the pack it stands. */
  async locate(ids: Uint8Array): Promise<(BlobLocation | undefined)[]> {
    const leaves = new Uint32Array(Math.floor(ids.length / idPrefixBytes));
    const { packs, isAll } = this.#findInTable(ids, leaves);
    const found = packs.map((pack, i) => pack && { pack, leaf: leaves[i] as number });
    return isAll ? found : await this.#findInIndex(ids, { packs: found }, (at) => at);
  }

  /** `isAll`: what is not found is not there. */
  #findInTable(
    ids: Uint8Array,
    leaves?: Uint32Array,
  ): { packs: (PackRef | undefined)[]; isAll: boolean } {
    const { clock, owned, rereadMs = defaultRereadMs } = this.#options;
    if (clock.monotonic() - this.#readAtMs > rereadMs) this.#allDue = true;
    const isAll = owned() === this.#loadedFor && !this.#behind && !this.#table.isFull;
    if (this.#allDue || owned() !== this.#loadedFor) void this.#work();
    const numbers = this.#table.findAll(ids, this.#usable, leaves);
    const packs: (PackRef | undefined)[] = new Array(numbers.length).fill(undefined);
    for (let i = 0; i < numbers.length; i++) {
      const pack = numbers[i] as number;
      if (pack >= 0) packs[i] = this.#table.pack(pack);
    }
    return { packs, isAll };
  }

  /** Fills what is undefined. */
  async #findInIndex<T>(
    ids: Uint8Array,
    { packs: found }: { readonly packs: (T | undefined)[] },
    taken: (at: BlobLocation) => T,
  ): Promise<(T | undefined)[]> {
    const open = found.flatMap((one, i) => (one ? [] : [i]));
    const asked = open.map((i) =>
      leafId(view(ids).subarray(i * idPrefixBytes, (i + 1) * idPrefixBytes)),
    );
    const usable = ({ id }: PackRef): boolean => this.#options.packs.has(id);
    const locations = await this.#options.index.lookup(asked, usable);
    for (const [k, i] of open.entries()) {
      const at = locations[k];
      if (at) found[i] = taken(at);
    }
    return found;
  }

  /** One at a time; what is asked for meanwhile is done before it ends. */
  #work(): Promise<void> {
    this.#working ??= this.#workOff().finally(() => {
      this.#working = undefined;
    });
    return this.#working;
  }

  async #workOff(): Promise<void> {
    const { owned, log } = this.#options;
    const isDue = (): boolean =>
      !this.#closed && (this.#allDue || this.#hinted.size > 0 || owned() !== this.#loadedFor);
    while (isDue()) {
      try {
        await this.#pause();
        await this.#readOn();
        await this.#load();
      } catch (error) {
        if (this.#closed) return;
        this.#allDue = true; // with the next question, or the next hint
        log.warn({ error }, 'what others have stored cannot be read now, and may be stored again');
        return;
      }
    }
  }

  async #pause(): Promise<void> {
    const { clock } = this.#options;
    const leftMs = this.#begunAtMs + pauseMs - clock.monotonic();
    if (leftMs > 0) await clock.sleep(leftMs);
    this.#begunAtMs = clock.monotonic();
  }

  async #readOn(): Promise<void> {
    const { packs, index, clock, condemned } = this.#options;
    const hinted = [...this.#hinted];
    this.#hinted.clear();
    const isAll = this.#allDue;
    this.#allDue = false;
    if (!isAll && hinted.length === 0) return;
    const gone = isAll ? await packs.readAll() : await packs.read(hinted);
    if (gone.length > 0) condemned(gone);
    await index.refresh();
    this.#behind = true;
    if (isAll) this.#readAtMs = clock.monotonic();
    this.#judgePacks();
  }

  /** Brings the table up to the index as it is opened now. */
  async #load(): Promise<void> {
    const { index, owned } = this.#options;
    const wanted = owned();
    const flags = wanted ?? new Uint8Array(slotCount);
    for (let round = 1; ; round++) {
      try {
        const objects = [...index.objects];
        const added = flags.map((own, slot) => (own && !this.#loaded[slot] ? 1 : 0));
        const hasAdded = added.includes(1);
        for (const [name, object] of objects) {
          const isNew = !this.#read.has(name);
          if (isNew || hasAdded) await this.#loadFrom(object, isNew ? flags : added);
          if (this.#closed) return;
        }
        this.#read = new Set(objects.map(([name]) => name));
        this.#loaded = Uint8Array.from(flags);
        this.#loadedFor = wanted;
        this.#behind = false;
        // Of a million packs it takes a second.
        if (this.#usable.length !== this.#table.packCount) this.#judgePacks();
        return;
      } catch (error) {
        if (!isCodrError(error, 'object-missing') || round === roundsMax) throw error;
        await index.refresh();
      }
    }
  }

  /** What is not open is closed again: the packs of all objects together may not fit into memory. */
  async #loadFrom(object: IndexObject, slots: Uint8Array): Promise<void> {
    const { isOpen, header } = object;
    const [from, to] = [header.firstByte * slotsPerByte, (header.lastByte + 1) * slotsPerByte];
    if (!slots.subarray(from, to).includes(1)) return;
    try {
      const { packs } = await object.tables();
      const numbers = Array.from(packs, (pack) => this.#table.numberOf(pack));
      for await (const [page, from, to] of pagesOfSlots(object, slots)) {
        if (this.#closed) return;
        this.#addPage(page, { from, to, slots, numbers });
      }
    } finally {
      if (!isOpen) object.dropTables();
    }
  }

  #addPage(page: Buffer, { from, to, slots, numbers }: PageOf): void {
    for (let at = from; at < to; at += entryBytes) {
      if (slots[page.readUInt16BE(at) >> 4] !== 1) continue;
      const pack = numbers[page.readUInt32LE(at + idPrefixBytes)];
      const leaf = page.readUInt32LE(at + idPrefixBytes + 4);
      if (pack !== undefined) this.#table.add(page, at, pack, leaf);
    }
  }

  /** By the numbers of the table. */
  #judgePacks(): void {
    const { packs } = this.#options;
    const usable = new Uint8Array(this.#table.packCount);
    for (let i = 0; i < usable.length; i++) usable[i] = packs.has(this.#table.pack(i).id) ? 1 : 0;
    this.#usable = usable;
  }
}
