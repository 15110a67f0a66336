import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCodrError } from '../../../base/error.ts';
import { readChunkTable } from './compression-info.ts';
import type { RandomAccessFile, SstableFiles } from './sstable-files.ts';

function fileOf(bytes: Uint8Array): RandomAccessFile {
  return { size: bytes.length, read: async (at, length) => bytes.subarray(at, at + length) };
}

/** The table of a Data.db of `size` bytes whose CRC.db has chunks of 64 KiB with these sums. */
async function chunksOf(size: number, sums: readonly number[]) {
  const crcs = Buffer.alloc(4 + 4 * sums.length);
  crcs.writeInt32BE(65_536);
  for (const [i, sum] of sums.entries()) crcs.writeUInt32BE(sum, 4 + 4 * i);
  const files: SstableFiles = {
    name: 'nb-1-big',
    version: 'nb',
    format: 'big',
    has: (component) => component === 'CRC.db',
    open: async () => fileOf(crcs),
  };
  return await readChunkTable(files, fileOf(new Uint8Array(size)));
}

test('CRC.db may have the sum of an empty chunk more than the data needs, and nothing else', async () => {
  assert.equal((await chunksOf(12_351, [7])).count, 1);
  assert.equal((await chunksOf(12_351, [7, 0])).count, 1);
  for (const sums of [[], [7, 8], [7, 0, 0], [0, 8]]) {
    await assert.rejects(chunksOf(12_351, sums), (error) => isCodrError(error, 'file-damaged'));
  }
});
