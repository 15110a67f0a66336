// Rows as CQL statements that give back their timestamps: cells of one (timestamp, expiry) go together, a row
// that was inserted is inserted, all else is updated. Values are bytes of the native protocol, which those of
// records are already; the driver sends Buffers as they are. Columns a row lacks stay unset: no tombstones.
import { assert } from '../../../base/assert.ts';
import { ByteSink, putU32 } from '../key/byte-sink.ts';
import { cellFlags, rowFlags } from '../record/record-layout.ts';
import { columnKinds, type RowReader } from '../record/row-reader.ts';
import { quoted } from '../schema/read-schema.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import { keyed, type TargetColumn, targetColumns } from './cql-columns.ts';
import { type NamedTable, tableName } from './table-statements.ts';

/** Undefined leaves a column as it is: `useUndefinedAsUnset` of the driver. */
export type CqlValue = Buffer | undefined;

export interface CqlStatement {
  readonly query: string;
  readonly params: CqlValue[];
  /** Of the values. */
  readonly bytes: number;
  /** It appends to a list: done twice, it appends twice. */
  readonly appends: boolean;
}

/** Of one row: what is sent, and whether some of it stays for good. */
export interface RowStatements {
  readonly statements: readonly CqlStatement[];
  readonly isLasting: boolean;
}

/** A set, map or list beyond this goes in several statements. */
const collectionBytesMax = 32 * 1024;
/** Cassandra takes no longer times to live: 20 years. */
const ttlSecondsMax = 630_720_000;
const nothing = Buffer.alloc(0);
const noTtl = Buffer.alloc(4);

/** Cells that share their timestamp and their expiry. */
interface Group {
  readonly hi: number;
  readonly lo: number;
  /** 0: none. */
  readonly expiry: number;
  readonly timestamp: Buffer;
  readonly ttl: Buffer;
  insert: CqlValue[] | undefined;
  update: CqlValue[] | undefined;
}

export interface StatementOptions {
  /** Of the static part. */
  readonly isStatic: boolean;
  /** Later expiry is cut to it, and counted; absent: none. */
  readonly expirySecondsMax?: number | undefined;
}

/** Statements for the regular or the static part of one table's rows. */
export class StatementMaker {
  /** Expiries that were cut. */
  capped = 0;
  readonly #columns: readonly TargetColumn[];
  readonly #keys: number;
  readonly #simple: number;
  readonly #places: number;
  readonly #insert: string;
  readonly #update: string;
  readonly #appends: ReadonlyMap<TargetColumn, string>;
  readonly #expiryMax: number;
  readonly #path = new ByteSink(256);
  #groups = new Map<string, Group>();
  #last: Group | undefined;
  #nowSeconds = 0;
  #statements: CqlStatement[] = [];

