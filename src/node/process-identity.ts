// Who this process is, so that another can tell whether it still lives: machine, boot, process id and start
// time. A process id alone is not enough, since ids come round again; a host name alone is not either, since
// two machines may have the same, and containers share a kernel. Sources: proc(5), machine-id(5).
import { createHmac } from 'node:crypto';
import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';

export interface ProcessIdentity {
  readonly host: string;
  /** Stays for the life of an installation; empty where the system does not say. Not the system's own text. */
  readonly machineId: string;
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
    machineId: await machineId(),
    bootId: await textOr('', readFile('/proc/sys/kernel/random/boot_id', 'utf8')),
    pidSpace: await textOr('', readlink('/proc/self/ns/pid')),
    pid: process.pid,
    startTicks: (await readStat(process.pid))?.startTicks ?? '',
  };
}

/**
 * `dead` only when it is certain: the machine has started anew since, or no such process is on it. A kernel
 * is told by its boot id, or by the machine's where it says none. `unknown` for other machines, for other
 * containers, and after a new start of what does not say which machine it is. `self`: this process.
 */
export async function isAlive(
  other: ProcessIdentity,
  self?: ProcessIdentity,
): Promise<'alive' | 'dead' | 'unknown'> {
  const here = self ?? (await currentProcess());
  if (other.host !== here.host) return 'unknown';
  const isSameMachine = other.machineId === here.machineId && here.machineId !== '';
  if (other.bootId !== here.bootId) return isSameMachine ? 'dead' : 'unknown';
  if (here.bootId === '' && !isSameMachine) return 'unknown';
  if (other.pidSpace !== here.pidSpace) return 'unknown';
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

/** The system's id is to be kept from untrusted places, so a hash of it is what others get to see. */
async function machineId(): Promise<string> {
  const text =
    (await textOr('', readFile('/etc/machine-id', 'utf8'))) ||
    (await textOr('', readFile('/var/lib/dbus/machine-id', 'utf8')));
  // Of an image that was not started yet: nothing that tells machines apart.
  if (text === '' || text === 'uninitialized') return '';
  return createHmac('sha256', text).update('codr/1/machine').digest('hex').slice(0, 32);
}
