// The etcd program of this test process, found or fetched once. Run as a program it prints its path:
// `node test/harness/get-etcd.ts`. 3.4 is Debian's package, pinned by SHA-256 and only unpacked; 3.6 is
// built by Go from the modules that etcd/go.sum pins.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { rootFolder } from '../source-files.ts';
import { cached, serversFolder, unpacked } from './debian.ts';

const run = promisify(execFile);

const debian = {
  requirement: 'etcd-server=3.4.23-4+b4',
  sha256: '3a9445d4560ad6de1c375756b2a17d97713df44cbd20a658c871fe108af7ef5d',
} as const;

let found: Promise<string> | undefined;

/** Path of the program. Rejects with what was tried and what to do when there is none. */
export function etcdProgram(): Promise<string> {
  found ??= findEtcd(process.env);
  return found;
}

/** `CODR_ETCD` (a program) before `CODR_ETCD_VERSION` (`3.4` or `3.6`); else 3.4, or 3.6 where that fails. */
async function findEtcd(environment: NodeJS.ProcessEnv): Promise<string> {
  const { CODR_ETCD: named, CODR_ETCD_VERSION: wanted } = environment;
  if (named) return named;
  const folder = await serversFolder(environment);
  if (wanted === '3.4') return await fetchDebian();
  if (wanted === '3.6') return await buildByGo(folder);
  if (wanted) throw new Error(`CODR_ETCD_VERSION=${wanted}: there are 3.4 and 3.6`);
  try {
    return await fetchDebian();
  } catch (error) {
    return await buildByGo(folder).catch((second: unknown) => {
      throw new AggregateError(
        [error, second],
        'no etcd: install apt or Go 1.26 or later, or let CODR_ETCD name the program',
      );
    });
  }
}

async function fetchDebian(): Promise<string> {
  return join(await unpacked('etcd-server-3.4.23', [debian]), 'usr/bin/etcd');
}

async function buildByGo(folder: string): Promise<string> {
  const modules = join(rootFolder, 'test/harness/etcd');
  const sums = await readFile(join(modules, 'go.sum'));
  const id = createHash('sha256').update(sums).digest('hex').slice(0, 16);
  return await cached(join(folder, `etcd-${id}`), async (work) => {
    const made = join(work, 'etcd');
    const flags = ['-mod=readonly', '-trimpath', '-ldflags=-s -w', '-o', made];
    const env = { ...process.env, CGO_ENABLED: '0' };
    await run('go', ['build', ...flags, '.'], { cwd: modules, env });
    return made;
  });
}

if (import.meta.main) process.stdout.write(`${await etcdProgram()}\n`);
