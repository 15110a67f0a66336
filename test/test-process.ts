// Programs of a test run's processes. Unit tests share some: starting a process, stripping types and loading the
// drivers costs more than most files do. Each file is a suite with its name, so that its hooks and its failures stay
// its own: one that throws when it is loaded fails by name, and the next goes on. A suite of which a name pattern
// leaves nothing runs no hook, so that no server starts in vain.
import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { suite } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { whileLoading } from './followed.ts';

/** Where node:test says that the suites of files are. */
export const suitesPath = fileURLToPath(import.meta.url);

/** Files of one process at most: the processes are dealt out to the cores. */
const filesMax = 25;

/** What node is started with, `file`, and the files of tests in it. All paths are absolute. */
export interface TestProcess {
  readonly file: string;
  readonly members: readonly string[];
}

/** Neighbours together, since they load the same modules; the same files give the same processes. */
export function inProcesses(paths: readonly string[]): string[][] {
  const count = Math.ceil(paths.length / filesMax);
  const start = (i: number): number => Math.ceil((i * paths.length) / count);
  return Array.from({ length: count }, (_, i) => paths.slice(start(i), start(i + 1)));
}

/** Writes `file`, the program of a process that runs `members` one after the other. */
export function writeProgram(file: string, members: readonly string[]): TestProcess {
  const here = JSON.stringify(import.meta.url);
  const absolute = members.map((path) => resolve(path));
  writeFileSync(
    file,
    `import { runFiles } from ${here};\nrunFiles(${JSON.stringify(absolute)});\n`,
  );
  return { file, members: absolute };
}

/** All are loaded, then run: what a file does when it is loaded must not wait for a clock. */
export function runFiles(paths: readonly string[]): void {
  for (const path of paths) {
    const load = async (): Promise<void> => {
      // Tests belong to the suite that loads them. Behind an import that awaits, node would lose it.
      const source = await readFile(path, 'utf8');
      for (const [, name = ''] of source.matchAll(imported)) await import(locate(name, path));
      await import(pathToFileURL(path).href);
    };
    suite(relative('', path), () => whileLoading(load));
  }
}

/** Writes `file`, the program of a process that runs a group. */
export function writeGroup(file: string, path: string): string {
  const [here, group] = [new URL('followed.ts', import.meta.url), pathToFileURL(resolve(path))];
  writeFileSync(
    file,
    `import { whileLoading } from '${here}';\nawait whileLoading(() => import('${group}'));\n`,
  );
  return file;
}

const imported = /^import (?!type\b)(?:[^;']* from )?'([^']+)';$/gm;

function locate(name: string, path: string): string {
  return name.startsWith('.') ? new URL(name, pathToFileURL(path)).href : name;
}
