// What a target of CQL holds, row by row beside what it must hold: keys, values, and of each cell its writetime and its
// expiry. A write by CQL ends some seconds later than it should, by as much as it was late; what expires about the time of
// the look may be there or not, and is passed over and counted.
import { CodrError } from '../../../base/error.ts';
import type { DataRecord, RecordStream } from '../../../model/record.ts';
import { partitionEnd, partitionKeyOf } from '../key/record-key.ts';
import { PartitionTracker, recordKinds } from '../record/record-key.ts';
import { RowReader } from '../record/row-reader.ts';
import { renderKey } from '../render/render-rows.ts';
import { quoted } from '../schema/read-schema.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import { KeyColumns } from './key-columns.ts';
import { type CellBytes, ProofColumns, sameCells, type TellOptions } from './proof-columns.ts';
import { lifeOf } from './proof-reads.ts';

export interface CompareOptions extends Omit<TellOptions, 'isCounter'> {
  /** As the target names it. */
  readonly schema: TableSchema;
  /** As of when the target is asked. */
  readonly nowSeconds: number;
  readonly ttlSlackSeconds: number;
}

interface Row {
  readonly record: DataRecord;
  readonly cells: readonly CellBytes[];
  /** It, or some of it, may have expired or not. */
  readonly isPassing: boolean;
}

const none = Symbol('no more rows');

/** Compares one range of a table; for one use. */
export class CqlComparison {
  /** Rows that were found equal. */
  compared = 0;
  passedOver = 0;
  readonly #options: CompareOptions;
  readonly #keys: KeyColumns;
  readonly #reader: RowReader;
  readonly #tracker = new PartitionTracker();
  readonly #statics: ProofColumns;
  readonly #regulars: ProofColumns;
  readonly #keyNames: readonly string[];
  #found: AsyncIterator<readonly CellBytes[]> | undefined;
  #current: readonly CellBytes[] | typeof none | undefined;
  #partition: readonly CellBytes[] = [];
  #static: Row | undefined;
  /** The partition has a row that the target has shown. */
  #isShown = false;

  constructor(options: CompareOptions) {
    const { schema } = options;
    this.#options = options;
    this.#keys = new KeyColumns(schema);
    this.#reader = new RowReader(schema.clustering.length);
    const tells = { ...options, isCounter: false };
    this.#statics = new ProofColumns(schema.statics, tells);
    this.#regulars = new ProofColumns(schema.regulars, tells);
    this.#keyNames = [...schema.partitionKey, ...schema.clustering].map(({ name }) => quoted(name));
  }

  /** What is asked for behind the columns of the key. */
  get selected(): readonly string[] {
    return [...this.#statics.selected, ...this.#regulars.selected];
  }

  /**
   * Passes on the records of the range once the target's rows are found to be theirs. `expected` is what lives
   * {@link CompareOptions.ttlSlackSeconds} before the look. Errors: `proof-failed`, naming the row.
   */
  async *watch(
    expected: RecordStream,
    found: AsyncGenerator<readonly CellBytes[], void, void>,
  ): RecordStream {
    this.#found = found;
    try {
      for await (const batch of expected) {
        for (const record of batch) await this.#record(record);
        yield batch;
      }
      await this.#endPartition();
      const left = await this.#peek();
      if (left !== none) throw this.#failed('it has a row that was not to be restored', undefined);
    } finally {
      await found.return();
    }
  }

  async #record(record: DataRecord): Promise<void> {
    const { key, value } = record;
    if (this.#tracker.enter(key, 0, key.length)) {
      await this.#endPartition();
      const raw = partitionKeyOf(key);
      if (raw) this.#partition = this.#keys.partition(raw);
    }
    const kind = this.#tracker.kind(key, 0, key.length);
    if (kind === recordKinds.partitionKey) this.#partition = this.#keys.partition(value);
    else if (kind === recordKinds.static) this.#static = this.#row(record, true);
    else await this.#compare(this.#row(record, false));
  }

  /** A partition without rows is shown by its static ones, in a row whose other columns are null. */
  async #endPartition(): Promise<void> {
    const statics = this.#static;
    if (statics && !this.#isShown) {
      const { clustering } = this.#options.schema;
      const empty: CellBytes[] = new Array(clustering.length).fill(undefined);
      const cells = this.#regulars.expected(undefined, this.#options.nowSeconds);
      await this.#compare({ ...statics, cells: [...this.#partition, ...empty, ...cells] });
    }
    this.#static = undefined;
    this.#isShown = false;
  }

  async #compare(row: Row): Promise<void> {
    const keys = this.#keyNames.length;
    const found = await this.#peek();
    const isIt = found !== none && sameCells(row.cells.slice(0, keys), found.slice(0, keys));
    if (!isIt) {
      if (!row.isPassing) throw this.#failed('it lacks the row, or has another before it', row);
      this.passedOver++;
      return;
    }
    this.#current = undefined;
    this.#isShown = true;
    const statics = this.#static;
    if (row.isPassing || statics?.isPassing) {
      this.passedOver++;
      return;
    }
    const middle = keys + this.#statics.selected.length;
    const wanted = statics?.cells ?? this.#statics.expected(undefined, this.#options.nowSeconds);
    const odd =
      this.#statics.difference(wanted, found.slice(keys, middle)) ??
      this.#regulars.difference(row.cells.slice(keys), found.slice(middle));
    if (odd !== undefined) throw this.#failed(`its ${odd} is another`, row);
    this.compared++;
  }

  /** Of a static row the cells alone. */
  #row(record: DataRecord, isStatic: boolean): Row {
    const { key, value } = record;
    const { nowSeconds, ttlSlackSeconds } = this.#options;
    const reader = this.#reader;
    reader.read(value, 0, value.length, isStatic);
    const { firstExpiry } = lifeOf(reader, nowSeconds - ttlSlackSeconds);
    const isPassing = firstExpiry <= nowSeconds + ttlSlackSeconds;
    if (isStatic) {
      return { record, cells: this.#statics.expected(reader, nowSeconds), isPassing };
    }
    const at = partitionEnd(key, 0, key.length) + 1;
    const clustering = this.#keys.clustering(key, at, key.length, reader) ?? [];
    const cells = this.#regulars.expected(reader, nowSeconds);
    return { record, cells: [...this.#partition, ...clustering, ...cells], isPassing };
  }

  async #peek(): Promise<readonly CellBytes[] | typeof none> {
    if (this.#current === undefined) {
      const next = await this.#found?.next();
      this.#current = next && !next.done ? next.value : none;
    }
    return this.#current;
  }

  #failed(fault: string, row: Row | undefined): CodrError {
    const { schema } = this.#options;
    const table = `${schema.keyspace}.${schema.table}`;
    const key = row && renderKey(schema, row.record);
    const where = key === undefined ? table : `${table}, ${key}`;
    return new CodrError('proof-failed', `${where}: read at ALL, ${fault}`, {
      object: table,
      ...(key !== undefined && { facts: { key } }),
    });
  }
}
