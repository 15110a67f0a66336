// The classes of a Cassandra parsed and verified beforehand: an archive that its JVMs map (class-data sharing). One
// is made for each set of jars and each Java, in the user's cache. While one process makes it, others start without
// it; a JVM that finds other jars than the archive's goes without it too.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { jvmFlags } from '../../src/node/demo/cassandra-jvm.ts';
import type { CassandraProgram } from '../../src/node/demo/cassandra-program.ts';
import { serversFolder } from './debian.ts';

const run = promisify(execFile);
/** Whoever makes an archive for longer has died. */
const makingMsMax = 600_000;
const archives = new Map<string, Promise<string | undefined>>();

/** Runs a node with these flags, and lets it do what tests do. */
export type Rehearsal = (flags: readonly string[]) => Promise<void>;

/**
 * Flags for JVMs whose class path begins with the program's jars; none while another process makes the archive, and
 * where there is none without a `rehearsal`: making it costs as much as it saves in ten starts.
 */
export async function archiveFlags(
  program: CassandraProgram,
  rehearsal?: Rehearsal,
): Promise<string[]> {
  const found = archives.get(program.lib) ?? findOrMake(program, rehearsal);
  archives.set(program.lib, found);
  const path = await found;
  return path === undefined ? [] : [`-XX:SharedArchiveFile=${path}`];
}

async function findOrMake(
  program: CassandraProgram,
  rehearsal: Rehearsal | undefined,
): Promise<string | undefined> {
  const name = `classes-${program.version}-${await identityOf(program)}.jsa`;
  const path = join(await serversFolder(), name);
  if (await modified(path)) return path;
  if (!rehearsal) return undefined;
  const claim = `${path}.making`;
  const since = await modified(claim);
  if (since !== undefined && Date.now() - since > makingMsMax) {
    await rm(claim, { recursive: true, force: true });
  }
  const isOurs = await mkdir(claim).then(
    () => true,
    () => false,
  );
  if (!isOurs) return undefined;
  try {
    await make(program, rehearsal, claim, path);
    return path;
  } catch (error) {
    console.error(`JVMs start without an archive of classes: ${(error as Error).message}`);
    return undefined;
  } finally {
    await rm(claim, { recursive: true, force: true });
  }
}

async function make(
  program: CassandraProgram,
  rehearsal: Rehearsal,
  work: string,
  path: string,
): Promise<void> {
  const folder = await mkdtemp(join(work, 'classes-'));
  const [list, archive] = [join(folder, 'list'), join(folder, 'archive')];
  await rehearsal([`-XX:DumpLoadedClassList=${list}`]);
  const flags = (await jvmFlags(program)).filter((flag) => !flag.startsWith('-javaagent'));
  await run(program.java, [
    ...['-Xshare:dump', `-XX:SharedClassListFile=${list}`, `-XX:SharedArchiveFile=${archive}`],
    ...['-Xmx384m', '-XX:+UseSerialGC', ...flags, '-cp', join(program.lib, '*')],
  ]);
  await rename(archive, path);
}

/** Of the Java and the jars, which the archive must have been made from. */
async function identityOf({ java, lib }: CassandraProgram): Promise<string> {
  const hash = createHash('sha256').update((await run(java, ['-version'])).stderr);
  for (const jar of (await readdir(lib)).sort()) {
    const { size, mtimeMs } = await stat(join(lib, jar));
    hash.update(`${jar} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex').slice(0, 16);
}

/** When a file or folder was last changed; undefined: there is none. */
async function modified(path: string): Promise<number | undefined> {
  return await stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  );
}
