// Runs the codr program as its users do: a child process, its exit code, its JSON. A child can be killed at
// any moment, and its peak of memory is measured.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const mainFile = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const sampleEveryMs = 50;

/** How one run of the program ended. */
export interface CodrEnd {
  /** Undefined when a signal ended it. */
  readonly code: number | undefined;
  /** The JSON object of stdout; its shape is that of the command. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into what the program printed
  readonly json: any;
  readonly stderr: string;
  /** Highest resident set seen, in bytes; 0 where the system does not tell. */
  readonly peakBytes: number;
}

/** One repository in a temporary folder, and the program run on it. Removed on disposal. */
export class CodrProgram implements AsyncDisposable {
  readonly folder: string;
  /** Path or URL. */
  readonly repository: string;
  readonly #children = new Set<CodrChild>();
  #password: string | undefined = 'password of a test';

  private constructor(folder: string, repository: string) {
    this.folder = folder;
    this.repository = repository;
  }

  /** A folder with a new repository, encrypted unless options of `codr init` say otherwise. */
  static async create(...options: string[]): Promise<CodrProgram> {
    const folder = await mkdtemp(join(tmpdir(), 'codr-test-'));
    const program = new CodrProgram(folder, join(folder, 'repository'));
    if (options.includes('--no-encryption')) program.#password = undefined;
    await program.run('init', ...options);
    return program;
  }

  /** The program on the repository at `url`, which may be there already. */
  static async at(url: string): Promise<CodrProgram> {
    return new CodrProgram(await mkdtemp(join(tmpdir(), 'codr-test-')), url);
  }

  /** Runs to the end. Rejects unless the exit code is 0. */
  async run(...args: string[]): Promise<CodrEnd> {
    const end = await this.tryRun(...args);
    if (end.code === 0) return end;
    const told = JSON.stringify(end.json);
    throw new Error(`codr ${args.join(' ')} ended with ${end.code}: ${told}\n${end.stderr}`);
  }

  /** Runs to the end, whatever that is. */
  async tryRun(...args: string[]): Promise<CodrEnd> {
    return await this.start(...args).ended;
  }

  start(...args: string[]): CodrChild {
    const child = spawn(process.execPath, [mainFile, ...args, '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        CODR_REPO: this.repository,
        CODR_PASSWORD: this.#password,
        CODR_TEMP_DIR: this.folder,
        NODE_OPTIONS: '',
      },
    });
    const started = new CodrChild(child);
    this.#children.add(started);
    return started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#children].map((child) => child.kill()));
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** A run of the program under way. */
export class CodrChild {
  readonly ended: Promise<CodrEnd>;
  readonly #process: ChildProcess;
  #stdout = '';
  #stderr = '';
  #peakBytes = 0;
  #waiting: (() => void)[] = [];

  constructor(child: ChildProcess) {
    this.#process = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#wake();
    });
    const sampler = setInterval(() => void this.#sample(), sampleEveryMs);
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => {
        clearInterval(sampler);
        this.#wake();
        const json = parsed(this.#stdout);
        const [stderr, peakBytes] = [this.#stderr, this.#peakBytes];
        resolve({ code: code ?? undefined, json, stderr, peakBytes });
      });
    });
  }

  /** SIGKILL: no last words, no clean-up. Resolves when it is gone. */
  async kill(): Promise<CodrEnd> {
    this.#process.kill('SIGKILL');
    return await this.ended;
  }

  /** SIGINT: ends at the next safe place. */
  async interrupt(): Promise<CodrEnd> {
    this.#process.kill('SIGINT');
    return await this.ended;
  }

  /**
   * Resolves once what was told on stderr so far holds `text` behind place `after`, with the place behind it; rejects
   * when the program ends before.
   */
  async told(text: string, after = 0): Promise<number> {
    for (;;) {
      const at = this.#stderr.indexOf(text, after);
      if (at >= 0) return at + text.length;
      const { exitCode, signalCode } = this.#process;
      if (exitCode !== null || signalCode !== null) {
        throw new Error(`codr ended without telling "${text}": ${this.#stdout}${this.#stderr}`);
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Linux keeps the peak of each process. */
  async #sample(): Promise<void> {
    const status = await readFile(`/proc/${this.#process.pid}/status`, 'utf8').catch(() => '');
    const kib = Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
    this.#peakBytes = Math.max(this.#peakBytes, kib * 1024);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text === '' ? undefined : text;
  }
}
