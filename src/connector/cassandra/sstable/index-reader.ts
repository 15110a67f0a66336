// Index.db of BIG files: where in the data each partition begins. It is read once, and of
// partitions that are close to each other only the first is kept: enough to begin reading near a
// key, and to cut the file into parts.
//
//   entry := u16, key | vint position | vint n, n bytes of promoted index
import { compareBytes } from '../../../base/bytes.ts';
import { partitionPrefixBytesMax, writePartitionPrefix } from '../key/record-key.ts';
import { damaged, type SstableFiles } from './sstable-files.ts';
import { ByteCursor } from './vint.ts';

const readBytes = 1024 * 1024;
/** Data between two entries that are kept, at least. */
const spacingBytes = 256 * 1024;
const entryHeadBytesMax = 2 + 0xffff + 18;

/** A partition that begins at `position` of the decoded data. */
export interface IndexEntry {
  /** Token and escaped key. */
  readonly prefix: Uint8Array;
  readonly position: number;
}

/** Ascending. @throws CodrError `file-damaged`. */
export async function readIndex(
  files: SstableFiles,
  dataLength: number,
  signal?: AbortSignal,
): Promise<IndexEntry[]> {
  const component = 'Index.db';
  const file = await files.open(component);
  const entries: IndexEntry[] = [];
  const scratch = new Uint8Array(partitionPrefixBytesMax);
  let previous = -1;
  let kept = 0;
  let offset = 0;
  while (offset < file.size) {
    signal?.throwIfAborted();
    const cursor = new ByteCursor(await file.read(offset, readBytes));
    const { bytes } = cursor;
    const atEnd = offset + bytes.length >= file.size;
    const safeEnd = atEnd ? bytes.length : bytes.length - entryHeadBytesMax;
    if (bytes.length === 0) throw damaged(files, component, 'the file ends early');
    while (cursor.at < safeEnd) {
      const keyLength = cursor.u16();
      const keyStart = cursor.at;
      cursor.at += keyLength;
      const position = cursor.vint();
      const promoted = cursor.vint();
      cursor.at += promoted;
      if (offset + cursor.at > file.size || position >= dataLength || position <= previous) {
        throw damaged(files, component, `no entry at byte ${offset + keyStart - 2}`);
      }
      previous = position;
      if (entries.length > 0 && position - kept < spacingBytes) continue;
      kept = position;
      const length = writePartitionPrefix(bytes, keyStart, keyStart + keyLength, scratch, 0);
      entries.push({ prefix: scratch.slice(0, length), position });
    }
    offset += cursor.at;
  }
  await file.close();
  return entries;
}

/** The last entry at or before `key`, or the first one. */
export function entryBefore(
  entries: readonly IndexEntry[],
  key: Uint8Array,
): IndexEntry | undefined {
  let low = 0;
  let high = entries.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (compareBytes((entries[middle] as IndexEntry).prefix, key) <= 0) low = middle;
    else high = middle;
  }
  return entries[low];
}
