import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/harness/manual-clock.ts';
import { BrokenPromiseError } from '../base/assert.ts';
import { CodrError, isCodrError } from '../base/error.ts';
import { silentLogger } from '../base/log.ts';
import {
  coordinatorOf,
  optionsFor,
  passing,
  turn,
  turns,
  untilAborted,
  Work,
} from './task-runner.fixture.ts';
import { type Job, runJob } from './task-runner.ts';

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

test('a task whose mark was taken away cannot be reported as done', async () => {
  const coordinator = coordinatorOf();
  const job = new Work().job(['a'], 'w', async () => {
    await coordinator.transact([], [{ delete: 'tasks/job/a' }]);
  });
  await assert.rejects(runJob(job, optionsFor(coordinator, 'w')), (error) =>
    isCodrError(error, 'lease-lost'),
  );
});

test('a task that fails for a moment is tried again, with growing waits, and says so in one sentence', async () => {
  const clock = new ManualClock({ jumps: true });
  const work = new Work();
  let failures = 2;
  const job = work.job(['a'], 'w', async () => {
    if (failures-- > 0) throw passing();
  });
  const told: string[] = [];
  const log = {
    ...silentLogger,
    warn: (fields: object, message: string) => void told.push(message + Object.keys(fields)),
  };
  await runJob(job, optionsFor(coordinatorOf(), 'w', { clock, log }));
  assert.deepEqual(work.log, ['w a', 'w a', 'w a']);
  assert.deepEqual(clock.sleptMs, [500, 1000]);
  assert.deepEqual(told, [
    'no answer: trying again in 0.5 s (2 of 3)',
    'no answer: trying again in 1 s (3 of 3)',
  ]);
});

test('at level debug the begin and the end of each task are told', async () => {
  const told: unknown[] = [];
  const debug = (fields: object, message: string): void => void told.push({ ...fields, message });
  const log = { ...silentLogger, debug };
  await runJob(new Work().job(['a'], 'w'), optionsFor(coordinatorOf(), 'w', { log }));
  assert.deepEqual(told, [
    { job: 'job', task: 'a', weight: 1, message: 'task begun' },
    { job: 'job', task: 'a', message: 'task finished' },
  ]);
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
