// `npm test` and `npm run test:quick`: node:test over src and test.
//   node test/run.ts all|quick [part of a path]… [--option-of-node]…
// `quick` leaves out files whose suffix names a server: `x.mongod.test.ts`. Node's own summary is the end
// of the output. Exit code 1 when a test fails, or when nothing ran.
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { filesBelow, rootFolder } from './source-files.ts';

const [choice, ...rest] = process.argv.slice(2);
if (choice !== 'all' && choice !== 'quick')
  fail('usage: node test/run.ts all|quick [part of a path]…');

const filters = rest.filter((argument) => !argument.startsWith('--'));
const options = rest.filter((argument) => argument.startsWith('--'));
const needsServer = (path: string): boolean => /\.[a-z0-9]+\.test\.ts$/.test(path);
const files = ['src', 'test', 'bench']
  .flatMap((folder) => filesBelow(folder, '.test.ts'))
  .filter((path) => choice === 'all' || !needsServer(path))
  .filter((path) => filters.length === 0 || filters.some((filter) => path.includes(filter)));
if (files.length === 0) fail('no test file fits');

/** A test that hangs fails, and the others go on. */
const testTimeoutMs = 10 * 60_000;
// One more than there are cores: files with servers wait for much of their time.
const concurrency = Math.min(4, availableParallelism() + 1);
// The quick run samples what the whole run does at length.
const samples = choice === 'quick' ? { CODR_SEEDS: '50', CODR_TICKS: '3000' } : {};
const { status, signal } = spawnSync(
  process.execPath,
  [
    '--test',
    `--test-concurrency=${concurrency}`,
    `--test-timeout=${testTimeoutMs}`,
    ...options,
    ...files,
  ],
  { cwd: rootFolder, stdio: 'inherit', env: { ...samples, ...process.env } },
);
if (signal) fail(`the tests were ended by ${signal}`);
process.exitCode = status ?? 1;

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}
