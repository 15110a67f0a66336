// `npm test` and `npm run test:quick`: node:test over src and test.
//   node test/run.ts all|quick [part of a path]… [--option-of-node]…
// `quick` leaves out files whose suffix names a server, `x.mongod.test.ts`, or says that they take long,
// `x.long.test.ts`, and does a part of what others do at random. Unit tests share processes (README.md). Options
// go to each process. Node's own summary is the end of the output. Exit code 1 when a test fails, or when
// nothing ran.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, homedir, tmpdir } from 'node:os';
import { join, posix, resolve } from 'node:path';
import { runProcesses } from './run-processes.ts';
import { filesBelow, readSource, rootFolder } from './source-files.ts';
import { inProcesses, type TestProcess, writeGroup, writeProgram } from './test-process.ts';

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

/** A test that hangs fails, and the others go on. */
const timeoutMs = (choice === 'quick' ? 2 : 20) * 60_000;
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
  'test/simulation/cluster-simulation.test.ts',
  'test/cassandra/one-node.group.ts',
  'test/cluster/chaos.mongod.test.ts',
  'test/cassandra/36-41-missing-and-damaged.cassandra.test.ts',
  'test/differential/differential.mongod.test.ts',
  'test/cassandra/40-44-topology.cassandra.test.ts',
  'test/simulation/simulation.test.ts',
  'test/differential/cassandra.cassandra.test.ts',
  'test/cassandra/checkpoint.cassandra.test.ts',
  'test/cassandra/45-54-files.cassandra.test.ts',
  'test/api/disturbances.test.ts',
  'src/api/client/remote-files.test.ts',
];
for (const path of longest) if (!existsSync(join(rootFolder, path))) fail(`there is no ${path}`);

/** In the quick run a sample of the simulations is no longer than other files. */
const isSample = (path: string): boolean =>
  choice === 'quick' && path.startsWith('test/simulation/');
const isAlone = (path: string): boolean =>
  isLeftOut(path) || (longest.includes(path) && !isSample(path));
const single = files.filter((path) => !grouped.has(path));
const lists = [
  ...single.filter(isAlone).map((path) => [path]),
  ...inProcesses(single.filter((path) => !isAlone(path))),
];
const programs = mkdtempSync(join(tmpdir(), 'codr-tests-'));
process.once('exit', () => rmSync(programs, { recursive: true, force: true }));
process.chdir(rootFolder);
/** By the path that says when it begins. */
const processes: (TestProcess & { path: string })[] = [
  ...whole.map(({ path, members }) => {
    const file = writeGroup(join(programs, `${path.replaceAll('/', '-')}.mjs`), path);
    return { path, file, members: members.map((member) => resolve(member)) };
  }),
  ...lists.map((members, i) => {
    const path = members[0] as string;
    const name = members.length === 1 ? path.replaceAll('/', '-') : `unit-tests-${i}`;
    return { path, ...writeProgram(join(programs, `${name}.mjs`), members) };
  }),
];
/** After what takes minutes other files with servers, then the rest. */
const rank = ({ path }: { readonly path: string }): number => {
  const place = longest.indexOf(path);
  if (place >= 0) return place;
  return longest.length + (isLeftOut(path) || path.endsWith('.group.ts') ? 0 : 1);
};
// The quick run samples what the whole run does at length.
const samples =
  choice === 'quick' ? { CODR_SEEDS: '10', CODR_REPEATS: '1', CODR_SAMPLE: '0.15' } : {};
// Where the program keeps its own: without it each process strips and compiles the same modules.
const home = homedir();
const cache = join(process.env.XDG_CACHE_HOME || join(home, '.cache'), 'codr', 'compiled');
const compiled = existsSync(home) ? { NODE_COMPILE_CACHE: cache } : {};
Object.assign(process.env, { ...samples, ...compiled, ...process.env });
// `node --test` would sort the files.
runProcesses(
  processes.toSorted((a, b) => rank(a) - rank(b)),
  { concurrency, timeoutMs, silentMsMax: timeoutMs + 30_000, options },
);

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}
