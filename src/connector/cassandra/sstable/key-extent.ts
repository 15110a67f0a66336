// Where the partitions of an SSTable begin and end, from its small components alone: what a merge of many files needs
// to know before it opens one. Of `na` and `nb` the first entry of Index.db and the end of Summary.db say it, later
// versions have both keys in Statistics.db.
//
//   Summary.db := int32 interval | int32 n | int64 size | int32 level | int32 | size bytes | int32, first | int32, last
import { compareBytes } from '../../../base/bytes.ts';
import { isCodrError } from '../../../base/error.ts';
import type { BlockStream } from '../../../model/record-block.ts';
import { partitionPrefixBytesMax, writePartitionPrefix } from '../key/record-key.ts';
import { damaged, type SstableFiles } from './sstable-files.ts';
import { readStatistics } from './statistics.ts';
import { ByteCursor } from './vint.ts';

/** As the keys of the partitions begin: token and escaped key. */
export interface KeyExtent {
  /** No partition comes before it; absent: it is not known. */
  readonly first?: Uint8Array;
  /** None comes after it; absent: it is not known. */
  readonly last?: Uint8Array;
}

const indexHeadBytes = 2 + 0xffff;
const summaryHeadBytes = 24;
const twoKeysBytesMax = 2 * (4 + 0xffff);

/**
 * Of a file in the order of records. What cannot be read is not known: whoever reads the data says what is wrong.
 * None of this but Statistics.db has a checksum, so the reader proves `first`.
 * @throws CodrError `limit-reached`.
 */
export async function keyExtent(files: SstableFiles): Promise<KeyExtent> {
  if (!files.version.startsWith('n')) {
    const stats = await known(async () => (await readStatistics(files)).stats);
    return { ...extentOf('first', stats?.firstKey), ...extentOf('last', stats?.lastKey) };
  }
  const first = files.has('Index.db') ? await known(() => firstOfIndex(files)) : undefined;
  const last = files.has('Summary.db') ? await known(() => lastOfSummary(files)) : undefined;
  return { ...extentOf('first', first), ...extentOf('last', last) };
}

/**
 * All of the records, of which `first` says that none comes before it.
 * @throws CodrError `file-damaged` when one does.
 */
export async function* notBefore(
  records: BlockStream,
  first: Uint8Array,
  files: SstableFiles,
): BlockStream {
  let isBegun = false;
  for await (const block of records) {
    const { bytes, bounds, count } = block;
    if (!isBegun && count > 0 && compareBytes(bytes.subarray(bounds[0], bounds[1]), first) < 0) {
      throw damaged(files, 'Data.db', 'it begins before the first key that is said of it');
    }
    isBegun ||= count > 0;
    yield block;
  }
}

function extentOf(end: keyof KeyExtent, key: Uint8Array | undefined): KeyExtent {
  if (key === undefined) return {};
  const prefix = new Uint8Array(partitionPrefixBytesMax);
  const length = writePartitionPrefix(key, 0, key.length, prefix, 0);
  return { [end]: prefix.slice(0, length) };
}

async function known<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isCodrError(error, 'limit-reached')) throw error;
    if (isCodrError(error)) return undefined;
    throw error;
  }
}

async function firstOfIndex(files: SstableFiles): Promise<Uint8Array | undefined> {
  const file = await files.open('Index.db');
  const cursor = new ByteCursor(await file.read(0, Math.min(file.size, indexHeadBytes)));
  await file.close();
  return cursor.bytes.length < 2 ? undefined : keyIn(cursor, cursor.u16());
}

async function lastOfSummary(files: SstableFiles): Promise<Uint8Array | undefined> {
  const file = await files.open('Summary.db');
  const head = new ByteCursor(await file.read(0, summaryHeadBytes));
  if (head.bytes.length < summaryHeadBytes) return undefined;
  head.at = 8;
  const end = summaryHeadBytes + head.safeLong();
  if (!(end >= summaryHeadBytes && end < file.size)) return undefined;
  const tail = new ByteCursor(await file.read(end, Math.min(file.size - end, twoKeysBytesMax)));
  await file.close();
  keyIn(tail, tail.u32());
  return keyIn(tail, tail.u32());
}

function keyIn(cursor: ByteCursor, length: number): Uint8Array | undefined {
  if (cursor.at + length > cursor.bytes.length) return undefined;
  return cursor.take(length);
}
