import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import type { SourceSession } from '../../connector/connector.ts';
import { backupByCuts } from './cut-cycle.ts';
import { cutSession } from './cut-source.fixture.ts';
import { CutWorld } from './cut-world.fixture.ts';

let world: CutWorld;
let slept: number[];
let said: string[];
let warned: string[];
const identity = 'cluster';

beforeEach(async () => {
  world = await CutWorld.open();
  world.database.create('shop.orders');
  world.database.write('shop.orders', 'k', 'v');
  slept = [];
  said = [];
  warned = [];
});

/** Follows; `wake` is called in place of each wait with its number, and stops the work at last. */
async function follow(
  rpoMs: number,
  wake: (n: number, stop: () => void) => void,
  isFollowing = true,
  more: Partial<SourceSession> = {},
  goesOn = false,
) {
  const stop = new AbortController();
  const sleep = async (ms: number): Promise<void> => {
    slept.push(ms);
    world.database.nowMs += ms;
    wake(slept.length, () => stop.abort());
    stop.signal.throwIfAborted();
  };
  const { context } = world;
  const options = {
    ...{
      follow: isFollowing,
      goesOn,
      rpoMs,
      identity,
      auditEveryMs: 0,
      minGrade: 'quorum-safe' as const,
    },
    listener: ({ phase, note }: { phase: string; note?: string }) =>
      void said.push(note === undefined ? phase : `${phase}: ${note}`),
  };
  const warn = (_: unknown, text?: string): void => void warned.push(text ?? '');
  const log = { ...context.world.log, warn };
  return await backupByCuts(
    { ...context, world: { ...context.world, log, clock: { ...world.clock, sleep } } },
    options,
    { session: { ...cutSession(world.database), ...more }, claim: world.claim },
    stop.signal,
  );
}

test('without following one cut is taken', async () => {
  const { point } = await follow(1000, () => assert.fail('it waits'), false);
  assert.deepEqual([point.id, slept], ['cut:1', []]);
});

test('cuts follow one another as far apart as asked, never below a minute', async () => {
  const { point } = await follow(5000, (n, stop) => n === 3 && stop());
  assert.deepEqual([point.id, slept], ['cut:3', [60_000, 60_000, 60_000]]);
  assert.deepEqual(warned, ['cuts are 60 s apart at least, not 5 s']);
  slept = [];
  await follow(900_000, (_, stop) => stop());
  assert.deepEqual([slept, warned.length], [[900_000], 1]);
});

test('a source that keeps something for the next cut is looked after every minute', async () => {
  let tended = 0;
  const tend = async () => {
    tended++;
    return [];
  };
  await follow(150_000, (n, stop) => n === 4 && stop(), true, { tend });
  assert.deepEqual([slept, tended], [[60_000, 60_000, 30_000, 60_000], 2]);
});

test('while it waits it tells the newest cut', async () => {
  await follow(60_000, (n, stop) => n === 2 && stop());
  const waits = said.filter((text) => text.startsWith('waiting for the next cut: newest cut '));
  assert.equal(waits.length, 2);
  assert.match(waits[1] ?? '', /newest cut 2027-01-15T08:01:00\.000Z \(cut:2\)$/);
});

test('a cut that is less sure, or a source that does not answer, is passed over while following', async () => {
  const { point } = await follow(60_000, (n, stop) => {
    world.database.grade = n === 1 ? 'best-effort' : 'complete';
    if (n === 3) stop();
  });
  assert.equal(point.id, 'cut:2', 'the second attempt failed, the third was the second cut');
});

test('who goes on passes over a first cut that is less sure', async () => {
  world.database.grade = 'best-effort';
  const wake = (n: number, stop: () => void): void => {
    world.database.grade = 'complete';
    if (n === 2) stop();
  };
  await assert.rejects(follow(60_000, wake), /the cut is best-effort only/);
  world.database.grade = 'best-effort';
  const { point } = await follow(60_000, wake, true, {}, true);
  assert.deepEqual([point.id, slept], ['cut:1', [60_000, 60_000]]);
});

test('who goes on and is stopped before its first cut says so', async () => {
  world.database.grade = 'best-effort';
  const following = follow(60_000, (_, stop) => stop(), true, {}, true);
  await assert.rejects(following, { name: 'AbortError' });
});

test('a fault that does not pass by itself ends following', async () => {
  const failing = follow(60_000, () => {
    world.database.beforeReport = () => {
      throw new Error('a defect');
    };
  });
  await assert.rejects(failing, /a defect/);
});
