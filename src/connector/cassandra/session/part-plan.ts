// Cuts the files of a table into parts that are merged side by side: ranges of keys between partitions, with about as
// much data of all files in each, and for each file where to begin reading. Rests on Index.db alone.
import { compareBytes } from '../../../base/bytes.ts';
import { isCodrError } from '../../../base/error.ts';
import { type KeyRange, wholeRange } from '../../../model/key-range.ts';
import { entryBefore, type IndexEntry } from '../sstable/index-reader.ts';
import { openSstable, type ReadPlace } from '../sstable/open-sstable.ts';
import { type ListedSstable, openSstable as openFiles, type ReadsOf } from './node-files.ts';

/** Each part leaves undecided edges behind that are held until the table is done. */
const partsMax = 512;
/** Places that are held of all files of a table, however large they are: 100 MB of memory, about. */
const entriesMaxDefault = 2 ** 19;
/** Read of each file to see its first partition. */
const probeBytes = 32 * 1024;

interface IndexedFile {
  readonly listed: ListedSstable;
  readonly entries: readonly IndexEntry[];
  readonly dataLength: number;
}

export class PartPlan {
  /** Ascending; together the whole range. */
  readonly ranges: readonly KeyRange[];
  readonly #files: ReadonlyMap<ListedSstable, IndexedFile>;

  constructor(ranges: readonly KeyRange[], files: readonly IndexedFile[]) {
    this.ranges = ranges;
    this.#files = new Map(files.map((file) => [file.listed, file]));
  }

  /** Of a file, uncompressed, within one of the ranges; undefined: of all that it has. */
  bytesOf(listed: ListedSstable, range: KeyRange): number | undefined {
    const file = this.#files.get(listed);
    if (file === undefined) return undefined;
    const at = (key: Uint8Array | undefined, otherwise: number): number => {
      if (!key) return otherwise;
      return file.entries[firstAtOrAfter(file.entries, key)]?.position ?? file.dataLength;
    };
    return at(range.to, file.dataLength) - at(range.from, 0);
  }

  /** Where to read a file for one of the ranges; undefined when it has nothing there. */
  placeOf(listed: ListedSstable, { from, to }: KeyRange): ReadPlace | undefined {
    const file = this.#files.get(listed);
    if (file === undefined) return {};
    const { entries } = file;
    const first = entries[0] as IndexEntry;
    if (to && compareBytes(first.prefix, to) >= 0) return undefined;
    const start = from && entryBefore(entries, from);
    const end = to && entries[firstAtOrAfter(entries, to)];
    return { ...(start && { start }), ...(end && { aheadEnd: end.position }) };
  }
}

/** Bytes of all files together, uncompressed. */
export interface PartSize {
  readonly partBytes: number;
  /** Smaller parts, so that there are as many. */
  readonly count: number;
  /** Below it a part is not worth its seeks. */
  readonly partBytesMin: number;
  /** Places where reading may begin, of all files. */
  readonly entriesMax?: number;
}

/**
 * Parts of about that size; one when there is little, and
 * when a file has no index that can be read: whoever reads its data then sees what is wrong with it. So it is with a
 * file whose chunks have no checksums.
 */
export async function planParts(
  files: readonly ListedSstable[],
  size: PartSize,
  filesOf: ReadsOf,
  signal: AbortSignal,
): Promise<PartPlan> {
  const whole = new PartPlan([wholeRange], []);
  const indexed: IndexedFile[] = [];
  const { entriesMax = entriesMaxDefault } = size;
  for (const listed of files) {
    const file = await indexOf(listed, filesOf, signal);
    if (file === undefined) return whole;
    indexed.push({
      ...file,
      entries: thinned(file.entries, Math.floor(entriesMax / files.length)),
    });
  }
  const bytes = indexed.reduce((sum, { dataLength }) => sum + dataLength, 0);
  const wanted = Math.max(size.count, Math.ceil(bytes / size.partBytes));
  const count = Math.min(wanted, partsMax, Math.floor(bytes / size.partBytesMin));
  const bounds = count < 2 ? [] : boundsOf(indexed, bytes / count);
  if (bounds.length === 0) return whole;
  const ranges = [...bounds, undefined].map((to, i): KeyRange => {
    const from = bounds[i - 1];
    return { ...(from && { from }), ...(to && { to }) };
  });
  return new PartPlan(ranges, indexed);
}

async function indexOf(
  listed: ListedSstable,
  filesOf: ReadsOf,
  signal: AbortSignal,
): Promise<IndexedFile | undefined> {
  await using files = openFiles(listed, filesOf);
  try {
    const sstable = await openSstable(files);
    // Nothing but its digest checks such a file, and that is of the whole.
    if (!sstable.hasChunkSums) return undefined;
    const entries = await sstable.entries(signal);
    const [first] = entries;
    if (first?.position !== 0) return undefined;
    // Parts before the first partition leave the file out, and no checksum covers its index: the data has to say so too.
    const place = { start: first, aheadEnd: 0, bufferBytes: probeBytes };
    const records = sstable.records(wholeRange, signal, place)[Symbol.asyncIterator]();
    await records.next();
    await records.return?.();
    return { listed, entries, dataLength: sstable.dataLength };
  } catch (error) {
    if (!isCodrError(error)) throw error;
    return undefined;
  }
}

/** The first of each few, so that there are `most` at most. */
function thinned(entries: readonly IndexEntry[], most: number): readonly IndexEntry[] {
  const each = Math.ceil(entries.length / Math.max(1, most));
  return each < 2 ? entries : entries.filter((_, i) => i % each === 0);
}

/** Where partitions begin, so that about `partBytes` of all files lie between two. */
function boundsOf(files: readonly IndexedFile[], partBytes: number): Uint8Array[] {
  const pieces = files
    .flatMap(({ entries, dataLength }) =>
      entries.map(({ prefix, position }, i) => ({
        prefix,
        bytes: (entries[i + 1]?.position ?? dataLength) - position,
      })),
    )
    .sort((a, b) => compareBytes(a.prefix, b.prefix));
  const bounds: Uint8Array[] = [];
  let last = pieces[0]?.prefix;
  let bytes = 0;
  for (const piece of pieces) {
    if (bytes >= partBytes && last && compareBytes(piece.prefix, last) > 0) {
      bounds.push(piece.prefix);
      last = piece.prefix;
      bytes = 0;
    }
    bytes += piece.bytes;
  }
  return bounds;
}

function firstAtOrAfter(entries: readonly IndexEntry[], key: Uint8Array): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareBytes((entries[middle] as IndexEntry).prefix, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
