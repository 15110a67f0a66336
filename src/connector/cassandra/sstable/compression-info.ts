// Where the chunks of Data.db are and what they are checked with: CompressionInfo.db of compressed
// files, CRC.db of others.
//
//   CompressionInfo.db := utf class | int32 n, n × (utf, utf) | int32 chunkLength | int32
// maxCompressedLength
//                         | int64 dataLength | int32 chunks | chunks × int64 offset
//   CRC.db             := int32 chunkLength | u32 CRC-32 per chunk of Data.db
//
// Of a compressed file, a chunk goes to the next one's offset and ends in the CRC-32 of its stored
// bytes. There may be an empty chunk more than the data needs, in either: a flush of nothing leaves one.
import { type ChunkCodec, chunkCodec } from './chunk-codec.ts';
import { damaged, type RandomAccessFile, type SstableFiles, wholeFile } from './sstable-files.ts';
import { ByteCursor } from './vint.ts';

/** The chunks of a Data.db. */
export interface ChunkTable {
  /** Bytes of a chunk, decoded; the last one has what is left. */
  readonly chunkLength: number;
  /** Bytes of all chunks, decoded. */
  readonly dataLength: number;
  readonly count: number;
  /** Where the stored bytes of chunk `i` begin; of `count`, where the last one ends. */
  offset(i: number): number;
  /** Checksums from CRC.db; undefined when each follows its chunk, or there are none. */
  readonly crcs: Uint32Array | undefined;
  readonly crcInline: boolean;
  /** Chunks with at least this many stored bytes are not compressed. */
  readonly maxCompressedLength: number;
  /** Undefined for files without compression. */
  readonly codec: ChunkCodec | undefined;
}

const chunkLengthMax = 1 << 30;
/** CRC-32 of no bytes. */
const emptyCrc = 0;
/** For uncompressed files that nothing can check. */
const plainChunkLength = 65_536;

/** The table of `data`, the open Data.db. @throws CodrError `file-damaged`, `source-unfit`. */
export async function readChunkTable(
  files: SstableFiles,
  data: RandomAccessFile,
): Promise<ChunkTable> {
  if (files.has('CompressionInfo.db')) return compressed(files, data);
  if (files.has('CRC.db')) return checked(files, data);
  return plain(data, plainChunkLength, undefined);
}

async function compressed(files: SstableFiles, data: RandomAccessFile): Promise<ChunkTable> {
  const component = 'CompressionInfo.db';
  const bytes = await wholeFile(files, component);
  const cursor = new ByteCursor(bytes);
  const compressor = utf(cursor);
  // A crash may have left it empty.
  if (cursor.at > bytes.length) throw damaged(files, component, 'the file ends early');
  const codec = chunkCodec(files, compressor);
  const options = cursor.u32();
  for (let i = 0; i < options && cursor.at < bytes.length; i++) {
    utf(cursor);
    utf(cursor);
  }
  const chunkLength = cursor.i32();
  const maxCompressedLength = cursor.i32();
  const dataLength = cursor.safeLong();
  const stored = cursor.u32();
  const first = cursor.at;
  const count = Math.ceil(dataLength / chunkLength);
  const whole = first + 8 * stored === bytes.length && chunkLength > 0 && dataLength >= 0;
  if (!whole || chunkLength > chunkLengthMax || stored < count || stored > count + 1) {
    throw damaged(files, component, 'the file does not hold as many chunks as it says');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const offset = (i: number): number => {
    if (i >= stored) return data.size;
    const at = first + 8 * i;
    return view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);
  };
  if (count > 0 && offset(count - 1) + 4 > data.size) {
    throw damaged(files, 'Data.db', `the file ends early, at byte ${data.size}`);
  }
  const crcs = undefined;
  return {
    chunkLength,
    dataLength,
    count,
    offset,
    crcs,
    crcInline: true,
    maxCompressedLength,
    codec,
  };
}

async function checked(files: SstableFiles, data: RandomAccessFile): Promise<ChunkTable> {
  const bytes = await wholeFile(files, 'CRC.db');
  const cursor = new ByteCursor(bytes);
  const chunkLength = cursor.i32();
  if (bytes.length < 4 || chunkLength < 1 || chunkLength > chunkLengthMax) {
    throw damaged(files, 'CRC.db', 'it has no chunk length');
  }
  const crcs = new Uint32Array(Math.floor((bytes.length - 4) / 4));
  for (let i = 0; i < crcs.length; i++) crcs[i] = cursor.u32();
  const count = Math.ceil(data.size / chunkLength);
  const isOneMore = crcs.length === count + 1 && crcs[count] === emptyCrc;
  if (crcs.length !== count && !isOneMore) {
    const what = `it has ${data.size} bytes, and CRC.db is for ${crcs.length} chunks`;
    throw damaged(files, 'Data.db', `${what} of ${chunkLength}`);
  }
  return plain(data, chunkLength, crcs);
}

function plain(
  { size }: RandomAccessFile,
  chunkLength: number,
  crcs: Uint32Array | undefined,
): ChunkTable {
  return {
    chunkLength,
    dataLength: size,
    count: Math.ceil(size / chunkLength),
    offset: (i) => Math.min(i * chunkLength, size),
    crcs,
    crcInline: false,
    maxCompressedLength: 0,
    codec: undefined,
  };
}

function utf(cursor: ByteCursor): string {
  return Buffer.from(cursor.take(cursor.u16())).toString('utf8');
}
