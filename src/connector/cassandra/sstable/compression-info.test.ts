import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCodrError } from '../../../base/error.ts';
import { readChunkTable } from './compression-info.ts';
import { memoryFile } from './memory-file.fixture.ts';
import type { SstableFiles } from './sstable-files.ts';

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
    open: async () => memoryFile(crcs),
  };
  return await readChunkTable(files, memoryFile(new Uint8Array(size)));
}

test('CRC.db may have the sum of an empty chunk more than the data needs, and nothing else', async () => {
  assert.equal((await chunksOf(12_351, [7])).count, 1);
  assert.equal((await chunksOf(12_351, [7, 0])).count, 1);
  for (const sums of [[], [7, 8], [7, 0, 0], [0, 8]]) {
    await assert.rejects(chunksOf(12_351, sums), (error) => isCodrError(error, 'file-damaged'));
  }
});

test('a CompressionInfo.db that is cut off is damaged, whatever is left of the compressor’s name', async () => {
  const name = Buffer.from('\0\x0dLZ4Compressor');
  for (let length = 0; length <= name.length; length++) {
    const files: SstableFiles = {
      ...{ name: 'nb-1-big', version: 'nb', format: 'big' },
      has: (component) => component === 'CompressionInfo.db',
      open: async () => memoryFile(name.subarray(0, length)),
    };
    const reading = readChunkTable(files, memoryFile(new Uint8Array(100)));
    await assert.rejects(reading, (error) => isCodrError(error, 'file-damaged'), String(length));
  }
});
