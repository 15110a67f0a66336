// The search for one id in the pages of an index object: from the page where it stands if the ids of its leading byte
// are spread evenly, page by page to where it is.
import type { PackRef } from '../pack/pack-format.ts';
import {
  entryBytes,
  type IndexTables,
  idPrefixBytes,
  indexDamaged,
  pageEntries,
} from './index-codec.ts';

export interface BlobLocation {
  readonly pack: PackRef;
  /** Its number in the pack's footer. */
  readonly leaf: number;
}

export interface PageSearch {
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

/** Where to look for an id, and where its locations go; undefined: it is nowhere. */
export function beginSearch(
  { fanOut }: IndexTables,
  id: Buffer,
  found: BlobLocation[],
): PageSearch | undefined {
  const byte = id[0] as number;
  const from = fanOut[byte] as number;
  const to = fanOut[byte + 1] as number;
  if (from === to) return undefined;
  const share = (id.readUInt32BE(0) & 0xff_ffff) / 0x100_0000;
  const page = Math.floor((from + Math.floor((to - from) * share)) / pageEntries);
  const end = Math.floor((to - 1) / pageEntries);
  return { id, found, page, low: Math.floor(from / pageEntries), end, collecting: false };
}

/**
 * Looks at one page. The first page whose last entry is not below the id holds it, if any does; equal ids may go on
 * in the pages after. True: look at `search.page` next. Errors: `object-damaged`.
 */
export function searchPage(
  { packs }: IndexTables,
  page: Buffer,
  search: PageSearch,
  object: string,
): boolean {
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
    const pack = packs.at(page.readUInt32LE(at + idPrefixBytes));
    if (!pack) throw indexDamaged(object, 'an entry names no pack');
    search.found.push({ pack, leaf: page.readUInt32LE(at + idPrefixBytes + 4) });
  }
  search.collecting = compare(lastAt) === 0;
  return search.collecting && ++search.page <= search.end;
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
