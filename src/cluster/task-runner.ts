// Runs a job together with every other worker that runs the same one. A job is the difference between
// what is wanted and what the repository holds, so it can always be planned again: there is no state to
// hand over, and a worker that dies leaves tasks that another plans and takes.
// Plan → claim, largest first → run → mark as done → plan again, until the plan is empty.
import { assert } from '../base/assert.ts';
import { forEachLimit } from '../base/async.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Coordinator } from '../coordination/coordinator.ts';
import { TaskBoard } from './task-board.ts';

/** A unit of work. Idempotent; its result is in the repository when `run` resolves. */
export interface Task {
  /** Unique within the job and equal in every plan, whoever makes it. */
  readonly id: string;
  /** Relative size; the largest is started first. */
  readonly weight: number;
  run(context: TaskContext): Promise<void>;
}

export interface TaskContext {
  /** Aborted when the work must stop: cancelled, another task failed, or the lease is lost. */
  readonly signal: AbortSignal;
}

export interface Job {
  /** Equal for all workers that share the job. */
  readonly id: string;
  /** Tasks that wait for something else than work need others beside them: so many run for each one that could. */
  readonly tasksPerSlot?: number;
  /** What is still to do; empty when the job is done. */
  plan(signal: AbortSignal): Promise<readonly Task[]>;
}

export interface RunJobOptions {
  readonly coordinator: Coordinator;
  /** Name of this worker, unique among those that share the job. */
  readonly worker: string;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly leaseTtlMs: number;
  /** Tasks that this worker runs at a time. */
  readonly concurrency: number;
  /** Tries of a task that fails for a moment, and runs of a task that is planned again and again. */
  readonly attempts: number;
  /** True for an error that may pass; every other one fails the job at once. */
  transient(error: unknown): boolean;
  readonly signal: AbortSignal;
  readonly log: Logger;
}

/** Wait before the second try, doubled before each later one. */
const retryDelayMsFirst = 500;
const retryDelayMsMax = 30_000;

/**
 * Resolves when nothing is left to do, also where others did it. The first error of a task ends the other
 * tasks of this worker and is thrown when they have ended. Errors: those of tasks and plans; `lease-lost`;
 * the reason of `signal`; a broken promise when a task stays planned after `attempts` runs.
 */
export async function runJob(job: Job, options: RunJobOptions): Promise<void> {
  options.signal.throwIfAborted();
  await using lease = await options.coordinator.lease(options.leaseTtlMs);
  const signal = AbortSignal.any([options.signal, lease.lost]);
  const board = new TaskBoard(options.coordinator, lease, options.worker, job.id);
  const round = new Round(job, board, options);
  try {
    while (!(await round.run(signal))) signal.throwIfAborted();
  } catch (error) {
    // What a task threw because it was told to stop says less than why it was told.
    throw signal.aborted ? signal.reason : error;
  }
}

class Round {
  readonly #job: Job;
  readonly #board: TaskBoard;
  readonly #options: RunJobOptions;
  /** Times that this worker ran a task to its end, by task id. */
  readonly #runs = new Map<string, number>();

  constructor(job: Job, board: TaskBoard, options: RunJobOptions) {
    this.#job = job;
    this.#board = board;
    this.#options = options;
  }

  /** One plan and what this worker can do of it. True when the job is done. */
  async run(signal: AbortSignal): Promise<boolean> {
    const view = await this.#board.open();
    const tasks = await this.#attempt('plan', signal, () => this.#job.plan(signal));
    this.#check(tasks);
    if (tasks.length === 0) {
      await this.#board.close(view);
      return true;
    }
    const left: Task[] = [];
    let claimed = 0;
    const largestFirst = [...tasks].sort((a, b) => b.weight - a.weight || (a.id < b.id ? -1 : 1));
    await forEachLimit(
      largestFirst,
      this.#options.concurrency * (this.#job.tasksPerSlot ?? 1),
      async (task, stop) => {
        const claim = await this.#board.claim(task.id, view);
        if (!claim) return void left.push(task);
        claimed++;
        const named = { job: this.#job.id, task: task.id };
        this.#options.log.debug({ ...named, weight: task.weight }, 'task begun');
        await this.#attempt(task.id, stop, () => task.run({ signal: stop }));
        stop.throwIfAborted();
        await this.#board.finish(claim);
        this.#options.log.debug(named, 'task finished');
        this.#runs.set(task.id, (this.#runs.get(task.id) ?? 0) + 1);
      },
      signal,
    );
    if (claimed === 0) await this.#waitForOthers(left, signal);
    return false;
  }

  #check(tasks: readonly Task[]): void {
    const ids = new Set(tasks.map((task) => task.id));
    assert(ids.size === tasks.length, `job ${this.#job.id} must plan each task once`);
    for (const task of tasks) {
      const runs = this.#runs.get(task.id) ?? 0;
      assert(
        runs < this.#options.attempts,
        `task ${task.id} of job ${this.#job.id} must leave the plan when done; it ran ${runs} times`,
      );
    }
  }

  async #attempt<T>(what: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const { attempts, clock, log } = this.#options;
    for (let attempt = 1; ; attempt++) {
      signal.throwIfAborted();
      try {
        return await work();
      } catch (error) {
        if (signal.aborted || attempt >= attempts || !this.#options.transient(error)) throw error;
        const delayMs = Math.min(retryDelayMsMax, retryDelayMsFirst * 2 ** (attempt - 1));
        const why = error instanceof Error ? error.message : String(error);
        // For people the sentence is enough; which of many tasks it was is for those who look closer.
        log.warn({}, `${why}: trying again in ${delayMs / 1000} s (${attempt + 1} of ${attempts})`);
        log.debug({ job: this.#job.id, task: what, error }, 'the task failed');
        await clock.sleep(delayMs, signal);
      }
    }
  }

  /** Waits until a new plan may find work: a task was given up, or none of them is running any more. */
  async #waitForOthers(left: readonly Task[], signal: AbortSignal): Promise<void> {
    const done = new AbortController();
    const stop = AbortSignal.any([signal, done.signal]);
    const hints = this.#board.watch(stop)[Symbol.asyncIterator]();
    try {
      let hint = hints.next();
      hint.catch(() => {}); // how it ends is no news to who has left before
      while (await this.#othersAreBusy(left)) {
        // Hints can be late or lost; a lease's time is the longest that a death stays unseen anyway.
        const tick = new AbortController();
        const pause = this.#options.clock.sleep(
          this.#options.leaseTtlMs,
          AbortSignal.any([signal, tick.signal]),
        );
        const told = await Promise.race([hint.then(() => true), pause.then(() => false)]).finally(
          () => {
            tick.abort();
            pause.catch(() => {});
          },
        );
        signal.throwIfAborted();
        if (told) hint = hints.next();
        hint.catch(() => {});
      }
    } finally {
      done.abort();
    }
  }

  async #othersAreBusy(left: readonly Task[]): Promise<boolean> {
    const marks = await this.#board.marks();
    const none = left.some((task) => !marks.has(task.id));
    return !none && left.some((task) => marks.get(task.id)?.running);
  }
}
