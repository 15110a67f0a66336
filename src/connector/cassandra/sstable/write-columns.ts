// The columns of rows in the order of the HEADER: simple ones by name, then complex ones by name. Says which
// column a name of a record means, and which columns a row lacks (db/Columns.java, subsets).
import { CodrError } from '../../../base/error.ts';
import { type ComparableCodec, comparableCodec } from '../key/comparable.ts';
import { compareRanges } from '../record/record-key.ts';
import type { Column } from '../schema/table-schema.ts';
import { type CassandraType, isComplex } from '../type/cassandra-type.ts';
import { fixedValueLength } from '../type/value-layout.ts';
import type { OutBytes } from './write-bytes.ts';

/** From here on a subset lists columns by number instead of by bits. */
const bitmapColumnsMax = 63;

export interface WrittenColumn {
  readonly column: Column;
  readonly name: Uint8Array;
  readonly complex: boolean;
  /** Bytes of every value, or -1 where a length precedes it. */
  readonly fixedLength: number;
  /** Of the paths of a complex column's cells, where records have them in another form. */
  readonly path: ComparableCodec | undefined;
}

/** The static or the regular columns of a table. */
export class WrittenColumns {
  readonly all: readonly WrittenColumn[];
  readonly #table: string;
  readonly #simple: readonly WrittenColumn[];
  readonly #complex: readonly WrittenColumn[];
  /** Numbers of the columns of the row at hand: ascending, `presentCount` of them. */
  readonly present: Int32Array;
  presentCount = 0;

  constructor(columns: readonly Column[], table: string) {
    this.#table = table;
    const ordered = columns.map(writtenColumn).sort((a, b) => Buffer.compare(a.name, b.name));
    this.#simple = ordered.filter(({ complex }) => !complex);
    this.#complex = ordered.filter(({ complex }) => complex);
    this.all = [...this.#simple, ...this.#complex];
    this.present = new Int32Array(this.all.length);
  }

  /**
   * The number of the column with the name `bytes[start, end)`. `guess` is where to look first.
   * @throws CodrError `target-unfit` when the table has none of that name and kind.
   */
  find(bytes: Uint8Array, start: number, end: number, complex: boolean, guess: number): number {
    const offset = complex ? this.#simple.length : 0;
    const columns = complex ? this.#complex : this.#simple;
    let low = 0;
    let high = columns.length;
    let middle = guess - offset;
    if (middle < 0 || middle >= high) middle = high >>> 1;
    while (low < high) {
      const { name } = columns[middle] as WrittenColumn;
      const order = compareRanges(name, 0, name.length, bytes, start, end);
      if (order === 0) return offset + middle;
      if (order < 0) low = middle + 1;
      else high = middle;
      middle = (low + high) >>> 1;
    }
    const name = Buffer.from(bytes.subarray(start, end)).toString();
    const kind = complex ? 'multi-cell' : 'single-cell';
    throw new CodrError('target-unfit', `table ${this.#table} has no ${kind} column ${name}`, {
      object: name,
      remedy: 'use the schema of the point that is restored',
    });
  }

  /** Writes which of all columns the row at hand has; it must not have all. */
  subset(out: OutBytes): void {
    const total = this.all.length;
    const count = this.presentCount;
    if (total > bitmapColumnsMax) {
      this.#largeSubset(out, total, count);
      return;
    }
    let lo = total >= 32 ? -1 : (1 << total) - 1;
    let hi = total > 32 ? (1 << (total - 32)) - 1 : 0;
    for (let i = 0; i < count; i++) {
      const column = this.present[i] as number;
      if (column < 32) lo &= ~(1 << column);
      else hi &= ~(1 << (column - 32));
    }
    out.reserve(9);
    out.vint64(hi, lo);
  }

  /** The number of missing columns, then the shorter list: of those there, or of those missing. */
  #largeSubset(out: OutBytes, total: number, count: number): void {
    out.reserve(9 * (total + 1));
    out.vint(total - count);
    if (count < total >>> 1) {
      for (let i = 0; i < count; i++) out.vint(this.present[i] as number);
      return;
    }
    let next = 0;
    for (let column = 0; column < total; column++) {
      if (next < count && this.present[next] === column) next++;
      else out.vint(column);
    }
  }
}

function writtenColumn(column: Column): WrittenColumn {
  const complex = isComplex(column.type);
  return {
    column,
    name: Buffer.from(column.name),
    complex,
    fixedLength: complex ? -1 : fixedValueLength(column.type),
    path: complex ? pathCodec(column.type) : undefined,
  };
}

/** List ids, elements or keys; undefined for numbers of fields, which records hold as they are. */
function pathCodec(type: CassandraType): ComparableCodec | undefined {
  switch (type.kind) {
    case 'list':
      return comparableCodec({ kind: 'scalar', name: 'timeuuid' });
    case 'set':
      return comparableCodec(type.element);
    case 'map':
      return comparableCodec(type.key);
    default:
      return undefined;
  }
}
