// A Python with the packages of a requirements file, in an environment of its own in the user's cache: made once for
// each content of the file.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The interpreter. Rejects with what to install when there is no Python 3 that can make environments. */
export async function pythonWith(requirements: string): Promise<string> {
  const hash = createHash('sha256').update(await readFile(requirements));
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const folder = join(cache, 'codr', 'servers');
  const place = join(folder, `python-${hash.digest('hex').slice(0, 16)}`);
  const python = join('bin', 'python');
  const isThere = await access(join(place, python)).then(
    () => true,
    () => false,
  );
  if (isThere) return join(place, python);
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(`${place}-`);
  try {
    await run('python3', ['-m', 'venv', work]);
    const options = ['--quiet', '--disable-pip-version-check', '--only-binary', ':all:'];
    await run(join(work, python), ['-m', 'pip', 'install', ...options, '-r', requirements]);
    // Somebody else may have been faster.
    await rename(work, place).catch(async (error: unknown) => {
      await access(join(place, python)).catch(() => {
        throw error;
      });
    });
  } catch (cause) {
    throw new Error('no Python with grpcio: install python3 with venv and pip', { cause });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return join(place, python);
}
