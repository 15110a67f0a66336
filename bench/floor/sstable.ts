// One row shape, one core: the reader beside decompression and checksums of the same file alone, the writer beside
// compression, checksums and the file alone. Prints MB of Data.db, uncompressed, and CPU seconds of each.
// Usage: node bench/floor/sstable.ts FOLDER SHAPE MEBIBYTES RUNS
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { compressSync } from 'lz4-napi';
import { localFiles } from '../../src/connector/cassandra/session/local-files.ts';
import { openSstable as openFiles } from '../../src/connector/cassandra/session/node-files.ts';
import { ChunkReader } from '../../src/connector/cassandra/sstable/chunk-reader.ts';
import { readChunkTable } from '../../src/connector/cassandra/sstable/compression-info.ts';
import { openSstable } from '../../src/connector/cassandra/sstable/open-sstable.ts';
import { wholeRange } from '../../src/model/key-range.ts';
import type { RecordBlock } from '../../src/model/record-block.ts';
import { listedSstable, makeSstable } from '../sstable-files.ts';
import { type RowShape, rowShapes, tableBlocks } from '../table.ts';

const chunkBytes = 16_384;
const fileWriteBytes = 256 * 1024;
const signal = new AbortController().signal;

const [folder, name, mebibytes, runs] = process.argv.slice(2) as [string, string, string, string];
const shape = rowShapes.find((one) => one.name === name) as RowShape;
const rowsPerPartition = 50;
const partitions = Math.ceil(
  (Number(mebibytes) * 2 ** 20) / ((shape.textBytes + 32) * rowsPerPartition),
);
const blocks: RecordBlock[] = [...tableBlocks({ shape, partitions, rowsPerPartition })];
const rows = blocks.reduce((sum, { count }) => sum + count, 0);
const made = { folder, number: 1 };
await makeSstable(made, blocks);
const listed = await listedSstable(made);
const raw: Buffer[] = [];
await eachChunk((chunk) => raw.push(Buffer.from(chunk)));
const bytes = raw.reduce((sum, { length }) => sum + length, 0);
const work = {
  reader: readRecords,
  readerFloor: () => eachChunk(() => {}),
  writer: () => makeSstable({ folder, number: 2 }, blocks),
  writerFloor: writeChunks,
};
// In turns, so that all have the same machine; the first turn warms up.
const best: Record<string, number> = {};
for (let run = 0; run <= Number(runs); run++) {
  for (const [label, one] of Object.entries(work)) {
    const before = process.cpuUsage();
    await one();
    const { user, system } = process.cpuUsage(before);
    if (run > 0) best[label] = Math.min(best[label] ?? Infinity, (user + system) / 1e6);
  }
}
process.stdout.write(`${JSON.stringify({ bytes, rows, cpuSeconds: best })}\n`);

async function readRecords(): Promise<void> {
  await using files = openFiles(listed, () => localFiles);
  const sstable = await openSstable(files);
  let count = 0;
  for await (const block of sstable.records(wholeRange, signal)) count += block.count;
  if (count !== rows) throw new Error(`read ${count} records of ${rows}`);
}

/** Decompressed, with its checksum verified. */
async function eachChunk(use: (chunk: Uint8Array) => void): Promise<void> {
  await using files = openFiles(listed, () => localFiles);
  const data = await files.open('Data.db');
  const place = { position: 0, aheadEnd: Infinity };
  const chunks = new ChunkReader(files, data, await readChunkTable(files, data), place, signal);
  const window = new Uint8Array(chunkBytes);
  while (!chunks.done) {
    if (!chunks.ready) await chunks.load();
    const { nextLength } = chunks;
    chunks.next(window, 0);
    use(window.subarray(0, nextLength));
  }
}

/** Compressed, with checksums, into a file. */
async function writeChunks(): Promise<void> {
  const path = join(folder, 'floor');
  await using file = await open(path, 'w');
  let piece: Uint8Array[] = [];
  let size = 0;
  let digest = 0;
  for (const chunk of raw) {
    const stored = compressSync(chunk);
    const crc = Buffer.alloc(4);
    crc.writeUInt32BE(crc32(stored));
    digest = crc32(crc, crc32(stored, digest));
    piece.push(stored, crc);
    size += stored.length + 4;
    if (size < fileWriteBytes) continue;
    await file.writev(piece);
    [piece, size] = [[], 0];
  }
  await file.writev(piece);
  await file.datasync();
  await rm(path);
}
