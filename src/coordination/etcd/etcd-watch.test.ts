import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import type { IWatchRequest } from 'etcd3';
import { ManualClock } from '../../../test/harness/manual-clock.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import { silentLogger } from '../../base/log.ts';
import type { EtcdChannel } from './etcd-channel.ts';
import { StreamError } from './etcd-error.ts';
import { EtcdKeys } from './etcd-keys.ts';
import type { EtcdLife } from './etcd-life.ts';
import { EtcdLink } from './etcd-link.ts';
import { EtcdWatch } from './etcd-watch.ts';

class FakeStream extends EventEmitter {
  readonly endpoint: string;
  readonly requests: IWatchRequest[] = [];
  cancelled = false;

  constructor(endpoint: string) {
    super();
    this.endpoint = endpoint;
  }

  /** A member that works says so of each watch. */
  write(request: IWatchRequest): void {
    this.requests.push(request);
    const watch_id = `${request.create_request?.watch_id}`;
    if (request.create_request) this.answer({ watch_id, created: true });
  }

  answer(fields: object): void {
    this.emit('data', {
      created: false,
      canceled: false,
      cancel_reason: '',
      events: [],
      ...fields,
    });
  }

  cancel(): void {
    this.cancelled = true;
  }
}

/** Members that answer the stream; whether they answer for the majority is said by `alone`. */
function open() {
  const clock = new ManualClock();
  const streams: FakeStream[] = [];
  const alone = new Set<string>();
  const ending = new AbortController();
  const connect = (endpoint: string): EtcdChannel => {
    const watch = async (): Promise<FakeStream> => {
      const stream = new FakeStream(endpoint);
      streams.push(stream);
      return stream;
    };
    return { endpoint, watches: { watch }, close: () => {} } as unknown as EtcdChannel;
  };
  const life = {
    ended: ending.signal,
    transact: async ({ endpoint }: EtcdChannel) => {
      if (alone.has(endpoint)) throw new StreamError('etcdserver: request timed out');
    },
  } as unknown as EtcdLife;
  const endpoints = ['http://a:1', 'http://b:1'];
  const world = { clock, log: silentLogger, closed: new AbortController().signal };
  const link = new EtcdLink({ endpoints, first: 0, prefix: 'p', connect, ...world });
  const watch = new EtcdWatch({ life, keys: new EtcdKeys('p'), link, clock });
  return { clock, streams, alone, ending, watch };
}

const { signal } = new AbortController();

test('a member that keeps the stream open but has lost the majority is left, with a hint', async () => {
  const { clock, streams, alone, watch } = open();
  const hints = watch.watch('k', signal)[Symbol.asyncIterator]();
  await hints.next();
  await clock.advance(9000);
  assert.equal(streams.length, 1, 'a member that answers is kept');
  const hint = hints.next();
  alone.add('http://a:1');
  await clock.advance(3000);
  assert.deepEqual(
    streams.map(({ endpoint, cancelled }) => [endpoint, cancelled]),
    [
      ['http://a:1', true],
      ['http://b:1', false],
    ],
  );
  assert.equal((await hint).done, false);
  watch.end();
});

test('a watch that the member ends is asked for anew, with a hint', async () => {
  const { clock, streams, watch } = open();
  const hints = watch.watch('k', signal)[Symbol.asyncIterator]();
  await hints.next();
  const hint = hints.next();
  streams[0]?.answer({ watch_id: '1', canceled: true, cancel_reason: 'etcdserver: no leader' });
  await clock.advance(0);
  assert.equal((await hint).done, false);
  assert.equal(streams.length, 2);
  watch.end();
});

test('all watches share a stream, which ends with the last of them', async () => {
  const { clock, streams, watch } = open();
  const [one, two] = [new AbortController(), new AbortController()];
  const first = watch.watch('a', one.signal)[Symbol.asyncIterator]();
  await first.next();
  const second = watch.watch('b', two.signal)[Symbol.asyncIterator]();
  await second.next();
  assert.equal(streams.length, 1);
  const hint = second.next();
  streams[0]?.answer({ watch_id: '2', events: [{}] });
  assert.equal((await hint).done, false);
  one.abort();
  assert.equal((await first.next()).done, true);
  assert.deepEqual(streams[0]?.requests.at(-1), { cancel_request: { watch_id: 1 } });
  assert.equal(streams[0]?.cancelled, false);
  two.abort();
  await clock.advance(0);
  assert.equal(streams[0]?.cancelled, true);
  assert.equal(clock.sleeping, 0, 'nothing is probed any more');
});

test('watches fail when the life of the store ends, or the member refuses them', async () => {
  const { clock, streams, ending, watch } = open();
  const hints = watch.watch('k', signal)[Symbol.asyncIterator]();
  await hints.next();
  ending.abort(new CodrError('coordinator-replaced', 'wiped'));
  await assert.rejects(hints.next(), (error) => isCodrError(error, 'coordinator-replaced'));

  const later = watch.watch('k', signal);
  const refused = assert.rejects(
    async () => {
      for await (const _ of later);
    },
    (error) => isCodrError(error, 'coordinator-refused'),
  );
  await clock.advance(0);
  const cancel_reason = 'etcdserver: permission denied';
  streams.at(-1)?.answer({ watch_id: '2', canceled: true, cancel_reason });
  await clock.advance(0);
  await refused;
});
