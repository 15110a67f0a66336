// A server process of a test that never outlives it: a shell watches our end of a pipe and kills the server when it
// closes, however we end.
import { spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const pollMs = 50;

export interface WatchedOptions {
  /** Its own; what it says is in `NAME.log` there. Removed when it ends. */
  readonly folder: string;
  readonly name: string;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface Watched {
  readonly hasEnded: boolean;
  /** Kills it, and resolves when it and its folder are gone. */
  stop(): Promise<void>;
}

/** Starts the program; when it is ready is for its caller to find out. */
export function startWatched(
  [program, ...args]: readonly [string, ...string[]],
  { folder, name, environment = {} }: WatchedOptions,
): Watched {
  // A command in the background reads nothing unless it is told where from.
  const script =
    'folder="$1"; shift; exec 3<&0; "$@" </dev/null 3<&- & server=$!; ' +
    '(cat <&3 >/dev/null; kill -9 $server) 2>/dev/null & watcher=$!; ' +
    'wait $server; kill $watcher; rm -rf "$folder"';
  const log = openSync(join(folder, `${name}.log`), 'a');
  const child = spawn('sh', ['-c', script, 'codr-server', folder, program, ...args], {
    stdio: ['pipe', log, log],
    detached: true,
    env: { ...process.env, ...environment },
    cwd: folder,
  });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.unref();
  (child.stdin as unknown as { unref?: () => void }).unref?.();
  return {
    get hasEnded() {
      return child.exitCode !== null || child.signalCode !== null;
    },
    async stop() {
      child.stdin?.destroy();
      await gone;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Resolves when `isReady` says so. Rejects when a server ended, or after `msMax`. */
export async function untilReady(
  what: string,
  {
    isReady,
    msMax,
    of,
  }: {
    readonly isReady: () => Promise<boolean>;
    readonly msMax: number;
    readonly of: readonly Watched[];
  },
): Promise<void> {
  const end = performance.now() + msMax;
  while (!(await isReady())) {
    if (of.some(({ hasEnded }) => hasEnded)) throw new Error(`${what} ended at once`);
    if (performance.now() > end) throw new Error(`${what} did not answer in ${msMax} ms`);
    await sleep(pollMs);
  }
}

/** True when the server answers with a status that `fits`. */
export async function answers(url: string, fits: (status: number) => boolean): Promise<boolean> {
  return await fetch(url).then(
    async (answer) => {
      await answer.arrayBuffer();
      return fits(answer.status);
    },
    () => false,
  );
}

/** `count` ports of the loopback in a row, `apart` from each other, of which each was free a moment ago. */
export async function freePorts(count: number, apart = 1): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const first = await portThatIsFree(0);
    if (first === undefined || first + count * apart > 55_000) continue;
    let free = true;
    for (let i = 1; free && i < count; i++) {
      free = (await portThatIsFree(first + i * apart)) !== undefined;
    }
    if (free) return first;
  }
  throw new Error(`no ${count} ports in a row are free`);
}

async function portThatIsFree(wanted: number): Promise<number | undefined> {
  const server = createServer();
  const isFree = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(wanted, '127.0.0.1', () => resolve(true));
  });
  if (!isFree) return undefined;
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' ? address?.port : undefined;
}
