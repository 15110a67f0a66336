// Many worlds of one kind in a process of their own. In the process of a test they take three times as long: its runner
// is told of every promise.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const program = fileURLToPath(new URL('main.ts', import.meta.url));

/** What the worlds report, summed up by name. Throws with the seeds that failed, and how to see each. */
export async function manyWorlds(
  of: 'logs' | 'cuts' | 'peers',
  { from, seeds }: { readonly from: number; readonly seeds: number },
): Promise<ReadonlyMap<string, number>> {
  const args = ['--of', of, '--from', String(from), '--seeds', String(seeds), '--json'];
  const running = promisify(execFile)(process.execPath, [program, ...args]);
  const { stdout } = await running.catch(({ stderr, message }: Error & { stderr?: string }) => {
    throw new Error(stderr || message);
  });
  return new Map(Object.entries(JSON.parse(stdout) as Record<string, number>));
}
