// The package as a user gets it: packed, unpacked into an empty folder, run by a plain Node from there.
// Dependencies are links into this checkout, so nothing is downloaded.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { mongod } from './harness/get-mongod.ts';
import { rootFolder } from './source-files.ts';

const run = promisify(execFile);
const scratch = mkdtempSync(join(tmpdir(), 'codr-package-'));
const installed = join(scratch, 'node_modules', 'codr');
let packed: string[] = [];

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the installed `codr` as a shell would: by its first line, with no `node_modules/.bin` on PATH. */
async function codr(args: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  const PATH = `${dirname(process.execPath)}:/usr/bin:/bin`;
  const { HOME = scratch, XDG_CACHE_HOME = '' } = process.env;
  const program = join(scratch, 'node_modules', '.bin', 'codr');
  const options = { cwd: scratch, env: { PATH, HOME, XDG_CACHE_HOME, ...env } };
  try {
    return { code: 0, ...(await run(program, args, options)) };
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as Ran;
    if (typeof code !== 'number') throw error;
    return { code, stdout, stderr };
  }
}

before(async () => {
  const pack = ['pack', '--json', '--silent', '--pack-destination', scratch];
  const { stdout } = await run('npm', pack, { cwd: rootFolder });
  const [made] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  packed = made.files.map(({ path }) => path);
  mkdirSync(join(scratch, 'node_modules', '.bin'), { recursive: true });
  await run('tar', ['-xzf', join(scratch, made.filename), '-C', scratch]);
  await run('mv', [join(scratch, 'package'), installed]);
  const { dependencies, bin } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  for (const name of Object.keys(dependencies)) {
    const place = join(scratch, 'node_modules', name);
    mkdirSync(dirname(place), { recursive: true });
    symlinkSync(join(rootFolder, 'node_modules', name), place);
  }
  symlinkSync(join(installed, bin.codr), join(scratch, 'node_modules', '.bin', 'codr'));
});

after(() => rmSync(scratch, { recursive: true, force: true }));

test('the package holds the program, its pages and its licence, and nothing else', () => {
  const expected =
    /^(dist\/[\w/-]+\.(js|d\.ts)|proto\/[\w/]+\.proto|docs\/[\w/-]+\.md|deploy\/[\w/]+\.cfg|package\.json|README\.md|LICENSE)$/;
  assert.deepEqual(
    packed.filter((path) => !expected.test(path)),
    [],
  );
  assert.deepEqual(
    packed.filter((path) => /test|fixture|conformance|fake|faulty|harness/.test(path)),
    [],
  );
  for (const needed of [
    'dist/cli/main.js',
    'dist/node/sealing-worker.js',
    'dist/node/client.js',
    'dist/node/client.d.ts',
    'proto/codr/v1/operations.proto',
    'README.md',
    'LICENSE',
  ]) {
    assert.ok(packed.includes(needed), `${needed} is missing`);
  }
});

test('the installed program shows its help and its version', async () => {
  const help = await codr(['--help']);
  assert.equal(help.code, 0);
  assert.match(help.stdout, /restore/);
  const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  assert.equal((await codr(['--version'])).stdout.trim(), version);
});

test('the installed program makes a repository and tells a wrong passphrase from the right one', async () => {
  const env = {
    CODR_REPO: join(scratch, 'repository'),
    CODR_PASSWORD_FILE: join(scratch, 'right'),
  };
  writeFileSync(join(scratch, 'right'), 'right\n');
  writeFileSync(join(scratch, 'wrong'), 'wrong\n');
  assert.equal((await codr(['init'], env)).code, 0);
  assert.equal((await codr(['status'], env)).code, 0);
  const wrong = await codr(['status'], { ...env, CODR_PASSWORD_FILE: join(scratch, 'wrong') });
  assert.equal(wrong.code, 8);
});

test('another program imports the client with its types, and no more of CODR', async () => {
  const program = `
    import { connect, CodrError, type CodrApi, type Status } from 'codr/client';
    const api: CodrApi = connect({ address: '127.0.0.1:1', tls: 'insecure' });
    const signal = AbortSignal.timeout(20_000);
    try {
      const status: Status = await api.status({}, { signal });
      console.log(status.sources.map(({ name }) => name));
    } catch (error) {
      console.log(error instanceof CodrError ? error.code : error);
    } finally {
      await api[Symbol.asyncDispose]();
    }
    // @ts-expect-error the type of a request is known
    export const wrong = () => api.backup({ sauce: 'shop' }, { signal });
  `;
  writeFileSync(join(scratch, 'program.mts'), program);
  const options = '--noEmit --strict --module nodenext --target es2024 --skipLibCheck --types node';
  const typeRoots = ['--typeRoots', join(rootFolder, 'node_modules', '@types')];
  const lib = ['--lib', 'es2024,esnext.disposable'];
  const tsc = join(rootFolder, 'node_modules', '.bin', 'tsc');
  const args = [...options.split(' '), ...lib, ...typeRoots, 'program.mts'];
  await run(tsc, args, { cwd: scratch });
  const { stdout } = await run(process.execPath, ['program.mts'], { cwd: scratch });
  assert.equal(stdout.trim(), 'peer-unreachable');
  const inner = run(process.execPath, ['-e', "import('codr/dist/cli/main.js')"], { cwd: scratch });
  await assert.rejects(inner, /ERR_PACKAGE_PATH_NOT_EXPORTED/);
});

test('the installed program tells its demo, and proves it', async () => {
  const { path } = await mongod();
  const told = await codr(['demo', '--records', '300', '--json'], { CODR_MONGOD: path });
  assert.equal(told.code, 0, told.stderr);
  const { proven, records, kept } = JSON.parse(told.stdout);
  assert.equal(proven, true);
  assert.ok(records > 200, `${records} records came back`);
  assert.deepEqual(kept, []);
});
