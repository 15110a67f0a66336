import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../test/harness/manual-clock.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import type { ErrorCode } from '../../base/error-catalogue.ts';
import { silentLogger } from '../../base/log.ts';
import { type FollowOnOptions, type FollowTry, followOn } from './follow-on.ts';

interface Failing {
  readonly code: ErrorCode;
  readonly times: number;
  /** Tries that reach store and source before they fail. */
  readonly reached?: number;
  readonly facts?: Readonly<Record<string, unknown>>;
}

function failing({ code, times, reached = 0, facts = {} }: Failing) {
  const work = { goesOn: [] as boolean[], run: async (_: FollowTry) => '' };
  work.run = async ({ goesOn, begun }) => {
    const tries = work.goesOn.push(goesOn);
    if (tries <= reached) begun();
    if (tries <= times) throw new CodrError(code, `try ${tries} failed`, { facts });
    return 'followed';
  };
  return work;
}

function options(more: Partial<FollowOnOptions> = {}) {
  const [told, logged] = [[] as string[], [] as string[]];
  const how: FollowOnOptions = {
    clock: new ManualClock({ jumps: true }),
    log: { ...silentLogger, warn: (_, message) => void logged.push(message) },
    signal: new AbortController().signal,
    isUnattended: false,
    waiting: ({ code }) => told.push(code),
    ...more,
  };
  return { ...how, told, logged };
}

const full = { transient: false, systemCode: 'ENOSPC' };

test('following begins again after each time that the store or the source was away', async () => {
  for (const code of ['store-unreachable', 'source-unreachable'] as const) {
    const work = failing({ code, times: 3 });
    const clock = new ManualClock({ jumps: true });
    const how = options({ clock });
    assert.equal(await followOn(work.run, how), 'followed');
    assert.deepEqual(how.told, [code, code, code]);
    assert.deepEqual(clock.sleptMs, [1000, 2000, 4000]);
  }
});

test('it never waits longer than half a minute', async () => {
  const clock = new ManualClock({ jumps: true });
  await followOn(failing({ code: 'source-unreachable', times: 40 }).run, options({ clock }));
  assert.equal(Math.max(...clock.sleptMs), 30_000);
});

test('what is wrong is told once, with what to do, and anew when something else is', async () => {
  const how = options();
  await followOn(failing({ code: 'source-unreachable', times: 5 }).run, how);
  assert.deepEqual(how.logged, ['following waits: try 1 failed']);
  let tries = 0;
  const changing = async (): Promise<string> => {
    if (++tries > 4) return 'followed';
    throw new CodrError(tries > 2 ? 'store-unreachable' : 'source-unreachable', `try ${tries}`);
  };
  const other = options();
  await followOn(changing, other);
  assert.deepEqual(other.logged, ['following waits: try 1', 'following waits: try 3']);
});

test('what is wrong is told again after it was told that following goes on', async () => {
  const logged: string[] = [];
  const say = (_: object, message: string): void => void logged.push(message);
  const log = { ...silentLogger, warn: say, info: say };
  await followOn(
    failing({ code: 'source-unreachable', times: 2, reached: 3 }).run,
    options({ log }),
  );
  const goesOn = 'following goes on';
  const [first, second] = [1, 2].map((n) => `following waits: try ${n} failed`);
  assert.deepEqual(logged, [first, goesOn, second, goesOn]);
});

test('a full store is waited for once it was reached, and ends a run that never reached it', async () => {
  const first = failing({ code: 'store-unreachable', times: 1, facts: full });
  await assert.rejects(followOn(first.run, options()), /try 1 failed/);
  const later = failing({ code: 'store-unreachable', times: 3, reached: 1, facts: full });
  assert.equal(await followOn(later.run, options()), 'followed');
  assert.deepEqual(later.goesOn, [false, true, true, true]);
});

test('where nobody sees how it ends, it waits for a store that it never reached', async () => {
  const work = failing({ code: 'store-unreachable', times: 2, facts: full });
  assert.equal(await followOn(work.run, options({ isUnattended: true })), 'followed');
});

test('what only a new process mends is an error, though it was reached before', async () => {
  const facts = { ...full, untilRestart: true };
  const work = failing({ code: 'store-unreachable', times: 2, reached: 2, facts });
  await assert.rejects(followOn(work.run, options()), /try 1 failed/);
});

test('what no waiting mends is an error at once', async () => {
  for (const code of ['source-other-identity', 'key-wrong', 'busy', 'source-rights'] as const) {
    const work = failing({ code, times: 1, reached: 1 });
    const followed = followOn(work.run, options());
    await assert.rejects(followed, (error) => isCodrError(error, code));
    assert.equal(work.goesOn.length, 1);
  }
});

test('who is stopped while it waits ends at once and names what it waited for', async () => {
  const stop = new AbortController();
  const work = failing({ code: 'store-unreachable', times: 9 });
  const clock = new ManualClock();
  const how = options({
    clock,
    signal: stop.signal,
    waiting: () => setImmediate(() => stop.abort()),
  });
  await assert.rejects(followOn(work.run, how), (error) => {
    assert.ok(isCodrError(error, 'interrupted'));
    assert.equal((error.cause as Error).message, 'try 1 failed');
    return true;
  });
  assert.equal(work.goesOn.length, 1);
});
