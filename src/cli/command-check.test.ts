import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CheckResult } from '../api/codr-api.ts';
import { runFake } from './fake-world.ts';

const nothing = { packs: 1, commits: 1, bytesRead: 0, problems: [], givenUp: [], seconds: 0 };

test('check reads a share of the data as percent, all of it without a number, none unless told', async () => {
  const percents: number[] = [];
  const check = async (request: { readDataPercent: number }): Promise<CheckResult> => {
    percents.push(request.readDataPercent);
    return nothing;
  };
  for (const flag of [[], ['--read-data'], ['--read-data=10%'], ['--read-data', '2.5']]) {
    await runFake(['check', ...flag], { api: { check } });
  }
  assert.deepEqual(percents, [0, 100, 10, 2.5]);
  const wrong = await runFake(['check', '--read-data=101%'], { api: { check } });
  assert.equal(wrong.exitCode, 2);
});

test('check ends with 9 only while a problem is not repaired', async () => {
  const result = (repaired: boolean): CheckResult => ({
    ...nothing,
    problems: [{ object: 'packs/d/00/x', problem: 'is missing', affected: ['shop'], repaired }],
  });
  const mended = await runFake(['check', '--repair'], { api: { check: async () => result(true) } });
  const damaged = await runFake(['check'], { api: { check: async () => result(false) } });
  assert.deepEqual([mended.exitCode, damaged.exitCode], [0, 9]);
});

test('a source that has lost something for good is told of its next backup', async () => {
  const check = async (): Promise<CheckResult> => ({ ...nothing, givenUp: ['shop'] });
  const run = await runFake(['check', '--repair'], { api: { check } });
  assert.match(run.stdout, /the next codr backup shop copies anew what shop has lost/);
});

test('a problem names its object once', async () => {
  const told = (object: string, problem: string): CheckResult => ({
    ...nothing,
    problems: [{ object, problem, affected: [], repaired: false }],
  });
  const shown = async (result: CheckResult): Promise<string> =>
    (await runFake(['check'], { api: { check: async () => result } })).stdout;
  const missing = await shown(told('packs/d/00/x', 'it is missing'));
  assert.match(missing, /^damaged {3}packs\/d\/00\/x: it is missing\n1 problem in /);
  const damaged = await shown(told('packs/d/00/x', 'frame 0 of packs/d/00/x: it ends early'));
  assert.match(damaged, /^damaged {3}frame 0 of packs\/d\/00\/x: it ends early\n/);
});
