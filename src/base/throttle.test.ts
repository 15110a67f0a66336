import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Throttle } from './throttle.ts';

const never = new AbortController().signal;

function clockOf() {
  let now = 1000;
  return {
    monotonic: () => now,
    sleep: async (ms: number) => {
      now += ms;
    },
    pass(ms: number) {
      now += ms;
    },
  };
}

test('a rate holds over many payments, and time that went by unused is not saved up', async () => {
  const clock = clockOf();
  const throttle = new Throttle(100, clock);
  for (let i = 0; i < 10; i++) await throttle.pay(50, never);
  assert.equal(clock.monotonic(), 1000 + 5000);
  clock.pass(60_000);
  await throttle.pay(100, never);
  assert.equal(clock.monotonic(), 66_000 + 1000);
});

test('without a limit nobody waits', async () => {
  const clock = clockOf();
  await new Throttle(0, clock).pay(1e12, never);
  assert.equal(clock.monotonic(), 1000);
});
