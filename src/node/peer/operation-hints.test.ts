import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../test/harness/manual-clock.ts';
import { MemoryCoordinator } from '../../coordination/memory/memory-coordinator.ts';
import { OperationHints } from './operation-hints.ts';

function listening(prefixes: readonly string[]) {
  const clock = new ManualClock();
  const coordinator = new MemoryCoordinator(clock, 'memory');
  const stop = new AbortController();
  const hints = new OperationHints(coordinator, prefixes, { clock, signal: stop.signal });
  const put = (key: string) => coordinator.transact([], [{ put: key, value: '' }]);
  return { clock, stop, hints, put };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Whether it comes without any time passing. */
async function comes(wait: Promise<unknown>): Promise<boolean> {
  let came = false;
  void wait.then(() => {
    came = true;
  });
  await turn();
  await turn();
  return came;
}

test('a nudge that comes while nobody waits ends the next wait, also after a wait that a hint has ended', async () => {
  const { hints, put } = listening(['a/']);
  const first = hints.next(undefined);
  await put('a/1');
  assert.equal(await first, true);
  hints.nudge();
  assert.equal(await comes(hints.next(undefined)), true);
  assert.equal(await comes(hints.next(undefined)), false);
});

test('changes under each prefix are heard, those beside them are not, and the signal ends it', async () => {
  const { hints, put, stop } = listening(['a/', 'b/']);
  for (const key of ['a/1', 'b/1']) {
    await put(key);
    assert.equal(await hints.next(undefined), true);
  }
  await put('ab/1');
  const last = hints.next(undefined);
  assert.equal(await comes(last), false);
  stop.abort();
  assert.equal(await last, false);
});

test('a wait ends at its time when nothing comes', async () => {
  const { hints, clock } = listening(['a/']);
  const waiting = hints.next(1000);
  await clock.advance(999);
  assert.equal(await comes(waiting), false);
  await clock.advance(1);
  assert.equal(await waiting, true);
  assert.equal(clock.sleeping, 0);
});
