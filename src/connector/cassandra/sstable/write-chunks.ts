// Data.db as it is stored: LZ4 chunks with their CRCs and CompressionInfo.db, or raw bytes and CRC.db; and the
// digest of the whole. What comes in is cut into chunks, what goes out is handed to the sink in larger pieces.
//
//   Data.db, compressed: (int32 little-endian raw length, LZ4 block, u32 CRC-32 of both)*
//   CompressionInfo.db:  utf class | int32 0 options | int32 chunk | int32 2^31-1 | int64 raw length | int32 n | n × int64
//   CRC.db:              int32 65536 | u32 CRC-32 per 64 KiB
import { crc32 } from 'node:zlib';
import { compressSync } from 'lz4-napi';
import { OutBytes } from './write-bytes.ts';

/** Cassandra's default since 4.0. */
export const compressedChunkBytes = 16_384;
/** Of files without compression, always. */
const rawChunkBytes = 65_536;
/** Stored whatever it compresses to: `min_compress_ratio` 0. */
const maxCompressedLength = 0x7fffffff;

export class ChunkWriter {
  /** Raw bytes per chunk. */
  readonly chunkBytes: number;
  /** What is to be written next; the caller takes it by `take`. */
  #piece: Buffer = Buffer.alloc(0);
  #pieceLength = 0;
  /** Of the largest so far: the next one is likely as large. */
  #pieceBytes = 64 * 1024;
  readonly #compressed: boolean;
  /** Offsets of chunks, or their CRCs. */
  readonly #table = new OutBytes(4096);
  #chunkCount = 0;
  #rawBytes = 0;
  #storedBytes = 0;
  #crc = 0;

  constructor(compression: 'lz4' | 'none') {
    this.#compressed = compression === 'lz4';
    this.chunkBytes = this.#compressed ? compressedChunkBytes : rawChunkBytes;
  }

  /** Bytes of Data.db so far. */
  get storedBytes(): number {
    return this.#storedBytes;
  }

  /** As STATS says it: without the CRCs. */
  get ratio(): number {
    if (!this.#compressed) return -1;
    return (this.#storedBytes - 4 * this.#chunkCount) / this.#rawBytes;
  }

  /** Stores `bytes[0, length)` chunk by chunk: the length is whole chunks, save at the file's end. */
  add(bytes: Buffer, length: number): void {
    for (let at = 0; at < length; at += this.chunkBytes) {
      this.#chunk(bytes.subarray(at, Math.min(at + this.chunkBytes, length)));
    }
  }

  /** What was stored since the last time; the caller owns the memory. */
  take(): Uint8Array {
    const piece = this.#piece.subarray(0, this.#pieceLength);
    this.#crc = crc32(piece, this.#crc);
    this.#pieceBytes = Math.max(this.#pieceBytes, this.#piece.length);
    this.#piece = Buffer.alloc(0);
    this.#pieceLength = 0;
    return piece;
  }

  /** The small component that says where the chunks are: its name and bytes. */
  finish(): { name: 'CompressionInfo.db' | 'CRC.db'; bytes: Uint8Array } {
    const out = new OutBytes(64 + this.#table.length);
    if (!this.#compressed) {
      out.i32(rawChunkBytes);
      out.copy(this.#table.bytes, 0, this.#table.length);
      return { name: 'CRC.db', bytes: out.taken() };
    }
    out.text('LZ4Compressor');
    out.i32(0);
    out.i32(compressedChunkBytes);
    out.i32(maxCompressedLength);
    out.long(this.#rawBytes);
    out.i32(this.#chunkCount);
    out.copy(this.#table.bytes, 0, this.#table.length);
    return { name: 'CompressionInfo.db', bytes: out.taken() };
  }

  /** Digest.crc32: the CRC-32 of all pieces taken, in decimal. */
  digest(): Uint8Array {
    return Buffer.from(String(this.#crc));
  }

  #chunk(raw: Buffer): void {
    const stored = this.#compressed ? compressSync(raw) : raw;
    const crc = crc32(stored);
    this.#reserve(stored.length + 4);
    this.#piece.set(stored, this.#pieceLength);
    this.#pieceLength += stored.length;
    this.#table.reserve(8);
    if (this.#compressed) {
      this.#table.long(this.#storedBytes);
      this.#pieceLength = this.#piece.writeUInt32BE(crc, this.#pieceLength);
      this.#storedBytes += 4;
    } else this.#table.i32(crc);
    this.#storedBytes += stored.length;
    this.#rawBytes += raw.length;
    this.#chunkCount++;
    // Its memory lies outside of the heap, where thousands of chunks would wait for a collection.
    if (this.#compressed && stored.length === stored.buffer.byteLength) {
      (stored.buffer as ArrayBuffer).transfer(0);
    }
  }

  #reserve(count: number): void {
    const needed = this.#pieceLength + count;
    if (needed <= this.#piece.length) return;
    const grown = Buffer.allocUnsafeSlow(
      Math.max(needed, 2 * this.#piece.length, this.#pieceBytes),
    );
    this.#piece.copy(grown, 0, 0, this.#pieceLength);
    this.#piece = grown;
  }
}
