// The program under test, built as a user installs it, with a repository in a folder of its own.
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rootFolder } from '../test/source-files.ts';
import { benchFolder } from './data.ts';
import { type Cost, type RunningProgram, runProgram, startProgram } from './measure.ts';

const program = 'dist/cli/main.js';

/** Makes `dist` of what the sources are now. */
export function buildCodr(): void {
  const { status } = spawnSync(process.execPath, ['test/build.ts'], {
    cwd: rootFolder,
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error('codr could not be built');
}

export class BenchRepository implements AsyncDisposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Encrypted, empty; `source` is registered as `bench`. */
  static async create(
    source: { readonly uri: string } | { readonly config: string },
  ): Promise<BenchRepository> {
    await mkdir(benchFolder, { recursive: true });
    const repository = new BenchRepository(await mkdtemp(join(benchFolder, 'repository-')));
    await writeFile(repository.#passwordFile, 'a passphrase');
    await repository.run(['init']);
    const place =
      'uri' in source ? [source.uri] : ['--config', source.config, '--include', 'bench.*'];
    await repository.run(['source', 'add', 'bench', ...place]);
    return repository;
  }

  /** One command of codr; `servers` are the processes whose CPU it uses. */
  async run(args: readonly string[], servers: readonly number[] = []): Promise<Cost> {
    return await runProgram(program, this.#flags(args), servers);
  }

  /** A command that runs until it is told to stop. */
  start(args: readonly string[]): RunningProgram {
    return startProgram(program, this.#flags(args));
  }

  #flags(args: readonly string[]): string[] {
    const where = [
      '--repo',
      join(this.#folder, 'repository'),
      '--password-file',
      this.#passwordFile,
    ];
    return [...args, ...where, '--json'];
  }

  /** Bytes of all objects. */
  async storedBytes(): Promise<number> {
    const folder = join(this.#folder, 'repository');
    let bytes = 0;
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
    }
    return bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  get #passwordFile(): string {
    return join(this.#folder, 'passphrase');
  }
}
