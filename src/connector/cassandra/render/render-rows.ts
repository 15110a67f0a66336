// Records of a table as people read them: one JSON object a row, like `SELECT JSON`, but with the writetime, and with
// ttl and expiry where there are any, of each cell. Columns that hold nothing are null.
import { toHex, view } from '../../../base/bytes.ts';
import type { DataRecord } from '../../../model/record.ts';
import { ByteSink } from '../key/byte-sink.ts';
import { clusteringCodec } from '../key/clustering-codec.ts';
import { comparableCodec } from '../key/comparable.ts';
import { partitionEnd, partitionKeyOf } from '../key/record-key.ts';
import { cellFlags, clusteringEnds, keyKinds, rowFlags } from '../record/record-layout.ts';
import { columnKinds, RowReader } from '../record/row-reader.ts';
import type { Column, TableSchema } from '../schema/table-schema.ts';
import { type CassandraType, isComplex } from '../type/cassandra-type.ts';
import { arrayJson, compositeParts, mapJson, objectJson, valueJson } from './value-json.ts';

type Fields = (readonly [string, string])[];

/**
 * One text a row, in the order of the records. A static row is part of each row of its partition; it stands alone
 * where the partition has no rows. Deletions are left out.
 */
export function renderRows(schema: TableSchema, records: readonly DataRecord[]): string[] {
  const reader = new RowReader(schema.clustering.length);
  const rows: string[] = [];
  let partition: { key: string; fields: Fields; statics?: Fields; rows: number } | undefined;
  const finish = (): void => {
    if (!partition?.statics || partition.rows > 0) return;
    const nulls = schema.clustering.map(({ name }) => [name, 'null'] as const);
    const regulars = cellFields(schema.regulars, undefined);
    rows.push(objectJson([...partition.fields, ...nulls, ...partition.statics, ...regulars]));
  };
  for (const { key, value } of records) {
    const end = partitionEnd(key, 0, key.length);
    const prefix = toHex(key.subarray(0, end));
    if (partition?.key !== prefix) {
      finish();
      partition = { key: prefix, fields: partitionFields(schema, partitionKeyOf(key)), rows: 0 };
    }
    const kind = key[end];
    if (kind === keyKinds.partitionKey) partition.fields = partitionFields(schema, value);
    if (kind === keyKinds.static) {
      reader.read(value, 0, value.length, true);
      partition.statics = cellFields(schema.statics, reader);
    }
    if (kind !== keyKinds.clustering || key.at(-1) !== clusteringEnds.row) continue;
    reader.read(value, 0, value.length);
    const clustering = clusteringFields(schema, key.subarray(end + 1), reader);
    const statics = partition.statics ?? cellFields(schema.statics, undefined);
    const regulars = cellFields(schema.regulars, reader);
    rows.push(objectJson([...partition.fields, ...clustering, ...statics, ...regulars]));
    partition.rows++;
  }
  finish();
  return rows;
}

/** The primary key as `parseKey` takes it; of what is no row its partition key alone. */
export function renderKey(schema: TableSchema, { key, value }: DataRecord): string {
  const end = partitionEnd(key, 0, key.length);
  const isKey = key[end] === keyKinds.partitionKey;
  const raw = isKey ? value : partitionKeyOf(key);
  // Of a long key the record holds a hash alone: it names the partition, though nothing finds it by that.
  if (raw === undefined) return `{"partition": "0x${toHex(key.subarray(0, end))}"}`;
  const fields = partitionFields(schema, raw);
  if (key[end] !== keyKinds.clustering || key.at(-1) !== clusteringEnds.row) {
    return objectJson(fields);
  }
  const reader = new RowReader(schema.clustering.length);
  reader.read(value, 0, value.length);
  return objectJson([...fields, ...clusteringFields(schema, key.subarray(end + 1), reader)]);
}

function partitionFields({ partitionKey }: TableSchema, raw: Uint8Array | undefined): Fields {
  const parts = raw && partitionKey.length > 1 ? compositeParts(raw) : [raw];
  return partitionKey.map(({ name, type }, i) => [name, valueJson(type, parts[i])] as const);
}

/** Originals, where the record has them, and else what the key's comparable form comes to. */
function clusteringFields(
  { clustering }: TableSchema,
  bytes: Uint8Array,
  reader: RowReader,
): Fields {
  const values = (reader.flags & rowFlags.originals) !== 0 ? originals(reader) : undefined;
  const held = values ?? decoded(clustering, bytes);
  return clustering.map(({ name, type }, i) => [name, valueJson(type, held[i])] as const);
}

function decoded(clustering: readonly Column[], bytes: Uint8Array): (Uint8Array | undefined)[] {
  const out = new ByteSink();
  const ranges = new Int32Array(2 * clustering.length);
  const codec = clusteringCodec(clustering.map(({ type }) => type));
  const count = codec.decode(bytes, 0, bytes.length, out, ranges);
  return Array.from({ length: count }, (_, i) => {
    const start = ranges[2 * i] as number;
    return start < 0 ? undefined : out.bytes.subarray(start, ranges[2 * i + 1]);
  });
}

