// The reads of a sampled window: its first row by its whole key, the slice from its first row to its last, and the same
// slice backwards; each with what a server must answer, as of one second. What is no more by then counts as gone.
import { view } from '../../../base/bytes.ts';
import type { DataRecord } from '../../../model/record.ts';
import { partitionEnd } from '../key/record-key.ts';
import { cellFlags, rowFlags } from '../record/record-layout.ts';
import { RowReader } from '../record/row-reader.ts';
import { quoted } from '../schema/read-schema.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import { KeyColumns } from './key-columns.ts';
import { type CellBytes, isLive, ProofColumns, type TellOptions } from './proof-columns.ts';
import type { SampledWindow } from './proof-sample.ts';
import { backwards, pointOf, sliceLength, sliceOf, type Where } from './proof-where.ts';
import { tableName } from './table-statements.ts';

export interface ProofRead {
  readonly kind: 'point' | 'slice' | 'reversed';
  readonly query: string;
  readonly values: readonly Uint8Array[];
  /** Names the read in messages. */
  readonly record: DataRecord;
  /** What a server must answer; each row begins with `keyCount` columns of its key. */
  readonly rows: readonly (readonly CellBytes[])[];
  readonly keyCount: number;
  /** Of all that is expected, in seconds since 1970; infinite where nothing expires. */
  readonly firstExpiry: number;
}

export interface ReadsOptions extends Omit<TellOptions, 'isCounter'> {
  /** As of when servers are asked. */
  readonly nowSeconds: number;
}

interface HeldRow {
  readonly record: DataRecord;
  readonly clustering: readonly Uint8Array[];
  readonly cells: readonly CellBytes[];
  readonly isAlive: boolean;
  readonly firstExpiry: number;
}

interface Partition {
  readonly key: readonly Uint8Array[];
  readonly statics: HeldRow | undefined;
}

/** Makes the reads of one table, and compares answers with them. */
export class ProofReads {
  /** As the target names it. */
  readonly #schema: TableSchema;
  readonly #nowSeconds: number;
  readonly #keys: KeyColumns;
  readonly #reader: RowReader;
  readonly #statics: ProofColumns;
  readonly #regulars: ProofColumns;
  /** Of the partition, then of the clustering. */
  readonly #keyNames: readonly string[];

  constructor(schema: TableSchema, { nowSeconds, ...options }: ReadsOptions) {
    const { isCounter, clustering, partitionKey } = schema;
    this.#schema = schema;
    this.#nowSeconds = nowSeconds;
    this.#keys = new KeyColumns(schema);
    this.#reader = new RowReader(clustering.length);
    this.#statics = new ProofColumns(schema.statics, { ...options, isCounter });
    this.#regulars = new ProofColumns(schema.regulars, { ...options, isCounter });
    this.#keyNames = [...partitionKey, ...clustering].map(({ name }) => quoted(name));
  }

