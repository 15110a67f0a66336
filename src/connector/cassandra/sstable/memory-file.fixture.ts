// Bytes in memory as the reader takes a component of an SSTable.
import type { RandomAccessFile } from './sstable-files.ts';

export function memoryFile(bytes: Uint8Array): RandomAccessFile {
  return {
    size: bytes.length,
    read: async (position, length) => bytes.subarray(position, position + length),
    close: async () => {},
  };
}
