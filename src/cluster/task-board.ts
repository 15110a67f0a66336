// What the workers of one job tell each other, as keys of the coordinator:
//   tasks/<job>          somebody works on the job; its create revision names this life of the job
//   tasks/<job>/<task>   `running <worker>` or `done <worker>`
// All keys hang on the lease of the worker that wrote them and vanish with it. A finished task stays
// marked until then, and every claim names the life of the job that its plan was made in: so a worker
// whose plan is older than somebody's result cannot run that task again.
import { assert } from '../base/assert.ts';
import { CodrError } from '../base/error.ts';
import type { Coordinator, CoordinatorEntry, Lease } from '../coordination/coordinator.ts';

/** What was known before a plan was made. */
export interface BoardView {
  /** Create revision of the job's key. */
  readonly job: number;
  /** By task id. */
  readonly marks: ReadonlyMap<string, Mark>;
}

/** A task that this worker may run. */
export interface Claim {
  readonly taskId: string;
  /** Revision of its key while the claim stands. */
  readonly revision: number;
}

interface Mark {
  readonly running: boolean;
  readonly modifyRevision: number;
}

const encode = encodeURIComponent;

export class TaskBoard {
  readonly #coordinator: Coordinator;
  readonly #lease: Lease;
  readonly #worker: string;
  readonly #jobKey: string;
  readonly #tasksPrefix: string;

  constructor(coordinator: Coordinator, lease: Lease, worker: string, jobId: string) {
    this.#coordinator = coordinator;
    this.#lease = lease;
    this.#worker = worker;
    this.#jobKey = `tasks/${encode(jobId)}`;
    this.#tasksPrefix = `${this.#jobKey}/`;
  }

  /** To be called before planning: makes the job's key where there is none, and reads all marks. */
  async open(): Promise<BoardView> {
    for (;;) {
      const known = await this.#coordinator.get(this.#jobKey);
      if (known) return { job: known.createRevision, marks: await this.marks() };
      const put = { put: this.#jobKey, value: this.#worker, lease: this.#lease };
      await this.#coordinator.transact([{ key: this.#jobKey, createRevision: 0 }], [put]);
    }
  }

  /** What is known of the tasks now, by task id. */
  async marks(): Promise<ReadonlyMap<string, Mark>> {
    const entries = await this.#coordinator.list(this.#tasksPrefix);
    return new Map(entries.map((entry) => [this.#taskId(entry), markOf(entry)]));
  }

  /**
   * The claim when the task is this worker's now; undefined when another has it, or had it since `view`. A
   * task that was done before `view` and is planned again may be claimed again.
   */
  async claim(taskId: string, view: BoardView): Promise<Claim | undefined> {
    const mark = view.marks.get(taskId);
    if (mark?.running) return undefined;
    const key = this.#taskKey(taskId);
    const outcome = await this.#coordinator.transact(
      [
        { key: this.#jobKey, createRevision: view.job },
        { key, modifyRevision: mark?.modifyRevision ?? 0 },
      ],
      [{ put: key, value: `running ${this.#worker}`, lease: this.#lease }],
    );
    return outcome.done ? { taskId, revision: outcome.revision } : undefined;
  }

  /** Marks a claimed task as done. Errors: `lease-lost`. */
  async finish(claim: Claim): Promise<void> {
    const key = this.#taskKey(claim.taskId);
    const outcome = await this.#coordinator.transact(
      [{ key, modifyRevision: claim.revision }],
      [{ put: key, value: `done ${this.#worker}`, lease: this.#lease }],
    );
    if (outcome.done) return;
    const message = `the lease on task ${claim.taskId} ended before its work did`;
    throw new CodrError('lease-lost', message, { object: claim.taskId });
  }

  /** The plan of `view` was empty: ends this life of the job, so that no claim of an older plan succeeds. */
  async close(view: BoardView): Promise<void> {
    await this.#coordinator.transact(
      [{ key: this.#jobKey, createRevision: view.job }],
      [{ delete: this.#jobKey }],
    );
  }

  /** Yields after tasks were claimed, done or given up, by anybody. */
  watch(signal: AbortSignal): AsyncIterable<void> {
    return this.#coordinator.watch(this.#tasksPrefix, signal);
  }

  #taskKey(taskId: string): string {
    return this.#tasksPrefix + encode(taskId);
  }

  #taskId(entry: CoordinatorEntry): string {
    return decodeURIComponent(entry.key.slice(this.#tasksPrefix.length));
  }
}

function markOf(entry: CoordinatorEntry): Mark {
  const running = entry.value.startsWith('running ');
  assert(running || entry.value.startsWith('done '), `${entry.key} must be running or done`);
  return { running, modifyRevision: entry.modifyRevision };
}
