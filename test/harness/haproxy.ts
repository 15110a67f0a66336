// A real HAProxy for tests, with the configuration that users get, ended with this process however it ends.
import { type ChildProcess, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { rootFolder } from '../source-files.ts';
import { unpacked } from './debian.ts';

const packages = [
  {
    requirement: 'haproxy=2.6.12-1+deb12u4',
    sha256: '97ca097d12b43fc5cb1b17aa5e84957735ef312a2e02cf8a99512fa1abe8a955',
  },
  {
    requirement: 'liblua5.3-0=5.3.6-2',
    sha256: '576ad8ef2e9f6ad21f29f0c90dac17448deefee8f3912877c2a0911b77e5d3ca',
  },
  {
    requirement: 'libopentracing-c-wrapper0=1.1.3-3+b1',
    sha256: '68013bf6296a776923622c871bed26bc7b6bfe5f84b0fa2707a06382d1db2692',
  },
  {
    requirement: 'libopentracing1=1.6.0-4',
    sha256: 'af62b62a99979253a79e3443f7dabe13f1f33bc2fc024f99039e3868a67f26f4',
  },
] as const;

const pollMs = 50;
const attemptsMax = 200;

/** `variables`: what `deploy/haproxy/haproxy.cfg` asks for. `CODR_HAPROXY` names another program. */
export async function startHaproxy(
  variables: Readonly<Record<string, string>>,
): Promise<AsyncDisposable> {
  const named = process.env.CODR_HAPROXY;
  const tree = named ?? (await unpacked('haproxy-2.6.12', packages));
  const program = named ?? join(tree, 'usr/sbin/haproxy');
  const libraries = named ? {} : { LD_LIBRARY_PATH: join(tree, 'usr/lib/x86_64-linux-gnu') };
  const config = `${rootFolder}deploy/haproxy/haproxy.cfg`;
  // -db: it stays in the foreground, so it ends with us.
  const child = spawn(program, ['-db', '-f', config], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...libraries, ...variables },
  });
  const end = (): boolean => child.kill('SIGKILL');
  process.once('exit', end);
  await started(child, variables.CODR_BIND as string);
  return {
    async [Symbol.asyncDispose]() {
      process.removeListener('exit', end);
      if (child.exitCode !== null) return;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await gone;
    },
  };
}

/** It says nothing when all is well: it is there when it takes connections. */
async function started(child: ChildProcess, bind: string): Promise<void> {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [host, port] = bind.split(':');
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    if (child.exitCode !== null) throw new Error(`haproxy ended with ${child.exitCode}: ${said}`);
    const isThere = await new Promise<boolean>((resolve) => {
      const socket = connect({ host: host as string, port: Number(port) });
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (isThere) return;
    await sleep(pollMs);
  }
  throw new Error(`haproxy does not listen on ${bind}: ${said}`);
}
