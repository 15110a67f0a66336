// `npm test` and `npm run test:quick`: node:test over src and test.
//   node test/run.ts all|quick [part of a path]… [--option-of-node]…
// `quick` leaves out files whose suffix names a server, `x.mongod.test.ts`, or says that they take long,
// `x.long.test.ts`, and does a part of what others do at random. Files that `x.group.ts` imports run in one
// process, since they share a server, unless only some of them are chosen. Node's own summary is the end of
// the output. Exit code 1 when a test fails, or when nothing ran.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism, homedir } from 'node:os';
import { join, posix } from 'node:path';
import { filesBelow, readSource, rootFolder } from './source-files.ts';

const [choice, ...rest] = process.argv.slice(2);
if (choice !== 'all' && choice !== 'quick')
  fail('usage: node test/run.ts all|quick [part of a path]…');

const filters = rest.filter((argument) => !argument.startsWith('--'));
const options = rest.filter((argument) => argument.startsWith('--'));
const isLeftOut = (path: string): boolean => /\.[a-z0-9]+\.test\.ts$/.test(path);
const files = ['src', 'test', 'bench']
  .flatMap((folder) => filesBelow(folder, '.test.ts'))
  .filter((path) => choice === 'all' || !isLeftOut(path))
  .filter((path) => filters.length === 0 || filters.some((filter) => path.includes(filter)));
if (files.length === 0) fail('no test file fits');

const groups = filesBelow('test', '.group.ts').map((path) => {
  const imports = [...readSource(path).matchAll(/^import '(.+)';$/gm)];
  return { path, members: imports.map(([, name = '']) => posix.join(path, '..', name)) };
});
const whole = groups.filter(({ members }) => members.every((path) => files.includes(path)));
const grouped = new Set(whole.flatMap(({ members }) => members));
const entries = [...whole.map(({ path }) => path), ...files.filter((path) => !grouped.has(path))];

/** A file that hangs fails, and the others go on. */
const testTimeoutMs = 20 * 60_000;
// One more than there are cores: files with servers wait for much of their time.
const concurrency = Math.min(4, availableParallelism() + 1);
// The quick run samples what the whole run does at length.
const samples =
  choice === 'quick'
    ? { CODR_SEEDS: '40', CODR_TICKS: '3000', CODR_REPEATS: '1', CODR_SAMPLE: '0.25' }
    : {};
// Where the program keeps its own: without it each process strips and compiles the same modules.
const home = homedir();
const cache = join(process.env.XDG_CACHE_HOME || join(home, '.cache'), 'codr', 'compiled');
const compiled = existsSync(home) ? { NODE_COMPILE_CACHE: cache } : {};
const { status, signal } = spawnSync(
  process.execPath,
  [
    '--test',
    `--test-concurrency=${concurrency}`,
    `--test-timeout=${testTimeoutMs}`,
    ...options,
    ...entries,
  ],
  { cwd: rootFolder, stdio: 'inherit', env: { ...samples, ...compiled, ...process.env } },
);
if (signal) fail(`the tests were ended by ${signal}`);
process.exitCode = status ?? 1;

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}
