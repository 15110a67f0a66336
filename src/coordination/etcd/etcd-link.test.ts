import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../test/harness/manual-clock.ts';
import { isCodrError } from '../../base/error.ts';
import { silentLogger } from '../../base/log.ts';
import type { EtcdChannel } from './etcd-channel.ts';
import { StreamError } from './etcd-error.ts';
import { EtcdLink, type Tries } from './etcd-link.ts';

const endpoints = ['http://a:1', 'http://b:1', 'http://c:1'];
const unsent = new StreamError('No connection established. Last error: refused');
const lost = new StreamError('read ECONNRESET');

function open(clock = new ManualClock({ jumps: true })) {
  const opened: string[] = [];
  const closed: string[] = [];
  const connect = (endpoint: string): EtcdChannel => {
    opened.push(endpoint);
    return { endpoint, close: () => closed.push(endpoint) } as unknown as EtcdChannel;
  };
  const closing = new AbortController();
  const world = { clock, log: silentLogger, closed: closing.signal };
  const link = new EtcdLink({ endpoints, first: 1, prefix: 'p', connect, ...world });
  return { link, clock, opened, closed, closing };
}

test('a call goes on at the next endpoint, at once until all were tried, and later calls stay there', async () => {
  const { link, clock, opened, closed } = open();
  let tries = 0;
  const work = async ({ endpoint }: EtcdChannel): Promise<string> => {
    if (++tries < 3) throw lost;
    return endpoint;
  };
  assert.equal(await link.call(work), 'http://a:1');
  assert.deepEqual(opened, ['http://b:1', 'http://c:1', 'http://a:1']);
  assert.deepEqual(closed, ['http://b:1', 'http://c:1']);
  assert.deepEqual(clock.sleptMs, []);
  assert.equal(await link.call(async ({ endpoint }) => endpoint), 'http://a:1');
});

test('of many calls that fail together only the first leaves the endpoint', async () => {
  const { link, opened } = open();
  const work = async ({ endpoint }: EtcdChannel): Promise<string> => {
    if (endpoint === 'http://b:1') throw lost;
    return endpoint;
  };
  const answers = await Promise.all(Array.from({ length: 20 }, () => link.call(work)));
  assert.deepEqual(new Set(answers), new Set(['http://c:1']));
  assert.deepEqual(opened, ['http://b:1', 'http://c:1']);
});

test('after 10 s the error names each endpoint, and whether anything may have happened is known', async () => {
  for (const [error, inDoubt] of [
    [unsent, false],
    [lost, true],
  ] as const) {
    const { link, clock } = open();
    const tries: Tries = {};
    const failing = link.call(async () => {
      throw error;
    }, tries);
    await assert.rejects(failing, (thrown) => {
      assert.ok(isCodrError(thrown, 'coordinator-unreachable'));
      for (const endpoint of endpoints) assert.ok(thrown.remedy.includes(endpoint));
      return true;
    });
    assert.equal(tries.inDoubt, inDoubt);
    assert.ok(clock.monotonic() >= 10_000 && clock.monotonic() < 11_500, `${clock.monotonic()}`);
  }
});

test('a call that waits ends when the coordinator is disposed of', async () => {
  const { link, closing, clock } = open(new ManualClock());
  const failing = link.call(async () => {
    throw unsent;
  });
  await clock.advance(0);
  assert.equal(clock.sleeping, 1);
  closing.abort(new Error('disposed of'));
  await assert.rejects(failing, /disposed of/);
});
