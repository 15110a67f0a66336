// Reads test/golden/sstable: SSTables that Cassandra 5.0.9 wrote, what its own tools say of them, and the
// schema at the end. Made by make-golden-sstables.ts.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { rootFolder } from '../source-files.ts';
import type { GoldenFormat } from './golden-tables.ts';

const goldenFolder = `${rootFolder}test/golden/sstable`;

/** Rows of `system_schema` with the columns that a reader needs, values as `SELECT JSON` gives them. */
export interface GoldenSchema {
  readonly tables: readonly Readonly<Record<string, unknown>>[];
  readonly columns: readonly Readonly<Record<string, unknown>>[];
  readonly dropped_columns: readonly Readonly<Record<string, unknown>>[];
  /** All types of the keyspace, when the table has a column of one. */
  readonly types: readonly Readonly<Record<string, unknown>>[];
}

/** One golden SSTable. */
export interface GoldenSstable {
  readonly format: GoldenFormat;
  readonly table: string;
  readonly folder: string;
  /** What stands before the names of its components: `nb-1-big-`. */
  readonly prefix: string;
  /** Bytes of a component, `Data.db` for instance. */
  component(name: string): Uint8Array;
  /** Names of the components that are kept. */
  readonly components: readonly string[];
  /** Partitions as `sstabledump -t` prints them. */
  dump(): readonly unknown[];
  schema(): GoldenSchema;
}

export const goldenFormats: readonly GoldenFormat[] = ['nb', 'oa', 'da'];

/** Names of the tables of one format. */
export function goldenNames(format: GoldenFormat): readonly string[] {
  return readdirSync(join(goldenFolder, format)).sort();
}

/** Opens one; throws when it is not there. */
export function goldenSstable(format: GoldenFormat, table: string): GoldenSstable {
  const folder = join(goldenFolder, format, table);
  const files = readdirSync(folder).sort();
  const data = files.find((file) => file.endsWith('-Data.db'));
  if (!data) throw new Error(`${folder} holds no Data.db`);
  const prefix = data.slice(0, -'Data.db'.length);
  const lines = (name: string): unknown[] => {
    const text = readFileSync(join(folder, name), 'utf8').trim();
    return text === '' ? [] : text.split('\n').map((line) => JSON.parse(line) as unknown);
  };
  return {
    format,
    table,
    folder,
    prefix,
    component: (name) => new Uint8Array(readFileSync(join(folder, prefix + name))),
    components: files
      .filter((file) => file.startsWith(prefix))
      .map((file) => file.slice(prefix.length)),
    dump: () => lines('dump.jsonl'),
    schema: () => {
      const rows = lines('schema.jsonl') as { from: string; row: Record<string, unknown> }[];
      const ofTable = (name: string): object => (name === 'types' ? {} : { table_name: table });
      const from = (name: string): Record<string, unknown>[] =>
        rows
          .filter((row) => row.from === name)
          .map(({ row }) => ({ keyspace_name: 'golden', ...ofTable(name), ...row }));
      return {
        tables: from('tables'),
        columns: from('columns'),
        dropped_columns: from('dropped_columns'),
        types: from('types'),
      };
    },
  };
}
