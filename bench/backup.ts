// How long does a base copy take (compressed, encrypted, deduplicated, into a folder), beside a bare read
// of the same collections over as many connections, beside gzip of the same documents, and beside mongodump
// and pbm where they are?
import { availableParallelism } from 'node:os';
import { BenchRepository } from './codr.ts';
import { type Cost, runProgram } from './measure.ts';
import { type BenchOptions, fastest, printRows, type Question, say } from './question.ts';
import { rivalDumps, rivalPbm } from './rival.ts';
import { keptSource } from './server.ts';

export const backupQuestion: Question = {
  name: 'backup',
  about: 'a base copy beside a bare read; to reach: at most twice its time',
  run,
};

async function run({ mebibytes, runs }: BenchOptions): Promise<void> {
  await using source = await keptSource(mebibytes);
  const servers = [source.pid];
  const connections = `${availableParallelism()}`;
  const bare: Cost[] = [];
  const codr: Cost[] = [];
  let stored = 0;
  for (let i = 0; i < runs; i++) {
    bare.push(await runProgram('bench/floor/read.ts', [source.uri, connections], servers));
    await using repository = await BenchRepository.create(source);
    codr.push(await repository.run(['backup', 'bench'], servers));
    stored = await repository.storedBytes();
  }
  const { bytes } = JSON.parse(bare[0]?.stdout ?? '{}') as { bytes: number };
  const gzip = await runProgram('bench/floor/gzip.ts', [`${mebibytes}`]);
  const rows = [
    { label: `bare read, ${connections} connections`, ...fastest(bare) },
    { label: 'codr backup', ...fastest(codr) },
    { label: 'gzip of the documents alone', ...gzip },
  ];
  rows.push(...(await rivalDumps(source)), ...(await rivalPbm(source)));
  printRows(rows, { bytes });
  const sizes = [stored, JSON.parse(gzip.stdout).stored, bytes].map((n) => (n / 1e6).toFixed(0));
  say(`stored ${sizes[0]} MB, gzip ${sizes[1]} MB, of ${sizes[2]} MB`);
}
