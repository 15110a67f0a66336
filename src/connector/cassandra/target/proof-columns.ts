// A row as a server must answer it, in bytes: for each column that is asked for its value, and where CQL tells them the
// writetime and what is left to live, of each element of a collection where it does (since 5.0). Built out of a record.
import { view } from '../../../base/bytes.ts';
import { ByteSink } from '../key/byte-sink.ts';
import { cellFlags } from '../record/record-layout.ts';
import { columnKinds, type RowReader } from '../record/row-reader.ts';
import { counterTotal } from '../render/scalar-json.ts';
import { quoted } from '../schema/read-schema.ts';
import type { Column } from '../schema/table-schema.ts';
import { type TargetColumn, targetColumns } from './cql-columns.ts';

/** What a server tells of a table's columns. */
export interface TellOptions {
  readonly isCounter: boolean;
  /** Columns whose values the server masks: only their times can be compared. */
  readonly masked: ReadonlySet<string>;
  /** Since 5.0 a server tells the times of each element. */
  readonly hasElementTimes: boolean;
  /** By so much what is left to live may differ; none unless said. */
  readonly ttlSlackSeconds?: number;
}

/** Undefined for null. */
export type CellBytes = Uint8Array | undefined;

/** What is asked for of a column. `fields` and `times` are sequences whose last nulls say nothing. */
interface Asked {
  readonly target: TargetColumn;
  readonly fieldCount: number;
  readonly what: 'value' | 'writetime' | 'ttl';
  readonly form: 'plain' | 'fields' | 'times';
  readonly text: string;
}

/** The static or the regular columns of a table. */
export class ProofColumns {
  readonly #asked: readonly Asked[];
  readonly #isCounter: boolean;
  readonly #ttlSlack: number;
  readonly #path = new ByteSink(256);

  constructor(columns: readonly Column[], options: TellOptions) {
    this.#isCounter = options.isCounter;
    this.#ttlSlack = options.ttlSlackSeconds ?? 0;
    const targets = targetColumns(columns).columns;
    this.#asked = columns.flatMap((column, i) => {
      // A column of old compact tables that holds nothing and has no name in CQL.
      if (column.type.kind === 'scalar' && column.type.name === 'empty') return [];
      return askedOf(column, targets[i] as TargetColumn, options);
    });
  }

  /** As CQL says what is asked for. */
  get selected(): readonly string[] {
    return this.#asked.map(({ text }) => text);
  }

  /** Bytes for each of `selected`; of no row null for all. `nowSeconds`: as of when. */
  expected(reader: RowReader | undefined, nowSeconds: number): CellBytes[] {
    const held = reader ? this.#liveCells(reader, nowSeconds) : undefined;
    return this.#asked.map((asked) => {
      const cells = held?.get(asked.target);
      if (!reader || !cells) return undefined;
      if (asked.what === 'value') return this.#value(reader, asked, cells);
      const tell = asked.what === 'writetime' ? writetime : ttl(nowSeconds);
      const told = cells.map((cell) => tell(reader, cell));
      if (asked.form === 'plain') return told[0];
      const isFields = asked.target.kind === 'udt';
      return listOf(isFields ? byField(reader, asked, cells, told) : told);
    });
  }

  /** Which of the answers differs from what is expected; undefined: none. */
  difference(wanted: readonly CellBytes[], found: readonly CellBytes[]): string | undefined {
    const at = this.#asked.findIndex(({ form, what }, i) => {
      if (same(form, wanted[i], found[i])) return false;
      if (what !== 'ttl' || this.#ttlSlack === 0) return true;
      return !isNear(form, wanted[i], found[i], this.#ttlSlack);
    });
    return this.#asked[at]?.text;
  }

  #liveCells(reader: RowReader, nowSeconds: number): Map<TargetColumn, number[]> {
    const found = new Map<TargetColumn, number[]>();
    for (let column = 0; column < reader.columnCount; column++) {
      const target = this.#targetOf(reader, column);
      if (!target) continue;
      const cells: number[] = [];
      const end = reader.firstCell[column + 1] as number;
      for (let cell = reader.firstCell[column] as number; cell < end; cell++) {
        if (isLive(reader, cell, nowSeconds)) cells.push(cell);
      }
      if (cells.length > 0) found.set(target, cells);
    }
    return found;
  }

  #targetOf(reader: RowReader, column: number): TargetColumn | undefined {
    const [start, end] = [reader.nameStart[column] as number, reader.nameEnd[column] as number];
    const isSimple = reader.columnKind[column] === columnKinds.simple;
    return this.#asked.find(
      ({ target: { bytes, kind } }) =>
        bytes.length === end - start &&
        (kind === 'simple') === isSimple &&
        bytes.compare(reader.bytes, start, end) === 0,
    )?.target;
  }

  #value(reader: RowReader, asked: Asked, cells: readonly number[]): Uint8Array {
    const { target } = asked;
    const values = cells.map((cell) => cellValue(reader, cell));
    if (target.kind === 'simple') {
      const [value] = values as [Uint8Array];
      return this.#isCounter ? bigint(counterTotal(view(value))) : value;
    }
    if (target.kind === 'list') return listOf(values);
    if (target.kind === 'udt') return sequence(byField(reader, asked, cells, values));
    const paths = cells.map((cell) => this.#pathOf(reader, cell, target));
    if (target.kind === 'set') return listOf(paths);
    const pairs = paths.flatMap((path, i) => [path, values[i]]);
    return Buffer.concat([int(paths.length), sequence(pairs)]);
  }

  /** An element of a set or a key of a map, as it was. */
  #pathOf(reader: RowReader, cell: number, { path }: TargetColumn): Uint8Array {
    if (((reader.cellFlags[cell] as number) & cellFlags.pathOriginal) !== 0) {
      return reader.bytes.subarray(reader.originalStart[cell], reader.originalEnd[cell]);
    }
    // Decoding looks for an end up to the end of the array: it must be the path's own.
    const form = Uint8Array.from(
      reader.bytes.subarray(reader.pathStart[cell], reader.pathEnd[cell]),
    );
    const sink = this.#path;
    sink.length = 0;
    if (form.length > 0) path?.decode(form, 0, sink);
    return sink.bytes.slice(0, sink.length);
  }
}

