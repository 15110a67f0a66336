// Data.db from a place on, decompressed and with its checksums verified: many chunks are read at
// once, and the next many while these are decoded. Nothing is held but two such pieces.
import { crc32 } from 'node:zlib';
import { view } from '../../../base/bytes.ts';
import type { ChunkCodec, ChunkTarget } from './chunk-codec.ts';
import type { ChunkTable } from './compression-info.ts';
import type { DataDigest } from './data-digest.ts';
import { damaged, type RandomAccessFile, type SstableFiles } from './sstable-files.ts';

/** Stored bytes that are read at once, save for a single chunk that has more. */
export const readBytesDefault = 1024 * 1024;
/** After the stored bytes of each chunk of a compressed file. */
const crcBytes = 4;

interface Piece {
  readonly firstChunk: number;
  readonly endChunk: number;
  readonly bytes: Promise<Uint8Array>;
  /** Where the bytes may lie. */
  readonly room: Uint8Array | undefined;
}

export interface ChunkPlace {
  /** A byte of the decoded data, in the first chunk that is wanted. */
  readonly position: number;
  /** What lies in later chunks than this byte is read only when asked for. */
  readonly aheadEnd: number;
  /** In place of {@link readBytesDefault}. */
  readonly readBytes?: number;
  /** Gets all stored bytes; only of a reading from the beginning. */
  readonly digest?: DataDigest | undefined;
}

/** Gives chunk after chunk; `ready` says whether the next one is in memory. */
export class ChunkReader {
  readonly #files: SstableFiles;
  readonly #file: RandomAccessFile;
  readonly #table: ChunkTable;
  readonly #signal: AbortSignal;
  /** The next chunk to be given. */
  #chunk: number;
  #piece: Uint8Array = new Uint8Array(0);
  #pieceStart = 0;
  /** The first chunk that is not in `#piece`. */
  #pieceEnd: number;
  /** From this chunk on nothing is read ahead. */
  readonly #aheadEnd: number;
  readonly #readBytes: number;
  readonly #digest: DataDigest | undefined;
  #ahead: Piece | undefined;
  /** Of the piece at hand. */
  #room: Uint8Array | undefined;
  /** Memory of pieces that were read: fresh memory costs as much as what is read into it. */
  readonly #spare: Uint8Array[] = [];

  constructor(
    files: SstableFiles,
    file: RandomAccessFile,
    table: ChunkTable,
    { position, aheadEnd, readBytes = readBytesDefault, digest }: ChunkPlace,
    signal: AbortSignal,
  ) {
    this.#files = files;
    this.#file = file;
    this.#table = table;
    this.#signal = signal;
    this.#chunk = Math.floor(position / table.chunkLength);
    this.#pieceEnd = this.#chunk;
    this.#readBytes = readBytes;
    this.#digest = digest;
    this.#aheadEnd = Math.min(table.count, Math.floor(aheadEnd / table.chunkLength) + 1);
    if (!this.done) this.#ahead = this.#readFrom(this.#chunk);
  }

  /** Where the next chunk begins in the decoded data. */
  get position(): number {
    return this.#chunk * this.#table.chunkLength;
  }

  get done(): boolean {
    return this.#chunk >= this.#table.count;
  }

  get ready(): boolean {
    return this.#chunk < this.#pieceEnd;
  }

