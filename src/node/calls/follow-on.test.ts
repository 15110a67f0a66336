import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../test/harness/manual-clock.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import type { ErrorCode } from '../../base/error-catalogue.ts';
import { silentLogger } from '../../base/log.ts';
import { type FollowOnOptions, followOn } from './follow-on.ts';

const failing = (code: ErrorCode, times: number) => {
  const work = { runs: 0, run: async () => await Promise.resolve('') };
  work.run = async () => {
    if (++work.runs <= times) throw new CodrError(code, 'it is away');
    return 'followed';
  };
  return work;
};

function options(more: Partial<FollowOnOptions> = {}): FollowOnOptions & { told: string[] } {
  const told: string[] = [];
  return {
    clock: new ManualClock({ jumps: true }),
    log: silentLogger,
    signal: new AbortController().signal,
    waiting: ({ code }) => told.push(code),
    ...more,
    told,
  };
}

test('following begins again after each time that the store or the source was away', async () => {
  for (const code of ['store-unreachable', 'source-unreachable'] as const) {
    const work = failing(code, 3);
    const clock = new ManualClock({ jumps: true });
    const how = options({ clock });
    assert.equal(await followOn(work.run, how), 'followed');
    assert.deepEqual(how.told, [code, code, code]);
    assert.deepEqual(clock.sleptMs, [1000, 2000, 4000]);
  }
});

test('what no waiting mends is an error at once', async () => {
  const work = failing('source-other-identity', 1);
  await assert.rejects(followOn(work.run, options()), (error) =>
    isCodrError(error, 'source-other-identity'),
  );
  assert.equal(work.runs, 1);
});

test('who is stopped while it waits does not begin again', async () => {
  const stop = new AbortController();
  const work = failing('store-unreachable', 9);
  const how = options({ signal: stop.signal, waiting: () => stop.abort(new Error('stopped')) });
  await assert.rejects(followOn(work.run, how), /stopped/);
  assert.equal(work.runs, 1);
});
