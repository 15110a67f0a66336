// Decompresses single chunks, by the compressor's class name in CompressionInfo.db
// (io/compress/*Compressor.java).
//
//   LZ4      int32 little-endian raw length ‖ one LZ4 block
//   Snappy   one raw block          Deflate  a zlib stream
//   Zstd     one frame              Noop     the bytes themselves
import { inflateSync, zstdDecompressSync } from 'node:zlib';
import { uncompressSync as lz4 } from 'lz4-napi';
import { uncompressSync as snappy } from 'snappy';
import { type SstableFiles, unknown } from './sstable-files.ts';

/** Where the decoded bytes of a chunk go: `length` of them, at most, from `bytes[at]` on. */
export interface ChunkTarget {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly length: number;
}

/**
 * Writes the decoded bytes of a chunk and returns how many there are; of more than there may be none is written.
 * Throws what the library throws.
 */
export type ChunkCodec = (stored: Uint8Array, target: ChunkTarget) => number;

const codecs: Readonly<Record<string, ChunkCodec>> = {
  LZ4Compressor: (stored, target) => put(lz4(stored), target, { isOwn: true }),
  SnappyCompressor: (stored, target) => put(snappy(stored) as Buffer, target, { isOwn: true }),
  DeflateCompressor: (stored, target) =>
    put(inflateSync(stored, { maxOutputLength: target.length }), target),
  ZstdCompressor: (stored, target) =>
    put(zstdDecompressSync(stored, { maxOutputLength: target.length }), target),
  NoopCompressor: (stored, target) => put(stored, target),
};

/**
 * `isOwn`: nobody else uses the memory, which lies outside of the heap. It is given back at once: until a collection
 * notices, thousands of chunks would be there, each in memory that the processor has not seen yet.
 */
function put(decoded: Uint8Array, { bytes, at, length }: ChunkTarget, { isOwn = false } = {}) {
  const { length: count, buffer } = decoded;
  if (count <= length) bytes.set(decoded, at);
  if (isOwn && count === buffer.byteLength) (buffer as ArrayBuffer).transfer(0);
  return count;
}

/** @throws CodrError `source-unfit` for compressors of others, encrypting ones among them. */
export function chunkCodec(files: SstableFiles, className: string): ChunkCodec {
  const codec = codecs[className.slice(className.lastIndexOf('.') + 1)];
  if (codec !== undefined) return codec;
  throw unknown(files, 'CompressionInfo.db', `compressor "${className}" is not one CODR knows`);
}