  /** None where CQL has no words for a key, a null of old compact tables, and where all is gone. */
  readsOf({ partitionKey, staticRow, rows: records }: SampledWindow): ProofRead[] {
    const statics = staticRow && this.#row(staticRow, true);
    const partition = { key: this.#keys.partition(partitionKey), statics };
    if (records.length === 0) return statics?.isAlive ? [this.#staticRead(partition, statics)] : [];
    const { clustering } = this.#schema;
    const rows: HeldRow[] = [];
    for (const record of records) {
      const row = this.#row(record, false);
      if (!row) break;
      rows.push(row);
    }
    const [first] = rows;
    if (!first) return [];
    const point = this.#read('point', partition, pointOf(clustering, first.clustering), [first]);
    if (clustering.length === 0) return [point];
    const keys = rows.map((row) => row.clustering);
    const slice = rows.slice(0, sliceLength(clustering, keys));
    const where = sliceOf(clustering, first.clustering, slice.at(-1)?.clustering ?? []);
    const turned = { ...where, text: where.text + backwards(clustering) };
    return [
      point,
      this.#read('slice', partition, where, slice),
      this.#read('reversed', partition, turned, slice.toReversed()),
    ];
  }

  /** What is wrong with an answer; undefined: nothing. */
  difference(
    { rows, keyCount }: ProofRead,
    found: readonly (readonly CellBytes[])[],
  ): string | undefined {
    if (found.length !== rows.length) {
      return `gives ${found.length} rows in place of ${rows.length}`;
    }
    const names = this.#keyNames.slice(0, keyCount);
    const statics = keyCount + this.#statics.selected.length;
    for (const [i, wanted] of rows.entries()) {
      const row = found[i] ?? [];
      const odd =
        names.find((_, at) => !sameBytes(wanted[at], row[at])) ??
        this.#statics.difference(wanted.slice(keyCount, statics), row.slice(keyCount, statics)) ??
        this.#regulars.difference(wanted.slice(statics), row.slice(statics));
      if (odd !== undefined) return `gives another ${odd} in row ${i + 1} of ${found.length}`;
    }
    return undefined;
  }

  #read(
    kind: ProofRead['kind'],
    { key, statics }: Partition,
    where: Where,
    rows: readonly HeldRow[],
  ): ProofRead {
    const names = [...this.#keyNames, ...this.#statics.selected, ...this.#regulars.selected];
    const held = statics?.cells ?? this.#statics.expected(undefined, this.#nowSeconds);
    const alive = rows.filter(({ isAlive }) => isAlive);
    return {
      kind,
      query: this.#query(names, where.text),
      values: [...key, ...where.values],
      record: (rows[0] as HeldRow).record,
      rows: alive.map(({ clustering, cells }) => [...key, ...clustering, ...held, ...cells]),
      keyCount: this.#keyNames.length,
      firstExpiry: Math.min(...rows.map((row) => row.firstExpiry), statics?.firstExpiry ?? never),
    };
  }

  /** A partition's key and its static columns are all that is asked for. */
  #staticRead({ key }: Partition, { record, cells, firstExpiry }: HeldRow): ProofRead {
    const keyCount = key.length;
    const names = [...this.#keyNames.slice(0, keyCount), ...this.#statics.selected];
    const query = this.#query(names, '', 'DISTINCT ');
    const rows = [[...key, ...cells]];
    return { kind: 'point', query, values: key, record, rows, keyCount, firstExpiry };
  }

  #query(selected: readonly string[], where: string, distinct = ''): string {
    const { partitionKey } = this.#schema;
    const keys = partitionKey.map(({ name }) => `${quoted(name)} = ?`).join(' AND ');
    const from = tableName(this.#schema);
    return `SELECT ${distinct}${selected.join(', ')} FROM ${from} WHERE ${keys}${where}`;
  }

  /** Undefined where a value of its key is null. */
  #row(record: DataRecord, isStatic: boolean): HeldRow | undefined {
    const { key, value } = record;
    const reader = this.#reader;
    reader.read(value, 0, value.length, isStatic);
    const at = partitionEnd(key, 0, key.length) + 1;
    const clustering = isStatic ? [] : this.#keys.clustering(key, at, key.length, reader);
    if (!clustering) return undefined;
    const columns = isStatic ? this.#statics : this.#regulars;
    const nowSeconds = this.#nowSeconds;
    const { isAlive, firstExpiry } = lifeOf(reader, nowSeconds);
    return {
      ...{ record, clustering, isAlive, firstExpiry },
      cells: columns.expected(reader, nowSeconds),
    };
  }
}

const never = Number.POSITIVE_INFINITY;

/** Whether a read sees the row, and when the first of what it sees ends. */
export function lifeOf(reader: RowReader, nowSeconds: number) {
  let firstExpiry = never;
  let isAlive = false;
  const note = (isExpiring: boolean, expiry: number): void => {
    if (isExpiring && expiry <= nowSeconds) return;
    isAlive = true;
    if (isExpiring) firstExpiry = Math.min(firstExpiry, expiry);
  };
  if ((reader.flags & rowFlags.timestamp) !== 0) {
    note((reader.flags & rowFlags.expiring) !== 0, reader.expiry);
  }
  for (let cell = 0; cell < reader.cellCount; cell++) {
    if (!isLive(reader, cell, nowSeconds)) continue;
    const isExpiring = ((reader.cellFlags[cell] as number) & cellFlags.expiring) !== 0;
    note(isExpiring, reader.cellExpiry[cell] as number);
  }
  return { isAlive, firstExpiry };
}

function sameBytes(a: CellBytes, b: CellBytes): boolean {
  return a && b ? view(a).equals(b) : a === b;
}
