// Other programs for the same job, where they are on PATH; those that are not are named.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { benchFolder } from './data.ts';
import { type Cost, runCommand } from './measure.ts';
import { type Row, say } from './question.ts';
import type { BenchServer } from './server.ts';

/** mongodump of a source, plain and gzip. */
export async function rivalDumps(source: BenchServer): Promise<Row[]> {
  return await inFolder(async (folder) => {
    const rows: Row[] = [];
    for (const flags of [[], ['--gzip']]) {
      const args = [`--uri=${source.uri}`, `--out=${folder}`, '--quiet', ...flags];
      const cost = await tried('mongodump', args, source);
      if (!cost) break;
      rows.push({ label: ['mongodump', ...flags].join(' '), ...cost });
    }
    return rows;
  });
}

/**
 * A logical backup by pbm with an agent beside the server. Written by its manual: pbm could not be had where
 * these benchmarks were made, so this has not been run. CPU seconds of the agent count as the server's.
 */
export async function rivalPbm(source: BenchServer): Promise<Row[]> {
  const uri = `--mongodb-uri=${source.uri}`;
  if (!(await tried('pbm', ['version'], source))) return [];
  return await inFolder(async (folder) => {
    const agent = spawn('pbm-agent', [uri], { stdio: 'ignore' });
    try {
      await once(agent, 'spawn');
      const settings = ['storage.type=filesystem', `storage.filesystem.path=${folder}`];
      await runCommand('pbm', ['config', uri, ...settings.flatMap((one) => ['--set', one])]);
      const args = ['backup', uri, '--type=logical', '--compression=gzip', '--wait'];
      const cost = await runCommand('pbm', args, [source.pid, agent.pid as number]);
      return [{ label: 'pbm backup, gzip', ...cost }];
    } finally {
      agent.kill('SIGTERM');
    }
  });
}

/** mongorestore of a plain dump of `source` into an empty target. */
export async function rivalRestores(source: BenchServer, target: BenchServer): Promise<Row[]> {
  return await inFolder(async (folder) => {
    const dump = [`--uri=${source.uri}`, `--out=${folder}`, '--quiet'];
    if (!(await tried('mongodump', dump, source))) return [];
    const cost = await tried('mongorestore', [`--uri=${target.uri}`, '--quiet', folder], target);
    return cost ? [{ label: 'mongorestore', ...cost }] : [];
  });
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(benchFolder, 'rival-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function tried(
  program: string,
  args: readonly string[],
  server: BenchServer,
): Promise<Cost | undefined> {
  try {
    return await runCommand(program, args, [server.pid]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    say(`${program} is not on PATH: left out`);
    return undefined;
  }
}
