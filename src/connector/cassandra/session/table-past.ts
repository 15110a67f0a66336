// When each table was made, and when it was told its options last. A table that was dropped and made again with its id
// leaves no other trace, as one that is restored from a snapshot's schema is; options that were changed for a while and
// back leave none either, and decide how long a deletion stays and whether links are made.
import type { KeyspaceSchema } from '../schema/read-schema.ts';
import type { CqlSession } from './cql.ts';
import type { CutState } from './cut-state.ts';

export type TablePast = NonNullable<CutState['pasts']>[string];

/** By table id, of the tables in scope. Times are µs by a server's clock. */
export async function readTablePasts(
  cql: CqlSession,
  schema: readonly KeyspaceSchema[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, TablePast>> {
  // Each ALTER writes all options of a table, and of its columns those that change: the oldest tells when it was made.
  const options =
    'SELECT keyspace_name, table_name, writetime(gc_grace_seconds) AS told_at FROM system_schema.tables';
  const columns =
    'SELECT keyspace_name, table_name, writetime(type) AS made_at FROM system_schema.columns';
  const [told, made] = await Promise.all([
    cql.rows(options, { signal }),
    cql.rows(columns, { signal }),
  ]);
  const toldAt = new Map(told.map((row) => [nameOf(row), Number(String(row.told_at))]));
  const madeAt = new Map<string, number>();
  for (const row of made) {
    const at = Number(String(row.made_at));
    madeAt.set(nameOf(row), Math.min(at, madeAt.get(nameOf(row)) ?? at));
  }
  const pasts = schema.flatMap(({ tables, withoutLinks }) =>
    tables.map(({ id, keyspace, table, gcGraceSeconds }): [string, TablePast] => {
      const name = `${keyspace}.${table}`;
      const times = { madeAt: madeAt.get(name) ?? 0, toldAt: toldAt.get(name) ?? 0 };
      return [id, { ...times, gcGraceSeconds, hasLinks: !withoutLinks.includes(table) }];
    }),
  );
  return new Map(pasts);
}

function nameOf({ keyspace_name, table_name }: Readonly<Record<string, unknown>>): string {
  return `${keyspace_name}.${table_name}`;
}
