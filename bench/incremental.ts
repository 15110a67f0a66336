// What does a second backup cost when 1 % of the records have changed?
import { BenchRepository } from './codr.ts';
import { operate } from './operations.ts';
import { type BenchOptions, printRows, type Question, say } from './question.ts';
import { copiedSource } from './server.ts';

export const incrementalQuestion: Question = {
  name: 'incremental',
  about: 'a backup after 1 % of records changed; to reach: 5 % of the time and bytes of the first',
  run,
};

async function run({ mebibytes }: BenchOptions): Promise<void> {
  await using source = await copiedSource(mebibytes);
  await using repository = await BenchRepository.create(source);
  const first = await repository.run(['backup', 'bench'], [source.pid]);
  const firstStored = await repository.storedBytes();
  const { records, bytesRead } = JSON.parse(first.stdout);
  await operate(source.client, Math.floor(records / 100));
  const second = await repository.run(['backup', 'bench'], [source.pid]);
  const secondStored = (await repository.storedBytes()) - firstStored;
  // The same command when nothing has changed: start of the program, keys, connection, one commit.
  const idle = await repository.run(['backup', 'bench'], [source.pid]);
  const rows = [
    { label: 'first backup', ...first },
    { label: 'second, after 1 % changed', ...second },
    { label: 'third, nothing changed', ...idle },
  ];
  printRows(rows, { bytes: bytesRead });
  const share = ((secondStored / firstStored) * 100).toFixed(2);
  say(`stored ${firstStored} bytes first, ${secondStored} more second: ${share} %`);
}
