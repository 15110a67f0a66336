// Tables of Cassandra for the benchmarks, by the size of their rows, as records in key order: what a reader gives
// and a writer takes. The same numbers give the same bytes, so replicas made one after another are alike.
import { clusteringCodec } from '../src/connector/cassandra/key/clustering-codec.ts';
import {
  partitionPrefixBytesMax,
  writePartitionPrefix,
} from '../src/connector/cassandra/key/record-key.ts';
import { BlockBuilder } from '../src/connector/cassandra/record/block-builder.ts';
import { keyKinds } from '../src/connector/cassandra/record/record-layout.ts';
import { RowBuilder } from '../src/connector/cassandra/record/row-builder.ts';
import type { Column, TableSchema } from '../src/connector/cassandra/schema/table-schema.ts';
import type { CassandraType } from '../src/connector/cassandra/type/cassandra-type.ts';
import type { RecordBlock } from '../src/model/record-block.ts';
import { Chance } from './chance.ts';

/** `textBytes` make a row of about so many bytes in Data.db. */
export interface RowShape {
  readonly name: string;
  readonly textBytes: number;
}

export const rowShapes: readonly RowShape[] = [
  { name: '32 B', textBytes: 7 },
  { name: '120 B', textBytes: 86 },
  { name: '1 KiB', textBytes: 985 },
];

export interface TableSize {
  readonly shape: RowShape;
  readonly partitions: number;
  readonly rowsPerPartition: number;
}

const type = (name: 'int' | 'text' | 'bigint'): CassandraType => ({ kind: 'scalar', name });
const column = (name: string, of: CassandraType): Column => ({ name, type: of });

/** `CREATE TABLE bench.rows (k bigint, c int, n int, w text, PRIMARY KEY (k, c))`. */
export const benchTable: TableSchema = {
  ...{ keyspace: 'bench', table: 'rows', id: '248b1a50-ea08-11f1-8ecf-93c3a17fc635' },
  partitionKey: [column('k', type('bigint'))],
  clustering: [column('c', type('int'))],
  regulars: [column('n', type('int')), column('w', type('text'))],
  ...{ statics: [], dropped: [], isCounter: false, flags: ['compound'] },
  ...{ gcGraceSeconds: 864_000, defaultTtlSeconds: 0, compaction: {} },
  compression: { class: 'LZ4Compressor' },
};

const firstMicros = 1_700_000_000_000_000;
export const textPoolBytes = 1 << 20;

/** All rows of the table, ascending; every `skipEvery`-th is left out, as of a replica that missed writes. */
export function* tableBlocks(
  { shape, partitions, rowsPerPartition }: TableSize,
  skipEvery = Infinity,
): Generator<RecordBlock> {
  const chance = new Chance(1);
  const text = textPool(chance);
  const out = new BlockBuilder();
  const row = new RowBuilder();
  const codec = clusteringCodec([type('int')]);
  const ranges = Int32Array.from([0, 4]);
  const clustering = Buffer.alloc(4);
  const key = Buffer.alloc(partitionPrefixBytesMax + 64);
  const names = [Buffer.from('n'), Buffer.from('w')] as const;
  const number = Buffer.alloc(4);
  let count = 0;
  for (const prefix of partitionPrefixes(partitions)) {
    key.set(prefix);
    key[prefix.length] = keyKinds.clustering;
    for (let c = 0; c < rowsPerPartition; c++) {
      // Values depend on the row alone, so that a row that another replica lacks changes no other.
      const at = chance.below(textPoolBytes - shape.textBytes);
      const micros = firstMicros + count * 7 + (at & 3);
      number.writeInt32BE(at);
      if (++count % skipEvery === 0) continue;
      clustering.writeInt32BE(c);
      const end = codec.encodeRow(clustering, ranges, key, prefix.length + 1);
      const [hi, lo] = [Math.floor(micros / 2 ** 32), micros >>> 0];
      row.reset();
      row.timestamp(hi, lo);
      row.column(names[0], 0, 1);
      row.cell(0, hi, lo, 0, 0);
      row.part(number, 0, 4);
      row.column(names[1], 0, 1);
      row.cell(0, hi, lo, 0, 0);
      row.part(text, at, at + shape.textBytes);
      row.finish();
      out.add(key, 0, end, row.bytes, row.length);
      if (out.full) yield out.take();
    }
  }
  if (out.count > 0) yield out.take();
}

/** Token and key of partitions 0 to `count`, ascending. */
function partitionPrefixes(count: number): Uint8Array[] {
  const raw = Buffer.alloc(8);
  const scratch = Buffer.alloc(partitionPrefixBytesMax);
  return Array.from({ length: count }, (_, i) => {
    raw.writeBigInt64BE(BigInt(i));
    return Buffer.from(scratch.subarray(0, writePartitionPrefix(raw, 0, 8, scratch, 0)));
  }).sort(Buffer.compare);
}

/** Half of it words, half of it digits: it compresses as values do, to somewhat more than half. */
export function textPool(chance: Chance): Buffer {
  const pool = Buffer.alloc(textPoolBytes);
  for (let at = 0; at < textPoolBytes; ) {
    at += pool.write(`${chance.word()} ${chance.below(1e6)} `, at);
  }
  return pool;
}