function originals({ bytes, originalsStart, originalsEnd }: RowReader): (Uint8Array | undefined)[] {
  const values: (Uint8Array | undefined)[] = [];
  for (let at = originalsStart; at < originalsEnd; ) {
    let length = 0;
    let scale = 1;
    for (let more = true; more; scale *= 128) {
      const byte = bytes[at++] as number;
      length += (byte & 127) * scale;
      more = byte >= 128;
    }
    values.push(length === 0 ? undefined : bytes.subarray(at, at + length - 1));
    at += Math.max(0, length - 1);
  }
  return values;
}

/** The columns of the schema in its order, each with what the row holds of it. */
function cellFields(columns: readonly Column[], reader: RowReader | undefined): Fields {
  const at = new Map<string, number>();
  for (let i = 0; reader && i < reader.columnCount; i++) {
    const name = view(reader.bytes.subarray(reader.nameStart[i], reader.nameEnd[i])).toString();
    // A column that was dropped and added again as another kind may be there twice.
    const isComplexCell = reader.columnKind[i] !== columnKinds.simple;
    at.set(isComplexCell ? `${name}\0` : name, i);
  }
  return columns.map(({ name, type }) => {
    const column = at.get(isComplex(type) ? `${name}\0` : name);
    return [
      name,
      reader && column !== undefined ? cellJson(type, reader, column) : 'null',
    ] as const;
  });
}

function cellJson(type: CassandraType, reader: RowReader, column: number): string {
  const cells: number[] = [];
  const end = reader.firstCell[column + 1] as number;
  for (let cell = reader.firstCell[column] as number; cell < end; cell++) {
    if (((reader.cellFlags[cell] as number) & cellFlags.tombstone) === 0) cells.push(cell);
  }
  const [first] = cells;
  if (first === undefined) return 'null';
  if (!isComplex(type)) {
    const expiring = isExpiring(reader, first);
    return objectJson([
      ['value', valueJson(type, valueBytes(reader, first))],
      ['writetime', writetime(reader, first)],
      ...(expiring ? [['ttl', ttl(reader, first)] as const] : []),
      ...(expiring ? [['expires', expires(reader, first)] as const] : []),
    ]);
  }
  const each = (of: (reader: RowReader, cell: number) => string): string =>
    arrayJson(cells.map((cell) => of(reader, cell)));
  const expiring = cells.some((cell) => isExpiring(reader, cell));
  return objectJson([
    ['value', complexJson(type, reader, cells)],
    ['writetime', each(writetime)],
    ...(expiring ? [['ttl', each(ttl)] as const] : []),
    ...(expiring ? [['expires', each(expires)] as const] : []),
  ]);
}

function complexJson(type: CassandraType, reader: RowReader, cells: readonly number[]): string {
  switch (type.kind) {
    case 'list':
      return arrayJson(cells.map((cell) => valueJson(type.element, valueBytes(reader, cell))));
    case 'set':
      return arrayJson(
        cells.map((cell) => valueJson(type.element, pathOf(type.element, reader, cell))),
      );
    case 'map':
      return mapJson(
        type,
        cells.map((cell) => [pathOf(type.key, reader, cell), valueBytes(reader, cell)]),
      );
    case 'udt': {
      // The path is the field's index.
      const held = new Map(
        cells.map((cell) => [
          view(reader.bytes).readInt16BE(reader.pathStart[cell]),
          valueBytes(reader, cell),
        ]),
      );
      return objectJson(
        type.fields.map((field, i) => [field.name, valueJson(field.type, held.get(i))] as const),
      );
    }
    default:
      return 'null';
  }
}

/** The element or key that the path stands for. */
function pathOf(type: CassandraType, reader: RowReader, cell: number): Uint8Array {
  const { bytes } = reader;
  if (((reader.cellFlags[cell] as number) & cellFlags.pathOriginal) !== 0) {
    return bytes.subarray(reader.originalStart[cell], reader.originalEnd[cell]);
  }
  // Decoding looks for an end up to the end of the array: it must be the path's own.
  const form = Uint8Array.from(bytes.subarray(reader.pathStart[cell], reader.pathEnd[cell]));
  const out = new ByteSink();
  if (form.length > 0) comparableCodec(type).decode(form, 0, out);
  return out.bytes.subarray(0, out.length);
}

function valueBytes(reader: RowReader, cell: number): Uint8Array {
  return reader.bytes.subarray(reader.valueStart[cell], reader.valueEnd[cell]);
}

function isExpiring(reader: RowReader, cell: number): boolean {
  return ((reader.cellFlags[cell] as number) & cellFlags.expiring) !== 0;
}

/** Microseconds since 1970. */
function writetime(reader: RowReader, cell: number): string {
  const high = BigInt(reader.cellHi[cell] as number) << 32n;
  return (high | BigInt(reader.cellLo[cell] as number)).toString();
}

function ttl(reader: RowReader, cell: number): string {
  return isExpiring(reader, cell) ? String(reader.cellTtl[cell]) : 'null';
}

function expires(reader: RowReader, cell: number): string {
  if (!isExpiring(reader, cell)) return 'null';
  const text = new Date((reader.cellExpiry[cell] as number) * 1000).toISOString();
  return `"${text.replace('.000Z', 'Z')}"`;
}
