// Takes files of SSTables apart, so that tests can hold ours against a server's without the reader.
import { uncompressSync } from 'lz4-napi';

/** The raw bytes of a compressed Data.db. */
export function uncompressed(data: Buffer, info: Buffer): Buffer {
  let at = 2 + info.readUInt16BE(0);
  const options = info.readInt32BE(at);
  at += 4;
  for (let i = 0; i < 2 * options; i++) at += 2 + info.readUInt16BE(at);
  at += 8;
  // A compaction may leave an empty chunk at the end.
  const count = Math.ceil(Number(info.readBigInt64BE(at)) / info.readInt32BE(at - 8));
  const stored = info.readInt32BE(at + 8);
  const parts: Buffer[] = [];
  for (let i = 0; i < count; i++) {
    const start = Number(info.readBigInt64BE(at + 12 + 8 * i));
    const end = i + 1 < stored ? Number(info.readBigInt64BE(at + 20 + 8 * i)) : data.length;
    const chunk = data.subarray(start, end - 4);
    // Chunks that compress too little are stored raw.
    parts.push(chunk.length >= info.readInt32BE(at - 4) ? chunk : uncompressSync(chunk));
  }
  return Buffer.concat(parts).subarray(0, Number(info.readBigInt64BE(at)));
}

/** The component of a type within Statistics.db. */
export function statistics(file: Buffer, type: number): Buffer {
  for (let i = 0; i < file.readInt32BE(0); i++) {
    if (file.readInt32BE(8 + 8 * i) !== type) continue;
    const next = 8 + 8 * (i + 1);
    const last = i + 1 === file.readInt32BE(0);
    const end = last ? file.length : file.readInt32BE(next + 4);
    return file.subarray(file.readInt32BE(12 + 8 * i), end - 4);
  }
  throw new Error(`no component ${type}`);
}

/** STATS without commit log positions, compression ratio (another LZ4) and host: what is not of the rows. */
export function ofRows(file: Buffer): Record<string, unknown> {
  const stats = statistics(file, 2);
  let at = 0;
  const taken = (count: number) => {
    at += count;
    return stats.subarray(at - count, at).toString('hex');
  };
  const histogram = () => {
    const count = stats.readInt32BE(at);
    at += 4;
    return Array.from({ length: count }, () => taken(16));
  };
  const clustering = () => {
    const count = stats.readInt32BE(at);
    at += 4;
    return Array.from({ length: count }, () => taken(2 + stats.readUInt16BE(at)));
  };
  const buckets = stats.readInt32BE(0);
  const sizes = histogram();
  const cells = histogram();
  at += 12;
  const times = taken(32);
  at += 8;
  const tombstones = taken(8 + 16 * stats.readInt32BE(at + 4));
  const levelAndRepair = taken(12);
  const clusterings = [clustering(), clustering()];
  return {
    buckets,
    sizes,
    cells,
    times,
    tombstones,
    levelAndRepair,
    clusterings,
    counts: taken(17),
  };
}
