import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { ManualClock } from '../../../test/harness/manual-clock.ts';
import { isCodrError } from '../../base/error.ts';
import { silentLogger } from '../../base/log.ts';
import type { EtcdChannel } from './etcd-channel.ts';
import { StreamError } from './etcd-error.ts';
import { EtcdLease } from './etcd-lease.ts';
import { EtcdLink } from './etcd-link.ts';

/** When a lease that nobody confirms is lost. */
const deadlineMs = 7200;

type Answer = { ttl: number } | Error;

/** An etcd of one member and the keep-alives it was asked for, to be answered by the test. */
function open(ttlMs = 9000) {
  const clock = new ManualClock();
  const asked: { atMs: number; answer(answer: Answer): void }[] = [];
  let granting = Promise.resolve();
  const keepAlive = async () => {
    const stream = new EventEmitter();
    const answer = (given: Answer): void => {
      if (given instanceof Error) stream.emit('error', given);
      else stream.emit('data', { TTL: `${given.ttl}` });
    };
    asked.push({ atMs: clock.monotonic(), answer });
    return Object.assign(stream, { write: () => {}, cancel: () => {} });
  };
  const leases = {
    leaseGrant: async () => {
      await granting;
      return { ID: '7' };
    },
    leaseRevoke: async () => ({}),
    leaseKeepAlive: keepAlive,
  };
  const connect = (endpoint: string) =>
    ({ endpoint, leases, close: () => {} }) as unknown as EtcdChannel;
  const world = { clock, log: silentLogger, closed: new AbortController().signal };
  const link = new EtcdLink({
    endpoints: ['http://a:1'],
    first: 0,
    prefix: 'p',
    connect,
    ...world,
  });
  return {
    clock,
    asked,
    grant: (delayMs = 0) => {
      granting = clock.sleep(delayMs);
      return EtcdLease.grant(link, clock, ttlMs);
    },
  };
}

test('the time of a lease runs from when it was asked for, not from when it was granted', async () => {
  const { clock, grant } = open();
  const granted = grant(2000);
  await clock.advance(2000);
  const lease = await granted;
  await clock.advance(deadlineMs - 2000 - 1);
  assert.equal(lease.lost.aborted, false);
  await clock.advance(1);
  assert.ok(isCodrError(lease.lost.reason, 'lease-lost'));
});

test('a confirmed lease lasts from when the confirmation was asked for', async () => {
  const { clock, grant, asked } = open();
  const granted = grant();
  await clock.advance(0);
  const lease = await granted;
  await clock.advance(3000);
  assert.deepEqual(
    asked.map(({ atMs }) => atMs),
    [3000],
  );
  await clock.advance(2500);
  asked[0]?.answer({ ttl: 9 });
  await clock.advance(3000 + deadlineMs - 5500 - 1);
  assert.equal(lease.lost.aborted, false);
  await clock.advance(1);
  assert.equal(lease.lost.aborted, true);
});

test('an answer that comes after the deadline saves nothing', async () => {
  const { clock, grant, asked } = open();
  const granted = grant();
  await clock.advance(0);
  const lease = await granted;
  await clock.advance(deadlineMs);
  assert.equal(lease.lost.aborted, true);
  asked[0]?.answer({ ttl: 9 });
  await clock.advance(90_000);
  assert.equal(asked.length, 1, 'a lost lease is not kept alive');
});

test('a keep-alive that fails is repeated soon, and one that finds no lease ends it at once', async () => {
  const { clock, grant, asked } = open();
  const granted = grant();
  await clock.advance(0);
  const lease = await granted;
  await clock.advance(3000);
  asked[0]?.answer(new StreamError('read ECONNRESET'));
  await clock.advance(200);
  assert.equal(asked.length, 2);
  asked[1]?.answer({ ttl: 0 });
  await clock.advance(0);
  assert.equal(lease.lost.aborted, true);
});

test('a process that was stopped past the deadline finds out when it asks, before its timers fire', async () => {
  const { clock, grant } = open();
  const granted = grant();
  await clock.advance(0);
  const lease = await granted;
  clock.monotonic = () => deadlineMs;
  assert.equal(lease.lost.aborted, false);
  lease.check();
  assert.equal(lease.lost.aborted, true);
});

test('a lease that is given back is not lost and not kept alive', async () => {
  const { clock, grant, asked } = open();
  const granted = grant();
  await clock.advance(0);
  const lease = await granted;
  await lease[Symbol.asyncDispose]();
  await clock.advance(90_000);
  assert.equal(lease.lost.aborted, false);
  assert.equal(asked.length, 0);
});

test('the margin is a fifth of the time, for short times a second, for the shortest a half', async () => {
  for (const [ttl, lostMs] of [
    [30_000, 24_000],
    [4000, 3000],
    [1000, 500],
  ] as const) {
    const { clock, grant } = open(ttl);
    const granted = grant();
    await clock.advance(0);
    const lease = await granted;
    await clock.advance(lostMs - 1);
    assert.equal(lease.lost.aborted, false);
    await clock.advance(1);
    assert.equal(lease.lost.aborted, true);
  }
});
