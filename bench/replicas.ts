// What does a base copy of three replicas cost without a server: from SSTables that our own writer made to a committed
// cut. `replicas` compares one thread with several; `large` asks for memory: 10 M rows, and one partition of 2 GB.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { benchFolder } from './data.ts';
import { runProgram } from './measure.ts';
import { type BenchOptions, type Question, say } from './question.ts';
import { makeSstable } from './sstable-files.ts';
import { type RowShape, rowShapes, type TableSize, tableBlocks } from './table.ts';

export const replicasQuestion: Question = {
  name: 'replicas',
  about: 'base copy of three replicas without a server, one thread and all; `--size` a node',
  run: ({ mebibytes, runs }) => compareThreads(mebibytes, runs),
};

export const largeQuestion: Question = {
  name: 'large',
  about: 'memory of a base copy of 10 M rows, and of one partition of 2 GB; to reach: under 1 GB',
  run: measureMemory,
};

const hosts = ['a', 'b', 'c'];
const rowsPerPartition = 50;
const largeRows = 10_000_000;
/** Memory is no question of size below these. */
const largePartitionBytes = 2 * 1024 ** 3;

interface Measured {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly mainCpuSeconds: number;
  readonly peakBytes: number;
  readonly storedBytes: number;
  readonly records: number;
}

async function compareThreads(mebibytes: number, runs: number): Promise<void> {
  const shape = rowShapes[1] as RowShape;
  const rows = (mebibytes * 2 ** 20) / (shape.textBytes + 32);
  const size = { shape, partitions: Math.ceil(rows / rowsPerPartition), rowsPerPartition };
  await withReplicas(size, async (copy) => {
    for (let run = 0; run < runs; run++) {
      for (const workers of [0, availableParallelism()]) {
        report(`${workers} merging threads`, await copy(workers));
      }
    }
  });
}

/** `--size` and `--runs` say nothing here. */
async function measureMemory(_: BenchOptions): Promise<void> {
  const [small, , large] = rowShapes as [RowShape, RowShape, RowShape];
  const workers = availableParallelism();
  const many = { shape: small, partitions: largeRows / rowsPerPartition, rowsPerPartition };
  await withReplicas(many, async (copy) => report('10 M rows', await copy(workers)));
  const rows = Math.ceil(largePartitionBytes / (large.textBytes + 25));
  const one = { shape: large, partitions: 1, rowsPerPartition: rows };
  await withReplicas(one, async (copy) => report('one partition of 2 GB', await copy(workers)));
}

/** Three nodes' files; of one row in about a hundred a replica has nothing. */
async function withReplicas(
  size: TableSize,
  use: (copy: (workers: number) => Promise<Measured>) => Promise<void>,
): Promise<void> {
  await mkdir(benchFolder, { recursive: true });
  const folder = await mkdtemp(join(benchFolder, 'replicas-'));
  const files = join(folder, 'files');
  try {
    for (const [i, host] of hosts.entries()) {
      await makeSstable({ folder: join(files, host), number: 1 }, tableBlocks(size, 97 + i));
    }
    await use(async (workers) => {
      const repository = await mkdtemp(join(folder, 'repository-'));
      const args = [files, repository, String(workers)];
      const { stdout } = await runProgram('bench/floor/base-copy.ts', args);
      await rm(repository, { recursive: true });
      return JSON.parse(stdout) as Measured;
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

function report(label: string, measured: Measured): void {
  const { seconds, cpuSeconds, mainCpuSeconds, peakBytes, storedBytes, records } = measured;
  const cells = [
    `${records} rows`,
    `${(storedBytes / 1e6).toFixed(0)} MB of files`,
    `${seconds.toFixed(1)} s`,
    `${cpuSeconds.toFixed(1)} CPU s (main thread ${mainCpuSeconds.toFixed(1)})`,
    `${(storedBytes / 1e6 / cpuSeconds).toFixed(0)} MB a CPU s`,
    `peak ${(peakBytes / 1e6).toFixed(0)} MB`,
  ];
  say(`${label.padEnd(24)}${cells.join(', ')}`);
}
