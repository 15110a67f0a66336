// Makes test/golden/sstable anew with a real Cassandra 5.0.9: `node test/harness/make-golden-sstables.ts
// [format]…`. For each format and table a folder with the SSTable's files under their own names,
// `dump.jsonl` (sstabledump with raw timestamps, a line for each partition) and `schema.jsonl` (rows of
// `system_schema`, a line for each). golden-sstable.ts reads them.
import { copyFile, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CassandraCluster, CassandraOptions } from '../../src/node/demo/cassandra-server.ts';
import { rootFolder } from '../source-files.ts';
import { connectCql, sstableDumpLines, startCassandra, type TestClient } from './cassandra.ts';
import { goldenFormats } from './golden-sstable.ts';
import { type GoldenFormat, type GoldenTable, goldenTables, goldenTypes } from './golden-tables.ts';

const goldenFolder = `${rootFolder}test/golden/sstable`;

const serverOptions: Readonly<Record<GoldenFormat, CassandraOptions>> = {
  nb: {},
  oa: { compatibility: 'NONE' },
  da: { compatibility: 'NONE', format: 'bti', uuidIds: true },
};
// Codecs of the schema also at flushes, and index entries inside partitions that are still small.
const yaml = ['flush_compression: table', 'column_index_size: 1KiB'];
/** Files that a reader or its check may want; filters and summaries are not among them. */
const component =
  /-(Data|Statistics|CompressionInfo|CRC|Index|Partitions|Rows)\.db$|-Digest\.crc32$|-TOC\.txt$/;

/** The tables that a format has. */
export function tablesOf(format: GoldenFormat): readonly GoldenTable[] {
  return goldenTables.filter(({ formats }) => formats?.includes(format) ?? true);
}

async function makeFormat(format: GoldenFormat): Promise<void> {
  const options = { version: '5.0.9', ...serverOptions[format], yaml };
  await using cluster = await startCassandra(options);
  await using client = await connectCql(cluster);
  await client.cql(
    "CREATE KEYSPACE golden WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
  );
  for (const type of goldenTypes) await client.cql(type);
  for (const table of tablesOf(format)) await fill(cluster, client, table);
  await rm(join(goldenFolder, format), { recursive: true, force: true });
  for (const { name } of tablesOf(format)) await keep(cluster, client, format, name);
}

async function fill(
  cluster: CassandraCluster,
  client: TestClient,
  table: GoldenTable,
): Promise<void> {
  const { name, columns, options, rows, laterRows, afterwards = [] } = table;
  const run = async (statements: readonly string[]): Promise<void> => {
    for (const text of statements) await client.cql(text.replace(/\bT\b/, `golden.${name}`));
  };
  await run([`CREATE TABLE T (${columns})${options ? ` WITH ${options}` : ''}`]);
  await run(rows);
  await cluster.jmx(1).flush('golden', name);
  if (laterRows) {
    await run(laterRows);
    await cluster.jmx(1).flush('golden', name);
    await cluster.jmx(1).compact('golden', name);
  }
  await run(afterwards);
}

/** Copies the one SSTable of the table, and writes what Cassandra says of it. */
async function keep(
  cluster: CassandraCluster,
  client: TestClient,
  format: GoldenFormat,
  name: string,
): Promise<void> {
  const keyspace = join(cluster.dataFolder(1), 'golden');
  const folder = (await readdir(keyspace)).find((entry) => entry.startsWith(`${name}-`));
  const source = join(keyspace, folder ?? name);
  // A compaction removes its inputs a moment after it says that it is done.
  const files = await settled(source, cluster.pid(1));
  const data = files.find((file) => file.endsWith('-Data.db'));
  if (!data?.startsWith(`${format}-`)) throw new Error(`${format} ${name}: there is ${files}`);
  const target = join(goldenFolder, format, name);
  await mkdir(target, { recursive: true });
  for (const file of files) await copyFile(join(source, file), join(target, file));
  const dump = await sstableDumpLines(cluster.program, join(source, data)).catch((error: Error) => {
    console.log(`${format} ${name}: ${error.message}`);
    process.exitCode = 1;
  });
  if (dump) await writeFile(join(target, 'dump.jsonl'), dump);
  await writeFile(join(target, 'schema.jsonl'), await schemaText(client, name));
}

async function settled(folder: string, pid: number): Promise<string[]> {
  for (;;) {
    const files = (await readdir(folder)).filter((file) => component.test(file));
    if (files.filter((file) => file.endsWith('-Data.db')).length === 1) return files.sort();
    process.kill(pid, 0);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** What a schema is read from, less what is the same in all golden tables. */
const schemaColumns = {
  tables: 'id, flags, gc_grace_seconds, default_time_to_live, compaction, compression',
  columns: 'column_name, clustering_order, kind, position, type',
  dropped_columns: 'column_name, dropped_time, kind, type',
  types: 'type_name, field_names, field_types',
} as const;

/** Lines of `{"from": table, "row": row}`; types for the tables alone that have some. */
async function schemaText(client: TestClient, table: string): Promise<string> {
  let text = '';
  for (const [from, columns] of Object.entries(schemaColumns)) {
    const ofTable = from === 'types' ? '' : ` AND table_name = '${table}'`;
    if (from === 'types' && !/grown|place|street/.test(text)) continue;
    const found = await client.cql(
      `SELECT JSON ${columns} FROM system_schema.${from} WHERE keyspace_name = 'golden'${ofTable}`,
    );
    for (const row of found.rows) text += `{"from": "${from}", "row": ${row['[json]']}}\n`;
  }
  return text;
}

if (import.meta.main) {
  const wanted = process.argv.slice(2);
  for (const format of goldenFormats) {
    if (wanted.length > 0 && !wanted.includes(format)) continue;
    await makeFormat(format);
    console.log(`${format}: ${tablesOf(format).length} tables`);
  }
}
