import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/harness/manual-clock.ts';
import { isCodrError } from '../base/error.ts';
import { SeededRandom } from '../base/random.ts';
import type { Lease } from '../coordination/coordinator.ts';
import {
  coordinatorOf,
  optionsFor,
  turn,
  turns,
  untilAborted,
  Work,
  withLeases,
} from './task-runner.fixture.ts';
import { type Job, runJob } from './task-runner.ts';

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
