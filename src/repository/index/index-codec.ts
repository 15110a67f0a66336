// The layout of an index object: which leaf lies in which pack. Sorted entries in pages of 4 KiB, each
// with a tag, after a head (counts, packs, fan-out, filter) with a tag of its own: a lookup reads the head
// once and then single pages, and every byte it trusts was checked. Ids are keyed hashes and stay in the
// clear. A function of its content: equal content gives equal bytes. Field by field: docs/format/index.md.
import { createHmac, hash } from 'node:crypto';
import { assert } from '../../base/assert.ts';
import { equalBytes, view } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import type { PackRef } from '../pack/pack-format.ts';
import { addToFilter, filterBytes } from './bloom-filter.ts';
import { encodePacks, PackList, packEntryBytes } from './pack-list.ts';

/** 16 bytes of leaf id, u32 pack number, u32 leaf number in the pack's footer. */
export const entryBytes = 24;
export const idPrefixBytes = 16;
const pageBytes = 4096;
const tagBytes = 16;
export const pageEntries = Math.floor((pageBytes - tagBytes) / entryBytes);
/** Entries of one object: sorting packs an entry's number into 21 bits. */
const indexEntriesMax = 2 ** 21;

export const indexHeaderBytes = 64;
const fanOutBytes = 257 * 4;
const headTagBytes = 32;
const magic = Buffer.from('CODRINDX', 'latin1');
const formatVersion = 1;

export function indexName(id: string): string {
  return `index/${id}`;
}

/** What an object says about the place of its entries among others. */
export interface IndexRun {
  /** 0: written by a flush; n + 1: merged from runs of tier n. */
  readonly tier: number;
  /** First and last leading byte of ids that the object may hold. A run is cut into such ranges. */
  readonly firstByte: number;
  readonly lastByte: number;
  /** 16 bytes, equal for all objects of a run. */
  readonly run: Uint8Array;
}

export interface IndexHeader extends IndexRun {
  readonly packCount: number;
  readonly entryCount: number;
  readonly filterBytes: number;
  /** 8 bytes of the hash of all entries: binds pages to this object. */
  readonly content: Uint8Array;
  /** Bytes before the first page. */
  readonly headBytes: number;
}

/** What entries are found by. */
export interface IndexTables {
  readonly packs: PackList;
  /** 257 numbers: entries whose id begins with b are [fanOut[b], fanOut[b + 1]). */
  readonly fanOut: Uint32Array;
}

/** The part of an index object before its pages. */
export interface IndexHead extends IndexHeader, IndexTables {
  readonly filter: Uint8Array;
}

interface EncodedIndex {
  /** SHA-256 of the object. */
  readonly id: string;
  readonly body: readonly Uint8Array[];
}

/** `entries` in any order, 24 bytes each, sorted and stripped of equal ones here. */
export function encodeIndex(
  macKey: Uint8Array,
  run: IndexRun,
  packs: readonly PackRef[],
  entries: Uint8Array,
): EncodedIndex {
  const sorted = sortEntries(view(entries));
  const entryCount = sorted.length / entryBytes;
  const filter = new Uint8Array(filterBytes(entryCount));
  const fanOut = new Uint32Array(257);
  for (let i = 0; i < entryCount; i++) {
    addToFilter(filter, sorted, i * entryBytes);
    const bucket = (sorted[i * entryBytes] as number) + 1;
    fanOut[bucket] = (fanOut[bucket] as number) + 1;
  }
  for (let b = 1; b <= 256; b++) fanOut[b] = (fanOut[b] as number) + (fanOut[b - 1] as number);
  const content = hash('sha256', sorted, 'buffer').subarray(0, 8);
  const header = Buffer.alloc(indexHeaderBytes);
  header.set(magic, 0);
  header[8] = formatVersion;
  header.set([run.tier, run.firstByte, run.lastByte], 9);
  header.writeUInt32LE(packs.length, 12);
  header.writeUInt32LE(entryCount, 16);
  header.writeUInt32LE(filter.length, 20);
  header.set(run.run, 24);
  header.set(content, 40);
  const head = Buffer.concat([header, encodePacks(packs), encodeFanOut(fanOut), filter]);
  const body = [head, headTag(macKey, head), encodePages(macKey, content, sorted)];
  return { id: hash('sha256', Buffer.concat(body)), body };
}

/** Reads the first 64 bytes. Throws `object-damaged` or `format-unknown`. */
export function decodeIndexHeader(bytes: Uint8Array, object: string): IndexHeader {
  const at = view(bytes);
  if (at.length < indexHeaderBytes || !equalBytes(at.subarray(0, 8), magic)) {
    throw indexDamaged(object, 'it does not begin like an index');
  }
  if (at[8] !== formatVersion) {
    throw new CodrError('format-unknown', `${object} has format ${at[8]}`, { object });
  }
  const packCount = at.readUInt32LE(12);
  const filterLength = at.readUInt32LE(20);
  const tables = packCount * packEntryBytes + fanOutBytes + filterLength;
  return {
    tier: at[9] as number,
    firstByte: at[10] as number,
    lastByte: at[11] as number,
    packCount,
    entryCount: at.readUInt32LE(16),
    filterBytes: filterLength,
    run: new Uint8Array(at.subarray(24, 40)),
    content: new Uint8Array(at.subarray(40, 48)),
    headBytes: indexHeaderBytes + tables + headTagBytes,
  };
}

