// Statistics.db of version `nb` with the components VALIDATION, STATS and HEADER: each CRC-ed, after a table of
// contents that is too (io/sstable/metadata/MetadataSerializer.java). COMPACTION is left out: Cassandra then
// does without an estimate of how many keys tables share.
//
//   int32 n | u32 CRC(n) | n × (int32 type, int32 offset) | u32 CRC of both | n × (component, u32 CRC)
//   HEADER: vint timestamp - epoch | vint ldt - epoch | vint ttl | vbytes key type | vint n × vbytes type of
//           clusterings | vint n × (vbytes name, vbytes type) of statics | the same of regulars
import { crc32 } from 'node:zlib';
import type { Partitioner } from '../key/partitioner.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import type { CassandraType } from '../type/cassandra-type.ts';
import { marshalName } from '../type/marshal-name.ts';
import { OutBytes } from './write-bytes.ts';
import type { WrittenColumns } from './write-columns.ts';
import type { DeltaBases } from './write-row.ts';

const types = { validation: 0, stats: 2, header: 3 } as const;
/** What Cassandra sets for tables where nobody said otherwise; it decides when a filter is made anew. */
const falsePositiveChance = 0.01;
/** 2015-09-22 UTC, µs and s: Cassandra's own bases (db/rows/EncodingStats.java). */
const epochMicros = 1_442_880_000_000_000n;
const epochSeconds = 1_442_880_000;

/** Bases for a table whose times nobody knows: differences are small for years around now. */
export const defaultBases: DeltaBases = basesOf(epochMicros, epochSeconds, 0);

/** `timestamp` in µs, `deletionTime` and `ttl` in seconds. */
export function basesOf(timestamp: bigint, deletionTime: number, ttl: number): DeltaBases {
  return {
    timestampHi: Number(BigInt.asIntN(32, timestamp >> 32n)),
    timestampLo: Number(BigInt.asUintN(32, timestamp)),
    deletionTime,
    ttl,
  };
}

/** The whole file around an encoded STATS component. */
export function encodeStatistics(
  { className }: Partitioner,
  stats: Uint8Array,
  header: Uint8Array,
): Uint8Array {
  const validation = new OutBytes(128);
  validation.text(className);
  validation.double(falsePositiveChance);
  const components: [number, Uint8Array][] = [
    [types.validation, validation.taken()],
    [types.stats, stats],
    [types.header, header],
  ];
  const out = new OutBytes(1024 + stats.length + header.length);
  out.i32(components.length);
  let crc = crc32(out.bytes.subarray(0, 4));
  out.i32(crc);
  let offset = 12 + 8 * components.length;
  const contentsAt = out.length;
  for (const [type, bytes] of components) {
    out.i32(type);
    out.i32(offset);
    offset += bytes.length + 4;
  }
  crc = crc32(out.bytes.subarray(contentsAt, out.length), crc);
  out.i32(crc);
  for (const [, bytes] of components) {
    out.copy(bytes, 0, bytes.length);
    out.reserve(4);
    out.i32(crc32(bytes));
  }
  return out.taken();
}

/** The HEADER component. User types get the keyspace of the target. */
export function encodeHeader(
  schema: TableSchema,
  keyspace: string,
  bases: DeltaBases,
  statics: WrittenColumns,
  regulars: WrittenColumns,
): Uint8Array {
  const out = new OutBytes(1024);
  const typeText = (type: CassandraType) => Buffer.from(marshalName(type, { keyspace }));
  const base = (BigInt(bases.timestampHi) << 32n) | BigInt(bases.timestampLo);
  const difference = base - epochMicros;
  out.vint64(Number(BigInt.asIntN(32, difference >> 32n)), Number(BigInt.asUintN(32, difference)));
  out.vint32(bases.deletionTime - epochSeconds);
  out.vint32(bases.ttl);
  const keyTypes = schema.partitionKey.map(({ type }) => type);
  const [single] = keyTypes;
  const isSingle = keyTypes.length === 1 && single !== undefined;
  out.withVint(typeText(isSingle ? single : { kind: 'composite', components: keyTypes }));
  out.reserve(9);
  out.vint(schema.clustering.length);
  for (const { type } of schema.clustering) out.withVint(typeText(type));
  for (const columns of [statics, regulars]) {
    out.reserve(9);
    out.vint(columns.all.length);
    for (const { name, column } of columns.all) {
      out.withVint(name);
      out.withVint(typeText(column.type));
    }
  }
  return out.taken();
}
