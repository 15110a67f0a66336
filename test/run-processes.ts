// A test run: some processes at a time, node's report of them all. node:test has a time limit for each test, kept by
// the process of the test itself, and none for a process: one of which nothing is heard any more is ended here, be it
// in an endless loop, never loaded, or kept alive by a handle after its last test. Else the run would never end.
import { spawnSync } from 'node:child_process';
import { relative, resolve } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { suitesPath, type TestProcess } from './test-process.ts';

export interface RunSettings {
  readonly concurrency: number;
  /** Of one test. */
  readonly timeoutMs: number;
  /** After which a process of which nothing is heard is killed; longer than one test may take. */
  readonly silentMsMax: number;
  /** Options of node for each process. */
  readonly options?: readonly string[];
}

const untracked = new URL('untracked.ts', import.meta.url).href;

/** Starts them in the given order and reports to stdout. The exit code is 1 when anything fails. */
export function runProcesses(processes: readonly TestProcess[], settings: RunSettings): void {
  const { concurrency, timeoutMs, silentMsMax, options = [] } = settings;
  const files = processes.map(({ file }) => file);
  const execArgv = ['--import', untracked, ...options];
  const events = run({ files, concurrency, timeout: timeoutMs, execArgv });
  const silence = new Silence(processes, silentMsMax);
  events.on('test:dequeue', ({ name, file }) => silence.begins(name, file));
  events.on('test:complete', ({ name, file }) => silence.ends(name, file));
  events.on('test:fail', ({ todo }) => {
    if (!todo) process.exitCode = 1;
  });
  setInterval(() => silence.look(), Math.min(1000, silentMsMax / 4)).unref();
  events.compose(spec).pipe(process.stdout);
}

interface Heard {
  lastMs: number;
  /** Files and tests that have begun and not ended, in the order of their beginning. */
  readonly open: Set<string>;
  /** Its files that have not ended. A blocked process may not have sent what it began. */
  readonly files: Set<string>;
}

class Silence {
  readonly #msMax: number;
  readonly #processOf = new Map<string, TestProcess>();
  /** Of each process that runs. */
  readonly #heard = new Map<string, Heard>();

  constructor(processes: readonly TestProcess[], msMax: number) {
    this.#msMax = msMax;
    for (const one of processes) {
      for (const path of [one.file, ...one.members]) this.#processOf.set(path, one);
    }
  }

  begins(name: string, path: string | undefined): void {
    const one = this.#find(name, path);
    if (!one) return;
    const lastMs = performance.now();
    const heard = this.#heard.get(one.file);
    // node:test reports a process as a test with the path that it was given.
    if (name === one.file) {
      const files = new Set(one.members.map((member) => relative('', member)));
      this.#heard.set(one.file, { lastMs, open: new Set(), files });
    } else if (heard) {
      heard.open.add(name);
      heard.lastMs = lastMs;
    }
  }

  ends(name: string, path: string | undefined): void {
    const file = this.#find(name, path)?.file ?? '';
    if (name === file) this.#heard.delete(file);
    const heard = this.#heard.get(file);
    if (!heard) return;
    heard.open.delete(name);
    if (path === suitesPath) heard.files.delete(name);
    heard.lastMs = performance.now();
  }

  /** The suite of a file is one of the module that makes such suites. */
  #find(name: string, path: string | undefined): TestProcess | undefined {
    return this.#processOf.get(path === suitesPath ? resolve(name) : (path ?? ''));
  }

  look(): void {
    for (const [file, { lastMs, open, files }] of this.#heard) {
      const ms = performance.now() - lastMs;
      if (ms < this.#msMax) continue;
      this.#heard.delete(file);
      const at = open.size > 0 ? ` in ${[...open].join(' > ')}` : '';
      const left = files.size > 0 ? `not ended: ${[...files].join(', ')}` : 'all its tests ended';
      console.log(`killed: ${file} was silent for ${Math.round(ms / 1000)} s${at}; ${left}`);
      kill(file);
    }
  }
}

/** node:test does not tell the id of a process, but it is a child of ours, and its last argument the file. */
function kill(file: string): void {
  const args = ['-A', '-ww', '-o', 'pid=,ppid=,args='];
  const list = spawnSync('ps', args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  const lines = (list.stdout ?? '').split('\n').map((line) => line.trim().split(/\s+/));
  const found = lines.find(
    ([, parent, ...words]) => Number(parent) === process.pid && words.at(-1) === file,
  );
  if (found) process.kill(Number(found[0]), 'SIGKILL');
  else console.log(`its process was not found: ${list.error?.message ?? 'ps does not list it'}`);
}
