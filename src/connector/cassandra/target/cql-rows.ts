// All rows of a range of keys that a target holds, as it tells them by CQL at ALL and as of one second: in the order of
// records, page by page, in bytes.
import type { Clock } from '../../../base/clock.ts';
import { isCodrError } from '../../../base/error.ts';
import { type KeyRange, rangeHolds } from '../../../model/key-range.ts';
import { partitionPrefixBytesMax, tokenBytes, writePartitionPrefix } from '../key/record-key.ts';
import { quoted } from '../schema/read-schema.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import { consistencies, type NodePages } from '../wire/wire-connection.ts';
import { type CellBytes, sameCells } from './proof-columns.ts';
import { tableName } from './table-statements.ts';

export interface CqlRowsOptions {
  /** As the target names it. */
  readonly schema: TableSchema;
  readonly connection: NodePages;
  /** What is asked for behind the columns of the key. */
  readonly selected: readonly string[];
  readonly nowSeconds: number;
  readonly pageRows: number;
  readonly clock: Clock;
}

const triesMax = 6;
const firstPauseMs = 500;
/** Of the protocol: server error, unavailable, overloaded, bootstrapping, read timeout, read failure. */
const passing: ReadonlySet<unknown> = new Set([0x0000, 0x1000, 0x1001, 0x1002, 0x1200, 0x1300]);

/** Each row begins with the columns of its key: partition, then clustering. */
export async function* cqlRows(
  { schema, connection, selected, nowSeconds, pageRows, clock }: CqlRowsOptions,
  range: KeyRange,
  signal: AbortSignal,
): AsyncGenerator<readonly CellBytes[], void, void> {
  const partition = schema.partitionKey.map(({ name }) => quoted(name));
  const names = [...partition, ...schema.clustering.map(({ name }) => quoted(name)), ...selected];
  const token = `token(${partition.join(', ')})`;
  const bounds = [
    ...(range.from ? [`${token} >= ${tokenOf(range.from)}`] : []),
    ...(range.to ? [`${token} <= ${tokenOf(range.to)}`] : []),
  ];
  const where = bounds.length > 0 ? ` WHERE ${bounds.join(' AND ')}` : '';
  const query = `SELECT ${names.join(', ')} FROM ${tableName(schema)}${where}`;
  const within = new WithinRange(schema, range);
  const consistency = consistencies.all;
  let pagingState: Uint8Array | undefined;
  do {
    const options = { consistency, nowSeconds, pageRows, pagingState };
    const page = await asked(() => connection.page(query, options, signal), clock, signal);
    for (const row of page.rows) if (within.holds(row)) yield row;
    pagingState = page.pagingState;
  } while (pagingState);
}

/** Partitions share their tokens at the bounds of a range. */
class WithinRange {
  readonly #range: KeyRange;
  readonly #parts: number;
  readonly #prefix = Buffer.alloc(partitionPrefixBytesMax);
  #key: readonly CellBytes[] = [];
  #holds = false;

  constructor({ partitionKey }: TableSchema, range: KeyRange) {
    this.#range = range;
    this.#parts = partitionKey.length;
  }

  holds(row: readonly CellBytes[]): boolean {
    const key = row.slice(0, this.#parts);
    if (this.#key.length > 0 && sameCells(key, this.#key)) return this.#holds;
    this.#key = key;
    const raw = rawKey(key);
    const length = writePartitionPrefix(raw, 0, raw.length, this.#prefix, 0);
    this.#holds = rangeHolds(this.#range, this.#prefix.subarray(0, length));
    return this.#holds;
  }
}

/** A key of several columns holds each behind its length (2 bytes), and a zero byte after it. */
function rawKey(key: readonly CellBytes[]): Uint8Array {
  const [first = Buffer.alloc(0)] = key;
  if (key.length === 1) return first;
  const parts = key.flatMap((one = Buffer.alloc(0)) => {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(one.length);
    return [length, one, Buffer.alloc(1)];
  });
  return Buffer.concat(parts);
}

function tokenOf(key: Uint8Array): bigint {
  const token = Buffer.alloc(tokenBytes);
  token.set(key.subarray(0, tokenBytes));
  return BigInt.asIntN(64, token.readBigUInt64BE() ^ (1n << 63n));
}

/** Again, where it may go well the next time. */
async function asked<T>(ask: () => Promise<T>, clock: Clock, signal: AbortSignal): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await ask();
    } catch (error) {
      if (!isCodrError(error) || !passing.has(error.facts.wireCode) || tries >= triesMax)
        throw error;
      await clock.sleep(firstPauseMs * 2 ** (tries - 1), signal);
    }
  }
}
