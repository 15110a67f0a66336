// `npm test` and `npm run test:quick`: node:test over src and test.
//   node test/run.ts all|quick [part of a path]… [--option-of-node]…
// `quick` leaves out files whose suffix names a server, `x.mongod.test.ts`, or says that they take long,
// `x.long.test.ts`, and does a part of what others do at random. Files that `x.group.ts` imports run in one
// process, since they share a server, unless only some of them are chosen. Options go to the process of each
// file. Node's own summary is the end of the output. Exit code 1 when a test fails, or when nothing ran.
import { existsSync } from 'node:fs';
import { availableParallelism, homedir } from 'node:os';
import { join, posix } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
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

/** A test that hangs fails, and the others go on. */
const timeout = 20 * 60_000;
// One more than there are cores: files with servers wait for much of their time.
const concurrency = Math.min(4, availableParallelism() + 1);
/**
 * What takes minutes, first: else the end of the run may wait for one of them alone. Rings of three nodes stand apart, since
 * three of them at once would be slower than one after the other.
 */
const longest = [
  'test/cassandra/three-nodes.group.ts',
  'test/cassandra/one-node-more.group.ts',
  'test/mongodb/52-57-engine.mongod.test.ts',
  'test/cassandra/42-44-rings.cassandra.test.ts',
  'test/cassandra/one-node.group.ts',
  'test/cluster/chaos.mongod.test.ts',
  'test/cassandra/36-41-missing-and-damaged.cassandra.test.ts',
  'test/differential/differential.mongod.test.ts',
  'test/cassandra/40-44-topology.cassandra.test.ts',
  'test/simulation/simulation.test.ts',
  'test/simulation/cluster-simulation.test.ts',
  'test/differential/cassandra.cassandra.test.ts',
  'test/cassandra/checkpoint.cassandra.test.ts',
  'test/cassandra/45-54-files.cassandra.test.ts',
];
for (const path of longest) if (!existsSync(join(rootFolder, path))) fail(`there is no ${path}`);
/** Then other files with servers, then the rest. */
const rank = (path: string): number => {
  const place = longest.indexOf(path);
  if (place >= 0) return place;
  return longest.length + (isLeftOut(path) || path.endsWith('.group.ts') ? 0 : 1);
};
// The quick run samples what the whole run does at length.
const samples =
  choice === 'quick'
    ? { CODR_SEEDS: '40', CODR_TICKS: '3000', CODR_REPEATS: '1', CODR_SAMPLE: '0.25' }
    : {};
// Where the program keeps its own: without it each process strips and compiles the same modules.
const home = homedir();
const cache = join(process.env.XDG_CACHE_HOME || join(home, '.cache'), 'codr', 'compiled');
const compiled = existsSync(home) ? { NODE_COMPILE_CACHE: cache } : {};
Object.assign(process.env, { ...samples, ...compiled, ...process.env });
process.chdir(rootFolder);
// `node --test` would sort the files.
const ordered = entries.toSorted((a, b) => rank(a) - rank(b));
const events = run({ files: ordered, concurrency, timeout, execArgv: options });
events.on('test:fail', ({ todo }) => {
  if (!todo) process.exitCode = 1;
});
events.compose(spec).pipe(process.stdout);

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}
