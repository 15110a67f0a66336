// Lists and runs the benchmarks: `npm run bench` lists, `npm run bench backup -- --size 1024 --runs 3` asks
// one question. Each runs codr as a process of its own beside a floor that is measured in the same run.
import { parseArgs } from 'node:util';
import { backupQuestion } from './backup.ts';
import { cassandraQuestion } from './cassandra.ts';
import { clusterQuestion } from './cluster.ts';
import { buildCodr } from './codr.ts';
import { fingerprintsQuestion } from './fingerprints.ts';
import { followQuestion } from './follow.ts';
import { incrementalQuestion } from './incremental.ts';
import { largeQuestion } from './large.ts';
import { memoryQuestion } from './memory.ts';
import { pitrQuestion } from './pitr.ts';
import { type Question, say } from './question.ts';
import { replicasQuestion } from './replicas.ts';
import { restoreQuestion } from './restore.ts';
import { sstableQuestion } from './sstable.ts';

const questions: readonly Question[] = [
  backupQuestion,
  restoreQuestion,
  pitrQuestion,
  incrementalQuestion,
  followQuestion,
  memoryQuestion,
  cassandraQuestion,
  sstableQuestion,
  replicasQuestion,
  largeQuestion,
  fingerprintsQuestion,
  clusterQuestion,
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    size: { type: 'string', default: '1024' },
    runs: { type: 'string', default: '3' },
  },
});
const asked = questions.filter(({ name }) => positionals.includes(name));
if (asked.length === 0) {
  for (const { name, about } of questions) say(`${name.padEnd(14)}${about}`);
  say('\nnpm run bench NAME… -- --size MEBIBYTES --runs COUNT');
}
if (asked.length > 0) buildCodr();
for (const question of asked) {
  say(`\n${question.name}: ${question.about}`);
  await question.run({ mebibytes: Number(values.size), runs: Number(values.runs) });
}
