import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RestorePlan, RestoreResult } from '../api/codr-api.ts';
import { CodrError } from '../base/error.ts';
import { runFake } from './fake-world.ts';

const at = { time: '1763816700:42', wall: '2025-11-22T13:05:00.000Z' };

const result: RestoreResult = {
  source: 'shop',
  at,
  datasets: [{ from: 'a.b', to: 'a.c', records: 2, bytes: 64, root: 'ab12', proven: true }],
  definitions: [
    { kind: 'users', name: 'admin.ann' },
    { kind: 'users', name: 'admin.zed' },
    { kind: 'views', name: 'a.seen' },
  ],
  dropped: ['a.c', 'a.old'],
  skipped: [],
  changedByTarget: [],
  tornTransactions: 0,
  warnings: [],
  seconds: 2,
};

test('views, users and roles that were defined are counted', async () => {
  const words = ['restore', 'shop', '--to', 'mongodb://t/'];
  const run = await runFake(words, { api: { restore: async () => result } });
  assert.match(run.stdout, /\n2 users, 1 view defined\n/);
});

test('after --drop, what came back under its name is replaced, what the point lacks is dropped', async () => {
  const words = ['restore', 'shop', '--to', 'mongodb://t/', '--drop'];
  const run = await runFake(words, { api: { restore: async () => result } });
  assert.match(run.stdout, /\nreplaced a\.c\ndropped a\.old\n/);
});

test('a plan with --drop says which names come back, and which are gone for good', async () => {
  const { source, datasets, dropped } = result;
  const plan: RestorePlan = {
    ...{ source, at, resumes: false, definitions: [], conflicts: [], skipped: [], warnings: [] },
    datasets: datasets.map((one) => ({ ...one, ranges: 1 })),
    ...{ dropped, estimate: { bytes: 64, bytesPerSecond: 64, seconds: 1 } },
  };
  const words = ['restore', 'shop', '--to', 'mongodb://t/', '--drop', '--dry-run'];
  const run = await runFake(words, { api: { planRestore: async () => plan } });
  assert.match(run.stdout, /\nwould replace a\.c\nwould drop a\.old\n/);
});

test('a cause that the error quotes already is not told again', async () => {
  const refused = new Error('connect ECONNREFUSED h:1');
  const selection = new Error('connect ECONNREFUSED h:1', { cause: refused });
  const message = 'h:1 does not answer: connect ECONNREFUSED h:1';
  const error = new CodrError('source-unreachable', message, {
    object: 'h:1',
    cause: new Error('the set has no primary', { cause: selection }),
  });
  const run = await runFake(['status'], { api: { status: () => Promise.reject(error) } });
  assert.equal(
    run.stderr,
    `error: ${message}: check the address and the network\n  because: the set has no primary\n`,
  );
});

test('a limit of this machine is told as one, wherever it was met', async () => {
  const met = Object.assign(new Error("EMFILE: too many open files, open '/x'"), {
    code: 'EMFILE',
  });
  const { stdout, exitCode } = await runFake(['status', '--json'], {
    api: { status: () => Promise.reject(met) },
  });
  const { error } = JSON.parse(stdout);
  assert.deepEqual([error.code, exitCode], ['limit-reached', 1]);
  assert.match(error.remedy, /ulimit -n/);
});