  constructor(
    schema: TableSchema,
    to: NamedTable,
    { isStatic, expirySecondsMax = Number.POSITIVE_INFINITY }: StatementOptions,
  ) {
    this.#expiryMax = expirySecondsMax;
    const keys = isStatic ? schema.partitionKey : [...schema.partitionKey, ...schema.clustering];
    const { columns, simple, places } = targetColumns(isStatic ? schema.statics : schema.regulars);
    this.#columns = columns;
    this.#keys = keys.length;
    this.#simple = simple.length;
    this.#places = places.length;
    const where = keys.map(({ name }) => `${quoted(name)} = ?`).join(' AND ');
    const names = [...keys.map(({ name }) => name), ...simple].map(quoted);
    const marks = names.map(() => '?').join(', ');
    const using = 'USING TIMESTAMP ? AND TTL ?';
    this.#insert = `INSERT INTO ${tableName(to)} (${names.join(', ')}) VALUES (${marks}) ${using}`;
    const update = (set: string): string =>
      `UPDATE ${tableName(to)} ${using} SET ${set} WHERE ${where}`;
    this.#update = update(places.join(', '));
    this.#appends = new Map(
      columns
        .filter(({ kind }) => kind === 'list')
        .map((column) => [column, update(keyed(column.name, '+'))]),
    );
  }

  /** What the row in the reader needs as of `nowSeconds`; `keys` are its key columns' values. */
  row(reader: RowReader, keys: readonly Buffer[], nowSeconds: number): RowStatements {
    this.#groups = new Map();
    this.#last = undefined;
    this.#statements = [];
    this.#nowSeconds = nowSeconds;
    this.#liveness(reader, keys);
    for (let column = 0; column < reader.columnCount; column++) {
      const target = this.#columnOf(reader, column);
      if (target.kind === 'simple') this.#simpleCell(reader, column, target);
      else if (target.kind === 'udt') this.#fields(reader, column, target);
      else if (target.kind === 'list') this.#list(reader, column, target, keys);
      else this.#collection(reader, column, target, keys);
    }
    let isLasting = false;
    const made: CqlStatement[] = [];
    for (const { insert, update, timestamp, ttl, expiry } of this.#groups.values()) {
      isLasting ||= expiry === 0;
      const times = [timestamp, ttl];
      if (insert) made.push(statement(this.#insert, [...keys, ...insert, ...times]));
      if (update) made.push(statement(this.#update, [...times, ...update, ...keys]));
    }
    return { statements: [...made, ...this.#statements], isLasting };
  }

  #liveness(reader: RowReader, keys: readonly Buffer[]): void {
    if ((reader.flags & rowFlags.timestamp) === 0 || keys.length < this.#keys) return;
    const expiry = (reader.flags & rowFlags.expiring) === 0 ? 0 : reader.expiry;
    const group = this.#group(reader.timestampHi, reader.timestampLo, expiry);
    if (group) group.insert = unset(this.#simple);
  }

  #simpleCell(reader: RowReader, column: number, { place, insertPlace }: TargetColumn): void {
    const cell = reader.firstCell[column] as number;
    const group = this.#groupOf(reader, cell);
    if (!group) return;
    if (group.insert) group.insert[insertPlace] = cellValue(reader, cell);
    else this.#updateOf(group)[place] = cellValue(reader, cell);
  }

  #fields(reader: RowReader, column: number, { place }: TargetColumn): void {
    const end = reader.firstCell[column + 1] as number;
    for (let cell = reader.firstCell[column] as number; cell < end; cell++) {
      const group = this.#groupOf(reader, cell);
      const at = reader.pathStart[cell] as number;
      const field = ((reader.bytes[at] as number) << 8) | (reader.bytes[at + 1] as number);
      if (group) this.#updateOf(group)[place + field] = cellValue(reader, cell);
    }
  }

  /** Neighbours that share their times are appended at once: the order stays, and so do the times. */
  #list(reader: RowReader, column: number, target: TargetColumn, keys: readonly Buffer[]): void {
    const query = this.#appends.get(target) as string;
    const end = reader.firstCell[column + 1] as number;
    const run = new Elements();
    let group: Group | undefined;
    const append = (): void => {
      if (!group || run.count === 0) return;
      const params = [group.timestamp, group.ttl, run.take(), ...keys];
      this.#statements.push({ ...statement(query, params), appends: true });
    };
    for (let cell = reader.firstCell[column] as number; cell < end; cell++) {
      const next = this.#groupOf(reader, cell);
      if (!next) continue;
      if (next !== group || run.bytes > collectionBytesMax) append();
      group = next;
      run.add(cellValue(reader, cell));
    }
    append();
  }

  #collection(
    reader: RowReader,
    column: number,
    target: TargetColumn,
    keys: readonly Buffer[],
  ): void {
    const end = reader.firstCell[column + 1] as number;
    const found = new Map<Group, Elements>();
    for (let cell = reader.firstCell[column] as number; cell < end; cell++) {
      const group = this.#groupOf(reader, cell);
      if (!group) continue;
      const elements = found.get(group) ?? new Elements();
      found.set(group, elements);
      if (elements.bytes > collectionBytesMax) {
        const values = unset(this.#places);
        values[target.place] = elements.take();
        const params = [group.timestamp, group.ttl, ...values, ...keys];
        this.#statements.push(statement(this.#update, params));
      }
      elements.add(this.#pathOf(reader, cell, target));
      if (target.kind === 'map') elements.value(cellValue(reader, cell));
    }
    for (const [group, elements] of found) {
      this.#updateOf(group)[target.place] = elements.take();
    }
  }

  #columnOf(reader: RowReader, column: number): TargetColumn {
    const [start, end] = [reader.nameStart[column] as number, reader.nameEnd[column] as number];
    const isSimple = reader.columnKind[column] === columnKinds.simple;
    for (const one of this.#columns) {
      if (one.bytes.length !== end - start || (one.kind === 'simple') !== isSimple) continue;
      if (one.bytes.compare(reader.bytes, start, end) === 0) return one;
    }
    assert(false, 'a row of the live form has columns of its table alone');
  }

  /** Undefined for what has expired by now. */
  #groupOf(reader: RowReader, cell: number): Group | undefined {
    const flags = reader.cellFlags[cell] as number;
    assert((flags & cellFlags.tombstone) === 0, 'the live form holds no tombstone');
    const expiry = (flags & cellFlags.expiring) === 0 ? 0 : (reader.cellExpiry[cell] as number);
    return this.#group(reader.cellHi[cell] as number, reader.cellLo[cell] as number, expiry);
  }

  #group(hi: number, lo: number, held: number): Group | undefined {
    if (held !== 0 && held <= this.#nowSeconds) return undefined;
    const expiry = Math.min(held, this.#expiryMax);
    if (expiry < held) this.capped += 1;
    const last = this.#last;
    if (last && last.lo === lo && last.hi === hi && last.expiry === expiry) return last;
    const name = `${hi} ${lo} ${expiry}`;
    let group = this.#groups.get(name);
    if (!group) {
      const timestamp = Buffer.allocUnsafe(8);
      putU32(timestamp, putU32(timestamp, 0, hi), lo);
      const ttl = expiry === 0 ? noTtl : Buffer.allocUnsafe(4);
      if (expiry !== 0) putU32(ttl, 0, Math.min(expiry - this.#nowSeconds, ttlSecondsMax));
      group = { hi, lo, expiry, timestamp, ttl, insert: undefined, update: undefined };
      this.#groups.set(name, group);
    }
    this.#last = group;
    return group;
  }

  #updateOf(group: Group): CqlValue[] {
    group.update ??= unset(this.#places);
    return group.update;
  }

  /** An element of a set or a key of a map, as it was. */
  #pathOf(reader: RowReader, cell: number, { path }: TargetColumn): Buffer {
    if (((reader.cellFlags[cell] as number) & cellFlags.pathOriginal) !== 0) {
      return view(reader.bytes, reader.originalStart[cell], reader.originalEnd[cell]);
    }
    const form = view(reader.bytes, reader.pathStart[cell], reader.pathEnd[cell]);
    const sink = this.#path;
    sink.length = 0;
    if (form.length > 0) path?.decode(form, 0, sink);
    return Buffer.from(sink.bytes.subarray(0, sink.length));
  }
}

/** A collection as the native protocol has it: the number of elements, then each behind its length. */
class Elements {
  count = 0;
  bytes = 4;
  #parts: Buffer[] = [];

  add(part: Buffer): void {
    this.count++;
    this.value(part);
  }

  /** Of the key that was added last. */
  value(part: Buffer): void {
    this.bytes += 4 + part.length;
    this.#parts.push(part);
  }

  take(): Buffer {
    const out = Buffer.allocUnsafe(this.bytes);
    let at = putU32(out, 0, this.count);
    for (const part of this.#parts) {
      at = putU32(out, at, part.length);
      at += part.copy(out, at);
    }
    [this.count, this.bytes, this.#parts] = [0, 4, []];
    return out;
  }
}

function statement(query: string, params: CqlValue[]): CqlStatement {
  let bytes = 0;
  for (const value of params) bytes += 4 + (value?.length ?? 0);
  return { query, params, bytes, appends: false };
}

const unset = (count: number): CqlValue[] => new Array<CqlValue>(count).fill(undefined);

function cellValue(reader: RowReader, cell: number): Buffer {
  return view(reader.bytes, reader.valueStart[cell], reader.valueEnd[cell]);
}

/** The same memory: blocks belong to whoever loads them, until all is sent. */
function view(bytes: Uint8Array, start: number | undefined, end: number | undefined): Buffer {
  const from = start as number;
  const length = (end as number) - from;
  return length === 0 ? nothing : Buffer.from(bytes.buffer, bytes.byteOffset + from, length);
}
