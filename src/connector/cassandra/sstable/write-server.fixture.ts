// Files of the writer and a real server: it imports them with all its checks, and what it makes of them by a major
// compaction is held against them, byte by byte and field by field.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CassandraCluster } from '../../../node/demo/cassandra-server.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import { ofRows, statistics, uncompressed } from './write-compare.fixture.ts';
import {
  bigint,
  int,
  MemorySink,
  scalar,
  TestRecords,
  testSchema,
  text,
} from './write-records.fixture.ts';
import { SstableWriter, type WriterOptions, type WrittenSstable } from './write-sstable.ts';
import { basesOf } from './write-statistics.ts';

const base = 1_700_000_000_000_000;
/** A second that `nb` cannot hold. */
const in2046 = 2_400_000_000;

/** Mixed order, a static, simple and complex columns. */
export const mixed = testSchema({
  clustering: [
    { name: 'c', type: { kind: 'reversed', type: scalar('bigint') } },
    { name: 'd', type: scalar('text') },
  ],
  statics: [{ name: 's', type: scalar('int') }],
  regulars: [
    { name: 'a', type: scalar('text') },
    { name: 'm', type: { kind: 'map', key: scalar('text'), value: scalar('int'), frozen: false } },
    { name: 'v', type: scalar('int') },
  ],
});
/** The same in CQL. */
export const mixedColumns =
  'p int, c bigint, d text, s int static, a text, m map<text, int>, v int, PRIMARY KEY (p, c, d)';
export const mixedOrder = 'WITH CLUSTERING ORDER BY (c DESC, d ASC)';

/** Writes one SSTable of the records. */
export async function writtenTo(
  sink: MemorySink,
  records: TestRecords,
  options: Partial<WriterOptions> & { readonly schema: TableSchema; readonly keyspace: string },
): Promise<WrittenSstable> {
  const writer = new SstableWriter({ compression: 'lz4', ...options }, sink);
  for (const block of records.blocks()) await writer.write(block);
  return await writer.finish();
}

/** Puts the files into a folder and has node 1 import it with all its checks. */
export async function imported(
  cluster: CassandraCluster,
  keyspace: string,
  table: string,
  sink: MemorySink,
): Promise<void> {
  const folder = join(await mkdtemp(join(cluster.folder, 'import-')), keyspace, table);
  await mkdir(folder, { recursive: true });
  for (const name of sink.names) {
    await writeFile(join(folder, `nb-1-big-${name}`), sink.bytes(name));
  }
  const refused = await cluster
    .jmx(1)
    .importTables(keyspace, table, [folder], { extendedVerify: true });
  assert.deepEqual(refused, [], await cluster.logTail(1));
  // A server may take nothing and call it a success.
  const left = (await readdir(folder)).filter((name) => name.endsWith('-Data.db'));
  assert.deepEqual(left, []);
  assert.ok(await cluster.jmx(1).verify(keyspace, table), await cluster.logTail(1));
}

/** A component of a table's newest SSTable, as a server wrote it. */
export async function flushed(
  cluster: CassandraCluster,
  keyspace: string,
  table: string,
  component: string,
): Promise<Buffer> {
  const tables = await readdir(join(cluster.dataFolder(1), keyspace));
  const folder = tables.find((name) => name.startsWith(`${table}-`)) as string;
  const path = join(cluster.dataFolder(1), keyspace, folder);
  const generation = (name: string) => Number(name.split('-')[1]);
  const [newest] = (await readdir(path))
    .filter((name) => name.endsWith(`-${component}`))
    .sort((a, b) => generation(b) - generation(a));
  return await readFile(join(path, newest as string));
}

/**
 * The writer's file, imported and compacted by a server into one that has its bytes, its names, and its statistics but
 * for what is not of the rows. Deletions are within gc_grace_seconds, so that nothing is purged; there are more minutes than the
 * histogram of tombstones has points.
 */
