// What does a base copy of three replicas cost without a server: from SSTables that our own writer made to a committed
// cut, by one thread and by several.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { benchFolder } from './data.ts';
import { runProgram } from './measure.ts';
import { type Question, say } from './question.ts';
import { makeSstable } from './sstable-files.ts';
import { type RowShape, rowShapes, type TableSize, tableBlocks } from './table.ts';

export const replicasQuestion: Question = {
  name: 'replicas',
  about: 'base copy of three replicas without a server, one thread and all; `--size` a node',
  run: ({ mebibytes, runs }) => compareThreads(mebibytes, runs),
};

const hosts = ['a', 'b', 'c'];
/** Of every question about SSTables. */
export const rowsPerPartition = 50;

/** Of a base copy. */
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

/** Three nodes' files; of one row in about a hundred a replica has nothing. `files`: a folder of those of one node. */
export async function withReplicas(
  size: TableSize,
  use: (copy: (workers: number) => Promise<Measured>, files: string) => Promise<void>,
): Promise<void> {
  await mkdir(benchFolder, { recursive: true });
  const folder = await mkdtemp(join(benchFolder, 'replicas-'));
  const files = join(folder, 'files');
  try {
    for (const [i, host] of hosts.entries()) {
      await makeSstable({ folder: join(files, host), number: 1 }, tableBlocks(size, 97 + i));
    }
    await use(
      async (workers) => {
        const repository = await mkdtemp(join(folder, 'repository-'));
        const args = [files, repository, String(workers)];
        const { stdout } = await runProgram('bench/floor/base-copy.ts', args);
        await rm(repository, { recursive: true });
        return JSON.parse(stdout) as Measured;
      },
      join(files, hosts[0] as string),
    );
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A line. */
export function report(label: string, measured: Measured): void {
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
