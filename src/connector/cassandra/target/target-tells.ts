// What a server tells of a table by CQL: which columns it masks, and whether it says the times of single elements.
import { view } from '../../../base/bytes.ts';
import type { NodeQueries } from '../wire/wire-connection.ts';
import type { TellOptions } from './proof-columns.ts';
import type { NamedTable } from './table-statements.ts';

const rowsMax = 1_000;

/** Errors: those of the node's queries. */
export async function whatIsTold(
  connection: NodeQueries,
  { keyspace, table }: NamedTable,
  signal: AbortSignal,
): Promise<Pick<TellOptions, 'masked' | 'hasElementTimes'>> {
  const local = 'SELECT release_version FROM system.local';
  const [row] = (await connection.query(local, { rowsMax }, signal)).rows;
  // Both came with 5.0.
  const hasElementTimes = Number.parseInt(textOf(row?.[0]), 10) >= 5;
  if (!hasElementTimes) return { masked: new Set(), hasElementTimes };
  const query =
    'SELECT column_name FROM system_schema.column_masks WHERE keyspace_name = ? AND table_name = ?';
  const values = [Buffer.from(keyspace), Buffer.from(table)];
  const { rows } = await connection.query(query, { values, rowsMax }, signal);
  return { masked: new Set(rows.map(([name]) => textOf(name))), hasElementTimes };
}

const textOf = (bytes: Uint8Array | undefined): string => (bytes ? view(bytes).toString() : '');
