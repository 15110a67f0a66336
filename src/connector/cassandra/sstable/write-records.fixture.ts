// Records for tests of the writer, from values in Cassandra's bytes; and a sink that keeps what was written.

import { blockOf, type RecordBlock } from '../../../model/record-block.ts';
import { clusteringCodec } from '../key/clustering-codec.ts';
import { comparableCodec } from '../key/comparable.ts';
import { partitionPrefixBytesMax, writePartitionPrefix } from '../key/record-key.ts';
import { cellFlags, clusteringEnds, keyKinds, markerFlags } from '../record/record-layout.ts';
import { RowBuilder } from '../record/row-builder.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import type { CassandraType } from '../type/cassandra-type.ts';
import type { SstableComponent, SstableSink } from './write-sstable.ts';

export interface TestCell {
  readonly micros: number;
  /** None: a tombstone. */
  readonly value?: Uint8Array;
  readonly ttl?: number;
  /** Of an expiring cell or a tombstone, s. */
  readonly expiry?: number;
  /** Of a set's or map's cell. */
  readonly path?: Uint8Array;
}

export interface TestRow {
  readonly micros?: number;
  readonly ttl?: number;
  readonly expiry?: number;
  readonly deletion?: TestDeletion;
  /** By column name; several for complex columns, in order. */
  readonly cells: Readonly<Record<string, TestCell | readonly TestCell[]>>;
}

export interface TestDeletion {
  readonly micros: number;
  readonly seconds: number;
}

export const int = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
export const bigint = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
};
export const text = (value: string): Buffer => Buffer.from(value);

const high = (micros: number) => Math.floor(micros / 2 ** 32) | 0;

/** Gathers records of one table in any order. */
export class TestRecords {
  readonly #schema: TableSchema;
  readonly #records: { key: Uint8Array; value: Uint8Array }[] = [];
  readonly #builder = new RowBuilder();

  constructor(schema: TableSchema) {
    this.#schema = schema;
  }

  row(key: Uint8Array, clustering: readonly Uint8Array[], row: TestRow): void {
    this.#add(this.#key(key, keyKinds.clustering, clustering, clusteringEnds.row), this.#row(row));
  }

  /** Of a key that is cut in others. */
  partitionKey(key: Uint8Array): void {
    this.#add(this.#key(key, keyKinds.partitionKey), key);
  }

  staticRow(key: Uint8Array, row: TestRow): void {
    this.#add(this.#key(key, keyKinds.static), this.#row(row));
  }

  partitionDeletion(key: Uint8Array, deletion: TestDeletion): void {
    this.#add(this.#key(key, keyKinds.partitionDeletion), deletionBytes(deletion));
  }

  /** From before or after all that begins with the prefix on, `deletion` holds, or none. */
  marker(
    key: Uint8Array,
    prefix: readonly Uint8Array[],
    end: 'before' | 'after',
    deletion?: TestDeletion,
  ): void {
    const place = this.#key(key, keyKinds.clustering, prefix, clusteringEnds[end]);
    const flags = Buffer.from([deletion ? markerFlags.opens : 0]);
    this.#add(place, deletion ? Buffer.concat([flags, deletionBytes(deletion)]) : flags);
  }

  /** All of them, ascending, in blocks of `perBlock`. */
  *blocks(perBlock = 1000): Generator<RecordBlock> {
    const sorted = this.#records.sort((a, b) => Buffer.compare(a.key, b.key));
    for (let i = 0; i < sorted.length; i += perBlock) yield blockOf(sorted.slice(i, i + perBlock));
  }

