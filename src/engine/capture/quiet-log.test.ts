import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Logger, silentLogger } from '../../base/log.ts';
import { QuietLog } from './quiet-log.ts';

const forever = new AbortController().signal;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A log with an objective of 8 s, a clock in the test's hands, and what became of it. */
function open(answer: (signal: AbortSignal) => Promise<bigint> = async () => 0n) {
  let nowMs = 0;
  const clock = { now: () => nowMs, monotonic: () => nowMs, sleep: async () => {} };
  const warnings: string[] = [];
  const warn = (_fields: object, message: string): number => warnings.push(message);
  const log: Logger = { ...silentLogger, warn };
  const asked: number[] = [];
  const watermark = (signal: AbortSignal): Promise<bigint> => {
    asked.push(nowMs);
    return answer(signal);
  };
  const quiet = new QuietLog({ watermark }, { clock, log }, 8000);
  const at = (ms: number): QuietLog => {
    nowMs = ms;
    return quiet;
  };
  return { at, asked, warnings };
}

test('the source is asked when a commit is near and the log has been quiet', () => {
  const { at, asked } = open();
  at(5999).look(0, forever);
  assert.deepEqual(asked, []);
  at(6000).look(0, forever);
  assert.deepEqual(asked, [6000]);
});

test('a log that has just moved is let alone', () => {
  const { at, asked } = open();
  at(5000).heard();
  at(6999).look(0, forever);
  assert.deepEqual(asked, []);
  at(7000).look(0, forever);
  assert.deepEqual(asked, [7000]);
});

test('one answer is waited for at a time', async () => {
  let answer = (): void => {};
  const { at, asked } = open(
    () =>
      new Promise((resolve) => {
        answer = () => resolve(0n);
      }),
  );
  at(6000).look(0, forever);
  at(60_000).look(0, forever);
  assert.deepEqual(asked, [6000]);
  answer();
  await turn();
  at(61_000).look(0, forever);
  assert.deepEqual(asked, [6000, 61_000]);
});

test('a question that is not answered for a minute is given up, told, and asked again', async () => {
  const { at, asked, warnings } = open(
    (signal) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
      }),
  );
  at(6000).look(0, forever);
  at(65_999).look(0, forever);
  at(66_000).look(0, forever);
  await turn();
  at(67_000).look(0, forever);
  assert.deepEqual(asked, [6000, 66_000]);
  assert.equal(warnings.length, 1);
});

test('a refusal is told, and the source is asked again after the objective, not before', async () => {
  const { at, asked, warnings } = open(async () => {
    throw new Error('no');
  });
  for (let ms = 6000; ms < 22_000; ms += 100) {
    at(ms).look(0, forever);
    await turn();
  }
  assert.deepEqual(asked, [6000, 14_000]);
  assert.equal(warnings.length, 2);
});

test('what is told to stop asks nothing more, and its last question ends in silence', async () => {
  const stop = new AbortController();
  const { at, asked, warnings } = open(async () => {
    throw new Error('no');
  });
  at(6000).look(0, stop.signal);
  stop.abort();
  await turn();
  at(60_000).look(0, stop.signal);
  assert.deepEqual([asked, warnings], [[6000], []]);
});
