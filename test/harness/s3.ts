// A real S3 server for tests: versitygw on a folder. It is built by Go from pinned modules once and kept in the
// user's cache; CODR_VERSITYGW names another program, CODR_S3_URL a server that runs (see README.md).
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { rootFolder } from '../source-files.ts';

const run = promisify(execFile);
const readyMsMax = 20_000;
const pollMs = 50;

/** A server and its one pair of keys, which the environment of this process gets too. */
export interface S3Server extends AsyncDisposable {
  /** `http://127.0.0.1:port`. */
  readonly endpoint: string;
  /** A new bucket; gives its name. */
  bucket(): Promise<string>;
}

const accessKeyId = process.env.CODR_S3_ACCESS_KEY ?? 'codr';
const secretAccessKey = process.env.CODR_S3_SECRET_KEY ?? 'codrsecret';

/** One server for all tests of a file, ended after the last. Call it at the file's top level. */
export function sharedS3(): () => Promise<S3Server> {
  let started: Promise<S3Server> | undefined;
  after(async () => {
    const server = await started?.catch(() => undefined);
    await server?.[Symbol.asyncDispose]();
  });
  return () => {
    started ??= startS3();
    return started;
  };
}

async function startS3(): Promise<S3Server> {
  process.env.AWS_ACCESS_KEY_ID = accessKeyId;
  process.env.AWS_SECRET_ACCESS_KEY = secretAccessKey;
  const running = process.env.CODR_S3_URL;
  if (running) return serverAt(running, async () => {});
  const program = await findVersitygw();
  const folder = await mkdtemp(join(tmpdir(), 'codr-s3-'));
  const data = join(folder, 'data');
  await mkdir(data);
  const port = await freePort();
  // The server goes when our end of the pipe closes, however we end.
  const script =
    '"$1" --port "127.0.0.1:$2" --quiet --health /healthz posix "$3" & server=$!; ' +
    'cat >/dev/null; kill -9 $server; rm -rf "$4"';
  const child = spawn('sh', ['-c', script, 'codr-s3', program, `${port}`, data, folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    env: { ...process.env, ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey },
  });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.unref();
  (child.stdin as unknown as { unref?: () => void }).unref?.();
  const endpoint = `http://127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    child.stdin?.destroy();
    await gone;
  };
  const end = performance.now() + readyMsMax;
  while (!(await isHealthy(endpoint))) {
    if (performance.now() > end) {
      await stop();
      throw new Error(`versitygw did not answer in ${readyMsMax} ms`);
    }
    await sleep(pollMs);
  }
  return serverAt(endpoint, stop);
}

function serverAt(endpoint: string, stop: () => Promise<void>): S3Server {
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true });
  let buckets = 0;
  return {
    endpoint,
    async bucket() {
      const name = `codr-test-${process.pid}-${Date.now()}-${buckets++}`;
      await client.send(new CreateBucketCommand({ Bucket: name }));
      return name;
    },
    async [Symbol.asyncDispose]() {
      client.destroy();
      await stop();
    },
  };
}

/** CODR_VERSITYGW, or what Go makes of `versitygw/go.mod`, kept under the sum of that file's sums. */
async function findVersitygw(): Promise<string> {
  const named = process.env.CODR_VERSITYGW;
  if (named) return named;
  const modules = join(rootFolder, 'test/harness/versitygw');
  const sums = await readFile(join(modules, 'go.sum'));
  const id = createHash('sha256').update(sums).digest('hex').slice(0, 16);
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const folder = join(cache, 'codr', 'servers');
  const program = join(folder, `versitygw-${id}`);
  const isThere = await access(program).then(
    () => true,
    () => false,
  );
  if (isThere) return program;
  await mkdir(folder, { recursive: true });
  const made = `${program}-${process.pid}`;
  const name = 'github.com/versity/versitygw/cmd/versitygw';
  try {
    const flags = ['-mod=readonly', '-trimpath', '-ldflags=-s -w', '-o', made];
    await run('go', ['build', ...flags, name], { cwd: modules });
    await rename(made, program);
  } catch (error) {
    const remedy = 'install Go 1.25 or later, or let CODR_VERSITYGW name the program';
    throw new Error(`versitygw could not be built: ${remedy}`, { cause: error });
  } finally {
    await rm(made, { force: true });
  }
  return program;
}

async function isHealthy(endpoint: string): Promise<boolean> {
  return await fetch(`${endpoint}/healthz`).then(
    (answer) => answer.ok,
    () => false,
  );
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port is free');
  return address.port;
}
