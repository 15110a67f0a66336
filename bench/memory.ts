// How much memory does a base copy of 4 GB take? On request: it needs 10 GB of disk and some minutes.
import { BenchRepository } from './codr.ts';
import { type BenchOptions, printRows, type Question } from './question.ts';
import { keptSource } from './server.ts';

const mebibytesMin = 4096;

export const memoryQuestion: Question = {
  name: 'memory',
  about: 'peak memory of a base copy of 4 GB; to reach: under 1 GB',
  run,
};

async function run({ mebibytes }: BenchOptions): Promise<void> {
  await using source = await keptSource(Math.max(mebibytesMin, mebibytes));
  await using repository = await BenchRepository.create(source);
  const cost = await repository.run(['backup', 'bench'], [source.pid]);
  printRows([{ label: 'codr backup', ...cost }], { bytes: JSON.parse(cost.stdout).bytesRead });
}
