// What a table of the target says of itself that decides how it is filled and what of it may vanish: a table that
// was there before has its own.
import { CodrError } from '../../../base/error.ts';
import type { SchemaRunner } from './schema-runner.ts';
import { type NamedTable, tableName } from './table-statements.ts';

export interface TableSettings {
  readonly gcGraceSeconds: number;
  /** Class without its package, and options. */
  readonly compaction: Readonly<Record<string, string>>;
}

/** Errors: `target-unfit`, when the table is gone. */
export async function readSettings(
  schema: Pick<SchemaRunner, 'rows'>,
  place: NamedTable,
  signal: AbortSignal,
): Promise<TableSettings> {
  const query =
    'SELECT gc_grace_seconds, compaction FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?';
  const [row] = await schema.rows(query, signal, [place.keyspace, place.table]);
  if (!row) {
    const name = tableName(place);
    throw new CodrError('target-unfit', `${name} is gone`, { object: name });
  }
  const { class: strategy = '', ...options } = row.compaction as Readonly<Record<string, string>>;
  return {
    gcGraceSeconds: Number(row.gc_grace_seconds),
    compaction: { ...options, class: strategy.slice(strategy.lastIndexOf('.') + 1) },
  };
}
