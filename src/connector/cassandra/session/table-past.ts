// When each table was made, and when it was told its options last. A table that was dropped and made again with its id
// leaves no other trace, as one that is restored from a snapshot's schema is; options that were changed for a while and
// back leave none either, and decide how long a deletion stays and whether links are made.
import type { KeyspaceSchema, SchemaQuery } from '../schema/read-schema.ts';
import type { CutState } from './cut-state.ts';

export type TablePast = NonNullable<CutState['pasts']>[string];

export interface TableNow extends Pick<TablePast, 'madeAt' | 'toldAt'> {
  readonly gcGraceSeconds: number;
  /** False: the servers are told to make none. */
  readonly hasLinks: boolean;
}

/** By table id, of the tables in scope. */
export async function readTablesNow(
  ask: SchemaQuery,
  schema: readonly KeyspaceSchema[],
): Promise<ReadonlyMap<string, TableNow>> {
  // Each ALTER writes all options of a table, and of its columns those that change: the oldest tells when it was made.
  const options =
    'SELECT keyspace_name, table_name, writetime(gc_grace_seconds) AS told_at FROM system_schema.tables';
  const columns =
    'SELECT keyspace_name, table_name, writetime(type) AS made_at FROM system_schema.columns';
  const [told, made] = await Promise.all([ask(options), ask(columns)]);
  const toldAt = new Map(told.map((row) => [nameOf(row), Number(String(row.told_at))]));
  const madeAt = new Map<string, number>();
  for (const row of made) {
    const at = Number(String(row.made_at));
    madeAt.set(nameOf(row), Math.min(at, madeAt.get(nameOf(row)) ?? at));
  }
  const now = schema.flatMap(({ tables, withoutLinks }) =>
    tables.map(({ id, keyspace, table, gcGraceSeconds }): [string, TableNow] => {
      const name = `${keyspace}.${table}`;
      const times = { madeAt: madeAt.get(name) ?? 0, toldAt: toldAt.get(name) ?? 0 };
      return [id, { ...times, gcGraceSeconds, hasLinks: !withoutLinks.includes(table) }];
    }),
  );
  return new Map(now);
}

/** For the state after a cut. */
export function pastsAfter(
  { pasts }: Pick<CutState, 'pasts'>,
  now: ReadonlyMap<string, TableNow>,
  beginMs: number,
): Record<string, TablePast> {
  const after = [...now].map(([id, { madeAt, toldAt, hasLinks }]): [string, TablePast] => {
    const was = pasts?.[id];
    const sinceMs = was?.toldAt === toldAt ? was.sinceMs : beginMs;
    const linklessMs = hasLinks ? was?.linklessMs : beginMs;
    return [id, { madeAt, toldAt, sinceMs, ...(linklessMs !== undefined && { linklessMs }) }];
  });
  return Object.fromEntries(after);
}

/** How long a deletion stayed at least, from a time on: options that were changed since may have been any. */
export function graceSince(was: TablePast | undefined, is: TableNow, fromMs: number): number {
  const isSame = was?.toldAt === is.toldAt && was.sinceMs <= fromMs;
  return isSame ? is.gcGraceSeconds : 0;
}

/** Whether no links of the table were made for a while, from a time on. */
export function wasLinkless(was: TablePast | undefined, is: TableNow, fromMs: number): boolean {
  return !is.hasLinks || (was?.linklessMs !== undefined && was.linklessMs >= fromMs);
}

function nameOf({ keyspace_name, table_name }: Readonly<Record<string, unknown>>): string {
  return `${keyspace_name}.${table_name}`;
}
