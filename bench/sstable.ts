// What does a core read and write of Cassandra's own files, by row shape? Beside what the bytes themselves cost:
// decompression or compression, checksums, the file. CPU seconds of all threads, so other work on the machine counts
// little. No server is needed: the writer makes what the reader reads.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { benchFolder } from './data.ts';
import { runProgram } from './measure.ts';
import { type BenchOptions, type Question, say } from './question.ts';
import { rowShapes } from './table.ts';

export const sstableQuestion: Question = {
  name: 'sstable',
  about: 'reader and writer of SSTables by row shape, beside LZ4 and CRC-32 of the same bytes',
  run,
};

/** MB a CPU second to reach, in the order of the shapes. */
const wanted = { reader: [80, 150, 400], writer: [60, 90, 120] } as const;

interface Measured {
  readonly bytes: number;
  readonly rows: number;
  readonly cpuSeconds: Readonly<
    Record<'reader' | 'readerFloor' | 'writer' | 'writerFloor', number>
  >;
}

async function run({ mebibytes, runs }: BenchOptions): Promise<void> {
  await mkdir(benchFolder, { recursive: true });
  const folder = await mkdtemp(join(benchFolder, 'sstable-'));
  try {
    say('MB/s of a core: all, its floor alone, without its floor, to reach');
    for (const [i, { name }] of rowShapes.entries()) {
      const args = [folder, name, String(mebibytes), String(runs)];
      const { stdout } = await runProgram('bench/floor/sstable.ts', args);
      const { bytes, rows, cpuSeconds } = JSON.parse(stdout) as Measured;
      for (const kind of ['reader', 'writer'] as const) {
        const [all, floor] = [cpuSeconds[kind], cpuSeconds[`${kind}Floor`]];
        const speeds = [all, floor, all - floor].map((seconds) => bytes / 1e6 / seconds);
        const cells = [...speeds, wanted[kind][i] ?? 0].map((one) => one.toFixed(0).padStart(8));
        const label = `${kind}, ${name} (${(bytes / rows).toFixed(0)} B a row)`;
        say(label.padEnd(34) + cells.join(''));
      }
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}
