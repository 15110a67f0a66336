// Runs a program and says what it cost: seconds, CPU seconds, peak memory, and the CPU seconds of the
// database servers that it used. Linux only (/proc).
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { rootFolder } from '../test/source-files.ts';

export interface Cost {
  readonly seconds: number;
  /** User and system time of the program, all threads. */
  readonly cpuSeconds: number;
  readonly serverCpuSeconds: number;
  readonly peakBytes: number;
  readonly stdout: string;
}

const pollMs = 25;
/** USER_HZ of Linux on every common platform. */
const ticksPerSecond = 100;

/** A program of this repository, by the same Node. Extra V8 flags: CODR_BENCH_NODE_FLAGS. */
export async function runProgram(
  path: string,
  args: readonly string[],
  servers: readonly number[] = [],
): Promise<Cost> {
  const flags = (process.env.CODR_BENCH_NODE_FLAGS ?? '').split(' ').filter(Boolean);
  return await runCommand(process.execPath, [...flags, `${rootFolder}${path}`, ...args], servers);
}

/** Rejects when the command ends with another code than 0, with what it said. */
export async function runCommand(
  command: string,
  args: readonly string[],
  servers: readonly number[] = [],
): Promise<Cost> {
  const before = servers.map(cpuOf);
  const start = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const pid = child.pid as number;
  let [stdout, stderr, cpuSeconds, peakBytes] = ['', '', 0, 0];
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  const poll = setInterval(() => {
    cpuSeconds = Math.max(cpuSeconds, cpuOf(pid));
    peakBytes = Math.max(peakBytes, peakOf(pid));
  }, pollMs);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve);
  }).finally(() => clearInterval(poll));
  const seconds = (performance.now() - start) / 1000;
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${stderr}`);
  const serverCpuSeconds = servers.reduce((sum, one, i) => sum + cpuOf(one) - (before[i] ?? 0), 0);
  return { seconds, cpuSeconds, serverCpuSeconds, peakBytes, stdout };
}

/** A program that runs until it is told to stop. */
export interface RunningProgram {
  /** Resolves once the error output holds `text`; rejects when the program ends before. */
  said(text: string): Promise<void>;
  /** SIGTERM, then waits for the end; the CPU seconds it used. */
  stop(): Promise<number>;
}

export function startProgram(path: string, args: readonly string[]): RunningProgram {
  const child = spawn(process.execPath, [`${rootFolder}${path}`, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let output = '';
  let heard = (): void => {};
  child.stderr.setEncoding('utf8').on('data', (text) => {
    output += text;
    heard();
  });
  const end = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return {
    said: (text) =>
      new Promise((resolve, reject) => {
        heard = () => {
          if (output.includes(text)) resolve();
        };
        heard();
        void end.then(() => reject(new Error(`${path} ended: ${output}`)));
      }),
    stop: async () => {
      const cpuSeconds = cpuOf(child.pid as number);
      child.kill('SIGTERM');
      await end;
      return cpuSeconds;
    },
  };
}

/** User and system seconds of a process so far; 0 when it is gone. proc_pid_stat(5), fields 14 and 15. */
export function cpuOf(pid: number): number {
  const fields = read(`/proc/${pid}/stat`)
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / ticksPerSecond || 0;
}

/** Bytes that a process has read and written so far: files, servers, other processes. proc_pid_io(5). */
export function bytesMovedBy(pid: number): number {
  const text = read(`/proc/${pid}/io`);
  const figure = (name: string): number =>
    Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return figure('rchar') + figure('wchar');
}

/** Largest resident set so far. */
function peakOf(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) * 1024;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
