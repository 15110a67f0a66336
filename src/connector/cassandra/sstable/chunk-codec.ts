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

/**
 * The decoded bytes of a chunk, which has at most `length` of them. Throws what the library
 * throws.
 */
export type ChunkCodec = (stored: Uint8Array, length: number) => Uint8Array;

const codecs: Readonly<Record<string, ChunkCodec>> = {
  LZ4Compressor: (stored) => lz4(stored),
  SnappyCompressor: (stored) => snappy(stored) as Buffer,
  DeflateCompressor: (stored, maxOutputLength) => inflateSync(stored, { maxOutputLength }),
  ZstdCompressor: (stored, maxOutputLength) => zstdDecompressSync(stored, { maxOutputLength }),
  NoopCompressor: (stored) => stored,
};

/** @throws CodrError `source-unfit` for compressors of others, encrypting ones among them. */
export function chunkCodec(files: SstableFiles, className: string): ChunkCodec {
  const codec = codecs[className.slice(className.lastIndexOf('.') + 1)];
  if (codec !== undefined) return codec;
  throw unknown(files, 'CompressionInfo.db', `compressor "${className}" is not one CODR knows`);
}
