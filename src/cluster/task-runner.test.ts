import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/harness/manual-clock.ts';
import { BrokenPromiseError } from '../base/assert.ts';
import { CodrError, isCodrError } from '../base/error.ts';
import { silentLogger } from '../base/log.ts';
import { SeededRandom } from '../base/random.ts';
import type { Coordinator, Lease } from '../coordination/coordinator.ts';
import { MemoryCoordinator } from '../coordination/memory/memory-coordinator.ts';
import { type Job, type RunJobOptions, runJob, type TaskContext } from './task-runner.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await turn();
};

/** The repository of a test: names of finished work, and who did what in which order. */
class Work {
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
const passing = (): CodrError => new CodrError('source-unreachable', 'no answer');

function optionsFor(
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

const coordinatorOf = (): MemoryCoordinator => new MemoryCoordinator(new ManualClock());

/** Keeps the leases that were given out, so that a test can end them. */
function withLeases(coordinator: MemoryCoordinator): { seen: Coordinator; leases: Lease[] } {
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
function untilAborted({ signal }: TaskContext): Promise<void> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

test('a job whose plan is empty is done at once and leaves no keys', async () => {
  const coordinator = coordinatorOf();
  await runJob(new Work().job([], 'w'), optionsFor(coordinator, 'w'));
  assert.deepEqual(await coordinator.list(''), []);
});

test('tasks start largest first, no more at a time than allowed', async () => {
  const work = new Work();
  let [running, most] = [0, 0];
  const job = work.job(['c', 'e', 'a', 'd', 'b'], 'w', async () => {
    most = Math.max(most, ++running);
    await turns(3);
    running--;
  });
  const shuffled = { ...job, plan: async () => (await job.plan(AbortSignal.abort())).toReversed() };
  const coordinator = coordinatorOf();
  await runJob(shuffled, optionsFor(coordinator, 'w'));
  assert.deepEqual(work.log, ['w c', 'w e', 'w a', 'w d', 'w b']);
  assert.equal(most, 2);
  assert.deepEqual(await coordinator.list(''), []);
});

test('work that shows only when the first is done is planned and done too', async () => {
  const work = new Work();
  const job: Job = {
    id: 'job',
    plan: async (signal) =>
      (await work.job(['a', 'b'], 'w').plan(signal)).filter(
        ({ id }) => id === 'a' || work.done.has('a'),
      ),
  };
  await runJob(job, optionsFor(coordinatorOf(), 'w'));
  assert.deepEqual(work.log, ['w a', 'w b']);
});

test('two workers share a job and do no task twice', async () => {
  const coordinator = coordinatorOf();
  const work = new Work();
  const names = Array.from({ length: 40 }, (_, i) => `task/${i}`);
  await Promise.all(
    ['w1', 'w2'].map((worker) =>
      runJob(
        work.job(names, worker, () => turns(2)),
        optionsFor(coordinator, worker),
      ),
    ),
  );
  assert.equal(work.log.length, 40);
  assert.deepEqual([...work.done].sort(), [...names].sort());
  for (const worker of ['w1', 'w2']) {
    assert.ok(
      work.log.some((line) => line.startsWith(worker)),
      `${worker} did nothing`,
    );
  }
  assert.deepEqual(await coordinator.list(''), []);
});

test('a worker whose plan is older than the results of another does nothing twice', async () => {
  const coordinator = coordinatorOf();
  const work = new Work();
  let letPlan = (): void => {};
  const gate = new Promise<void>((resolve) => {
    letPlan = resolve;
  });
  const names = ['a', 'b', 'c'];
  const slow = work.job(names, 'slow');
  let plans = 0;
  const late: Job = {
    id: 'job',
    plan: async (signal) => {
      const tasks = await slow.plan(signal);
      if (++plans === 1) await gate;
      return tasks;
    },
  };
  const slowRun = runJob(late, optionsFor(coordinator, 'slow'));
  await turn();
  await runJob(work.job(names, 'fast'), optionsFor(coordinator, 'fast'));
  letPlan();
  await slowRun;
  assert.deepEqual(work.log, ['fast a', 'fast b', 'fast c']);
});

test('a worker that finds all tasks taken waits for the other one', async () => {
  const coordinator = coordinatorOf();
  const work = new Work();
  let finish = (): void => {};
  const gate = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const clock = new ManualClock();
  const first = runJob(
    work.job(['a'], 'w1', () => gate),
    optionsFor(coordinator, 'w1'),
  );
  await turn();
  let secondDone = false;
  const second = runJob(work.job(['a'], 'w2'), optionsFor(coordinator, 'w2', { clock })).then(
    () => {
      secondDone = true;
    },
  );
  await turns(5);
  assert.equal(secondDone, false);
  finish();
  await Promise.all([first, second]);
  assert.deepEqual(work.log, ['w1 a']);
  assert.equal(clock.sleeping, 0);
});

test('work that a worker itself made possible does not wait for the others', async () => {
  const coordinator = coordinatorOf();
  const work = new Work();
  let finish = (): void => {};
  const gate = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const other = runJob(
    work.job(['x'], 'w1', () => gate),
    optionsFor(coordinator, 'w1'),
  );
  await turn();
  const all = work.job(['x', 'a', 'b'], 'w2');
  const job: Job = {
    id: 'job',
    plan: async (signal) =>
      (await all.plan(signal)).filter(({ id }) => id !== 'b' || work.done.has('a')),
  };
  const own = runJob(job, optionsFor(coordinator, 'w2', { clock: new ManualClock() }));
  await turns(10);
  assert.deepEqual(work.log, ['w1 x', 'w2 a', 'w2 b']);
  finish();
  await Promise.all([other, own]);
});

test('a task that was given up is taken while other tasks still run elsewhere', async () => {
  const coordinator = coordinatorOf();
  const { seen, leases } = withLeases(coordinator);
  const work = new Work();
  let finish = (): void => {};
  const gate = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const one = { concurrency: 1, clock: new ManualClock() };
  const names = ['a', 'b'];
  const busy = runJob(
    work.job(names, 'w1', () => gate),
    optionsFor(seen, 'w1', one),
  );
  await turn();
  const dying = assert.rejects(
    runJob(
      work.job(names, 'w2', (_, context) => untilAborted(context)),
      optionsFor(seen, 'w2', one),
    ),
  );
  await turns(3);
  const waiting = runJob(work.job(names, 'w3'), optionsFor(seen, 'w3', one));
  await turns(5);
  assert.deepEqual(work.log, ['w1 a', 'w2 b']);
  coordinator.expire(leases[1] as Lease);
  await turns(10);
  assert.deepEqual(work.log, ['w1 a', 'w2 b', 'w3 b']);
  finish();
  await Promise.all([busy, dying, waiting]);
});

test('a lost lease is named whatever the stopped task throws', async () => {
  const coordinator = coordinatorOf();
  const { seen, leases } = withLeases(coordinator);
  const job = new Work().job(['a'], 'w', async (_, context) => {
    await untilAborted(context).catch(() => {
      throw new Error('connection closed');
    });
  });
  const run = runJob(job, optionsFor(seen, 'w'));
  await turn();
  coordinator.expire(leases[0] as Lease);
  await assert.rejects(run, (error) => isCodrError(error, 'lease-lost'));
});

test('a task whose mark was taken away cannot be reported as done', async () => {
  const coordinator = coordinatorOf();
  const job = new Work().job(['a'], 'w', async () => {
    await coordinator.transact([], [{ delete: 'tasks/job/a' }]);
  });
  await assert.rejects(runJob(job, optionsFor(coordinator, 'w')), (error) =>
    isCodrError(error, 'lease-lost'),
  );
});

test('the tasks of a worker whose lease ends are stopped and taken over', async () => {
  const coordinator = coordinatorOf();
  const { seen, leases } = withLeases(coordinator);
  const work = new Work();
  const dying = runJob(
    work.job(['a', 'b'], 'w1', (_, context) => untilAborted(context)),
    optionsFor(seen, 'w1'),
  );
  const lost = assert.rejects(dying, (error) => isCodrError(error, 'lease-lost'));
  await turn();
  const clock = new ManualClock();
  const heir = runJob(work.job(['a', 'b'], 'w2'), optionsFor(coordinator, 'w2', { clock }));
  await turns(5);
  assert.deepEqual(work.log, ['w1 a', 'w1 b']);
  coordinator.expire(leases[0] as Lease);
  await Promise.all([lost, heir]);
  assert.deepEqual(work.log, ['w1 a', 'w1 b', 'w2 a', 'w2 b']);
});

test('a worker that does not notice its lost lease cannot report its task as done', async () => {
  const coordinator = coordinatorOf();
  const { seen, leases } = withLeases(coordinator);
  const work = new Work();
  const deaf = work.job(['a'], 'w1', async () => coordinator.expire(leases[0] as Lease));
  await assert.rejects(runJob(deaf, optionsFor(seen, 'w1')), (error) =>
    isCodrError(error, 'lease-lost'),
  );
});

test('a worker that waits looks again after the time of a lease without any hint', async () => {
  const coordinator = coordinatorOf();
  const work = new Work();
  const lease = await coordinator.lease(10_000);
  const put = { put: 'tasks/job/a', value: 'running gone', lease };
  await coordinator.transact([], [put]);
  const deaf = withLeases(coordinator).seen;
  Object.assign(deaf, { watch: (_: string, signal: AbortSignal) => silence(signal) });
  const clock = new ManualClock();
  const run = runJob(work.job(['a'], 'w'), optionsFor(deaf, 'w', { clock }));
  await clock.advance(9_999);
  coordinator.expire(lease);
  await turns(3);
  assert.deepEqual(work.log, []);
  await clock.advance(1);
  await run;
  assert.deepEqual(work.log, ['w a']);
});

async function* silence(signal: AbortSignal): AsyncGenerator<void> {
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}

test('a task that fails for a moment is tried again, with growing waits', async () => {
  const clock = new ManualClock({ jumps: true });
  const work = new Work();
  let failures = 2;
  const job = work.job(['a'], 'w', async () => {
    if (failures-- > 0) throw passing();
  });
  await runJob(job, optionsFor(coordinatorOf(), 'w', { clock }));
  assert.deepEqual(work.log, ['w a', 'w a', 'w a']);
  assert.deepEqual(clock.sleptMs, [500, 1000]);
});

test('a task that never succeeds fails the job after the given attempts', async () => {
  const work = new Work();
  const job = work.job(['a'], 'w', async () => {
    throw passing();
  });
  await assert.rejects(runJob(job, optionsFor(coordinatorOf(), 'w')), (error) =>
    isCodrError(error, 'source-unreachable'),
  );
  assert.equal(work.log.length, 3);
});

test('an error that will not pass fails the job at once and stops the other tasks', async () => {
  const coordinator = coordinatorOf();
  const work = new Work();
  const reasons: unknown[] = [];
  const failure = new CodrError('source-rights', 'not allowed');
  const job = work.job(['a', 'b', 'c'], 'w', async (name, context) => {
    if (name === 'b') throw failure;
    await untilAborted(context).catch((reason) => reasons.push(reason));
  });
  await assert.rejects(runJob(job, optionsFor(coordinator, 'w')), (error) => error === failure);
  assert.deepEqual(work.log, ['w a', 'w b']);
  assert.deepEqual(reasons, [failure]);
  assert.deepEqual(await coordinator.list(''), []);
});

test('a plan that fails for a moment is made again', async () => {
  const work = new Work();
  const job = work.job(['a'], 'w');
  let failures = 1;
  const shaky: Job = {
    id: 'job',
    plan: async (signal) => {
      if (failures-- > 0) throw passing();
      return job.plan(signal);
    },
  };
  await runJob(shaky, optionsFor(coordinatorOf(), 'w'));
  assert.deepEqual(work.log, ['w a']);
});

test('a task that stays planned however often it runs is a broken promise', async () => {
  let runs = 0;
  const run = async (): Promise<void> => void runs++;
  const job: Job = { id: 'job', plan: async () => [{ id: 'a', weight: 1, run }] };
  await assert.rejects(runJob(job, optionsFor(coordinatorOf(), 'w')), BrokenPromiseError);
  assert.equal(runs, 3);
});

test('a plan that names a task twice is a broken promise', async () => {
  const task = { id: 'a', weight: 1, run: turn };
  const job: Job = { id: 'job', plan: async () => [task, { ...task }] };
  await assert.rejects(runJob(job, optionsFor(coordinatorOf(), 'w')), BrokenPromiseError);
});

test('cancelling stops tasks and waits, passes its reason on and frees the tasks', async () => {
  const coordinator = coordinatorOf();
  const work = new Work();
  const stop = new AbortController();
  const reason = new Error('stopped by the test');
  const cancel = { signal: stop.signal, clock: new ManualClock() };
  const busy = work.job(['a'], 'w1', (_, context) => untilAborted(context));
  const runs = [runJob(busy, optionsFor(coordinator, 'w1', cancel))];
  await turn();
  runs.push(runJob(work.job(['a'], 'w2'), optionsFor(coordinator, 'w2', cancel)));
  await turns(3);
  stop.abort(reason);
  for (const run of runs) await assert.rejects(run, (error) => error === reason);
  assert.deepEqual(work.log, ['w1 a']);
  assert.deepEqual(await coordinator.list(''), []);
});

test('jobs and tasks whose names hold slashes are kept apart', async () => {
  const coordinator = coordinatorOf();
  const work = new Work();
  const one = { ...work.job(['b/c'], 'w1', () => turns(3)), id: 'a' };
  const two = { ...work.job(['c'], 'w2', () => turns(3)), id: 'a/b' };
  await Promise.all([
    runJob(one, optionsFor(coordinator, 'w1')),
    runJob(two, optionsFor(coordinator, 'w2')),
  ]);
  assert.deepEqual(work.log.sort(), ['w1 b/c', 'w2 c']);
});

test('whoever dies whenever, all is done and no two live workers run one task at a time', async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new SeededRandom(seed);
    const coordinator = coordinatorOf();
    const { seen, leases } = withLeases(coordinator);
    const work = new Work();
    const names = Array.from({ length: 12 }, (_, i) => `${i}`);
    const running = new Map<string, AbortSignal>();
    let deaths = 0;
    const worker = async (name: string): Promise<void> => {
      const job = work.job(names, name, async (task, { signal }) => {
        assert.ok(running.get(task)?.aborted !== false, `seed ${seed}: two run ${task}`);
        running.set(task, signal);
        for (let left = random.below(6); left > 0 && !signal.aborted; left--) await turn();
        signal.throwIfAborted();
        running.delete(task);
      });
      for (let life = 0; ; life++) {
        try {
          return await runJob(job, optionsFor(seen, `${name}.${life}`));
        } catch (error) {
          if (!isCodrError(error, 'lease-lost')) throw error;
        }
      }
    };
    const killer = async (): Promise<void> => {
      for (; deaths < 5; deaths++) {
        await turns(random.below(8));
        const victim = leases[random.below(leases.length)];
        if (victim) coordinator.expire(victim);
      }
    };
    await Promise.all([worker('w1'), worker('w2'), worker('w3'), killer()]);
    assert.equal(work.done.size, 12, `seed ${seed}`);
    assert.deepEqual(await coordinator.list(''), [], `seed ${seed}`);
  }
});
