// What `status` and /metrics say of peers: who runs what, and how far behind that is.
import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { ManualClock } from '../../../test/harness/manual-clock.ts';
import type { Operation } from '../../api/operations.ts';
import { Membership } from '../../cluster/membership.ts';
import { MemoryCoordinator } from '../../coordination/memory/memory-coordinator.ts';
import { describeCluster } from './cluster-status.ts';
import { ownerKey } from './operation-records.ts';
import { PeerHttp } from './peer-http.ts';
import type { PeerSession } from './peer-session.ts';

test('a peer shows the largest lag of the sources whose backups it runs, and one that runs none shows none', async () => {
  const clock = new ManualClock({ jumps: true });
  const coordinator = new MemoryCoordinator(clock, 'memory');
  for (const name of ['a', 'b', 'c']) {
    const said = { name, address: `${name}:1`, version: '1', weight: 1, startedAt: 1 };
    await Membership.join(coordinator, { ...said, state: 'up' }, { leaseTtlMs: 10_000 });
  }
  const running = [
    { id: '1', kind: 'backup', source: 'shop', runner: 'a' },
    { id: '2', kind: 'backup', source: 'ring', runner: 'a' },
    { id: '3', kind: 'verify', source: 'late', runner: 'b' },
    { id: '4', kind: 'backup', source: 'new', runner: 'c' },
  ] as const;
  for (const { id, runner } of running) {
    await coordinator.transact([], [{ put: ownerKey(id), value: runner }]);
  }
  const list = async () =>
    running.map(({ id, kind, source }) => ({ id, kind, source, state: 'running' }) as Operation);
  const session = { coordinator, operations: { list } } as unknown as PeerSession;
  const lags = new Map(Object.entries({ shop: 2, ring: 700, late: 9000 }));
  const { peers } = await describeCluster(session, undefined, lags);
  assert.deepEqual(
    peers.map(({ name, operations, lagSeconds }) => [name, operations, lagSeconds]),
    [
      ['a', 2, 700],
      ['b', 1, undefined],
      ['c', 1, undefined],
    ],
  );
});

test('figures of one name with several labels have one help and one type', async () => {
  const listen = await freeAddress();
  await using _http = await PeerHttp.open({
    listen,
    isReady: () => true,
    figures: async () => [
      ['done_total', 'what was done', 3],
      ['lag{source="a"}', 'how late', 1],
      ['lag{source="b"}', 'how late', 2],
    ],
  });
  const text = await (await fetch(`http://${listen}/metrics`)).text();
  assert.deepEqual(text.trim().split('\n'), [
    '# HELP done_total what was done',
    '# TYPE done_total counter',
    'done_total 3',
    '# HELP lag how late',
    '# TYPE lag gauge',
    'lag{source="a"} 1',
    'lag{source="b"} 2',
  ]);
});

async function freeAddress(): Promise<string> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((done) => server.close(() => done()));
  return `127.0.0.1:${port}`;
}
