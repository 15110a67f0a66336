// Counts the rows of a table range by range, so that no question takes longer than a server may think about it.
import { CodrError } from '../../../base/error.ts';
import type { Partitioner } from '../key/partitioner.ts';
import { quoted } from '../schema/read-schema.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import type { CqlSession } from '../session/cql.ts';
import { type NamedTable, tableName } from './table-statements.ts';

const rowsPerRange = 20_000;
const rangesMax = 4096;
const rangesAtOnce = 4;
const countTimeoutMs = 120_000;

/** Rows that every replica holds; `about` says how many there may be. */
export async function countRows(
  cql: CqlSession,
  table: NamedTable,
  { partitionKey }: TableSchema,
  { about, partitioner }: { readonly about: number; readonly partitioner: Partitioner },
  signal: AbortSignal,
): Promise<number> {
  const count = Math.min(rangesMax, Math.max(1, Math.ceil(about / rowsPerRange)));
  const token = `token(${partitionKey.map(({ name }) => quoted(name)).join(', ')})`;
  const query = `SELECT count(*) AS found FROM ${tableName(table)} WHERE ${token} > ? AND ${token} <= ?`;
  const { lowest, highest } = partitioner;
  const bound = (i: number): string =>
    String(lowest + ((highest - lowest) * BigInt(i)) / BigInt(count));
  let [total, next] = [0, 0];
  const work = async (): Promise<void> => {
    while (next < count) {
      const i = next++;
      const [row] = await cql.rows(query, {
        ...{ signal, params: [bound(i), bound(i + 1)] },
        ...{ consistency: 'all', timeoutMs: countTimeoutMs },
      });
      total += Number(row?.found ?? 0);
    }
  };
  await Promise.all(Array.from({ length: rangesAtOnce }, work));
  return total;
}

/** Errors: `proof-failed` when fewer rows are there than stay for good, or more than were loaded. */
export function refuseOtherCount(
  namespace: string,
  found: number,
  { rows, lastingRows }: { readonly rows: number; readonly lastingRows: number },
): void {
  if (found >= lastingRows && found <= rows) return;
  throw new CodrError(
    'proof-failed',
    `${namespace}: ${rows} rows were loaded, ${found} are there`,
    {
      object: namespace,
      facts: { loaded: rows, lasting: lastingRows, found },
    },
  );
}
