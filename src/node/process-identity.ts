// Who this process is, so that another can tell whether it still lives: host, boot, process id and start
// time. A process id alone is not enough, since ids come round again; a host name alone is not either,
// since containers share a kernel. Source of the fields: proc(5).
import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';

export interface ProcessIdentity {
  readonly host: string;
  /** Changes with every start of the kernel; empty where the system does not say. */
  readonly bootId: string;
  /** The process id namespace (a container's own); empty where the system does not say. */
  readonly pidSpace: string;
  readonly pid: number;
  /** Clock ticks from boot to the start of the process; empty where the system does not say. */
  readonly startTicks: string;
}

export async function currentProcess(): Promise<ProcessIdentity> {
  return {
    host: hostname(),
    bootId: await textOr('', readFile('/proc/sys/kernel/random/boot_id', 'utf8')),
    pidSpace: await textOr('', readlink('/proc/self/ns/pid')),
    pid: process.pid,
    startTicks: (await readStat(process.pid))?.startTicks ?? '',
  };
}

/**
 * `dead` only when it is certain: this host has started anew since, or no such process is on it.
 * `unknown` for other hosts and other containers.
 */
export async function isAlive(other: ProcessIdentity): Promise<'alive' | 'dead' | 'unknown'> {
  const self = await currentProcess();
  if (other.host !== self.host) return 'unknown';
  if (other.bootId !== self.bootId) return 'dead';
  if (other.pidSpace !== self.pidSpace) return 'unknown';
  if (other.startTicks === '') return signalReaches(other.pid) ? 'alive' : 'dead';
  const stat = await readStat(other.pid);
  return stat && !stat.ended && stat.startTicks === other.startTicks ? 'alive' : 'dead';
}

/** For messages: `host-1, process 4711`. */
export function describeProcess(identity: ProcessIdentity): string {
  return `${identity.host}, process ${identity.pid}`;
}

/** Fields 3 and 22 of /proc/<pid>/stat; the name in field 2 may hold blanks and brackets. */
async function readStat(pid: number): Promise<{ startTicks: string; ended: boolean } | undefined> {
  const line = await textOr('', readFile(`/proc/${pid}/stat`, 'utf8'));
  if (line === '') return undefined;
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  return { startTicks: fields[19] ?? '', ended: fields[0] === 'Z' || fields[0] === 'X' };
}

function signalReaches(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function textOr(fallback: string, read: Promise<string>): Promise<string> {
  try {
    return (await read).trim();
  } catch {
    return fallback;
  }
}
