// Records of a range, in the live form, become writes of a CQL target: partition by partition, each row by the
// statements that give back its timestamps, with times to live counted from the moment they are made.
import { assert } from '../../../base/assert.ts';
import type { Clock } from '../../../base/clock.ts';
import { CodrError } from '../../../base/error.ts';
import { batchBytes, type RecordStream } from '../../../model/record.ts';
import { blockOf, type RecordBlock } from '../../../model/record-block.ts';
import type { LoadedRange } from '../../restore-target.ts';
import { partitionKeyOf } from '../key/record-key.ts';
import { PartitionTracker, recordKinds } from '../record/record-key.ts';
import { RowReader } from '../record/row-reader.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import { BatchGatherer, type CqlBatch } from './cql-batches.ts';
import type { BatchSender } from './cql-sender.ts';
import { StatementMaker } from './cql-statements.ts';
import { KeyColumns } from './key-columns.ts';
import type { NamedTable } from './table-statements.ts';

export interface CqlLoadOptions {
  readonly schema: TableSchema;
  readonly table: NamedTable;
  readonly sender: BatchSender;
  readonly clock: Clock;
  /** Later expiry is cut to it; absent: all is held. */
  readonly expirySecondsMax?: number | undefined;
  /** Writes whose times to live were reckoned so long ago are not sent; absent: however late. */
  readonly waitSecondsMax?: number;
}

/** What was loaded of a table, survives JSON. */
export interface LoadedByCql {
  /** Rows as COUNT counts them: a partition with a static row alone is one. */
  readonly rows: number;
  readonly bytes: number;
  /** Of the rows those that no time to live takes away. */
  readonly lastingRows: number;
  /** The longest time from when a time to live was reckoned to when its write was answered, rounded up. */
  readonly lateSeconds: number;
  /** Expiries that were cut. */
  readonly capped: number;
}

export const nothingLoaded: LoadedByCql = {
  ...{ rows: 0, bytes: 0, lastingRows: 0, lateSeconds: 0, capped: 0 },
};

/** What nobody waited for any more may have been tried again and again. */
export const lateSecondsMax = 220;
/** What another process sends later than this, having slept, nobody reckons with. */
export const waitSecondsMax = 20;

/** Makes the writes of one table; ranges may be loaded side by side. */
export class CqlLoad {
  readonly #options: CqlLoadOptions;
  #counts = nothingLoaded;

  constructor(options: CqlLoadOptions) {
    this.#options = options;
  }

  get counts(): LoadedByCql {
    return this.#counts;
  }

  /** What else was loaded, here or by another process. */
  add({ rows, bytes, lastingRows, lateSeconds, capped }: LoadedByCql): void {
    const before = this.#counts;
    this.#counts = {
      rows: before.rows + rows,
      bytes: before.bytes + bytes,
      lastingRows: before.lastingRows + lastingRows,
      lateSeconds: Math.max(before.lateSeconds, lateSeconds),
      capped: before.capped + capped,
    };
  }

  async load(records: RecordStream, signal: AbortSignal): Promise<LoadedRange> {
    const range = new RangeLoad(this.#options, signal);
    let [count, bytes] = [0, 0];
    try {
      for await (const batch of records) {
        signal.throwIfAborted();
        if (batch.length === 0) continue;
        const block = blockOf(batch);
        for (let i = 0; i < block.count; i++) await range.record(block, i);
        count += batch.length;
        bytes += batchBytes(batch);
      }
      await range.end();
    } finally {
      await range.settled();
    }
    const { rows, lastingRows, lateSeconds, capped } = range;
    this.add({ rows, bytes, lastingRows, lateSeconds, capped });
    return { records: count, bytes, changedByTarget: [] };
  }
}

class RangeLoad {
  rows = 0;
  lastingRows = 0;
  lateSeconds = 0;
  /** When the first statement that waits was made. */
  #madeSeconds: number | undefined;
  readonly #options: CqlLoadOptions;
  readonly #signal: AbortSignal;
  readonly #tracker = new PartitionTracker();
  readonly #gatherer = new BatchGatherer();
  readonly #regulars: StatementMaker;
  readonly #statics: StatementMaker;
  readonly #keys: KeyColumns;
  readonly #rowReader: RowReader;
  readonly #running = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;
  #last: Promise<void> = Promise.resolve();
  /** The values of the partition's key, as they are and as the partition's columns. */
  #partition: readonly Buffer[] = [];
  #token: Uint8Array = new Uint8Array(0);
  #staticRow: 'none' | 'passing' | 'lasting' = 'none';
  #hasRows = false;
  #hasLasting = false;

