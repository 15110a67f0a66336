// versitygw on a folder: strict, small, ready at once. Go builds it from pinned modules once, into the user's cache;
// CODR_VERSITYGW names another program.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { rootFolder } from '../source-files.ts';
import { cached, serversFolder } from './debian.ts';
import type { S3Keys, S3Process } from './s3.ts';
import { answers, freePorts, startWatched, untilReady } from './watched.ts';

const run = promisify(execFile);
const readyMsMax = 20_000;

/** Data and old versions lie in `folder`. */
export async function startVersitygw(folder: string, keys: S3Keys): Promise<S3Process> {
  const program = await findVersitygw();
  const [data, versions] = [join(folder, 'data'), join(folder, 'versions')];
  for (const path of [data, versions]) await mkdir(path);
  const address = `127.0.0.1:${await freePorts(1)}`;
  const flags = ['--port', address, '--quiet', '--health', '/healthz'];
  const backend = ['posix', '--versioning-dir', versions, data];
  const server = startWatched([program, ...flags, ...backend], {
    folder,
    name: 'versitygw',
    environment: { ROOT_ACCESS_KEY: keys.accessKeyId, ROOT_SECRET_KEY: keys.secretAccessKey },
  });
  const endpoint = `http://${address}`;
  const isReady = () => answers(`${endpoint}/healthz`, (status) => status === 200);
  try {
    await untilReady('versitygw', { isReady, msMax: readyMsMax, of: [server] });
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { endpoint, stop: () => server.stop() };
}

/** CODR_VERSITYGW, or what Go makes of `versitygw/go.mod`, kept under the sum of that file's sums. */
async function findVersitygw(): Promise<string> {
  const named = process.env.CODR_VERSITYGW;
  if (named) return named;
  const modules = join(rootFolder, 'test/harness/versitygw');
  const sums = await readFile(join(modules, 'go.sum'));
  const id = createHash('sha256').update(sums).digest('hex').slice(0, 16);
  return await cached(join(await serversFolder(), `versitygw-${id}`), async (work) => {
    const made = join(work, 'versitygw');
    const name = 'github.com/versity/versitygw/cmd/versitygw';
    const flags = ['-mod=readonly', '-trimpath', '-ldflags=-s -w', '-o', made];
    try {
      await run('go', ['build', ...flags, name], { cwd: modules });
    } catch (error) {
      const remedy = 'install Go 1.25 or later, or let CODR_VERSITYGW name the program';
      throw new Error(`versitygw could not be built: ${remedy}`, { cause: error });
    }
    return made;
  });
}
