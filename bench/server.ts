// The databases of the benchmarks: a source that is filled once and kept between runs, and targets that
// are thrown away.
import { type ChildProcess, spawn } from 'node:child_process';
import { cp, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { mongod } from '../test/harness/get-mongod.ts';
import { benchFolder, dataFiles } from './data.ts';
import { runProgram } from './measure.ts';

export interface BenchServer extends AsyncDisposable {
  readonly uri: string;
  readonly pid: number;
  readonly client: MongoClient;
}

const cacheGiB = 1;
const startMsMax = 60_000;

/** A replica set of one that holds `mebibytes` of documents; runs must not change it. */
export async function keptSource(mebibytes: number): Promise<BenchServer> {
  const folder = join(benchFolder, `source-${mebibytes}`);
  const filled = join(folder, 'filled');
  const isFilled = await stat(filled).catch(() => undefined);
  if (!isFilled) await rm(folder, { recursive: true, force: true });
  const server = await start(folder);
  if (!isFilled) {
    await dataFiles(mebibytes);
    await runProgram('bench/floor/load.ts', [server.uri, `${mebibytes}`]);
    await server.client.db('admin').command({ fsync: 1 });
    await writeFile(filled, '');
  }
  return server;
}

/** A copy of the kept source, for runs that change it; its folder goes with it. */
export async function copiedSource(mebibytes: number): Promise<BenchServer> {
  await (await keptSource(mebibytes))[Symbol.asyncDispose]();
  const folder = ownFolder();
  await cp(join(benchFolder, `source-${mebibytes}`), folder, { recursive: true });
  return await startIn(folder);
}

/** An empty replica set of one; its folder goes with it. */
export async function emptyTarget(): Promise<BenchServer> {
  return await startIn(ownFolder());
}

let folders = 0;

function ownFolder(): string {
  return join(benchFolder, `server-${process.pid}-${folders++}`);
}

async function startIn(folder: string): Promise<BenchServer> {
  const server = await start(folder);
  const stop = async (): Promise<void> => {
    await server[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  };
  return { uri: server.uri, pid: server.pid, client: server.client, [Symbol.asyncDispose]: stop };
}

async function start(folder: string): Promise<BenchServer> {
  const program = await mongod();
  await mkdir(join(folder, 'db'), { recursive: true });
  const port = await freePort();
  const flags = [
    ...['--port', `${port}`, '--bind_ip', '127.0.0.1', '--nounixsocket', '--replSet', 'bench'],
    ...['--dbpath', join(folder, 'db'), '--logpath', join(folder, 'mongod.log')],
    ...['--oplogSize', '2048', '--wiredTigerCacheSizeGB', `${cacheGiB}`],
    ...['--setParameter', 'diagnosticDataCollectionEnabled=false'],
  ];
  const child = spawn(program.path, flags, { stdio: 'ignore' });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const client = new MongoClient(`mongodb://127.0.0.1:${port}/`, { directConnection: true });
  await initiate(client, port);
  return {
    uri: `mongodb://127.0.0.1:${port}/?replicaSet=bench`,
    pid: child.pid as number,
    client,
    [Symbol.asyncDispose]: async () => {
      await client.close();
      await ended(child);
      process.off('exit', kill);
    },
  };
}

/** A kept member stands in its configuration under an old port. */
async function initiate(client: MongoClient, port: number): Promise<void> {
  const admin = client.db('admin');
  const members = [{ _id: 0, host: `127.0.0.1:${port}` }];
  const settings = { electionTimeoutMillis: 500 };
  const deadline = performance.now() + startMsMax;
  const config = await admin.command({ replSetGetConfig: 1 }).catch((error: Error) => error);
  if (config instanceof Error) {
    await admin.command({ replSetInitiate: { _id: 'bench', members, settings } });
  } else {
    const next = { ...config.config, version: config.config.version + 1, members };
    await admin.command({ replSetReconfig: next, force: true });
  }
  while (!(await admin.command({ hello: 1 })).isWritablePrimary) {
    if (performance.now() > deadline) throw new Error('the server did not become primary');
    await sleep(50);
  }
}

async function ended(child: ChildProcess): Promise<void> {
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  await gone;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