/** Whether a read as of `nowSeconds` sees the cell. */
export function isLive(reader: RowReader, cell: number, nowSeconds: number): boolean {
  const flags = reader.cellFlags[cell] as number;
  if ((flags & cellFlags.tombstone) !== 0) return false;
  return (flags & cellFlags.expiring) === 0 || (reader.cellExpiry[cell] as number) > nowSeconds;
}

function askedOf(
  { name, type }: Column,
  target: TargetColumn,
  { isCounter, masked, hasElementTimes }: TellOptions,
): Asked[] {
  const isSimple = target.kind === 'simple';
  const fieldCount = type.kind === 'udt' ? type.fields.length : 0;
  const one = { target, fieldCount };
  const id = quoted(name);
  const form = isSimple ? 'plain' : 'times';
  const fields = target.kind === 'udt' ? 'fields' : 'plain';
  const value: Asked = { ...one, what: 'value', form: fields, text: id };
  const times: Asked[] = [
    { ...one, what: 'writetime', form, text: `writetime(${id})` },
    { ...one, what: 'ttl', form, text: `ttl(${id})` },
  ];
  const hasTimes = !isCounter && (isSimple || hasElementTimes);
  return [...(masked.has(name) ? [] : [value]), ...(hasTimes ? times : [])];
}

/** Null is nothing but null. */
export const sameCells = (a: readonly CellBytes[], b: readonly CellBytes[]): boolean =>
  a.length === b.length && a.every((one, i) => same('plain', one, b[i]));

function same(form: Asked['form'], wanted: CellBytes, found: CellBytes): boolean {
  const a = form === 'plain' ? wanted : trimmed(form, wanted);
  const b = form === 'plain' ? found : trimmed(form, found);
  return a && b ? view(a).equals(b) : a === b;
}

/** Two answers about what is left to live, which are alike but for some seconds. */
function isNear(form: Asked['form'], wanted: CellBytes, found: CellBytes, slack: number): boolean {
  const [a, b] = [secondsOf(form, wanted), secondsOf(form, found)];
  return (
    a.length === b.length &&
    a.every((one, i) => {
      const other = b[i];
      return one === other || Math.abs((one ?? Infinity) - (other ?? Infinity)) <= slack;
    })
  );
}

/** Null for what does not expire. */
function secondsOf(form: Asked['form'], bytes: CellBytes): (number | null)[] {
  if (form === 'plain') return [bytes ? view(bytes).readInt32BE() : null];
  const held = trimmed(form, bytes);
  const seconds: (number | null)[] = [];
  for (let at = 0; held && at < held.length; ) {
    const length = view(held).readInt32BE(at);
    seconds.push(length < 0 ? null : view(held).readInt32BE(at + 4));
    at += 4 + Math.max(0, length);
  }
  return seconds;
}

/** Values behind their lengths up to the last that is not null; a list of times has its length before them. */
function trimmed(form: 'fields' | 'times', bytes: CellBytes): CellBytes {
  if (!bytes) return undefined;
  const from = form === 'times' ? 4 : 0;
  let end = from;
  for (let at = from; at + 4 <= bytes.length; ) {
    const length = view(bytes).readInt32BE(at);
    at += 4 + Math.max(0, length);
    if (length >= 0) end = at;
  }
  return end === from ? undefined : bytes.subarray(from, end);
}

function writetime(reader: RowReader, cell: number): Uint8Array {
  const high = BigInt(reader.cellHi[cell] as number) << 32n;
  return bigint(high | BigInt(reader.cellLo[cell] as number));
}

const ttl =
  (nowSeconds: number) =>
  (reader: RowReader, cell: number): CellBytes => {
    const isExpiring = ((reader.cellFlags[cell] as number) & cellFlags.expiring) !== 0;
    return isExpiring ? int((reader.cellExpiry[cell] as number) - nowSeconds) : undefined;
  };

function cellValue(reader: RowReader, cell: number): Uint8Array {
  return reader.bytes.subarray(reader.valueStart[cell], reader.valueEnd[cell]);
}

/** In the order of a user type's fields: a cell's path is its field's number. */
function byField(
  reader: RowReader,
  { fieldCount }: Asked,
  cells: readonly number[],
  each: readonly CellBytes[],
): CellBytes[] {
  const fields: CellBytes[] = new Array(fieldCount).fill(undefined);
  for (const [i, cell] of cells.entries()) {
    fields[view(reader.bytes).readInt16BE(reader.pathStart[cell])] = each[i];
  }
  return fields;
}

const listOf = (all: readonly CellBytes[]): Buffer =>
  Buffer.concat([int(all.length), sequence(all)]);

const sequence = (all: readonly CellBytes[]): Buffer =>
  Buffer.concat(all.flatMap((one) => (one ? [int(one.length), one] : [int(-1)])));

function int(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeInt32BE(value);
  return out;
}

function bigint(value: bigint): Buffer {
  const out = Buffer.alloc(8);
  out.writeBigInt64BE(value);
  return out;
}
