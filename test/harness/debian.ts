// Programs out of Debian's packages: downloaded by apt, compared with a pinned SHA-256, unpacked into the user's
// cache and never installed.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface DebianPackage {
  /** `name=version`. */
  readonly requirement: string;
  /** Of the package for Linux on x64. */
  readonly sha256: string;
}

/** Where servers for tests are kept; made when it is not there. */
export async function serversFolder(environment = process.env): Promise<string> {
  const cache = environment.XDG_CACHE_HOME || join(homedir(), '.cache');
  const folder = join(cache, 'codr', 'servers');
  await mkdir(folder, { recursive: true });
  return folder;
}

/** The files of the packages, one tree, as folder `name` of the cache. */
export async function unpacked(name: string, packages: readonly DebianPackage[]): Promise<string> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(`the pinned packages for ${name} are for Linux on x64`);
  }
  return await cached(join(await serversFolder(), name), async (work) => {
    for (const { requirement, sha256 } of packages) {
      const folder = await mkdtemp(join(work, 'package-'));
      await run('apt-get', ['download', requirement], { cwd: folder });
      const file = (await readdir(folder)).find((one) => one.endsWith('.deb'));
      if (!file) throw new Error(`apt-get left no package of ${requirement}`);
      const sum = createHash('sha256').update(await readFile(join(folder, file)));
      const found = sum.digest('hex');
      if (found !== sha256) throw new Error(`${file} has another SHA-256: ${found}`);
      await run('dpkg-deb', ['--extract', join(folder, file), join(work, 'tree')]);
    }
    return join(work, 'tree');
  });
}

/** What is at `path`; where there is nothing, what `make` leaves in a folder of its own. */
export async function cached(
  path: string,
  make: (work: string) => Promise<string>,
): Promise<string> {
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  if (isThere) return path;
  const work = await mkdtemp(`${path}-`);
  try {
    await rename(await make(work), path).catch((error: NodeJS.ErrnoException) => {
      // Another process was faster.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return path;
}
