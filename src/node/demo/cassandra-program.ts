// Finds the jars of Apache Cassandra for the demo and for tests: a folder that the user names, or what
// Maven downloads into the user's cache folder, pinned by version and by SHA-256 of every jar. The hashes
// are compared at each use, so a cache that changed is noticed. Nothing of it is shipped with CODR.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { CodrError } from '../../base/error.ts';
import {
  type CassandraBuild,
  cassandra50,
  jolokiaJar,
  jolokiaSha256,
  jolokiaVersion,
} from './cassandra-jars.ts';
import type { FindOptions } from './mongod-program.ts';

const run = promisify(execFile);

/** What a node is started from. */
export interface CassandraProgram {
  readonly version: string;
  /** Folder of the jars of the class path. */
  readonly lib: string;
  /** The Jolokia agent's jar. */
  readonly jolokia: string;
  readonly java: string;
}

const javaVersion = 17;

/**
 * Finds or fetches Cassandra. Reads `CODR_CASSANDRA_LIB` (a folder of jars, the Jolokia agent in it or beside
 * it), `PATH` (java 17, mvn) and `XDG_CACHE_HOME`. Errors: `config-invalid` when the named folder lacks
 * something, else `target-unfit`.
 */
export async function findCassandra(
  environment: NodeJS.ProcessEnv,
  options: FindOptions = {},
): Promise<CassandraProgram> {
  const named = environment.CODR_CASSANDRA_LIB;
  if (!named) return await fetchCassandra(cassandra50, environment, options);
  const lib = resolve(named);
  const jars = await readdir(lib).catch(() => []);
  const version = jars.map((jar) => /^cassandra-all-(.+)\.jar$/.exec(jar)?.[1]).find(Boolean);
  const agents = [join(lib, jolokiaJar), join(lib, '..', jolokiaJar)];
  const there = await Promise.all(agents.map(exists));
  const jolokia = agents[there.indexOf(true)];
  if (!(version && jolokia)) {
    const lacking = version ? jolokiaJar : 'cassandra-all-….jar';
    throw new CodrError('config-invalid', `${lib} lacks ${lacking}`, {
      object: lib,
      remedy:
        'let CODR_CASSANDRA_LIB name a folder with all jars of Cassandra 4.1 or 5.0 and ' +
        `${jolokiaJar} in it or beside it, or leave it out`,
    });
  }
  return { version, lib, jolokia, java: await findJava() };
}

/** The build in the user's cache, downloaded when it is not there. Errors: as {@link findCassandra}. */
export async function fetchCassandra(
  build: CassandraBuild,
  environment: NodeJS.ProcessEnv,
  { signal, onDownload }: FindOptions = {},
): Promise<CassandraProgram> {
  const { version } = build;
  const java = await findJava();
  const folder = join(cacheFolder(environment), `cassandra-${version}`);
  if (!(await exists(folder))) {
    onDownload?.(version);
    try {
      await download(build, folder, signal);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof CodrError) throw error;
      throw notDownloaded(version, error);
    }
  }
  await verifyJars(build, folder);
  return { version, lib: join(folder, 'lib'), jolokia: join(folder, jolokiaJar), java };
}

/**
 * Compares all jars in `folder` with the list of the build. Errors: `target-unfit` naming the first jar that
 * differs, is missing or is not in the list.
 */
export async function verifyJars(build: CassandraBuild, folder: string): Promise<void> {
  const wanted = jarsOf(build);
  const lib = join(folder, 'lib');
  for (const jar of await readdir(lib).catch(() => [])) {
    if (!wanted.has(jar)) throw wrongJar(join(lib, jar), 'is not one of this version');
  }
  for (const [jar, sha256] of wanted) await verifyJar(join(lib, jar), sha256);
  await verifyJar(join(folder, jolokiaJar), jolokiaSha256);
}

