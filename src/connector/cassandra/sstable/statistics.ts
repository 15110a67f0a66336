// Reads Statistics.db of `na`, `nb`, `oa` and `da` (io/sstable/metadata/MetadataSerializer.java):
//
//   int32 count | u32 CRC | count × (int32 type, int32 offset) | u32 CRC | per component its bytes
// | u32 CRC
//
// The second CRC goes on from the count over the table. HEADER says how to decode Data.db, STATS
// what is in it.
import { crc32 } from 'node:zlib';
import { isCodrError } from '../../../base/error.ts';
import type { CassandraType } from '../type/cassandra-type.ts';
import { parseMarshal } from '../type/marshal-name.ts';
import { damaged, type SstableFiles, unknown, wholeFile } from './sstable-files.ts';
import { readStats, type SstableStats } from './statistics-stats.ts';
import { ByteCursor } from './vint.ts';

/** A column as the file has it. Its type is the one at the time of writing. */
export interface HeaderColumn {
  readonly name: string;
  /** UTF-8. */
  readonly nameBytes: Uint8Array;
  readonly type: CassandraType;
  /** The Java class name. */
  readonly typeName: string;
}

/**
 * What Data.db is to be decoded with (db/SerializationHeader.java). The minima are bases of
 * differences.
 */
export interface SerializationHeader {
  readonly minTimestamp: bigint;
  readonly minLocalDeletionTime: number;
  readonly minTtl: number;
  readonly keyType: CassandraType;
  readonly clustering: readonly CassandraType[];
  /** In the order of cells: simple ones by name, then complex ones by name. */
  readonly statics: readonly HeaderColumn[];
  readonly regulars: readonly HeaderColumn[];
}

export interface Statistics {
  readonly header: SerializationHeader;
  readonly stats: SstableStats;
  /** The class name of the partitioner. */
  readonly partitioner: string;
}

const component = 'Statistics.db';
const sections = { validation: 0, stats: 2, header: 3 } as const;
const sectionsMax = 16;
/** 2015-09-22 UTC (db/rows/EncodingStats.java), in µs and in s. */
const timestampEpoch = 1_442_880_000_000_000n;
const deletionTimeEpoch = 1_442_880_000;

/** @throws CodrError `file-damaged`, or `source-unfit` for types that nobody knows. */
export async function readStatistics(files: SstableFiles): Promise<Statistics> {
  const bytes = await wholeFile(files, component);
  const parts = sectionsOf(files, bytes);
  const part = (type: number, name: string): ByteCursor => {
    const found = parts.get(type);
    if (found === undefined) throw damaged(files, component, `it has no ${name} section`);
    return new ByteCursor(found);
  };
  const validation = part(sections.validation, 'VALIDATION');
  const partitioner = Buffer.from(validation.take(validation.u16())).toString('utf8');
  const header = part(sections.header, 'HEADER');
  const stats = part(sections.stats, 'STATS');
  const statistics = {
    header: readHeader(files, header),
    stats: readStats(stats, files.version),
    partitioner,
  };
  if (header.at !== header.bytes.length || stats.at !== stats.bytes.length) {
    throw damaged(files, component, 'a section has another length than its fields');
  }
  return statistics;
}

/** The bytes of each section, its checksum verified. */
function sectionsOf(files: SstableFiles, bytes: Uint8Array): Map<number, Uint8Array> {
  const cursor = new ByteCursor(bytes);
  const count = cursor.i32();
  const countCrc = crc32(bytes.subarray(0, 4));
  if (cursor.u32() !== countCrc) throw damaged(files, component, 'the checksum does not fit');
  if (count < 1 || count > sectionsMax) throw damaged(files, component, `it has ${count} sections`);
  const types: number[] = [];
  const offsets: number[] = [];
  for (let i = 0; i < count; i++) {
    types.push(cursor.i32());
    offsets.push(cursor.i32());
  }
  const tableCrc = crc32(bytes.subarray(8, cursor.at), countCrc);
  if (cursor.u32() !== tableCrc) throw damaged(files, component, 'the checksum does not fit');
  const parts = new Map<number, Uint8Array>();
  types.forEach((type, i) => {
    const end = (offsets[i + 1] ?? bytes.length) - 4;
    const part = bytes.subarray(offsets[i], end);
    if (new ByteCursor(bytes, end).u32() !== crc32(part)) {
      throw damaged(files, component, `the checksum of section ${type} does not fit`);
    }
    parts.set(type, part);
  });
  return parts;
}

function readHeader(files: SstableFiles, cursor: ByteCursor): SerializationHeader {
  cursor.vint64();
  const timestamp = (BigInt(cursor.hi) << 32n) | BigInt(cursor.lo >>> 0);
  const minTimestamp = BigInt.asIntN(64, timestamp + timestampEpoch);
  const minLocalDeletionTime = (cursor.vint32() + deletionTimeEpoch) >>> 0;
  const minTtl = cursor.vint32() >>> 0;
  const keyType = readType(files, cursor).type;
  const clustering = readList(files, cursor, () => readType(files, cursor).type);
  const column = (): HeaderColumn => {
    const nameBytes = Uint8Array.from(cursor.take(cursor.vint()));
    return { name: Buffer.from(nameBytes).toString('utf8'), nameBytes, ...readType(files, cursor) };
  };
  const statics = readList(files, cursor, column);
  const regulars = readList(files, cursor, column);
  return { minTimestamp, minLocalDeletionTime, minTtl, keyType, clustering, statics, regulars };
}

function readList<T>(files: SstableFiles, cursor: ByteCursor, read: () => T): T[] {
  const count = cursor.vint();
  if (count > cursor.bytes.length - cursor.at) {
    throw damaged(files, component, `it says ${count} columns`);
  }
  return Array.from({ length: count }, read);
}

function readType(
  files: SstableFiles,
  cursor: ByteCursor,
): { type: CassandraType; typeName: string } {
  const typeName = Buffer.from(cursor.take(cursor.vint())).toString('utf8');
  try {
    return { type: parseMarshal(typeName), typeName };
  } catch (error) {
    if (!isCodrError(error)) throw error;
    throw unknown(files, component, error.message);
  }
}