export async function assertCompactedAgain(
  cluster: CassandraCluster,
  keyspace: string,
  {
    cql,
    beyond2038,
    roundsPast2038 = false,
  }: {
    readonly cql: (statement: string) => Promise<unknown>;
    /** Some cells expire later than the files can say. */
    readonly beyond2038: boolean;
    /** What expires in the last second that `nb` knows is rounded up past it in the histogram, as only 5.0 does. */
    readonly roundsPast2038?: boolean;
  },
): Promise<void> {
  const table = beyond2038 ? 'again_late' : 'again';
  await cql(`CREATE TABLE ${keyspace}.${table} (${mixedColumns}) ${mixedOrder}`);
  const now = Math.floor(Date.now() / 1000) - 3600;
  const bases = basesOf(BigInt(base - 400), now, 0);
  const sink = new MemorySink();
  const options = { schema: mixed, keyspace, bases };
  const made = await writtenTo(sink, againRecords(now, beyond2038), options);
  assert.equal(made.cappedExpiries > 0, beyond2038);
  await imported(cluster, keyspace, table, sink);
  await cluster.jmx(1).compact(keyspace, table);

  const theirs = async (component: string): Promise<Buffer> =>
    await flushed(cluster, keyspace, table, component);
  const [ours, stats] = [sink.bytes('Statistics.db'), await theirs('Statistics.db')];
  const header = (file: Buffer): string => statistics(file, 3).toString('hex');
  assert.equal(header(ours), header(stats), 'HEADER');
  const raw = uncompressed(sink.bytes('Data.db'), sink.bytes('CompressionInfo.db'));
  const theirRaw = uncompressed(await theirs('Data.db'), await theirs('CompressionInfo.db'));
  assert.ok(raw.equals(theirRaw), 'Data.db, uncompressed');
  assert.ok(sink.bytes('Index.db').equals(await theirs('Index.db')), 'Index.db');
  const [own, other] = [ofRows(ours), ofRows(stats)];
  // 4.1 has fewer buckets for the sizes of partitions: none of so many bytes is here.
  const [sizes, theirSizes] = [own.sizes as string[], other.sizes as string[]];
  assert.ok(sizes.slice(theirSizes.length).every((bucket) => bucket.endsWith('0'.repeat(16))));
  const fewer = { buckets: other.buckets, sizes: sizes.slice(0, theirSizes.length) };
  const late = roundsPast2038 ? { tombstones: other.tombstones } : {};
  assert.deepEqual({ ...own, ...fewer, ...late }, other);
}

/** Of every kind, in 400 partitions: rows, statics, deletions, and what expires, beyond 2038 too. */
function againRecords(now: number, beyond2038: boolean): TestRecords {
  const records = new TestRecords(mixed);
  const deletion = { micros: base + 50, seconds: now };
  for (let p = 0; p < 400; p++) {
    const soon = now + 100_000 + ((p * 7919) % 400) * 61 * (1 + (p % 3));
    const expiry = beyond2038 && p % 40 === 9 ? in2046 : soon;
    const v = { micros: base + p, value: int(p), ttl: 200_000 + p, expiry };
    const gone = { micros: base + 60, expiry: now + (p % 50) * 60 };
    const key = int(p);
    if (p % 3 === 0) records.staticRow(key, { cells: { s: v } });
    if (p % 7 === 0) records.partitionDeletion(key, { micros: base - 1 - p, seconds: now + p });
    records.row(key, [bigint(9), text('shared')], {
      micros: base + p,
      ttl: 200_000 + p,
      expiry,
      cells: { v },
    });
    records.row(key, [bigint(8), text('')], {
      cells: {
        a: gone,
        m: [
          { ...gone, path: text('k') },
          { ...v, path: text('l') },
        ],
      },
    });
    if (p % 5 !== 0) continue;
    records.marker(key, [bigint(7)], 'before', deletion);
    records.marker(key, [bigint(6), text('b')], 'after', { ...deletion, micros: base + 61 });
    const fresh = { a: { micros: base + 70, value: text('beside') } };
    records.row(key, [bigint(5), text('c')], { micros: base + 70, cells: fresh });
    records.marker(key, [bigint(4)], 'after');
    records.row(key, [bigint(3), text('d')], { deletion, cells: {} });
  }
  return records;
}
