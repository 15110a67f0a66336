// What all benchmarks share: how one is asked, and how its rows are shown.
import type { Cost } from './measure.ts';

export interface BenchOptions {
  /** Size of the data. */
  readonly mebibytes: number;
  /** Repetitions; the fastest of each counts. */
  readonly runs: number;
}

export interface Question {
  readonly name: string;
  readonly about: string;
  run(options: BenchOptions): Promise<void>;
}

export interface Row extends Cost {
  readonly label: string;
}

/** The fastest of several runs, which alternate with those of others. */
export function fastest(costs: readonly Cost[]): Cost {
  return costs.reduce((best, cost) => (cost.seconds < best.seconds ? cost : best));
}

export function printRows(rows: readonly Row[], { bytes }: { readonly bytes: number }): void {
  const floor = rows[0]?.seconds ?? 1;
  print(['', 'seconds', 'MB/s', 'ratio', 'CPU s', 'mongod CPU s', 'peak MB']);
  for (const { label, seconds, cpuSeconds, serverCpuSeconds, peakBytes } of rows) {
    print([
      label,
      seconds.toFixed(2),
      (bytes / 1e6 / seconds).toFixed(0),
      (seconds / floor).toFixed(2),
      cpuSeconds.toFixed(2),
      serverCpuSeconds.toFixed(2),
      (peakBytes / 1e6).toFixed(0),
    ]);
  }
}

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function print(cells: readonly string[]): void {
  const [label = '', ...numbers] = cells;
  say(label.padEnd(34) + numbers.map((cell) => cell.padStart(14)).join(''));
}
