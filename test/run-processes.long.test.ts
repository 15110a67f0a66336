// What the report of a run says when files fail in the ways that a shared process could hide.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { filesBelow, readSource } from './source-files.ts';
import { inProcesses, type TestProcess, writeProgram } from './test-process.ts';

/** Files of a process, by name. */
type World = Readonly<Record<string, string>>;

test('each way to fail fails the run and is named, and the other files go on', async () => {
  const { code, said } = await runOf([
    {
      fails: "test('is wrong', () => { throw new Error('wrong on purpose'); });",
      throws: "test('is never reached', () => {}); throw new Error('thrown when loaded');",
      hooks: "beforeEach(() => { throw new Error('of another file'); });",
      passes: "test('is right', () => {});",
    },
    {
      hangs: "test('hangs', () => new Promise((resolve) => setTimeout(resolve, 3000)));",
      behind: "test('is behind it', () => {});",
    },
    { rejects: "test('leaves', () => { Promise.reject(new Error('left behind')); });" },
    {
      first: "import './awaits.mjs';\ntest('is of first', () => {});",
      second: "import './awaits.mjs';\ntest('is of second', () => {});",
      awaits: 'await new Promise((resolve) => setTimeout(resolve, 50));',
    },
  ]);
  assert.equal(code, 1, said);
  for (const part of [
    /✖ is wrong .*\n +Error: wrong on purpose\n.*fails\.mjs/,
    /✖ throws\.mjs .*\n +Error: thrown when loaded/,
    /✔ is right/,
    /✖ hangs .*\n +'test timed out after 500ms'/,
    /✔ is behind it/,
    /left behind" which triggered an unhandledRejection event/,
    /✖ .*process-2\.mjs/,
    /▶ first\.mjs\n {2}✔ is of first/,
    /▶ second\.mjs\n {2}✔ is of second/,
    /ℹ tests \d+\n/,
  ]) {
    assert.match(said, part);
  }
});

test('a process of which nothing is heard is killed and named, which fails the run', async () => {
  const never = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);';
  const { code, said } = await runOf([{ blocks: `test('blocks', () => { ${never} });` }], 1500);
  assert.equal(code, 1, said);
  assert.match(said, /killed: .*process-0\.mjs was silent for \d+ s.*; not ended: blocks\.mjs/);
  assert.match(said, /✖ .*process-0\.mjs/);
});

test('every file is in one process, neighbours together', () => {
  for (const count of [0, 1, 25, 26, 99, 220]) {
    const paths = Array.from({ length: count }, (_, i) => `${i}`);
    const processes = inProcesses(paths);
    assert.deepEqual(processes.flat(), paths);
    assert.ok(processes.every(({ length }) => length > 0 && length <= 25));
  }
});

test('no clock of a test starts when its file is loaded', () => {
  for (const folder of ['src', 'test']) {
    for (const path of filesBelow(folder, '.ts')) {
      assert.doesNotMatch(readSource(path), /^(export )?const .*AbortSignal\.timeout\(/m, path);
    }
  }
});

async function runOf(
  worlds: readonly World[],
  silentMsMax = 60_000,
): Promise<{ code: number | null; said: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'codr-run-processes-'));
  try {
    const processes: TestProcess[] = [];
    for (const [i, files] of worlds.entries()) {
      for (const [name, body] of Object.entries(files)) {
        const source = `import { beforeEach, test } from 'node:test';\n${body}\n`;
        await writeFile(join(folder, `${name}.mjs`), source);
      }
      const paths = Object.keys(files).map((name) => join(folder, `${name}.mjs`));
      processes.push(writeProgram(join(folder, `process-${i}.mjs`), paths));
    }
    const settings = { concurrency: 3, timeoutMs: 500, silentMsMax };
    const module = JSON.stringify(new URL('./run-processes.ts', import.meta.url).href);
    const program = join(folder, 'run.mjs');
    await writeFile(
      program,
      `import { runProcesses } from ${module};\n` +
        `runProcesses(${JSON.stringify(processes)}, ${JSON.stringify(settings)});\n`,
    );
    // A process that knows of no run: node:test starts none within another.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const child = spawn(process.execPath, [program], { cwd: folder, env });
    const exit = new Promise<number | null>((resolve) => child.once('exit', resolve));
    const [code, said] = await Promise.all([exit, text(child.stdout), text(child.stderr)]);
    return { code, said };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
