// The program under test, as a user runs it, with a repository in a folder of its own.
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { benchFolder } from './data.ts';
import { type Cost, runProgram } from './measure.ts';

export class BenchRepository implements AsyncDisposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Encrypted, empty; `source` is registered as `bench`. */
  static async create(source: { readonly uri: string }): Promise<BenchRepository> {
    await mkdir(benchFolder, { recursive: true });
    const repository = new BenchRepository(await mkdtemp(join(benchFolder, 'repository-')));
    await writeFile(repository.#passwordFile, 'a passphrase');
    await repository.run(['init']);
    await repository.run(['source', 'add', 'bench', source.uri]);
    return repository;
  }

  /** One command of codr; `servers` are the processes whose CPU it uses. */
  async run(args: readonly string[], servers: readonly number[] = []): Promise<Cost> {
    return await runProgram('src/cli/main.ts', this.flags(args), servers);
  }

  /** The command line, for runs that are stopped by a signal. */
  flags(args: readonly string[]): string[] {
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