async function verifyJar(path: string, sha256: string): Promise<void> {
  const bytes = await readFile(path).catch(() => undefined);
  if (!bytes) throw wrongJar(path, 'is missing');
  const sum = createHash('sha256').update(bytes).digest('base64url');
  if (sum !== sha256) throw wrongJar(path, `has SHA-256 ${sum}, not ${sha256}`);
}

function wrongJar(path: string, what: string): CodrError {
  return new CodrError('target-unfit', `${path} ${what}`, {
    object: path,
    remedy: 'remove the folder of that Cassandra and let it be downloaded again',
  });
}

/** File names with their SHA-256. */
function jarsOf(build: CassandraBuild): Map<string, string> {
  const lines = build.jars.trim().split('\n');
  return new Map(lines.map((line) => [`${line.slice(44)}.jar`, line.slice(0, 43)]));
}

/** Cassandra 4.1 and 5.0 run on Java 17 with the flags of the server module; later ones they refuse. */
async function findJava(): Promise<string> {
  const said = await run('java', ['-version']).then(
    ({ stderr }) => stderr,
    () => '',
  );
  const version = /version "(\d+)/.exec(said)?.[1];
  if (Number(version) === javaVersion) return 'java';
  const found = version ? `java ${version} on PATH does not fit` : 'no java on PATH';
  throw new CodrError('target-unfit', `Cassandra cannot run: ${found}`, {
    remedy: `put java ${javaVersion} on PATH before any other`,
  });
}

function notDownloaded(version: string, cause: unknown): CodrError {
  const message = `the download of Cassandra ${version} failed: ${reasonOf(cause)}`;
  return new CodrError('target-unfit', message, {
    cause,
    remedy:
      'put mvn on PATH and allow Maven to download; or let CODR_CASSANDRA_LIB name a folder of jars',
  });
}

function reasonOf(error: unknown): string {
  const { code, stdout, message } = error as { code?: string; stdout?: string; message?: string };
  if (code === 'ENOENT') return 'no mvn on PATH';
  const said = stdout?.split('\n').find((line) => line.includes('ERROR'));
  return (said?.trim() || message) ?? String(error);
}

function cacheFolder(environment: NodeJS.ProcessEnv): string {
  const base = environment.XDG_CACHE_HOME || join(environment.HOME || homedir(), '.cache');
  return join(base, 'codr', 'servers');
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

/** Downloads into a folder beside `folder`, then renames: two processes at once both end well. */
async function download(
  build: CassandraBuild,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const parent = join(folder, '..');
  await mkdir(parent, { recursive: true });
  const work = await mkdtemp(join(parent, 'download-'));
  try {
    const ready = join(work, 'ready');
    const lib = join(ready, 'lib');
    await mkdir(lib, { recursive: true });
    const pom = join(work, 'pom.xml');
    await writeFile(pom, pomOf(build));
    const goal = 'org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies';
    const where = ['-DincludeScope=runtime', `-DoutputDirectory=${lib}`];
    await run('mvn', ['-q', '-B', '-f', pom, goal, ...where], { signal, cwd: work });
    await rename(join(lib, jolokiaJar), join(ready, jolokiaJar));
    const wanted = jarsOf(build);
    for (const jar of await readdir(lib)) if (!wanted.has(jar)) await rm(join(lib, jar));
    await verifyJars(build, ready);
    await rename(ready, folder).catch(async (error: NodeJS.ErrnoException) => {
      // Another process was faster; the caller compares what lies there.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The agent is taken alone: its jar holds all that it needs. */
function pomOf({ version }: CassandraBuild): string {
  return `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>codr</groupId><artifactId>cassandra</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.cassandra</groupId><artifactId>cassandra-all</artifactId>
      <version>${version}</version></dependency>
    <dependency><groupId>org.jolokia</groupId><artifactId>jolokia-agent-jvm</artifactId>
      <version>${jolokiaVersion}</version><classifier>javaagent</classifier>
      <exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>
    </dependency>
  </dependencies>
</project>
`;
}