  /** Bytes of the next chunk, decoded. */
  get nextLength(): number {
    return Math.min(this.#table.chunkLength, this.#table.dataLength - this.position);
  }

  /** Brings the next chunks into memory. */
  async load(): Promise<void> {
    if (this.ready || this.done) return;
    const piece = this.#ahead ?? this.#readFrom(this.#pieceEnd);
    const bytes = await piece.bytes;
    this.#signal.throwIfAborted();
    const start = this.#table.offset(piece.firstChunk);
    if (bytes.length < this.#table.offset(piece.endChunk) - start) {
      throw damaged(
        this.#files,
        'Data.db',
        `the file ends early, in byte ${start} to ${start + bytes.length}`,
      );
    }
    this.#digest?.add(bytes, start);
    if (this.#room) this.#spare.push(this.#room);
    this.#room = piece.room;
    this.#piece = bytes;
    this.#pieceStart = start;
    this.#pieceEnd = piece.endChunk;
    this.#ahead = piece.endChunk < this.#aheadEnd ? this.#readFrom(piece.endChunk) : undefined;
  }

  /** Writes the next chunk, which is ready, at target[at], where there is room for `nextLength`. */
  next(target: Uint8Array, at: number): void {
    const { codec, crcInline, crcs, maxCompressedLength } = this.#table;
    const chunk = this.#chunk;
    const start = this.#table.offset(chunk) - this.#pieceStart;
    const end = this.#table.offset(chunk + 1) - this.#pieceStart - (crcInline ? crcBytes : 0);
    const stored = this.#piece.subarray(start, end);
    const crc = crcInline ? view(this.#piece).readUInt32BE(end) : crcs?.[chunk];
    if (crc !== undefined && crc32(stored) !== crc)
      throw this.#damagedChunk('its checksum does not fit');
    const length = this.nextLength;
    const isRaw = codec === undefined || stored.length >= maxCompressedLength;
    const count = isRaw
      ? stored.length
      : this.#decompress(codec, stored, { bytes: target, at, length });
    // Only a chunk that was stored as it is may be padded.
    if (count < length || (!isRaw && count > length))
      throw this.#damagedChunk(`it has ${count} of ${length} bytes`);
    if (isRaw) target.set(count > length ? stored.subarray(0, length) : stored, at);
    this.#chunk++;
  }

  #decompress(codec: ChunkCodec, stored: Uint8Array, target: ChunkTarget): number {
    try {
      return codec(stored, target);
    } catch (cause) {
      throw this.#damagedChunk('it cannot be decompressed', cause);
    }
  }

  #damagedChunk(what: string, cause?: unknown) {
    const offset = this.#table.offset(this.#chunk);
    const error = damaged(
      this.#files,
      'Data.db',
      `chunk ${this.#chunk} at byte ${offset}: ${what}`,
    );
    if (cause !== undefined) error.cause = cause;
    return error;
  }

  /** Begins to read a piece: as many whole chunks as there is room for, or one. */
  #readFrom(firstChunk: number): Piece {
    const count = firstChunk < this.#aheadEnd ? this.#aheadEnd : this.#table.count;
    const start = this.#table.offset(firstChunk);
    let endChunk = firstChunk;
    let end = start;
    while (endChunk < count) {
      const next = this.#chunkEnd(endChunk, end);
      if (endChunk > firstChunk && next - start > this.#readBytes) break;
      endChunk++;
      end = next;
    }
    const room = this.#takeRoom(end - start);
    const bytes = this.#file.read(start, end - start, room);
    // Whoever awaits it sees the failure; nobody may, when the reading stops before.
    bytes.catch(() => undefined);
    return { firstChunk, endChunk, bytes, room };
  }

  /** For a piece of so many bytes; a larger one, which is a single chunk, has its own. */
  #takeRoom(bytes: number): Uint8Array | undefined {
    if (bytes > this.#readBytes) return undefined;
    const most = Math.min(this.#readBytes, this.#file.size);
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(most);
  }

  /** The end of a chunk that begins at `start`, checked: the table of offsets has no checksum. */
  #chunkEnd(chunk: number, start: number): number {
    const end = this.#table.offset(chunk + 1);
    const least = start + (this.#table.crcInline ? crcBytes : 1);
    if (end >= least && end <= this.#file.size) return end;
    const what = `chunk ${chunk} goes from byte ${start} to byte ${end}`;
    throw damaged(this.#files, 'CompressionInfo.db', what);
  }
}
