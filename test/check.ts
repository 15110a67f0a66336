// `npm run check`: format, lint, types, dead code, layers, reference pages. One line for each check with
// its time; the output of a check is shown when it fails. Exit code 1 when any fails, after all have run.
import { spawnSync } from 'node:child_process';
import { rootFolder } from './source-files.ts';

const bin = `${rootFolder}node_modules/.bin/`;

const checks: readonly {
  readonly name: string;
  readonly program: string;
  readonly args: string[];
}[] = [
  { name: 'format and lint', program: `${bin}biome`, args: ['ci', '--error-on-warnings', '.'] },
  { name: 'types', program: `${bin}tsc`, args: ['--noEmit', '-p', '.'] },
  { name: 'dead code', program: `${bin}knip`, args: ['--no-progress'] },
  { name: 'layers', program: process.execPath, args: ['--test', 'test/layers.test.ts'] },
  { name: 'types of protos', program: process.execPath, args: ['test/protos.ts', '--check'] },
  { name: 'reference pages', program: process.execPath, args: ['test/reference.ts', '--check'] },
];

let failed = 0;
for (const { name, program, args } of checks) {
  const start = performance.now();
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: rootFolder,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const seconds = ((performance.now() - start) / 1000).toFixed(1).padStart(5);
  const fine = status === 0;
  console.log(`${fine ? 'ok    ' : 'FAILED'} ${seconds} s  ${name}`);
  if (fine) continue;
  failed++;
  console.log(error ? error.message : `${stdout}${stderr}`.trimEnd());
}
console.log(failed === 0 ? 'all checks passed' : `${failed} of ${checks.length} checks failed`);
process.exitCode = failed === 0 ? 0 : 1;