  #add(key: Uint8Array, value: Uint8Array): void {
    this.#records.push({ key, value });
  }

  #key(key: Uint8Array, kind: number, values: readonly Uint8Array[] = [], end = 0): Uint8Array {
    const types = this.#schema.clustering.map(({ type }) => type);
    const codec = clusteringCodec(types);
    const all = Buffer.concat(values);
    const target = Buffer.alloc(partitionPrefixBytesMax + 1 + codec.lengthMax(all.length));
    const at = writePartitionPrefix(key, 0, key.length, target, 0);
    target[at] = kind;
    if (kind !== keyKinds.clustering) return target.subarray(0, at + 1);
    const ranges = new Int32Array(2 * types.length);
    let from = 0;
    values.forEach((value, i) => {
      ranges[2 * i] = from;
      from += value.length;
      ranges[2 * i + 1] = from;
    });
    const bound = { count: values.length, end: end as 0x20 | 0x60 };
    const to =
      end === clusteringEnds.row
        ? codec.encodeRow(all, ranges, target, at + 1)
        : codec.encodeBound(all, ranges, bound, target, at + 1);
    return target.subarray(0, to);
  }

  #row({ micros, ttl, expiry, deletion, cells }: TestRow): Uint8Array {
    const builder = this.#builder;
    builder.reset();
    if (micros !== undefined) builder.timestamp(high(micros), micros >>> 0);
    if (ttl !== undefined) builder.expiring(ttl, expiry ?? 0);
    if (deletion) builder.deletion(high(deletion.micros), deletion.micros >>> 0, deletion.seconds);
    const columns = [...this.#schema.statics, ...this.#schema.regulars];
    for (const name of Object.keys(cells).sort()) {
      const bytes = Buffer.from(name);
      builder.column(bytes, 0, bytes.length);
      const cell = cells[name] as TestCell | readonly TestCell[];
      if (!Array.isArray(cell)) this.#cell(cell as TestCell);
      else {
        builder.complex(cell.length);
        const type = columns.find((column) => column.name === name)?.type as CassandraType;
        for (const each of cell as readonly TestCell[]) this.#cell(each, type);
      }
    }
    builder.finish();
    return Buffer.from(builder.bytes.subarray(0, builder.length));
  }

  #cell({ micros, value, ttl, expiry = 0, path }: TestCell, type?: CassandraType): void {
    const flags =
      (value === undefined ? cellFlags.tombstone : 0) |
      (ttl === undefined ? 0 : cellFlags.expiring) |
      (value === undefined || value.length === 0 ? cellFlags.empty : 0);
    this.#builder.cell(flags, high(micros), micros >>> 0, expiry, ttl ?? 0);
    if (path) {
      const keyType =
        type?.kind === 'map' ? type.key : (type as { element: CassandraType }).element;
      const form = Buffer.alloc(2 * path.length + 16);
      const length = comparableCodec(keyType).encode(path, 0, path.length, form, 0);
      this.#builder.part(form, 0, length);
    }
    if (value && value.length > 0) this.#builder.part(value, 0, value.length);
  }
}

function deletionBytes({ micros, seconds }: TestDeletion): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeBigInt64BE(BigInt(micros), 0);
  bytes.writeUInt32BE(seconds, 8);
  return bytes;
}

/** Keeps the components in memory. */
export class MemorySink implements SstableSink {
  readonly #parts = new Map<SstableComponent, Uint8Array[]>();

  async write(component: SstableComponent, bytes: Uint8Array): Promise<void> {
    this.#parts.set(component, [...(this.#parts.get(component) ?? []), bytes]);
  }

  get names(): SstableComponent[] {
    return [...this.#parts.keys()];
  }

  bytes(component: SstableComponent): Buffer {
    return Buffer.concat(this.#parts.get(component) ?? []);
  }
}

/** A schema as tests need it: columns by their types. */
export function testSchema(
  columns: Partial<Pick<TableSchema, 'partitionKey' | 'clustering' | 'statics' | 'regulars'>>,
): TableSchema {
  return {
    keyspace: 'k',
    table: 't',
    id: '00000000-0000-1000-8080-808080808080',
    partitionKey: [{ name: 'p', type: scalar('int') }],
    clustering: [],
    statics: [],
    regulars: [],
    dropped: [],
    isCounter: false,
    flags: ['compound'],
    gcGraceSeconds: 864_000,
    defaultTtlSeconds: 0,
    compaction: {},
    compression: {},
    ...columns,
  };
}

export function scalar(name: Extract<CassandraType, { kind: 'scalar' }>['name']): CassandraType {
  return { kind: 'scalar', name };
}
