// What do 200,000 operations after the base copy add to a restore?
import { BenchRepository } from './codr.ts';
import type { Cost } from './measure.ts';
import { operate } from './operations.ts';
import { type BenchOptions, fastest, printRows, type Question } from './question.ts';
import { copiedSource, emptyTarget } from './server.ts';

const operationCount = 200_000;

export const pitrQuestion: Question = {
  name: 'pitr',
  about: 'a restore past 200,000 operations beside one before them; to reach: 1.3 times its time',
  run,
};

async function run({ mebibytes, runs }: BenchOptions): Promise<void> {
  await using source = await copiedSource(mebibytes);
  await using repository = await BenchRepository.create(source);
  const first = JSON.parse((await repository.run(['backup', 'bench'])).stdout);
  await operate(source.client, operationCount);
  await repository.run(['backup', 'bench']);
  const costs: Record<'before' | 'after', Cost[]> = { before: [], after: [] };
  for (let i = 0; i < runs; i++) {
    for (const when of ['before', 'after'] as const) {
      await using target = await emptyTarget();
      const at = when === 'before' ? first.point.id : 'latest';
      const args = ['restore', 'bench', '--to', target.uri, '--at', at];
      costs[when].push(await repository.run(args, [target.pid]));
    }
  }
  const rows = [
    { label: 'restore before the operations', ...fastest(costs.before) },
    { label: 'restore after the operations', ...fastest(costs.after) },
  ];
  printRows(rows, { bytes: first.bytesRead });
}