/** Reads and checks everything before the pages. Throws `object-damaged` or `format-unknown`. */
export function decodeIndexHead(macKey: Uint8Array, bytes: Uint8Array, object: string): IndexHead {
  const header = decodeIndexHeader(bytes, object);
  const head = view(bytes).subarray(0, header.headBytes);
  const tables = head.subarray(0, header.headBytes - headTagBytes);
  if (
    head.length !== header.headBytes ||
    !equalBytes(headTag(macKey, tables), head.subarray(tables.length))
  ) {
    throw indexDamaged(object, 'its head does not carry its tag');
  }
  let at = indexHeaderBytes + header.packCount * packEntryBytes;
  const packs = new PackList(head.subarray(indexHeaderBytes, at));
  const fanOut = new Uint32Array(257);
  for (let i = 0; i < 257; i++, at += 4) fanOut[i] = head.readUInt32LE(at);
  return { ...header, packs, fanOut, filter: new Uint8Array(head.subarray(at, tables.length)) };
}

/** Where page `page` stands in the object. The last page is shorter. */
export function pageRange(
  header: IndexHeader,
  page: number,
): { readonly offset: number; readonly length: number } {
  const left = header.entryCount - page * pageEntries;
  const length = Math.min(left, pageEntries) * entryBytes + tagBytes;
  return { offset: header.headBytes + page * pageBytes, length };
}

export function pageCount(header: IndexHeader): number {
  return Math.ceil(header.entryCount / pageEntries);
}

/** The entries of a page, a view. Throws `object-damaged`. */
export function openPage(
  macKey: Uint8Array,
  header: IndexHeader,
  page: number,
  bytes: Uint8Array,
  object: string,
): Buffer {
  const entries = view(bytes).subarray(0, bytes.length - tagBytes);
  const fits = bytes.length === pageRange(header, page).length;
  const tag = pageTag(macKey, header.content, page, entries);
  if (!fits || !equalBytes(tag, bytes.subarray(entries.length))) {
    throw indexDamaged(object, `page ${page} does not carry its tag`);
  }
  return entries;
}

export function indexDamaged(object: string, why: string): CodrError {
  return new CodrError('object-damaged', `${object} is damaged: ${why}`, {
    object,
    remedy: 'run `codr check --repair`: the index is made again from the packs',
  });
}

function encodeFanOut(fanOut: Uint32Array): Buffer {
  const out = Buffer.alloc(fanOutBytes);
  for (const [i, count] of fanOut.entries()) out.writeUInt32LE(count, i * 4);
  return out;
}

function encodePages(macKey: Uint8Array, content: Uint8Array, sorted: Buffer): Buffer {
  const pages = Math.ceil(sorted.length / (pageEntries * entryBytes));
  const out = Buffer.alloc(sorted.length + pages * tagBytes);
  for (let page = 0; page < pages; page++) {
    const start = page * pageEntries * entryBytes;
    const entries = sorted.subarray(start, start + pageEntries * entryBytes);
    out.set(entries, page * pageBytes);
    out.set(pageTag(macKey, content, page, entries), page * pageBytes + entries.length);
  }
  return out;
}

function headTag(macKey: Uint8Array, head: Uint8Array): Uint8Array {
  return createHmac('sha256', macKey).update('codr/1/index-head\0').update(head).digest();
}

function pageTag(
  macKey: Uint8Array,
  content: Uint8Array,
  page: number,
  entries: Uint8Array,
): Uint8Array {
  const place = Buffer.alloc(12);
  place.set(content, 0);
  place.writeUInt32LE(page, 8);
  const mac = createHmac('sha256', macKey).update('codr/1/index-page\0').update(place);
  return mac.update(entries).digest().subarray(0, tagBytes);
}

/**
 * Sorted by all 24 bytes, equal entries once. Numbers of 32 id bits and 21 bits of place are sorted
 * natively, then neighbours of equal id bits are put right: a million entries take about 0.2 s.
 */
function sortEntries(entries: Buffer): Buffer {
  const count = entries.length / entryBytes;
  assert(count <= indexEntriesMax, 'an index object holds at most 2^21 entries');
  const order = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    order[i] = entries.readUInt32BE(i * entryBytes) * indexEntriesMax + i;
  }
  order.sort();
  const out = Buffer.alloc(entries.length);
  let end = 0;
  for (const key of order) {
    const from = (key % indexEntriesMax) * entryBytes;
    let at = end;
    let order = 1;
    while (at > 0) {
      order = entries.compare(out, at - entryBytes, at, from, from + entryBytes);
      if (order >= 0) break;
      at -= entryBytes;
    }
    if (at > 0 && order === 0) continue;
    out.copyWithin(at + entryBytes, at, end);
    entries.copy(out, at, from, from + entryBytes);
    end += entryBytes;
  }
  return out.subarray(0, end);
}
