// How much memory do a base copy and a restore of large tables take: of 10 M rows, and of one partition of 2 GB. The base
// copy is that of three replicas without a server; then a server takes one replica's files, is backed up, and gets all
// back beside it, proven. On request: it needs 15 GB of disk and some minutes.
import { copyFile, mkdir, readdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { connectCql, startCassandra } from '../test/harness/cassandra.ts';
import { configOf } from './cassandra.ts';
import { BenchRepository } from './codr.ts';
import type { Cost } from './measure.ts';
import { type Question, say } from './question.ts';
import { report, rowsPerPartition, withReplicas } from './replicas.ts';
import { benchTable, type RowShape, rowShapes, type TableSize } from './table.ts';

export const largeQuestion: Question = {
  name: 'large',
  about: 'memory for a table of 10 M rows, and for one partition of 2 GB; to reach: under 1 GB',
  run: measureMemory,
};

const rows = 10_000_000;
/** Memory is no question of size below these. */
const partitionBytes = 2 * 1024 ** 3;

/** `--size` and `--runs` say nothing here. */
async function measureMemory(): Promise<void> {
  const [small, , large] = rowShapes as [RowShape, RowShape, RowShape];
  await measure('10 M rows', {
    ...{ shape: small, partitions: rows / rowsPerPartition, rowsPerPartition },
  });
  const rowCount = Math.ceil(partitionBytes / (large.textBytes + 25));
  await measure('one partition of 2 GB', {
    ...{ shape: large, partitions: 1, rowsPerPartition: rowCount },
  });
}

async function measure(label: string, size: TableSize): Promise<void> {
  await withReplicas(size, async (copy, files) => {
    report(label, await copy(availableParallelism()));
    await giveBack(files);
  });
}

/** Through one server, which holds the files of one replica. */
async function giveBack(files: string): Promise<void> {
  await using cluster = await startCassandra({ nodes: 1, heapMiB: 1024, fast: false });
  await using client = await connectCql(cluster);
  const { keyspace, table } = benchTable;
  await client.cql(
    `CREATE KEYSPACE ${keyspace} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
  );
  await client.cql(
    `CREATE TABLE ${keyspace}.${table} (k bigint, c int, n int, w text, PRIMARY KEY (k, c))`,
  );
  const folder = join(cluster.folder, 'import', keyspace, table);
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(files)) await copyFile(join(files, name), join(folder, name));
  await cluster.jmx(1).importTables(keyspace, table, [folder]);
  const config = await configOf(cluster);
  await using repository = await BenchRepository.create({ config });
  const servers = [cluster.pid(1)];
  tell('  backup of a server', await repository.run(['backup', 'bench'], servers));
  const to = ['--to', config, '--rename', `${keyspace}.*=back.*`];
  tell('  restore, proven', await repository.run(['restore', 'bench', ...to], servers));
}

function tell(label: string, { seconds, cpuSeconds, serverCpuSeconds, peakBytes }: Cost): void {
  const cells = [
    `${seconds.toFixed(1)} s`,
    `${cpuSeconds.toFixed(1)} + ${serverCpuSeconds.toFixed(1)} CPU s`,
    `peak ${(peakBytes / 1e6).toFixed(0)} MB`,
  ];
  say(`${label.padEnd(24)}${cells.join(', ')}`);
}
