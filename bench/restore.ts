// How long does a restore take, indexes and proof included, beside a bare insert of the same documents
// with the same index builds? The proof's own cost is the row with --no-verify.
import { BenchRepository } from './codr.ts';
import { bytesOf, dataFiles } from './data.ts';
import { type Cost, runProgram } from './measure.ts';
import { type BenchOptions, fastest, printRows, type Question } from './question.ts';
import { rivalRestores } from './rival.ts';
import { type BenchServer, emptyTarget, keptSource } from './server.ts';

export const restoreQuestion: Question = {
  name: 'restore',
  about: 'a restore beside a bare insert; to reach: at most 1.25 times its time',
  run,
};

async function run({ mebibytes, runs }: BenchOptions): Promise<void> {
  await using source = await keptSource(mebibytes);
  await using repository = await BenchRepository.create(source);
  await repository.run(['backup', 'bench']);
  const costs: Record<'bare' | 'loaded' | 'proven', Cost[]> = { bare: [], loaded: [], proven: [] };
  for (let i = 0; i < runs; i++) {
    costs.bare.push(
      await into((target) => {
        const args = [target.uri, `${mebibytes}`];
        return runProgram('bench/floor/load.ts', args, [target.pid]);
      }),
    );
    for (const kind of ['loaded', 'proven'] as const) {
      const flags = kind === 'loaded' ? ['--no-verify'] : [];
      costs[kind].push(
        await into((target) => {
          const args = ['restore', 'bench', '--to', target.uri, ...flags];
          return repository.run(args, [target.pid]);
        }),
      );
    }
  }
  const rows = [
    { label: 'bare insert and index builds', ...fastest(costs.bare) },
    { label: 'codr restore --no-verify', ...fastest(costs.loaded) },
    { label: 'codr restore', ...fastest(costs.proven) },
  ];
  rows.push(...(await into((target) => rivalRestores(source, target))));
  printRows(rows, { bytes: await bytesOf(await dataFiles(mebibytes)) });
}

async function into<T>(work: (target: BenchServer) => Promise<T>): Promise<T> {
  await using target = await emptyTarget();
  return await work(target);
}
