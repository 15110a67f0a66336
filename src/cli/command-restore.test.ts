import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call, RestorePlan, RestoreRequest, RestoreResult } from '../api/codr-api.ts';
import { CodrError } from '../base/error.ts';
import { runFake } from './fake-world.ts';

const estimate = { bytes: 26_214_400, bytesPerSecond: 13_107_200, seconds: 2 };

test('a restore asks for its limit in bytes, and for none unless told', async () => {
  const asked: (number | undefined)[] = [];
  const planRestore = async ({ bytesPerSecond }: RestoreRequest): Promise<RestorePlan> => {
    asked.push(bytesPerSecond);
    const none = {
      datasets: [],
      definitions: [],
      conflicts: [],
      dropped: [],
      skipped: [],
      estimate,
    };
    const at = { time: '1', wall: '2026-11-22T13:05:00Z' };
    return { source: 'shop', at, resumes: false, warnings: [], ...none };
  };
  const restore = ['restore', 'shop', '--to', 'mongodb://db1/', '--dry-run'];
  for (const limit of [[], ['--mib-per-second', '1.5'], ['--mib-per-second=0']]) {
    assert.equal((await runFake([...restore, ...limit], { api: { planRestore } })).exitCode, 0);
  }
  assert.deepEqual(asked, [undefined, 1_572_864, 0]);
  const wrong = await runFake([...restore, '--mib-per-second=-1'], { api: { planRestore } });
  assert.equal(wrong.exitCode, 2);
  assert.match(wrong.stderr, /less than 0/);
});

test('a plan says in how many ranges it folds, and about how long that takes at a rate that is assumed', async () => {
  const at = { time: '1', wall: '2026-11-22T13:05:00Z' };
  const none = { definitions: [], conflicts: [], dropped: [], skipped: [], warnings: [] };
  const datasets = [{ from: 'a.b', to: 'a.c', records: 7, bytes: 26_214_400, ranges: 3 }];
  const plan: RestorePlan = { source: 'shop', at, resumes: false, ...none, datasets, estimate };
  const words = ['restore', 'shop', '--to', 'mongodb://db1/', '--dry-run'];
  const { stdout } = await runFake(words, { api: { planRestore: async () => plan } });
  assert.match(stdout, /RANGES +EXPIRING\na\.b +a\.c +7 +25\.0 MiB +3/);
  assert.match(stdout, /about 2\.0 s for 25\.0 MiB at 12\.5 MiB\/s, which is assumed/);
});

test('what cannot be kept is told above the progress, once, whether the restore ends well or not', async () => {
  const lost = { namespace: 'a.w', reason: 'no' };
  const told = 'skipped a.w: no\nwarning: odd';
  const restore = async (_: RestoreRequest, { progress }: Call): Promise<RestoreResult> => {
    const none = { records: 0, bytes: 0, seconds: 0 };
    progress?.({ ...none, phase: 'plan', told });
    progress?.({ ...none, phase: 'loading', told });
    throw new CodrError('target-unfit', 'it broke', { object: lost.namespace });
  };
  const words = ['restore', 'shop', '--to', 'mongodb://db1/'];
  const plain = await runFake(words, { api: { restore } });
  assert.equal(plain.stderr.split('\n').slice(0, 2).join('\n'), told);
  assert.equal(plain.stderr.split('warning: odd').length, 2);
  const { stderr } = await runFake([...words, '--json'], { api: { restore } });
  const [first] = stderr.split('\n');
  assert.equal(JSON.parse(first ?? '').progress.told, told);
});
