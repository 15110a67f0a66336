// What is waited for after a change of the schema: what each node has itself, and of one that is silent what others say.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../../base/clock.ts';
import { CodrError } from '../../../base/error.ts';
import type { CqlSession, QueryOptions } from '../session/cql.ts';
import { SchemaRunner } from './schema-runner.ts';

const { signal } = new AbortController();

/** Versions by node, one for each time that it is asked, the last one from then on; `silent`: no answer. */
function runnerOf(versions: Readonly<Record<string, readonly string[]>>, heard = 'new') {
  let ms = 0;
  const asked: string[] = [];
  const left = new Map(Object.entries(versions).map(([node, all]) => [node, [...all]]));
  const cql = {
    run: async () => {},
    hosts: () => Object.keys(versions).map((address) => ({ address, isUp: address !== 'down' })),
    rows: async (query: string, { host = '', params, signal: one }: QueryOptions) => {
      one.throwIfAborted();
      asked.push(host);
      if (query.includes('peers_v2')) {
        assert.equal(host, 'first');
        assert.equal(params?.length, 1);
        return [{ schema_version: heard }];
      }
      const own = left.get(host) as string[];
      const version = own.length > 1 ? own.shift() : own[0];
      if (version === 'silent') throw new CodrError('target-unfit', `${host} is silent`);
      return [{ schema_version: version }];
    },
  } as unknown as CqlSession;
  const clock = {
    monotonic: () => ms,
    sleep: async (pause: number, one?: AbortSignal) => {
      one?.throwIfAborted();
      ms += pause;
    },
  } as unknown as Clock;
  return { runner: new SchemaRunner(cql, clock, 'first'), asked, now: () => ms };
}

test('nodes are waited for until each has the change, and those that are down are not asked', async () => {
  const { runner, asked, now } = runnerOf({
    first: ['new'],
    second: ['old', 'older', 'new'],
    down: ['old'],
  });
  await runner.agreed(signal);
  assert.equal(asked.length, 0, 'nothing was changed');
  await runner.run('CREATE TABLE k.t (p int PRIMARY KEY)', signal);
  await runner.agreed(signal);
  assert.equal(asked.filter((node) => node === 'second').length, 3);
  assert.ok(now() > 0 && now() < 1000 && !asked.includes('down'));
});

test('a node that does not answer is believed to have what others have heard of it, and no more', async () => {
  const change = 'DROP TABLE k.t';
  const known = runnerOf({ first: ['new'], second: ['silent'] }, 'new');
  await known.runner.run(change, signal);
  await known.runner.agreed(signal);
  const behind = runnerOf({ first: ['new'], second: ['silent'] }, 'old');
  await behind.runner.run(change, signal);
  await assert.rejects(behind.runner.agreed(signal), { code: 'target-unfit', message: /agree/ });
  assert.ok(behind.now() >= 60_000);
  // It is asked again by whoever needs to know.
  await assert.rejects(behind.runner.agreed(signal), { code: 'target-unfit' });
});

test('a wait that is given up ends with its reason, and waits anew the next time', async () => {
  const { runner } = runnerOf({ first: ['new'], second: ['old', 'new'] });
  await runner.run('DROP TABLE k.t', signal);
  const given = AbortSignal.abort(new Error('given up'));
  await assert.rejects(runner.agreed(given), /given up/);
  await runner.agreed(signal);
});
