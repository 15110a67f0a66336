// Other programs for the same job, where they are installed.
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { benchFolder } from './data.ts';
import { type Cost, runCommand } from './measure.ts';
import { type Row, say } from './question.ts';
import type { BenchServer } from './server.ts';

/** mongodump of a source, plain and gzip. Says which programs are absent. */
export async function rivalsOf(job: 'dump' | 'restore', server: BenchServer): Promise<Row[]> {
  const rows: Row[] = [];
  const program = job === 'dump' ? 'mongodump' : 'mongorestore';
  for (const flags of [[], ['--gzip']]) {
    const folder = await mkdtemp(join(benchFolder, 'rival-'));
    const args = [`--uri=${server.uri}`, `--out=${folder}`, '--quiet', ...flags];
    const cost = await tried(program, job === 'dump' ? args : [], server);
    await rm(folder, { recursive: true, force: true });
    if (!cost) break;
    rows.push({ label: [program, ...flags].join(' '), ...cost });
  }
  return rows;
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
