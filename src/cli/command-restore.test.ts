import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RestorePlan, RestoreRequest } from '../api/codr-api.ts';
import { runFake } from './fake-world.ts';

test('a restore asks for its limit in bytes, and for none unless told', async () => {
  const asked: (number | undefined)[] = [];
  const planRestore = async ({ bytesPerSecond }: RestoreRequest): Promise<RestorePlan> => {
    asked.push(bytesPerSecond);
    const none = { datasets: [], definitions: [], conflicts: [], dropped: [], skipped: [] };
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
