// Many worlds of one kind in processes of their own: where node:test follows every promise they take three times as long,
// as in a file that is run by itself. What peers that died wait for is never let go, so no process has too many worlds.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const program = fileURLToPath(new URL('main.ts', import.meta.url));
/** About 1 GB. */
const seedsOfProcessMax = 250;

/** What the worlds report, summed up by name. Throws with the seeds that failed, and how to see each. */
export async function manyWorlds(
  of: 'logs' | 'cuts' | 'peers',
  { from, seeds }: { readonly from: number; readonly seeds: number },
): Promise<ReadonlyMap<string, number>> {
  const totals = new Map<string, number>();
  const failures: string[] = [];
  for (let at = from; at < from + seeds; at += seedsOfProcessMax) {
    const count = Math.min(seedsOfProcessMax, from + seeds - at);
    const args = ['--of', of, '--from', String(at), '--seeds', String(count), '--json'];
    const running = promisify(execFile)(process.execPath, [program, ...args]);
    const { stdout } = await running.catch(({ stderr, message }: Error & { stderr?: string }) => {
      failures.push(stderr || message);
      return { stdout: '{}' };
    });
    for (const [what, number] of Object.entries(JSON.parse(stdout) as Record<string, number>)) {
      totals.set(what, (totals.get(what) ?? 0) + number);
    }
  }
  if (failures.length > 0) throw new Error(failures.join(''));
  return totals;
}
