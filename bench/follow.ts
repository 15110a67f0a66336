// How much slower does a writer that keeps the server busy become while codr listens to the log?
import { availableParallelism } from 'node:os';
import { BenchRepository } from './codr.ts';
import { runProgram } from './measure.ts';
import { type BenchOptions, type Question, say } from './question.ts';
import { copiedSource } from './server.ts';

const seconds = 10;
const mebibytesMax = 64;

export const followQuestion: Question = {
  name: 'follow',
  about: 'a busy writer with and without backup --follow; to reach: slowed by 15 % at most',
  run,
};

async function run({ mebibytes, runs }: BenchOptions): Promise<void> {
  await using source = await copiedSource(Math.min(mebibytes, mebibytesMax));
  await using repository = await BenchRepository.create(source);
  await repository.run(['backup', 'bench']);
  const rates: { alone: number; followed: number }[] = [];
  for (let i = 0; i < runs; i++) {
    const alone = await rateOfWriter(source.uri);
    const follower = repository.start(['backup', 'bench', '--follow']);
    await follower.said('"following"');
    const followed = await rateOfWriter(source.uri);
    const cpuSeconds = await follower.stop();
    rates.push({ alone, followed });
    const share = ((followed / alone) * 100).toFixed(0);
    say(
      `${alone.toFixed(0)} operations/s alone, ${followed.toFixed(0)} followed: ${share} %, ` +
        `codr used ${cpuSeconds.toFixed(1)} CPU s`,
    );
  }
  const shares = rates.map(({ alone, followed }) => followed / alone).sort((a, b) => a - b);
  const slowed = (1 - (shares[Math.floor(shares.length / 2)] ?? 1)) * 100;
  say(
    `slowed by ${slowed.toFixed(0)} % (median), on ${availableParallelism()} cores shared by all`,
  );
}

async function rateOfWriter(uri: string): Promise<number> {
  const { stdout } = await runProgram('bench/floor/write.ts', [uri, `${seconds}`]);
  return JSON.parse(stdout).operations / seconds;
}
