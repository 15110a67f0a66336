// A repository, jobs and workers for the tests of the task runner. No chance and no real time.
import { ManualClock } from '../../test/harness/manual-clock.ts';
import { CodrError, isCodrError } from '../base/error.ts';
import { silentLogger } from '../base/log.ts';
import type { Coordinator, Lease } from '../coordination/coordinator.ts';
import { MemoryCoordinator } from '../coordination/memory/memory-coordinator.ts';
import type { Job, RunJobOptions, TaskContext } from './task-runner.ts';

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
export const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await turn();
};

/** The repository of a test: names of finished work, and who did what in which order. */
export class Work {
  readonly done = new Set<string>();
  readonly log: string[] = [];

  job(
    names: readonly string[],
    worker: string,
    run: (name: string, context: TaskContext) => Promise<void> = turn,
  ): Job {
    const task = (name: string, i: number) => ({
      id: name,
      weight: names.length - i,
      run: async (context: TaskContext): Promise<void> => {
        this.log.push(`${worker} ${name}`);
        await run(name, context);
        this.done.add(name);
      },
    });
    return {
      id: 'job',
      plan: async () => names.map(task).filter(({ id }) => !this.done.has(id)),
    };
  }
}

const transient = (error: unknown): boolean => isCodrError(error, 'source-unreachable');
export const passing = (): CodrError => new CodrError('source-unreachable', 'no answer');

export function optionsFor(
  coordinator: Coordinator,
  worker: string,
  changes: Partial<RunJobOptions> = {},
): RunJobOptions {
  return {
    coordinator,
    worker,
    clock: new ManualClock({ jumps: true }),
    leaseTtlMs: 10_000,
    concurrency: 2,
    attempts: 3,
    transient,
    signal: new AbortController().signal,
    log: silentLogger,
    ...changes,
  };
}

export const coordinatorOf = (): MemoryCoordinator => new MemoryCoordinator(new ManualClock());

/** Keeps the leases that were given out, so that a test can end them. */
export function withLeases(coordinator: MemoryCoordinator): { seen: Coordinator; leases: Lease[] } {
  const leases: Lease[] = [];
  const seen = Object.create(coordinator, {
    lease: {
      value: async (ttlMs: number) => {
        const lease = await coordinator.lease(ttlMs);
        leases.push(lease);
        return lease;
      },
    },
  }) as Coordinator;
  for (const name of ['get', 'list', 'transact', 'watch'] as const) {
    Object.assign(seen, { [name]: coordinator[name].bind(coordinator) });
  }
  return { seen, leases };
}

/** Runs until told to stop. */
export function untilAborted({ signal }: TaskContext): Promise<void> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