  constructor(options: CqlLoadOptions, signal: AbortSignal) {
    const { schema, table, expirySecondsMax } = options;
    this.#options = options;
    this.#signal = signal;
    this.#regulars = new StatementMaker(schema, table, { isStatic: false, expirySecondsMax });
    this.#statics = new StatementMaker(schema, table, { isStatic: true, expirySecondsMax });
    this.#keys = new KeyColumns(schema);
    this.#rowReader = new RowReader(schema.clustering.length);
  }

  /** Expiries that were cut. */
  get capped(): number {
    return this.#regulars.capped + this.#statics.capped;
  }

  async record({ bytes, bounds }: RecordBlock, i: number): Promise<void> {
    const start = bounds[2 * i] as number;
    const middle = bounds[2 * i + 1] as number;
    const end = bounds[2 * i + 2] as number;
    const tracker = this.#tracker;
    if (tracker.enter(bytes, start, middle)) {
      await this.end();
      this.#token = tracker.partition;
      const raw = partitionKeyOf(bytes, start, middle);
      this.#partition = raw ? this.#keys.partition(raw) : [];
    }
    const kind = tracker.kind(bytes, start, middle);
    if (kind === recordKinds.partitionKey) {
      this.#partition = this.#keys.partition(bytes.subarray(middle, end));
      return;
    }
    const isStatic = kind === recordKinds.static;
    assert(isStatic || kind === recordKinds.row, 'the live form holds rows alone');
    const reader = this.#rowReader;
    reader.read(bytes, middle, end, isStatic);
    const at = start + tracker.partition.length + 1;
    const clustering = isStatic ? [] : this.#keys.clustering(bytes, at, middle, reader);
    if (!clustering) throw this.#nullKey();
    const keys = [...this.#partition, ...clustering];
    const nowSeconds = Math.floor(this.#options.clock.now() / 1000);
    const maker = isStatic ? this.#statics : this.#regulars;
    const { statements, isLasting } = maker.row(reader, keys, nowSeconds);
    if (statements.length === 0) return;
    if (isStatic) this.#staticRow = isLasting ? 'lasting' : 'passing';
    else this.#countRow(isLasting);
    for (const statement of statements) {
      const full = this.#gatherer.add(statement);
      if (full) await this.#send(full);
      this.#madeSeconds ??= nowSeconds;
    }
  }

  /** The partition's end: what it has left is sent. */
  async end(): Promise<void> {
    if (!this.#hasRows && this.#staticRow !== 'none') this.rows++;
    if (!this.#hasLasting && this.#staticRow === 'lasting') this.lastingRows++;
    this.#staticRow = 'none';
    this.#hasRows = false;
    this.#hasLasting = false;
    const rest = this.#gatherer.take();
    if (rest) await this.#send(rest);
  }

  /** All that was sent has been answered. Errors: the first that a batch met. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
    if (this.#failure) throw this.#failure.error;
  }

  #countRow(isLasting: boolean): void {
    this.rows++;
    this.#hasRows = true;
    if (!isLasting) return;
    this.lastingRows++;
    this.#hasLasting = true;
  }

  async #send(batch: CqlBatch): Promise<void> {
    const { sender, clock } = this.#options;
    const madeSeconds = this.#madeSeconds ?? 0;
    this.#madeSeconds = undefined;
    if (batch.follows) await this.#last;
    await sender.room();
    if (this.#failure) {
      sender.leave();
      throw this.#failure.error;
    }
    const { waitSecondsMax: waitMax = Number.POSITIVE_INFINITY } = this.#options;
    if (clock.now() / 1000 - madeSeconds > waitMax) {
      sender.leave();
      throw new CodrError('peer-lost', `a write waited for more than ${waitMax} s`);
    }
    const sent = sender
      .send(batch, this.#token, this.#signal)
      .then(() => {
        const late = Math.ceil(clock.now() / 1000 - madeSeconds);
        this.lateSeconds = Math.max(this.lateSeconds, late);
      })
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#running.delete(sent));
    this.#running.add(sent);
    this.#last = sent;
  }

  #nullKey(): CodrError {
    const { schema } = this.#options;
    const table = `${schema.keyspace}.${schema.table}`;
    const message = `${table} has rows without a clustering value, which CQL cannot write`;
    return new CodrError('target-unfit', message, {
      object: table,
      remedy: 'restore with the files of the target: a configuration file that names its nodes',
    });
  }
}
