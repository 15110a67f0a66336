// Merges index objects into fewer, one range of leading bytes after the other, so that the memory of a
// merge is that of one object, whatever the size of what is merged.
import { hash } from 'node:crypto';
import { fromHex, toHex } from '../../base/bytes.ts';
import type { PackId } from '../../model/id.ts';
import type { PackRef } from '../pack/pack-format.ts';
import {
  entryBytes,
  type IndexRun,
  type IndexTables,
  idPrefixBytes,
  pageEntries,
} from './index-codec.ts';
import type { IndexObject } from './index-object.ts';

/** Ids by their first byte, both ends included. */
export type LeadingBytes = Pick<IndexRun, 'firstByte' | 'lastByte'>;

interface MergeOptions {
  /** The tier of the new run, or the whole place of the one object that is written again. */
  readonly place: { readonly tier: number } | IndexRun;
  /** Packs whose entries are left out. */
  readonly without: ReadonlySet<PackId>;
  readonly entriesMax: number;
  readonly signal: AbortSignal | undefined;
}

interface MergedPart {
  readonly place: IndexRun;
  readonly packs: readonly PackRef[];
  /** Not sorted. */
  readonly entries: Uint8Array;
}

/** Runs of one tier that are merged into one of the next. */
const tierRuns = 8;
/** Objects' worth of entries in one run: of 256 ranges an eighth is left free. */
const cutMax = 224;
const pagesAtOnce = 128;

/** The objects of runs of one tier that are to become one run of the next. */
export function dueForMerge(
  objects: Iterable<IndexObject>,
  objectEntriesMax: number,
): { tier: number; objects: IndexObject[] } | undefined {
  const tiers = new Map<number, Map<string, IndexObject[]>>();
  for (const object of objects) {
    const { tier, run } = object.header;
    const runs = tiers.get(tier) ?? new Map<string, IndexObject[]>();
    tiers.set(tier, runs);
    const name = toHex(run);
    runs.set(name, [...(runs.get(name) ?? []), object]);
  }
  for (const [tier, runs] of tiers) {
    if (runs.size < tierRuns) continue;
    const sizes = [...runs].map(([name, some]) => ({ name, some, entries: entriesOf(some) }));
    sizes.sort((a, b) => a.entries - b.entries || (a.name < b.name ? -1 : 1));
    const due = sizes.slice(0, tierRuns).map(({ some }) => some);
    // Past 256 ranges of the leading byte a run cannot be cut finer: fewer are merged, or it stays as it is.
    while (due.length > 1 && entriesOf(due.flat()) > objectEntriesMax * cutMax) due.pop();
    if (due.length > 1) return { tier, objects: due.flat() };
  }
  return undefined;
}

/** The parts of one run that holds all entries of `objects` but those of `without`. */
export async function* mergeObjects(
  given: readonly IndexObject[],
  options: MergeOptions,
): AsyncGenerator<MergedPart> {
  const objects = [...given].sort((a, b) => (a.id < b.id ? -1 : 1));
  for (const place of placesOf(objects, options)) {
    const packs = new PackNumbers(options.without);
    let size = 0;
    for (const object of objects) {
      size += entriesIn(await object.tables(options.signal), place).count;
    }
    const entries = Buffer.alloc(size * entryBytes);
    let at = 0;
    for (const object of objects) {
      const tables = await object.tables(options.signal);
      const numbers = Array.from(tables.packs, (pack) => packs.numberOf(pack));
      for await (const [page, start, end] of pagesIn(object, place, options.signal)) {
        for (let from = start; from < end; from += entryBytes) {
          const number = numbers[page.readUInt32LE(from + idPrefixBytes)];
          if (number === undefined) continue;
          page.copy(entries, at, from, from + entryBytes);
          entries.writeUInt32LE(number, at + idPrefixBytes);
          at += entryBytes;
        }
      }
    }
    if (at > 0) yield { place, packs: packs.refs, entries: entries.subarray(0, at) };
  }
}

const entriesOf = (objects: readonly IndexObject[]): number =>
  objects.reduce((sum, { header }) => sum + header.entryCount, 0);

/** Packs of the merged object by id; a pack that is left out has no number. */
class PackNumbers {
  readonly refs: PackRef[] = [];
  readonly #numbers = new Map<PackId, number>();
  readonly #without: ReadonlySet<PackId>;

  constructor(without: ReadonlySet<PackId>) {
    this.#without = without;
  }

  numberOf(pack: PackRef): number | undefined {
    if (this.#without.has(pack.id)) return undefined;
    const known = this.#numbers.get(pack.id);
    if (known !== undefined) return known;
    this.#numbers.set(pack.id, this.refs.length);
    return this.refs.push(pack) - 1;
  }
}

function placesOf(objects: readonly IndexObject[], options: MergeOptions): IndexRun[] {
  const { place } = options;
  if ('run' in place) return [place];
  const total = entriesOf(objects);
  const ids = Buffer.concat(objects.map(({ id }) => fromHex(id)));
  const run = hash('sha256', ids, 'buffer').subarray(0, 16);
  // A tenth is left free, since ids are spread evenly only on average.
  const fits = total <= options.entriesMax;
  const parts = fits ? 1 : Math.min(256, Math.ceil((total * 1.1) / options.entriesMax));
  return Array.from({ length: parts }, (_, i) => ({
    tier: place.tier,
    run,
    firstByte: Math.floor((i * 256) / parts),
    lastByte: Math.floor(((i + 1) * 256) / parts) - 1,
  }));
}

/** Numbers of the entries whose leading byte lies in `place`. */
function entriesIn({ fanOut }: IndexTables, place: LeadingBytes): { from: number; count: number } {
  const from = fanOut[place.firstByte] as number;
  return { from, count: (fanOut[place.lastByte + 1] as number) - from };
}

/** Each page with entries in `place`, and the offsets between which they stand. Errors: those of reading pages. */
export async function* pagesIn(
  object: IndexObject,
  place: LeadingBytes,
  signal: AbortSignal | undefined,
): AsyncGenerator<[Buffer, number, number]> {
  const { from, count } = entriesIn(await object.tables(signal), place);
  const to = from + count;
  const lastPage = count === 0 ? -1 : Math.floor((to - 1) / pageEntries);
  for (let first = Math.floor(from / pageEntries); first <= lastPage; first += pagesAtOnce) {
    const length = Math.min(pagesAtOnce, lastPage - first + 1);
    const wanted = Array.from({ length }, (_, i) => first + i);
    const pages = await object.readPages(wanted, signal);
    for (const number of wanted) {
      const page = pages.get(number) as Buffer;
      const start = Math.max(0, from - number * pageEntries) * entryBytes;
      const end = Math.min(page.length, (to - number * pageEntries) * entryBytes);
      yield [page, start, end];
    }
  }
}
