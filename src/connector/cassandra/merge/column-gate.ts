// Which columns of a row the schema lets through. Columns of rows and of the gate ascend by name, so one walk
// along both finds each; no name is made a string unless it is at fault.
import { CodrError } from '../../../base/error.ts';
import { compareRanges } from '../record/record-key.ts';
import type { RowReader } from '../record/row-reader.ts';
import type { TableSchema } from '../schema/table-schema.ts';

/** What the schema says of a column. */
export interface GateColumn {
  readonly name: Uint8Array;
  /** False for one that was dropped and is not there again: nothing of it is seen. */
  readonly known: boolean;
  /** What was written at or before this is gone; the smallest timestamp where nothing was dropped. */
  readonly droppedHi: number;
  readonly droppedLo: number;
}

const neverHi = -0x80000000;

/** The static or the regular columns of a table. */
export class ColumnGate {
  readonly #columns: readonly GateColumn[];
  readonly #table: string;
  #at = 0;

  constructor(schema: TableSchema, isStatic: boolean) {
    this.#table = `${schema.keyspace}.${schema.table}`;
    const known = new Set((isStatic ? schema.statics : schema.regulars).map(({ name }) => name));
    const dropped = new Map(
      schema.dropped
        .filter((column) => column.isStatic === isStatic)
        .map(({ name, droppedMicros }) => [name, BigInt(droppedMicros)]),
    );
    this.#columns = [...new Set([...known, ...dropped.keys()])]
      .map((name) => gateColumn(name, known.has(name), dropped.get(name)))
      .sort((a, b) => Buffer.compare(a.name, b.name));
  }

  /** Before a row's first column. */
  restart(): void {
    this.#at = 0;
  }

  /**
   * What the schema says of a column of the row; asked in the row's order.
   * @throws CodrError `source-unfit` for a column that the table neither has nor ever dropped.
   */
  find(reader: RowReader, column: number): GateColumn {
    const { bytes } = reader;
    const start = reader.nameStart[column] as number;
    const end = reader.nameEnd[column] as number;
    for (; this.#at < this.#columns.length; this.#at++) {
      const candidate = this.#columns[this.#at] as GateColumn;
      const { name } = candidate;
      const order = compareRanges(name, 0, name.length, bytes, start, end);
      // A complex column may follow a simple one of the same name, so this one stays at hand.
      if (order === 0) return candidate;
      if (order > 0) break;
    }
    const name = Buffer.from(bytes.subarray(start, end)).toString('utf8');
    throw new CodrError(
      'source-unfit',
      `the data of ${this.#table} has a column ${JSON.stringify(name)} that its schema never had`,
      {
        object: this.#table,
        remedy: 'read the schema of the table again; if it does not show the column, report this',
        facts: { table: this.#table, column: name },
      },
    );
  }
}

/** Whether data of this timestamp went when the column was dropped. */
export function isDropped(column: GateColumn, hi: number, lo: number): boolean {
  if (!column.known) return true;
  return hi < column.droppedHi || (hi === column.droppedHi && lo <= column.droppedLo);
}

/** Whether the column lets everything through. */
export function isOpen({ known, droppedHi }: GateColumn): boolean {
  return known && droppedHi === neverHi;
}

function gateColumn(name: string, known: boolean, dropped: bigint | undefined): GateColumn {
  return {
    name: Buffer.from(name, 'utf8'),
    known,
    droppedHi: dropped === undefined ? neverHi : Number(dropped >> 32n),
    droppedLo: dropped === undefined ? 0 : Number(dropped & 0xffffffffn),
  };
}
